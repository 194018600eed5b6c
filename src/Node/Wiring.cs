using Membership.Cpg;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Node;

/// <summary>Carries the effects of each layer to the next one, and the rest to the host. Frames go through at once; evidence waits for the end
/// of the input that brought it, so that no layer is re-entered while it walks its own state.</summary>
internal sealed class Wiring(LinkLayer links, TotemNode totem, QuorumNode quorum, CpgNode groups, NodeTable nodes)
    : ILinkEffects, ITotemEffects, IQuorumEffects, ICpgEffects
{
    private readonly Queue<(byte Service, byte[] Payload)> _control = new();
    private readonly Queue<Evidence> _evidence = new();
    private INodeEffects _host = null!; // set by Begin before any other call
    private Instant _now;
    private bool _suspects;
    private bool _hasControl;
    private NodeSet? _neighbours;

    private readonly record struct Evidence(NodeId Peer, BootId Boot, PeerState State, PeerReason Reason, NodeSet? Row);

    /// <summary>Control messages that the ring's queue has no room for. Of quorum those of one view at most; of groups one list and what sessions asked for.</summary>
    public int WaitingControl => _control.Count;

    public void Begin(Instant now, INodeEffects host)
    {
        _now = now;
        _host = host;
    }

    /// <summary>Feeds waiting evidence to the ring and the ring's wishes to the links, until neither has more.</summary>
    public void DrainEvidence()
    {
        while (true)
        {
            if (_evidence.TryDequeue(out var item)) Feed(item);
            else if (_neighbours is { } neighbours)
            {
                _neighbours = null;
                links.SetNeighbours(_now, neighbours, this);
            }
            else if (_suspects)
            {
                _suspects = false;
                links.OnSuspicion(_now, this);
            }
            else return;
        }
    }

    /// <summary>Submits of services above the ring, in their order: nothing overtakes control messages that the ring's queue had no room for.</summary>
    public SubmitResult Submit(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, DeliveryLevel level, byte service)
    {
        FillQueue();
        return _control.Count > 0 ? new SubmitResult(SubmitStatus.QueueFull, 0) : totem.Submit(header, payload, level, service);
    }

    /// <summary>Gives waiting control messages to the ring, and lets it use a held token for them.</summary>
    public void DrainControl()
    {
        while (_hasControl)
        {
            _hasControl = false;
            FillQueue();
            totem.OnSubmitted(_now, this); // may deliver, and deliveries may submit
            DrainEvidence();
        }

        if (_control.Count > 0) FillQueue();
    }

    private void FillQueue()
    {
        while (_control.TryPeek(out var next))
        {
            var status = totem.Submit(next.Payload, DeliveryLevel.Agreed, next.Service).Status;
            if (status == SubmitStatus.QueueFull) return;
            _control.Dequeue(); // a node that leaves has nothing more to say
        }
    }

    private void AddControl(byte service, ReadOnlySpan<byte> payload)
    {
        _control.Enqueue((service, payload.ToArray()));
        _hasControl = true;
    }

    /// <summary>
    /// Forgets what a service has not given to the ring yet. Quorum names the ring of its view in each message and ignores those of other rings (I32: the verdict
    /// is computed from what this ring ordered), so what waits when a regular view begins can have no effect any more; quorum says all of it anew in the
    /// new view. Kept, it would pile up while views change and the token visits nobody.
    /// </summary>
    private void DropControl(byte service)
    {
        for (var left = _control.Count; left > 0; left--)
        {
            var waiting = _control.Dequeue();
            if (waiting.Service != service) _control.Enqueue(waiting);
        }
    }

    private void Feed(in Evidence item)
    {
        if (item.Row is { } row) totem.OnRow(_now, item.Peer, item.Boot, row, this);
        else totem.OnPeer(_now, item.Peer, item.Boot, item.State, item.Reason, this);
    }

    void ILinkEffects.Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes) =>
        _host.Transmit(link, targets, datagrams, segmentBytes);

    void ILinkEffects.Receive(NodeId from, BootId boot, ReadOnlySpan<byte> frame)
    {
        while (_evidence.TryDequeue(out var item)) Feed(item);
        totem.OnPacket(_now, from, boot, frame, this);
    }

    void ILinkEffects.PeerChanged(NodeId peer, BootId boot, PeerState state, PeerReason reason)
    {
        _evidence.Enqueue(new Evidence(peer, boot, state, reason, null));
        _host.Fact(new NodeFact.Peer(peer, boot, state, reason));
    }

    void ILinkEffects.PeerRow(NodeId peer, BootId boot, NodeSet hears) => _evidence.Enqueue(new Evidence(peer, boot, default, default, hears));

    void ILinkEffects.LinkChanged(NodeId peer, LinkId link, LinkState state) => _host.Fact(new NodeFact.Link(peer, link, state));

    void ILinkEffects.FrameLimitChanged(int frameBytesMax) => totem.OnFrameLimit(frameBytesMax);

    void ILinkEffects.Incompatible(NodeId peer, string mine, string theirs) => _host.Fact(new NodeFact.Incompatible(peer, mine, theirs));

    void ITotemEffects.Send(NodeSet targets, ReadOnlySpan<byte> packet) => links.Send(_now, targets, packet, this);

    void ITotemEffects.SendTo(int target, ReadOnlySpan<byte> packet) => links.SendTo(_now, nodes[target], packet, this);

    void ITotemEffects.Flush() => links.Flush(this);

    void ITotemEffects.Deliver(in Delivery delivery, ReadOnlySpan<byte> payload)
    {
        switch (delivery.Service)
        {
            case ServiceId.Groups: groups.OnMessage(delivery, payload, this); break;
            case ServiceId.Quorum: quorum.OnMessage(_now, delivery, payload, this); break;
            default: _host.Deliver(delivery, payload); break;
        }
    }

    void ITotemEffects.InstallView(View view)
    {
        _host.InstallView(view);
        if (!view.Transitional) DropControl(ServiceId.Quorum);
        quorum.OnView(_now, view, this);
        groups.OnView(view, this);
    }

    void ITotemEffects.RingConfirmed(RingId ring, Instant since) => quorum.OnRingConfirmed(ring, since);

    void IQuorumEffects.Submit(ReadOnlySpan<byte> payload) => AddControl(ServiceId.Quorum, payload);

    void IQuorumEffects.Changed(QuorumState state) => _host.QuorumChanged(state);

    void IQuorumEffects.Persist(QuorumRecord record) => _host.PersistQuorum(record);

    void IQuorumEffects.ChangeDone(ulong tag, string? error) => _host.QuorumChangeDone(tag, error);

    SubmitResult ICpgEffects.Submit(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, DeliveryLevel level) =>
        Submit(header, payload, level, ServiceId.Groups);

    void ICpgEffects.SubmitControl(ReadOnlySpan<byte> payload) => AddControl(ServiceId.Groups, payload);

    void ICpgEffects.Changed(GroupChange change) => _host.GroupChanged(change);

    void ICpgEffects.Message(in GroupDelivery message, ReadOnlySpan<byte> payload) => _host.GroupMessage(message, payload);

    void ICpgEffects.Dropped(ulong counter) => _host.GroupDropped(counter);

    void ITotemEffects.Failed(ulong counter) => _host.Failed(counter);

    void ITotemEffects.Reserve(ulong upTo) => _host.Reserve(upTo);

    void ITotemEffects.Neighbours(NodeSet neighbours)
    {
        _neighbours = neighbours;
        _host.Neighbours(neighbours);
    }

    void ITotemEffects.Suspect() => _suspects = true;

    void ITotemEffects.Fact(TotemFact fact) => _host.Fact(new NodeFact.Ring(fact));

    void ITotemEffects.Left()
    {
        // The ring has told its members; the links tell everybody, so that nobody has to find out by silence.
        links.Leave(_now, this);
        _host.Left();
    }
}
