using Membership.V1;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Membership.Client;

/// <summary>Asks the daemon for quorum when a health check wants to know, and remembers since when it is not well.</summary>
/// <remarks>
/// No hair trigger: a restart of the daemon or a view change is over before <see cref="Grace"/>, and until then a check is degraded at most.
/// Safe for several threads; two checks at the same time ask once each.
/// </remarks>
internal sealed class MembershipHealth(MembershipClient client, IOptions<MembershipClientOptions> options)
{
    /// <summary>How long something must last to be more than a passing trouble.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    private readonly TimeProvider _time = options.Value.TimeProvider;
    private readonly Lock _gate = new();
    private long? _unreachableSince;
    private long? _inquorateSince;

    /// <summary>What the daemon answers now, or why it does not, and for how long that has been so.</summary>
    public async Task<Finding> AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            var quorum = await client.GetQuorumAsync(cancellationToken).ConfigureAwait(false);
            lock (_gate)
            {
                _unreachableSince = null;
                return new Finding(quorum, null, TimeSpan.Zero, Lasting(ref _inquorateSince, !quorum.Quorate));
            }
        }
        catch (MembershipException failure)
        {
            lock (_gate) return new Finding(null, failure, Lasting(ref _unreachableSince, true), Lasting(ref _inquorateSince, true));
        }
    }

    private TimeSpan Lasting(ref long? since, bool isSo)
    {
        if (isSo) since ??= _time.GetTimestamp();
        else since = null;
        return since is { } start ? _time.GetElapsedTime(start) : TimeSpan.Zero;
    }

    /// <summary>One answer, or its failure; the times are zero where all is well.</summary>
    public sealed record Finding(Quorum? Quorum, MembershipException? Failure, TimeSpan Unreachable, TimeSpan Inquorate)
    {
        public IReadOnlyDictionary<string, object> Values { get; } = Quorum is null
            ? new Dictionary<string, object>()
            : new Dictionary<string, object> { ["votes"] = Quorum.Votes, ["needed"] = Quorum.VotesNeeded, ["expected"] = Quorum.VotesExpected };
    }
}

/// <summary>Is the daemon reachable? Says nothing about the cluster.</summary>
internal sealed class ConnectedHealthCheck(MembershipHealth health) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var found = await health.AskAsync(cancellationToken).ConfigureAwait(false);
        if (found.Failure is not { } failure) return HealthCheckResult.Healthy("the daemon answers");
        string text = $"the daemon has not answered for {found.Unreachable.TotalSeconds:0} s: {failure.Message}";
        return found.Unreachable < MembershipHealth.Grace ? HealthCheckResult.Degraded(text, failure) : new HealthCheckResult(context.Registration.FailureStatus, text, failure);
    }
}

/// <summary>May this side of the cluster act?</summary>
internal sealed class QuorateHealthCheck(MembershipHealth health) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var found = await health.AskAsync(cancellationToken).ConfigureAwait(false);
        if (found.Quorum is { Quorate: true } quorate) return HealthCheckResult.Healthy(quorate.Reason, found.Values);
        string text = found.Quorum is { } inquorate ? $"no quorum: {inquorate.Reason}" : $"quorum is not known: {found.Failure?.Message}";
        return found.Inquorate < MembershipHealth.Grace
            ? HealthCheckResult.Degraded(text, found.Failure, found.Values)
            : new HealthCheckResult(context.Registration.FailureStatus, text, found.Failure, found.Values);
    }
}
