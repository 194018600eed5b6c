namespace Membership.Links;

/// <summary>All links of one node to all its peers: seals, opens, checks replay, watches who hears whom.</summary>
/// <remarks>Single-threaded, deterministic. The boot id and the seed of <c>random</c> are inputs from the host.</remarks>
public sealed class LinkLayer
{
    /// <summary>Bytes a frame may have however small the path: it then travels in up to 64 fragments.</summary>
    public const int FragmentedFrameBytesMax = 64 * 1024;

    public LinkLayer(LinkOptions options, BootId boot, ICipherSuite ciphers, Random random)
    {
        throw new NotImplementedException();
    }

    /// <summary>When <see cref="OnTick"/> is next due.</summary>
    public Instant NextDeadline => throw new NotImplementedException();

    /// <summary>Largest frame that travels in one datagram to every reachable peer, in bytes.</summary>
    public int FrameBytesMax => throw new NotImplementedException();

    /// <summary>Peers with two-way contact, this node included.</summary>
    public NodeSet Reachable => throw new NotImplementedException();

    /// <summary>Begins to talk to all peers.</summary>
    public void Start(Instant now, ILinkEffects effects) => throw new NotImplementedException();

    /// <summary>One datagram as it came from the socket. <paramref name="source"/> is the configured owner of the source address on that
    /// link, or null when the address is not configured.</summary>
    public void OnDatagram(Instant now, LinkId link, NodeId? source, ReadOnlySpan<byte> datagram, ILinkEffects effects) => throw new NotImplementedException();

    /// <summary>Does what is due; an early or repeated call does nothing.</summary>
    public void OnTick(Instant now, ILinkEffects effects) => throw new NotImplementedException();

    /// <summary>Unauthenticated evidence about a peer: starts a burst of probes.</summary>
    public void OnHint(Instant now, NodeId peer, LinkHint hint, ILinkEffects effects) => throw new NotImplementedException();

    /// <summary>The layer above suspects somebody (token lost): probe every reachable peer not heard within one pace.</summary>
    public void OnSuspicion(Instant now, ILinkEffects effects) => throw new NotImplementedException();

    /// <summary>This node slept: evidence gathered before <paramref name="now"/> is void; every peer gets a fresh link_down to be heard in.</summary>
    public void OnStall(Instant now) => throw new NotImplementedException();

    /// <summary>Sets the ring neighbours, who get heartbeats every link_down/4 (the others every 2 s).</summary>
    public void SetNeighbours(Instant now, NodeSet neighbours, ILinkEffects effects) => throw new NotImplementedException();

    /// <summary>Queues one frame for every node of <paramref name="targets"/> (self is skipped); sealed once per link. Sent at the next <see cref="Flush"/>, or before when the batch is full.</summary>
    public void Send(Instant now, NodeSet targets, ReadOnlySpan<byte> frame, ILinkEffects effects) => throw new NotImplementedException();

    /// <summary>Queues one frame for one node; bound to that node's boot and link, so it is void anywhere else (tokens).</summary>
    public void SendTo(Instant now, NodeId target, ReadOnlySpan<byte> frame, ILinkEffects effects) => throw new NotImplementedException();

    /// <summary>Transmits what is queued. Called by the node at the end of each input and between the parts of a token visit.</summary>
    public void Flush(ILinkEffects effects) => throw new NotImplementedException();

    /// <summary>How many datagrams were dropped for a reason.</summary>
    public long Dropped(DropReason reason) => throw new NotImplementedException();

    /// <summary>What is known of every link to every peer, for status.</summary>
    public IReadOnlyList<PeerStatus> Describe(Instant now) => throw new NotImplementedException();
}

/// <summary>One peer for status.</summary>
public sealed record PeerStatus(NodeId Node, BootId Boot, PeerState State, NodeSet Hears, IReadOnlyList<LinkStatus> Links);

/// <summary>One link to one peer for status. <c>Rtt</c> is null until measured; <c>Loss</c> is 0 to 1 over the last minute; null until known.</summary>
public sealed record LinkStatus(LinkId Link, LinkState State, bool Hears, bool HeardByPeer, TimeSpan? Rtt, double? Loss, int DatagramBytes, TimeSpan? LastHeard);
