using System.Diagnostics;
using Membership.Daemon.Configuration;
using Membership.Links;
using Membership.Quorum;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>Verdicts about quorum as the API shows them: nodes by their names.</summary>
/// <param name="configuration">Knows the names.</param>
/// <param name="protoViews">Shows the views.</param>
/// <param name="witness">What is known about the session with the witness; null: only what the configuration says.</param>
internal sealed class ProtoQuorum(ClusterConfiguration configuration, ProtoViews protoViews, Func<Proto.WitnessState?>? witness = null)
{
    private readonly Dictionary<NodeId, string> _names = configuration.Nodes.ToDictionary(n => n.Id, n => n.Name);

    /// <summary>One verdict.</summary>
    public Proto.Quorum Of(Verdict verdict)
    {
        var state = verdict.State;
        var quorum = new Proto.Quorum
        {
            Quorate = state.IsQuorate,
            Votes = state.Votes,
            VotesNeeded = state.Needed,
            VotesExpected = state.Expected,
            Reason = Reason(state),
            Mode = Mode(configuration.Quorum.Mode),
            View = verdict.View is null ? null : protoViews.Of(verdict.View),
            Members = { state.Members.Select(Member) },
            Epoch = state.Epoch,
            Synchronizing = state.IsSynchronizing,
            Revision = verdict.Revision,
            TNs = verdict.Time,
            Flags = { state.Flags },
        };
        if (configuration.Quorum.Witness is { } settings) quorum.Witness = Witness(settings, state);
        if (state.Lease is { } lease && lease.QuorateUntil != default) AddTimes(quorum, lease, verdict.Origin);
        return quorum;
    }

    private static void AddTimes(Proto.Quorum quorum, QuorumLease lease, long origin)
    {
        var now = Stopwatch.GetTimestamp(); // CLOCK_MONOTONIC, as MonotonicClock has checked
        var until = origin + lease.QuorateUntil.Nanoseconds;

        // Without the votes of the witness there would be no quorum: then its grant to this node ends it too.
        if (quorum.Witness is { Granted: true, LeaseMs: > 0 } witness && quorum.Votes - witness.Votes < quorum.VotesNeeded)
            until = Math.Min(until, now + (witness.LeaseMs * NanosecondsPerMillisecond));
        quorum.QuorateUntilNs = until;
        quorum.ExclusiveFromNs = origin + lease.ExclusiveFrom.Nanoseconds;
        quorum.QuorateForMs = Math.Max(0, until - now) / NanosecondsPerMillisecond;
        quorum.ExclusiveInMs = (Math.Max(0, quorum.ExclusiveFromNs - now) + NanosecondsPerMillisecond - 1) / NanosecondsPerMillisecond;
    }

    private const long NanosecondsPerMillisecond = 1_000_000;

    /// <summary>The reason with names instead of numbers.</summary>
    public string Reason(QuorumState state) => WithNames(state.Reason);

    /// <summary>A sentence of the core with names instead of numbers.</summary>
    public string WithNames(string sentence) => QuorumSentence.WithNames(sentence, node => _names.GetValueOrDefault(node));

    private static string Mode(QuorumMode mode) => mode switch
    {
        QuorumMode.TwoNode => "two-node",
        QuorumMode.LastManStanding => "last-man-standing",
        _ => "majority",
    };

    private Proto.QuorumMember Member(QuorumMember member) =>
        new() { Node = member.Node.Value, Name = _names.GetValueOrDefault(member.Node, ""), Votes = member.Votes, Present = member.IsPresent };

    private Proto.WitnessState Witness(WitnessConfiguration settings, QuorumState state)
    {
        var shown = witness?.Invoke() ?? new Proto.WitnessState
        {
            Address = $"{settings.Host}:{settings.Port}",
            Algorithm = settings.Algorithm == WitnessAlgorithm.LastManStanding ? "lms" : "ffsplit",
            Votes = settings.Votes,
        };
        shown.Granted = state.WitnessGranted;
        return shown;
    }
}
