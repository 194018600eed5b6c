using Membership.Cpg;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Node;

/// <summary>What a node asks its host to do, and what it reports, in order. Spans are valid during the call only.</summary>
/// <remarks>The daemon executes them, the simulator records them: the node cannot tell the difference.</remarks>
public interface INodeEffects
{
    /// <summary>Send datagrams of <paramref name="segmentBytes"/> each (the last may be shorter) to each target on one link.</summary>
    void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes);

    /// <summary>A message of the raw ring, in its place of the order.</summary>
    void Deliver(in Delivery delivery, ReadOnlySpan<byte> payload);

    /// <summary>A view, in its place of the order.</summary>
    void InstallView(View view);

    /// <summary>The verdict about quorum changed, or the view it is about; in its place of the order, after that view.</summary>
    void QuorumChanged(QuorumState state);

    /// <summary>Make this durable, then feed <see cref="MembershipNode.OnQuorumPersisted"/>; give the newest one to the next start. Verdicts do not wait for it, changes of votes do.</summary>
    void PersistQuorum(QuorumRecord record);

    /// <summary>The change asked for by <see cref="MembershipNode.ChangeQuorum"/> took effect (null), or was refused and why.</summary>
    void QuorumChangeDone(ulong tag, string? error);

    /// <summary>The membership of a group changed, in its place of the order. Called for every group, local members or not.</summary>
    void GroupChanged(GroupChange change);

    /// <summary>A message of a group with members here, or of a sender of this node, in its place of the order.</summary>
    void GroupMessage(in GroupDelivery message, ReadOnlySpan<byte> payload);

    /// <summary>An accepted group message of this node was ordered after its sender's membership had ended: nobody gets it.</summary>
    void GroupDropped(ulong counter);

    /// <summary>An accepted message of this node will be delivered nowhere (only when the node leaves). Of one that was ordered but not yet delivered here when the node stops, nothing is said: others may deliver it.</summary>
    void Failed(ulong counter);

    /// <summary>Make ring sequences up to <paramref name="upTo"/> durable (two generations and a checksum), then feed <see cref="MembershipNode.OnReserved"/>.</summary>
    void Reserve(ulong upTo);

    /// <summary>Keep a tripwire connection to each of these ring neighbours.</summary>
    void Neighbours(NodeSet neighbours);

    /// <summary>Throw away what the operating system has queued on the sockets: it is older than a stall of this node.</summary>
    void DiscardReceived();

    /// <summary>Something for the log.</summary>
    void Fact(NodeFact fact);

    /// <summary>The node has left; the host may stop.</summary>
    void Left();
}

/// <summary>Things worth a line in a log or trace.</summary>
public abstract record NodeFact
{
    private NodeFact()
    {
    }

    /// <summary>Reported by the ring.</summary>
    public sealed record Ring(TotemFact Fact) : NodeFact;

    /// <summary>A peer came, went or changed its boot.</summary>
    public sealed record Peer(NodeId Node, BootId Boot, PeerState State, PeerReason Reason) : NodeFact;

    /// <summary>One link to one peer changed.</summary>
    public sealed record Link(NodeId Node, LinkId LinkId, LinkState State) : NodeFact;

    /// <summary>A peer speaks another version or has another configuration.</summary>
    public sealed record Incompatible(NodeId Node, string Mine, string Theirs) : NodeFact;
}
