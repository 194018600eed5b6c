using Membership.Links;
using Membership.Totem;

namespace Membership.Node;

/// <summary>Everything a node needs to begin: settings and what the host drew or read.</summary>
/// <param name="Links">Settings of the links.</param>
/// <param name="Totem">Settings of the ring.</param>
/// <param name="Boot">128 random bits of this start.</param>
/// <param name="RingSequence">Highest ring sequence that an earlier start may have used (the newest valid reservation).</param>
/// <param name="ReservedUpTo">Ring sequences up to this one are already durable for this start.</param>
/// <param name="Seed">Seed of the node's one random source.</param>
public sealed record NodeStart(LinkOptions Links, TotemOptions Totem, BootId Boot, ulong RingSequence, ulong ReservedUpTo, int Seed);

/// <summary>One node's whole stack behind three kinds of input: a datagram, a tick, a command. Decides everything, touches nothing.</summary>
/// <remarks>Single-threaded; the daemon, the simulator and the replayer run this same type.</remarks>
public sealed class MembershipNode
{
    public MembershipNode(NodeStart start, ICipherSuite ciphers) => throw new NotImplementedException();

    /// <summary>When <see cref="OnTick"/> is next due.</summary>
    public Instant NextDeadline => throw new NotImplementedException();

    /// <summary>The state of the ring protocol.</summary>
    public TotemState State => throw new NotImplementedException();

    /// <summary>The regular view in force; null before the first.</summary>
    public View? View => throw new NotImplementedException();

    /// <summary>Bytes waiting for the token.</summary>
    public int QueuedBytes => throw new NotImplementedException();

    /// <summary>The links, for status only.</summary>
    public LinkLayer Links => throw new NotImplementedException();

    /// <summary>Counters of the ring, for status and metrics.</summary>
    public TotemCounters Counters => throw new NotImplementedException();

    /// <summary>Begins: hellos go out, the first ring is gathered.</summary>
    public void Start(Instant now, INodeEffects effects) => throw new NotImplementedException();

    /// <summary>A datagram from the network. <paramref name="source"/>: configured owner of the source address on that link, or null.</summary>
    public void OnDatagram(Instant now, LinkId link, NodeId? source, ReadOnlySpan<byte> datagram, INodeEffects effects) => throw new NotImplementedException();

    /// <summary>All datagrams at hand have been fed: queued sends go out, deliveries are complete. Called once per receive batch.</summary>
    public void OnBatchEnd(Instant now, INodeEffects effects) => throw new NotImplementedException();

    /// <summary>A deadline came. Early or repeated calls do nothing.</summary>
    public void OnTick(Instant now, INodeEffects effects) => throw new NotImplementedException();

    /// <summary>A message to be ordered. On Accepted it will be delivered here too, or <see cref="INodeEffects.Failed"/> is called.</summary>
    public SubmitResult Submit(Instant now, ReadOnlySpan<byte> payload, DeliveryLevel level, byte service, INodeEffects effects) => throw new NotImplementedException();

    /// <summary>All submits at hand have been fed: a held token may be used now.</summary>
    public void OnSubmitted(Instant now, INodeEffects effects) => throw new NotImplementedException();

    /// <summary>Unauthenticated evidence from the host (port unreachable, closed tripwire).</summary>
    public void OnHint(Instant now, NodeId peer, LinkHint hint, INodeEffects effects) => throw new NotImplementedException();

    /// <summary>The reservation asked for by <see cref="INodeEffects.Reserve"/> is durable.</summary>
    public void OnReserved(Instant now, ulong upTo, INodeEffects effects) => throw new NotImplementedException();

    /// <summary>Leave cleanly: what is queued is ordered first (for at most the token timeout), then the others are told; ends with <see cref="INodeEffects.Left"/>.</summary>
    public void Leave(Instant now, INodeEffects effects) => throw new NotImplementedException();
}
