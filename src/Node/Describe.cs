using System.Globalization;
using System.Text;
using Membership.Cpg;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Node;

/// <summary>The one text form of what a node reports: logs, scenarios and simulator traces all use it, so that a production log can be laid beside a trace.</summary>
/// <remarks>Nodes appear by their number. Every text is one line.</remarks>
public static class Describe
{
    /// <summary><c>view regular 1.2a.9f3c51d0 members=(1,2) joined=(2)</c></summary>
    public static string Of(View view)
    {
        var text = new StringBuilder(view.Transitional ? "view transitional " : "view regular ").Append(view.Id).Append(" members=");
        Append(text, view.Members);
        if (view.Joined.Count > 0) Append(text.Append(" joined="), view.Joined);
        if (view.Left.Count > 0) Append(text.Append(" left="), view.Left);
        return text.ToString();
    }

    /// <summary><c>deliver safe from=3 seq=12.0 counter=4 ring=1.2a.9f3c51d0 size=5</c></summary>
    public static string Of(in Delivery delivery, int size) => string.Create(
        CultureInfo.InvariantCulture,
        $"deliver {Word(delivery.Level)} from={delivery.Sender} seq={delivery.Seq}.{delivery.Index} counter={delivery.Counter} ring={delivery.Ring} size={size}");

    /// <summary><c>group "chat" node-down left=(3.1) members=(1.1,2.1) change=4</c>; members are node.session.</summary>
    public static string Of(GroupChange change)
    {
        var text = new StringBuilder("group \"").Append(change.Group).Append("\" ").Append(Word(change.Reason));
        if (change.Joined.Count > 0) Append(text.Append(" joined="), change.Joined);
        if (change.Left.Count > 0) Append(text.Append(" left="), change.Left);
        Append(text.Append(" members="), change.Members);
        return text.Append(CultureInfo.InvariantCulture, $" change={change.Change}").ToString();
    }

    /// <summary><c>group "chat" message from=3.1 level=safe seq=12.0 counter=4 size=5</c></summary>
    public static string Of(in GroupDelivery message, int size) => string.Create(
        CultureInfo.InvariantCulture,
        $"group \"{message.Group}\" message from={message.Sender.Node}.{message.Sender.Session} level={Word(message.Order.Level)} seq={message.Order.Seq}.{message.Order.Index} counter={message.Order.Counter} size={size}");

    /// <summary><c>quorum yes epoch=4 view=1.2a.9f3c51d0: 3 of 5 votes, need 3; nodes 4 and 5 are missing</c></summary>
    public static string Of(QuorumState state)
    {
        var word = state.IsQuorate ? "yes" : "no";
        var synchronizing = state.IsSynchronizing ? " synchronizing" : "";
        return string.Create(CultureInfo.InvariantCulture, $"quorum {word}{synchronizing} epoch={state.Epoch} view={state.View?.Id}: {state.Reason}");
    }

    /// <summary>Something of a node.</summary>
    public static string Of(NodeFact fact, NodeTable nodes) => fact switch
    {
        NodeFact.Ring ring => Of(ring.Fact, nodes),
        NodeFact.Peer peer => $"node {peer.Node} (boot {peer.Boot.Short:x16}) is {Word(peer.State)} ({Word(peer.Reason)})",
        NodeFact.Link link => $"link {link.LinkId} to node {link.Node} is {Word(link.State)}",
        NodeFact.Incompatible other => $"node {other.Node} is incompatible: here {other.Mine}, there {other.Theirs}",
        _ => fact.ToString(),
    };

    /// <summary>Something of the ring.</summary>
    public static string Of(TotemFact fact, NodeTable nodes) => fact switch
    {
        TotemFact.StateChanged change => $"{Word(change.From)} -> {Word(change.To)} ring={change.Ring}",
        TotemFact.Gathering gathering => OfGathering(gathering),
        TotemFact.Consensus consensus => $"consensus on members={Set(consensus.Members, nodes)} ring={consensus.Ring}",
        TotemFact.Committing committing => $"commit of ring={committing.Ring} accepted: proposed={Set(committing.Members, nodes)} mine={Set(committing.Proposal, nodes)}",
        TotemFact.CommitRefused refused => $"commit of ring={refused.Ring} refused: proposed={Set(refused.Proposed, nodes)} mine={Set(refused.Mine, nodes)}",
        TotemFact.Recovering recovering => string.Create(CultureInfo.InvariantCulture, $"recovering {recovering.Frames} frames of ring={recovering.Old} on ring={recovering.Ring}"),
        TotemFact.HeldOut held => $"node {held.Peer} is held out for {Milliseconds(held.For)}",
        TotemFact.Stalled stalled => $"this node was not scheduled for {Milliseconds(stalled.For)}{(stalled.Rejoins ? " and rejoins" : "")}",
        TotemFact.Malformed malformed => $"malformed packet of node {malformed.Peer} dropped: {malformed.What}",
        TotemFact.FailedToReceive failed => $"node {failed.Peer} does not receive beyond seq={failed.Aru}",
        _ => fact.ToString(),
    };

    /// <summary><c>TokenLost</c> as <c>token-lost</c>.</summary>
    public static string Word<T>(T value)
        where T : struct, Enum
    {
        var name = value.ToString();
        var text = new StringBuilder(name.Length + 4);
        for (var i = 0; i < name.Length; i++)
        {
            if (char.IsUpper(name[i]) && i > 0) text.Append('-');
            text.Append(char.ToLowerInvariant(name[i]));
        }
        return text.ToString();
    }

    private static string OfGathering(TotemFact.Gathering gathering)
    {
        var by = gathering.Peer is { } peer ? $" by node {peer}" : "";
        var after = gathering.Reason == GatherReason.TokenLost ? $" after {Milliseconds(gathering.SinceToken)}" : "";
        return $"gather ({Word(gathering.Reason)}{by}{after}) ring={gathering.Ring}";
    }

    private static string Milliseconds(TimeSpan span) => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:F0}ms");

    private static string Set(NodeSet set, NodeTable nodes) => $"({string.Join(',', nodes.Nodes(set & nodes.All))})";

    private static void Append(StringBuilder text, IReadOnlyList<GroupMember> members) =>
        text.Append('(').AppendJoin(',', members.Select(member => $"{member.Node}.{member.Session}")).Append(')');

    private static void Append(StringBuilder text, IReadOnlyList<ViewMember> members) => text.Append('(').AppendJoin(',', members.Select(m => m.Node)).Append(')');
}
