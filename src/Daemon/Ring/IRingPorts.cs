using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>What the ring thread waits on, receives from and sends through: the sockets of this machine, or a scripted network under a schedule test. Ring thread only.</summary>
internal interface IRingPorts : IDisposable
{
    /// <summary>Counters by link.</summary>
    IReadOnlyList<LinkCounters> Counters { get; }

    /// <summary>Nodes with an established tripwire.</summary>
    NodeSet Established { get; }

    /// <summary>When <see cref="OnTick"/> is next due.</summary>
    Instant NextDeadline { get; }

    /// <summary>Binds the links; before anything else, on any one thread.</summary>
    /// <exception cref="LinkBindException">No link can be bound.</exception>
    void Open(Instant now, IDatagramReader reader);

    /// <summary>Waits until something has come, <paramref name="wake"/> is readable or the time is over; null waits for ever. True when <paramref name="wake"/> is readable.</summary>
    bool Wait(int wake, long? nanoseconds);

    /// <summary>Waits for the time alone, whatever comes.</summary>
    void Pause(TimeSpan time);

    /// <summary>Hands over what the last wait found; the answer is who has been reported as having no socket.</summary>
    NodeSet Receive(IDatagramReader reader);

    /// <summary>Hands over whatever is there, found by a wait or not: after a pause, what waited must be seen before time is.</summary>
    void ReceiveWaiting(IDatagramReader reader);

    /// <summary>Whose tripwire the last wait found closed.</summary>
    NodeSet CollectClosed(Instant now);

    /// <summary>Sends datagrams of <paramref name="segmentBytes"/> each (the last may be shorter) to each target on one link.</summary>
    void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes);

    /// <summary>Throws away what has come and was not handed over yet.</summary>
    void Discard();

    /// <summary>To whom tripwires are kept.</summary>
    void SetNeighbours(Instant now, NodeSet neighbours);

    /// <summary>Does what is due.</summary>
    void OnTick(Instant now, IDatagramReader reader);
}
