using System.Diagnostics;
using System.Globalization;
using Membership.Cpg;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Testing;

/// <summary>What nodes report, in the words of the API.</summary>
internal static class Convert
{
    public static string Name(NodeId node) => $"n{node.Value}";

    public static Proto.View View(View view, ulong revision, Instant now) => new()
    {
        Id = view.Id.ToString(),
        Transitional = view.Transitional,
        Number = view.Number,
        Members = { view.Members.Select(ViewMember) },
        Previous = view.Previous?.ToString() ?? "",
        Joined = { view.Joined.Select(ViewMember) },
        Left = { view.Left.Select(ViewMember) },
        TNs = now.Nanoseconds,
        Revision = revision,
    };

    /// <summary>A verdict.</summary>
    /// <param name="state">The verdict.</param>
    /// <param name="view">Its view as this node installed it; null before the first.</param>
    /// <param name="revision">Counts the verdicts of this life from 1.</param>
    /// <param name="now">When it was reached.</param>
    public static Proto.Quorum Quorum(QuorumState state, Proto.View? view, ulong revision, Instant now) => new()
    {
        Quorate = state.IsQuorate,
        Votes = state.Votes,
        VotesNeeded = state.Needed,
        VotesExpected = state.Expected,
        Reason = Reason(state),
        Mode = "majority",
        View = view,
        Members = { state.Members.Select(member => new Proto.QuorumMember { Node = member.Node.Value, Name = Name(member.Node), Votes = member.Votes, Present = member.IsPresent }) },
        Epoch = state.Epoch,
        Synchronizing = state.IsSynchronizing,
        Revision = revision,
        TNs = now.Nanoseconds,
        Flags = { state.Flags },
    };

    /// <summary>When the members of a primary view may act alone, as of now.</summary>
    public static void AddTimes(Proto.Quorum quorum, QuorumLease lease, Instant now)
    {
        quorum.QuorateUntilNs = lease.QuorateUntil.Nanoseconds;
        quorum.ExclusiveFromNs = lease.ExclusiveFrom.Nanoseconds;
        quorum.QuorateForMs = lease.QuorateUntil > now ? (long)(lease.QuorateUntil - now).TotalMilliseconds : 0;
        quorum.ExclusiveInMs = lease.ExclusiveFrom > now ? (long)Math.Ceiling((lease.ExclusiveFrom - now).TotalMilliseconds) : 0;
    }

    /// <summary>The reason of a verdict, with names.</summary>
    public static string Reason(QuorumState state) => QuorumSentence.WithNames(state.Reason, Name);

    public static Proto.GroupMember Member(GroupMember member) => new() { Node = member.Node.Value, Pid = member.Pid, Session = member.Session };

    public static Proto.GroupReason Reason(GroupReason reason) => reason switch
    {
        GroupReason.Join => Proto.GroupReason.Join,
        GroupReason.Leave => Proto.GroupReason.Leave,
        GroupReason.ProcessDown => Proto.GroupReason.ProcessDown,
        GroupReason.NodeDown => Proto.GroupReason.NodeDown,
        GroupReason.NodeUp => Proto.GroupReason.NodeUp,
        _ => throw new UnreachableException($"a group changed because of {reason}"),
    };

    private static Proto.ViewMember ViewMember(ViewMember member) =>
        new() { Node = member.Node.Value, Name = Name(member.Node), Boot = member.Boot.ToString("x16", CultureInfo.InvariantCulture) };
}
