using Membership.Cpg;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Ring;

/// <summary>What the node asks for, done.</summary>
internal sealed partial class RingLoop : INodeEffects
{
    void INodeEffects.Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes) =>
        _ports.Transmit(link, targets, datagrams, segmentBytes);

    void INodeEffects.Deliver(in Delivery delivery, ReadOnlySpan<byte> payload)
    {
        _hasReported = true;
        _observer.Deliver(delivery, payload, _now);
    }

    void INodeEffects.InstallView(View view)
    {
        _hasReported = true;
        _observer.InstallView(view, _now);
    }

    void INodeEffects.QuorumChanged(QuorumState state)
    {
        _hasReported = true;
        _observer.QuorumChanged(state, _now);
    }

    void INodeEffects.PersistQuorum(QuorumRecord record)
    {
        _observer.PersistQuorum(record);
        _reservations.Persist(record, _reservationSink);
    }

    void INodeEffects.QuorumChangeDone(ulong tag, string? error)
    {
        _hasReported = true;
        _observer.QuorumChangeDone(tag, error);
    }

    void INodeEffects.GroupChanged(GroupChange change)
    {
        _hasReported = true;
        _observer.GroupChanged(change, _now);
    }

    void INodeEffects.GroupMessage(in GroupDelivery message, ReadOnlySpan<byte> payload)
    {
        _hasReported = true;
        _observer.GroupMessage(message, payload, _now);
    }

    void INodeEffects.GroupDropped(ulong counter)
    {
        _hasReported = true;
        _observer.GroupDropped(counter, _now);
    }

    void INodeEffects.Failed(ulong counter)
    {
        _hasReported = true;
        _observer.Failed(counter, _now);
    }

    void INodeEffects.Reserve(ulong upTo) => _reservations.Request(upTo, _reservationSink);

    void INodeEffects.Neighbours(NodeSet neighbours) => _ports.SetNeighbours(_now, neighbours);

    void INodeEffects.DiscardReceived() => _ports.Discard();

    void INodeEffects.Fact(NodeFact fact)
    {
        _hasReported = true;
        _observer.Fact(fact, _now);
    }

    void INodeEffects.Left()
    {
        _hasReported = true;
        _hasLeft = true;
        _observer.Left(_now);
    }
}
