using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>Takes in datagrams on the ring thread. The span is the receive buffer itself.</summary>
internal interface IDatagramReader
{
    /// <summary>One datagram. <paramref name="position"/>: table position of the source address's owner, or <see cref="AddressBook.Nobody"/>.</summary>
    void OnDatagram(LinkId link, int position, ReadOnlySpan<byte> datagram);

    /// <summary>The datagrams of one receive call have been handed over.</summary>
    void OnBatchEnd();

    /// <summary>Something an operator wants to know about the sockets.</summary>
    void OnFact(RingHostFact fact);
}

/// <summary>All UDP sockets of one node: binds them, receives and splits, sends, and drops what injected faults say.</summary>
/// <remarks>Ring thread only, after <see cref="Open"/>. A link whose address cannot be bound is down and is tried again; never is another address bound.</remarks>
internal sealed class DatagramIo : IDisposable
{
    /// <summary>Receive calls per link and turn; then the turn goes on although more is waiting, so that ticks and commands are never starved.</summary>
    public const int BatchesPerTurn = 64;

    private readonly AddressBook[] _books;
    private readonly LinkSocket[] _sockets;
    private readonly int[] _places;
    private readonly int[] _bindErrno;
    private readonly bool[] _saidNoSegmentation;
    private readonly int _self;
    private readonly TimeSpan _bindRetry;
    private readonly FaultInjection? _faults;
    private readonly ReceiveBuffers _buffers = new();
    private Instant _nextBind = Instant.Never;
    private bool _discarded;

    /// <summary>Prepares the links; opens nothing yet.</summary>
    public DatagramIo(NodeTable nodes, RingHostOptions options, FaultInjection? faults)
    {
        _self = nodes.Position(options.Self);
        _bindRetry = options.BindRetry;
        _faults = faults;
        var links = options.Peers[0].Links.Count;
        _books = new AddressBook[links];
        _sockets = new LinkSocket[links];
        _places = new int[links];
        _bindErrno = new int[links];
        _saidNoSegmentation = new bool[links];
        for (byte i = 0; i < links; i++)
        {
            _books[i] = new AddressBook(nodes, options.Peers, new LinkId(i));
            _sockets[i] = new LinkSocket(new LinkId(i), _books[i], _self);
        }

        Counters = [.. _sockets.Select(socket => socket.Counters)];
    }

    /// <summary>Counters by link.</summary>
    public IReadOnlyList<LinkCounters> Counters { get; }

    /// <summary>Addresses by link.</summary>
    public IReadOnlyList<AddressBook> Books => _books;

    /// <summary>When a link is to be bound again; <see cref="Instant.Never"/> while all are.</summary>
    public Instant NextDeadline => _nextBind;

    /// <summary>Binds every link that can be.</summary>
    /// <exception cref="LinkBindException">None can.</exception>
    public void Open(Instant now, IDatagramReader reader)
    {
        BindMissing(now, reader);
        if (_sockets.Any(socket => socket.IsOpen)) return;
        var causes = string.Join("; ", _sockets.Select((_, i) => $"link {new LinkId((byte)i)} {OwnAddress(i)}: {Libc.Describe(_bindErrno[i])}"));
        throw new LinkBindException($"No link address of this node can be bound: {causes}. The daemon stops. Check that the addresses of this node in the "
            + "configuration are on this machine (ip address) and that no other daemon uses the ports (ss -lun).");
    }

    /// <summary>Tries the links that are not bound, when that is due.</summary>
    public void OnTick(Instant now, IDatagramReader reader)
    {
        if (now >= _nextBind) BindMissing(now, reader);
    }

    /// <summary>Adds the open sockets to what the turn waits on.</summary>
    public void AddTo(PollSet poll)
    {
        for (var i = 0; i < _sockets.Length; i++)
        {
            if (_sockets[i].IsOpen) _places[i] = poll.Add(_sockets[i].Descriptor, Libc.PollIn);
        }
    }

    /// <summary>Receives from the sockets that are ready until they are empty, batch by batch; the answer is who has been reported as having no socket.</summary>
    public NodeSet Receive(PollSet poll, IDatagramReader reader)
    {
        var unreachable = NodeSet.Empty;
        for (var i = 0; i < _sockets.Length; i++)
        {
            if (!_sockets[i].IsOpen) continue;
            var returned = poll.Returned(_places[i]);
            if ((returned & Libc.PollErr) != 0) unreachable |= _sockets[i].ReadErrors();
            if ((returned & Libc.PollIn) != 0) ReceiveAll(_sockets[i], _books[i], reader);
        }

        return unreachable;
    }

