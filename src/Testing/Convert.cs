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

    public static Proto.Quorum Quorum(QuorumState state, ulong revision, Instant now) => new()
    {
        Quorate = state.IsQuorate,
        Votes = state.Votes,
        VotesNeeded = state.Needed,
        VotesExpected = state.Expected,
        Reason = state.Reason,
        Mode = "majority",
        View = state.View is null ? null : View(state.View, 0, now),
        Members = { state.Members.Select(member => new Proto.QuorumMember { Node = member.Node.Value, Name = Name(member.Node), Votes = member.Votes, Present = member.IsPresent }) },
        Epoch = state.Epoch,
        Synchronizing = state.IsSynchronizing,
        Revision = revision,
        TNs = now.Nanoseconds,
        Flags = { state.Flags },
    };

    public static Proto.GroupMember Member(GroupMember member) => new() { Node = member.Node.Value, Pid = member.Pid, Session = member.Session };

    public static Proto.GroupReason Reason(GroupReason reason) => Enum.Parse<Proto.GroupReason>(reason.ToString());

    private static Proto.ViewMember ViewMember(ViewMember member) =>
        new() { Node = member.Node.Value, Name = Name(member.Node), Boot = member.Boot.ToString("x16", CultureInfo.InvariantCulture) };
}
