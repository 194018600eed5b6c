namespace Membership.Client;

/// <summary>Decides what a stream does after its connection failed: try again after a pause, or give up. Touches nothing.</summary>
/// <remarks>Single-threaded. The same inputs and the same random numbers give the same decisions.</remarks>
internal sealed class Reconnect(MembershipClientOptions options, Random random)
{
    private bool _wasConnected;
    private int _failures;
    private TimeSpan? _brokenSince;

    /// <summary>The server answered.</summary>
    public void OnConnected()
    {
        _wasConnected = true;
        _failures = 0;
        _brokenSince = null;
    }

    /// <param name="now">Time since any fixed moment, monotonic.</param>
    /// <returns>The pause before the next try, or null: the failure is final.</returns>
    public TimeSpan? OnFailed(TimeSpan now, MembershipReason reason)
    {
        if (IsFinal(reason)) return null;

        _brokenSince ??= now;
        var patience = _wasConnected ? options.ReconnectFor : options.ConnectFor;
        bool isPatient = patience == Timeout.InfiniteTimeSpan || now - _brokenSince < patience;
        return isPatient ? NextPause() : null;
    }

    /// <summary>Nothing but a change by a person helps against these.</summary>
    private static bool IsFinal(MembershipReason reason) => reason
        is MembershipReason.Denied
        or MembershipReason.Unsupported
        or MembershipReason.Invalid
        or MembershipReason.NotFound
        or MembershipReason.CutOff;

    private TimeSpan NextPause()
    {
        double doubled = options.ReconnectDelayMin.TotalMilliseconds * Math.Pow(2, Math.Min(_failures, 30));
        double pause = Math.Min(doubled, options.ReconnectDelayMax.TotalMilliseconds);
        _failures++;
        return TimeSpan.FromMilliseconds(pause * (1 - (random.NextDouble() / 2)));
    }
}