    /// <summary>Receives from every open socket, ready or not: after a pause, what waited must be seen before time is.</summary>
    public void ReceiveWaiting(IDatagramReader reader)
    {
        for (var i = 0; i < _sockets.Length; i++)
        {
            if (_sockets[i].IsOpen) ReceiveAll(_sockets[i], _books[i], reader);
        }
    }

    /// <summary>Sends datagrams of <paramref name="segmentBytes"/> each (the last may be shorter) to each target on one link.</summary>
    public void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
        var socket = _sockets[link.Index];
        if (_faults is { IsQuiet: false }) TransmitWithFaults(socket, link, targets, datagrams, segmentBytes);
        else socket.Transmit(targets, datagrams, segmentBytes);
    }

    /// <summary>Throws away what is queued on all sockets, and the rest of the batch that is being handed over.</summary>
    public void Discard()
    {
        _discarded = true;
        foreach (var socket in _sockets)
        {
            if (socket.IsOpen) socket.Discard();
        }
    }

    public void Dispose()
    {
        foreach (var socket in _sockets) socket.Dispose();
        foreach (var book in _books) book.Dispose();
        _buffers.Dispose();
    }

    private void ReceiveAll(LinkSocket socket, AddressBook book, IDatagramReader reader)
    {
        for (var batch = 0; batch < BatchesPerTurn; batch++)
        {
            var messages = socket.Receive(_buffers);
            if (messages == 0) return;
            _discarded = false;
            for (var message = 0; message < messages && !_discarded; message++) HandOver(message, socket.Counters, book, reader);
            reader.OnBatchEnd();
            if (messages < ReceiveBuffers.Capacity) return;
        }
    }

    private void HandOver(int message, LinkCounters counters, AddressBook book, IDatagramReader reader)
    {
        if (_buffers.IsTruncated(message)) return; // longer than any datagram of ours can be
        var position = _buffers.TrySource(message, out var source) ? book.Owner(source) : AddressBook.Nobody;
        var segmentBytes = _buffers.SegmentBytes(message);
        var rest = _buffers.Bytes(message);
        counters.BytesReceived += rest.Length;
        do
        {
            var datagram = rest[..Math.Min(segmentBytes, rest.Length)];
            rest = rest[datagram.Length..];
            counters.DatagramsReceived++;
            if (position == AddressBook.Nobody) counters.UnknownSource++;
            if (_faults is { IsQuiet: false } && _faults.Drops(counters.Link, position, FaultDirection.In)) counters.FaultDropped++;
            else reader.OnDatagram(counters.Link, position, datagram);
        }
        while (!rest.IsEmpty && !_discarded);
    }

    private void TransmitWithFaults(LinkSocket socket, LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
        for (; !datagrams.IsEmpty; datagrams = datagrams[Math.Min(segmentBytes, datagrams.Length)..])
        {
            var reached = targets;
            foreach (var position in targets)
            {
                if (!_faults!.Drops(link, position, FaultDirection.Out)) continue; // not null: the caller looked
                reached = reached.Without(position);
                socket.Counters.FaultDropped++;
            }

            socket.Transmit(reached, datagrams[..Math.Min(segmentBytes, datagrams.Length)], segmentBytes);
        }
    }

    private void BindMissing(Instant now, IDatagramReader reader)
    {
        _nextBind = Instant.Never;
        for (var i = 0; i < _sockets.Length; i++)
        {
            if (_sockets[i].IsOpen) continue;
            var link = new LinkId((byte)i);
            var errno = _sockets[i].Open();
            if (errno == 0)
            {
                if (_bindErrno[i] != 0) reader.OnFact(new RingHostFact.LinkBound(link, OwnAddress(i)));
                if (_sockets[i].GrantedBytes < LinkSocket.BufferBytes)
                    reader.OnFact(new RingHostFact.SmallSocketBuffer(link, LinkSocket.BufferBytes, _sockets[i].GrantedBytes));
            }
            else
            {
                _nextBind = now + _bindRetry;
                if (errno != _bindErrno[i]) reader.OnFact(new RingHostFact.LinkNotBound(link, OwnAddress(i), errno, Libc.Describe(errno)));
            }

            _bindErrno[i] = errno;
        }
    }

    /// <summary>Tells once per link that segmentation was given up.</summary>
    public void ReportSegmentation(IDatagramReader reader)
    {
        for (var i = 0; i < _sockets.Length; i++)
        {
            if (_sockets[i].SegmentationErrno == 0 || _saidNoSegmentation[i]) continue;
            _saidNoSegmentation[i] = true;
            reader.OnFact(new RingHostFact.NoSegmentation(new LinkId((byte)i), _sockets[i].SegmentationErrno));
        }
    }

    private string OwnAddress(int link) => _books[link][_self].ToString();
}
