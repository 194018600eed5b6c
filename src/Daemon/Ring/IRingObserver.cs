using Membership.Cpg;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Ring;

/// <summary>Sees everything a node reports, in order, on the ring thread. Must not block and should not allocate per message.</summary>
/// <remarks>
/// An exception thrown by an observer stops the daemon as one of the node would. <c>now</c> is the instant of the input that
/// caused the call; <see cref="MonotonicClock.Absolute"/> turns it into the <c>t_ns</c> of event streams.
/// </remarks>
internal interface IRingObserver
{
    /// <summary>A message in its place of the order; the payload is valid during the call only.
    /// This node's own are those with its <see cref="Delivery.Sender"/> and boot; <see cref="Delivery.Counter"/> is what <see cref="ISubmitSink"/> was told.</summary>
    void Deliver(in Delivery delivery, ReadOnlySpan<byte> payload, Instant now);

    /// <summary>The node took a message of a client; it comes back with this counter.</summary>
    void Accepted(ulong counter, Instant now)
    {
    }

    /// <summary>The token was here and was passed on, or is held.</summary>
    /// <param name="duration">From its arrival to now.</param>
    /// <param name="counters">Of the node, for reading only.</param>
    void TokenVisited(TimeSpan duration, TotemCounters counters)
    {
    }

    /// <summary>A view in its place of the order.</summary>
    void InstallView(View view, Instant now);

    /// <summary>The verdict about quorum, or the view it is about, in its place of the order.</summary>
    void QuorumChanged(QuorumState state, Instant now)
    {
    }

    /// <summary>What the next start must know about quorum; the host writes it.</summary>
    void PersistQuorum(QuorumRecord record)
    {
    }

    /// <summary>An operator's change of votes took effect (null) or was refused.</summary>
    void QuorumChangeDone(ulong tag, string? error)
    {
    }

    /// <summary>The membership of a group changed, in its place of the order.</summary>
    void GroupChanged(GroupChange change, Instant now)
    {
    }

    /// <summary>A message of a group in its place of the order; the payload is valid during the call only.</summary>
    void GroupMessage(in GroupDelivery message, ReadOnlySpan<byte> payload, Instant now)
    {
    }

    /// <summary>An accepted group message of this node was ordered after its sender's membership had ended.</summary>
    void GroupDropped(ulong counter, Instant now)
    {
    }

    /// <summary>An accepted message of this node will not be delivered.</summary>
    void Failed(ulong counter, Instant now);

    /// <summary>Something of the node for the log.</summary>
    void Fact(NodeFact fact, Instant now);

    /// <summary>Something of the sockets or the state directory for the log.</summary>
    void HostFact(RingHostFact fact, Instant now);

    /// <summary>End of one turn of the loop: whoever waits for what was reported since the last call can be woken now. Only called when something was reported.</summary>
    void BatchEnd(Instant now);

    /// <summary>How long the ring thread should stand back now, for the sake of clients that cannot keep up. After each <see cref="BatchEnd"/>.</summary>
    /// <remarks>A token that comes waits meanwhile, and with it the whole ring: never longer than <paramref name="max"/>.</remarks>
    TimeSpan StandBack(Instant now, TimeSpan max) => TimeSpan.Zero;

    /// <summary>The node has left; only the <see cref="BatchEnd"/> of this turn follows.</summary>
    void Left(Instant now);
}

/// <summary>Learns on the ring thread what became of one submit. One object serves many submits; the tag tells them apart.</summary>
internal interface ISubmitSink
{
    /// <summary>The node's answer; after it the payload's memory belongs to the caller again. Never <see cref="GroupStatus.QueueFull"/>: the host waits instead.
    /// Messages of the raw ring are answered with the same words.</summary>
    void Submitted(ulong tag, SendResult result);
}

/// <summary>Things about sockets worth a line in the log.</summary>
internal abstract record RingHostFact
{
    private RingHostFact()
    {
    }

    /// <summary>The address of a link cannot be bound; tried again every <see cref="RingHostOptions.BindRetry"/>, the node runs on the others. Reported once per change of errno.</summary>
    public sealed record LinkNotBound(LinkId Link, string Address, int Errno, string What) : RingHostFact;

    /// <summary>A link that could not be bound is bound now.</summary>
    public sealed record LinkBound(LinkId Link, string Address) : RingHostFact;

    /// <summary>The kernel granted less socket buffer than asked for: bursts may be lost.</summary>
    public sealed record SmallSocketBuffer(LinkId Link, int AskedBytes, int GotBytes) : RingHostFact;

    /// <summary>Segmentation offload was refused on a link; datagrams go one by one from now on.</summary>
    public sealed record NoSegmentation(LinkId Link, int Errno) : RingHostFact;

    /// <summary>Tripwires cannot be listened for on a link (the UDP part works); crashes of processes are seen a little later there.</summary>
    public sealed record NoTripwires(LinkId Link, string Address, int Errno) : RingHostFact;

    /// <summary>The priority of the ring thread. Reported once, at its start.</summary>
    /// <param name="Nice">Its nice value, see setpriority(2); lower is favoured.</param>
    /// <param name="Errno">Why it could not be raised; 0 when it was.</param>
    public sealed record Priority(int Nice, int Errno) : RingHostFact;

    /// <summary>Injected faults changed; the whole list.</summary>
    public sealed record FaultsInjected(IReadOnlyList<FaultRule> Rules) : RingHostFact;

    /// <summary>The ring thread was stopped on request of a test.</summary>
    public sealed record Frozen(TimeSpan For) : RingHostFact;
}
