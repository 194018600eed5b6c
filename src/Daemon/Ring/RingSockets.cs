using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>The UDP sockets and tripwires of a node, waited for together. Ring thread only, after <see cref="Open"/>.</summary>
internal sealed class RingSockets : IRingPorts
{
    private readonly DatagramIo _io;
    private readonly Tripwires _tripwires;
    private readonly PollSet _poll;

    public RingSockets(NodeTable nodes, RingHostOptions options, FaultInjection? faults)
    {
        _io = new DatagramIo(nodes, options, faults);
        _tripwires = new Tripwires(_io.Books, nodes.Position(options.Self), nodes.Count, options.TripwireRetry, options.BindRetry);
        _poll = new PollSet(1 + _io.Books.Count + _tripwires.DescriptorsMax);
    }

    /// <inheritdoc/>
    public IReadOnlyList<LinkCounters> Counters => _io.Counters;

    /// <inheritdoc/>
    public NodeSet Established => _tripwires.Established;

    /// <inheritdoc/>
    public Instant NextDeadline => _io.NextDeadline < _tripwires.NextDeadline ? _io.NextDeadline : _tripwires.NextDeadline;

    /// <inheritdoc/>
    public void Open(Instant now, IDatagramReader reader)
    {
        _io.Open(now, reader);
        _tripwires.Listen(now, reader);
    }

    /// <inheritdoc/>
    public bool Wait(int wake, long? nanoseconds)
    {
        _poll.Clear();
        var place = _poll.Add(wake, Libc.PollIn);
        _io.AddTo(_poll);
        _tripwires.AddTo(_poll);
        _poll.Wait(nanoseconds);
        return _poll.Returned(place) != 0;
    }

    /// <inheritdoc/>
    public void Pause(TimeSpan time)
    {
        _poll.Clear();
        _poll.Wait((long)time.TotalNanoseconds);
    }

    /// <inheritdoc/>
    public NodeSet Receive(IDatagramReader reader) => _io.Receive(_poll, reader);

    /// <inheritdoc/>
    public void ReceiveWaiting(IDatagramReader reader) => _io.ReceiveWaiting(reader);

    /// <inheritdoc/>
    public NodeSet CollectClosed(Instant now) => _tripwires.Collect(_poll, now);

    /// <inheritdoc/>
    public void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes) => _io.Transmit(link, targets, datagrams, segmentBytes);

    /// <inheritdoc/>
    public void Discard() => _io.Discard();

    /// <inheritdoc/>
    public void SetNeighbours(Instant now, NodeSet neighbours) => _tripwires.SetNeighbours(now, neighbours);

    /// <inheritdoc/>
    public void OnTick(Instant now, IDatagramReader reader)
    {
        _io.OnTick(now, reader);
        _io.ReportSegmentation(reader);
        _tripwires.OnTick(now, reader);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tripwires.Dispose();
        _io.Dispose();
        _poll.Dispose();
    }
}
