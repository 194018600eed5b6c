namespace Membership.Daemon.Services.Groups;

/// <summary>Whether a client was cut off, and why. Any thread.</summary>
/// <param name="signal">Wakes the task that writes to it.</param>
internal sealed class CutState(BatchSignal signal)
{
    private readonly TaskCompletionSource _cut = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _reason;

    /// <summary>Ends when the client is cut off.</summary>
    public Task Task => _cut.Task;

    /// <summary>Why it was cut off; null while it is not.</summary>
    public string? Reason => Volatile.Read(ref _reason);

    /// <summary>Cuts it off, unless it is.</summary>
    /// <param name="reason">One sentence.</param>
    public void CutOff(string reason)
    {
        if (Interlocked.CompareExchange(ref _reason, reason, null) is not null) return;
        _cut.TrySetResult();
        signal.Raise();
    }
}

/// <summary>A stream to a client that is cut off when it does not read.</summary>
internal interface IStallable
{
    /// <summary>Bytes of the log not given to the client yet. Any thread.</summary>
    long UnreadBytes { get; }

    /// <summary>Cuts the client off where it has not taken anything for too long. Any thread.</summary>
    void CheckStall();
}
