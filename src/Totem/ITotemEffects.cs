using Membership.Links;

namespace Membership.Totem;

/// <summary>What the ring asks for and reports. Executed, or queued in order, before the next input is fed.</summary>
public interface ITotemEffects
{
    /// <summary>Send one packet to every node of the set (not to self).</summary>
    void Send(NodeSet targets, ReadOnlySpan<byte> packet);

    /// <summary>Send one packet to the node at a table position only (tokens).</summary>
    void SendTo(int target, ReadOnlySpan<byte> packet);

    /// <summary>Hand everything queued to the network now (before the tail of an accelerated visit, and at the end of each input).</summary>
    void Flush();

    /// <summary>A message in its place of the order. The payload is valid during the call only.</summary>
    void Deliver(in Delivery delivery, ReadOnlySpan<byte> payload);

    /// <summary>A view in its place of the order.</summary>
    void InstallView(View view);

    /// <summary>Every member has been in this ring after <paramref name="since"/>: the moment at which this node handed over the token that has come back to it. Never the moment of its return: it may have lain in a socket for as long as this node slept.</summary>
    void RingConfirmed(RingId ring, Instant since);

    /// <summary>An accepted message of this node was never ordered and will be delivered nowhere (only when the node leaves). An ordered one that is not yet delivered here when the node stops may still be delivered by others: nothing is said of it.</summary>
    void Failed(ulong counter);

    /// <summary>Make ring sequences up to <paramref name="upTo"/> durable, then call <c>OnReserved</c>. At most one request is under way.</summary>
    void Reserve(ulong upTo);

    /// <summary>Who the ring neighbours are now (they get heartbeats and tripwires).</summary>
    void Neighbours(NodeSet neighbours);

    /// <summary>The ring suspects somebody: probe every member not heard lately.</summary>
    void Suspect();

    /// <summary>Something an operator or a trace wants to know.</summary>
    void Fact(TotemFact fact);

    /// <summary>The node has left: the host may stop it.</summary>
    void Left();
}

/// <summary>Things worth a line in a log or trace.</summary>
public abstract record TotemFact
{
    private TotemFact()
    {
    }

    /// <summary>The state machine changed its state.</summary>
    public sealed record StateChanged(TotemState From, TotemState To, RingId Ring) : TotemFact;

    /// <summary>Gather was entered; <c>Peer</c> names who caused it where somebody did.</summary>
    public sealed record Gathering(GatherReason Reason, NodeId? Peer, RingId Ring, TimeSpan SinceToken) : TotemFact;

    /// <summary>All of a set agreed; the representative sends the commit token.</summary>
    public sealed record Consensus(RingId Ring, NodeSet Members) : TotemFact;

    /// <summary>This node takes part in forming a ring; <c>Proposal</c> is the membership it computed itself.</summary>
    public sealed record Committing(RingId Ring, NodeSet Members, NodeSet Proposal) : TotemFact;

    /// <summary>A commit token was refused because this node computes another membership.</summary>
    public sealed record CommitRefused(RingId Ring, NodeSet Proposed, NodeSet Mine) : TotemFact;

    /// <summary>Old-ring messages queued for the others.</summary>
    public sealed record Recovering(RingId Ring, RingId Old, int Frames) : TotemFact;

    /// <summary>A node is kept out until it has been steady for a while.</summary>
    public sealed record HeldOut(NodeId Peer, TimeSpan For) : TotemFact;

    /// <summary>This node was not scheduled for a while.</summary>
    public sealed record Stalled(TimeSpan For, bool Rejoins) : TotemFact;

    /// <summary>An authentic packet of a peer makes no sense; it was dropped.</summary>
    public sealed record Malformed(NodeId Peer, string What) : TotemFact;

    /// <summary>A member does not receive what the others have; the group leaves it out.</summary>
    public sealed record FailedToReceive(NodeId Peer, Seq Aru) : TotemFact;
}
