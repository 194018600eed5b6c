using Membership.Links;
using Membership.Totem;

namespace Membership.Node;

/// <summary>Carries the effects of each layer to the next one, and the rest to the host. Frames go through at once; evidence waits for the end
/// of the input that brought it, so that no layer is re-entered while it walks its own state.</summary>
internal sealed class Wiring(LinkLayer links, TotemNode totem, NodeTable nodes) : ILinkEffects, ITotemEffects
{
    private readonly Queue<Evidence> _evidence = new();
    private INodeEffects _host = null!; // set by Begin before any other call
    private Instant _now;
    private bool _suspects;
    private NodeSet? _neighbours;

    private readonly record struct Evidence(NodeId Peer, BootId Boot, PeerState State, PeerReason Reason, NodeSet? Row);

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

    void ITotemEffects.Deliver(in Delivery delivery, ReadOnlySpan<byte> payload) => _host.Deliver(delivery, payload);

    void ITotemEffects.InstallView(View view) => _host.InstallView(view);

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
