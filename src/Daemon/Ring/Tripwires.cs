using System.Runtime.InteropServices;
using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>
/// Silent TCP connections to the ring neighbours on the links' port numbers. No byte is ever sent or read: all they do is break. When a process
/// dies its kernel closes them, and the neighbours know within a millisecond that something happened.
/// </summary>
/// <remarks>
/// Ring thread only, all descriptors are part of the loop's one wait. A broken connection is a hint (anybody could forge a reset), never a verdict.
/// Connections to nodes that are no longer neighbours are kept while they last: closing them would alarm a healthy peer.
/// Limits: one outgoing and one accepted connection per configured node; a newer accepted one replaces the older, others are closed at once.
/// </remarks>
internal sealed unsafe class Tripwires : IDisposable
{
    private const int Backlog = 16;

    private const int NotWaitedOn = -1;

    /// <summary>Connections accepted from one listener in one turn.</summary>
    private const int AcceptsPerTurn = 16;

    private readonly IReadOnlyList<AddressBook> _books;
    private readonly int _self;
    private readonly int _nodes;
    private readonly TimeSpan _retry;
    private readonly TimeSpan _bindRetry;
    private readonly Listener[] _listeners;
    private readonly Outgoing[] _outgoing;
    private readonly Accepted[] _accepted;
    private NodeSet _neighbours;
    private Instant _nextListen = Instant.Never;
    private Instant _acceptAgain = Instant.Never;

    public Tripwires(IReadOnlyList<AddressBook> books, int self, int nodes, TimeSpan retry, TimeSpan bindRetry)
    {
        _books = books;
        _self = self;
        _nodes = nodes;
        _retry = retry;
        _bindRetry = bindRetry;
        _listeners = new Listener[books.Count];
        _outgoing = new Outgoing[nodes];
        _accepted = new Accepted[nodes];
        for (var i = 0; i < _listeners.Length; i++) _listeners[i].Descriptor = -1;
        for (var i = 0; i < nodes; i++) _outgoing[i].Descriptor = _accepted[i].Descriptor = -1;
    }

    private enum Stage
    {
        Idle,
        Connecting,
        Established,
    }

    /// <summary>Descriptors that can be open at most.</summary>
    public int DescriptorsMax => _listeners.Length + (2 * _nodes);

    /// <summary>Nodes with an established connection of either direction, for status and tests.</summary>
    public NodeSet Established
    {
        get
        {
            var established = NodeSet.Empty;
            for (var i = 0; i < _nodes; i++)
            {
                if (_outgoing[i].Stage is Stage.Established) established = established.With(i);
                if (_accepted[i].Descriptor >= 0 && _accepted[i].Owner != AddressBook.Nobody) established = established.With(_accepted[i].Owner);
            }

            return established;
        }
    }

    /// <summary>When <see cref="OnTick"/> is next due.</summary>
    public Instant NextDeadline
    {
        get
        {
            var next = _nextListen < _acceptAgain ? _nextListen : _acceptAgain;
            foreach (var position in _neighbours)
            {
                if (_outgoing[position].Stage is not Stage.Established && _outgoing[position].Next < next) next = _outgoing[position].Next;
            }

            return next;
        }
    }

    /// <summary>Whom to keep a connection to from now on.</summary>
    public void SetNeighbours(Instant now, NodeSet neighbours)
    {
        foreach (var position in neighbours - _neighbours) _outgoing[position].Next = now;
        _neighbours = neighbours.Without(_self);
    }

    /// <summary>Listens and connects where that is due.</summary>
    public void OnTick(Instant now, IDatagramReader reader)
    {
        if (now >= _nextListen) Listen(now, reader);
        if (now >= _acceptAgain) _acceptAgain = Instant.Never;
        foreach (var position in _neighbours)
        {
            ref var wire = ref _outgoing[position];
            if (wire.Stage is Stage.Established || now < wire.Next) continue;
            Close(ref wire.Descriptor);
            Connect(now, position);
        }
    }

    /// <summary>Adds what is open to what the turn waits on.</summary>
    public void AddTo(PollSet poll)
    {
        for (var i = 0; i < _listeners.Length; i++)
        {
            ref var listener = ref _listeners[i];
            listener.Place = listener.Descriptor >= 0 && _acceptAgain == Instant.Never ? poll.Add(listener.Descriptor, Libc.PollIn) : NotWaitedOn;
        }

        for (var i = 0; i < _nodes; i++)
        {
            if (_accepted[i].Descriptor >= 0) _accepted[i].Place = poll.Add(_accepted[i].Descriptor, Libc.PollIn | Libc.PollRdHup);
            if (_outgoing[i].Descriptor < 0) continue;
            var events = _outgoing[i].Stage is Stage.Connecting ? Libc.PollOut : (short)(Libc.PollIn | Libc.PollRdHup);
            _outgoing[i].Place = poll.Add(_outgoing[i].Descriptor, events);
        }
    }

    /// <summary>Looks at what the wait found; the answer is whose established connection broke.</summary>
    public NodeSet Collect(PollSet poll, Instant now)
    {
        var broken = NodeSet.Empty;
        for (var i = 0; i < _nodes; i++)
        {
            if (_accepted[i].Descriptor >= 0 && poll.Returned(_accepted[i].Place) != 0)
            {
                Close(ref _accepted[i].Descriptor);
                if (_accepted[i].Owner != AddressBook.Nobody) broken = broken.With(_accepted[i].Owner);
            }

            if (_outgoing[i].Descriptor < 0 || poll.Returned(_outgoing[i].Place) == 0) continue;
            if (_outgoing[i].Stage is Stage.Connecting)
            {
                FinishConnecting(i);
                continue;
            }

            Close(ref _outgoing[i].Descriptor);
            _outgoing[i].Stage = Stage.Idle;
            _outgoing[i].Next = now + _retry;
            broken = broken.With(i);
        }

        // Last: a slot filled here was not part of the wait that is being looked at.
        for (var link = 0; link < _listeners.Length; link++)
        {
            if (_listeners[link].Place != NotWaitedOn && poll.Returned(_listeners[link].Place) != 0) Accept(link, now);
        }

        return broken;
    }

    /// <summary>Closes everything: what the kernel does when the process dies.</summary>
    public void Dispose()
    {
        for (var i = 0; i < _listeners.Length; i++) Close(ref _listeners[i].Descriptor);
        for (var i = 0; i < _nodes; i++)
        {
            Close(ref _outgoing[i].Descriptor);
            Close(ref _accepted[i].Descriptor);
        }
    }

    /// <summary>Opens the listeners that are not open; a failed one is tried again, and told about once per errno.</summary>
    public void Listen(Instant now, IDatagramReader reader)
    {
        _nextListen = Instant.Never;
        for (var link = 0; link < _listeners.Length; link++)
        {
            ref var listener = ref _listeners[link];
            if (listener.Descriptor >= 0) continue;
            var errno = TryListen(_books[link], out listener.Descriptor);
            if (errno != 0) _nextListen = now + _bindRetry;
            if (errno != 0 && errno != listener.Errno)
                reader.OnFact(new RingHostFact.NoTripwires(new LinkId((byte)link), _books[link][_self].ToString(), errno));
            listener.Errno = errno;
        }
    }

    private static void Close(ref int descriptor)
    {
        if (descriptor >= 0) _ = Libc.Close(descriptor);
        descriptor = -1;
    }

    private int TryListen(AddressBook book, out int descriptor)
    {
        descriptor = Open(book[_self].Family);
        if (descriptor < 0) return Libc.Errno;
        Libc.TrySet(descriptor, Libc.SolSocket, Libc.SoReuseAddr, 1);
        if (book[_self].IsV6) Libc.TrySet(descriptor, Libc.SolIpv6, Libc.Ipv6V6Only, 1);
        if (Libc.Bind(descriptor, book.Native(_self), (uint)book[_self].Length) == 0 && Libc.Listen(descriptor, Backlog) == 0) return 0;
        var errno = Libc.Errno;
        Close(ref descriptor);
        return errno;
    }

    private void Accept(int link, Instant now)
    {
        var name = stackalloc byte[Libc.AddressBytes];
        for (var accepted = 0; accepted < AcceptsPerTurn; accepted++)
        {
            var length = (uint)Libc.AddressBytes;
            var descriptor = Libc.Accept(_listeners[link].Descriptor, name, &length, Libc.SockNonblockCloexec);
            if (descriptor < 0)
            {
                // Out of descriptors, say: the caller stays in the queue and the listener stays ready, so waiting on it now would spin.
                if (Libc.Errno != Libc.Eagain) _acceptAgain = now + _retry;
                return;
            }

            var isPeer = WireAddress.TryRead(new ReadOnlySpan<byte>(name, (int)length), out var source)
                & _books[link].TryOwnerOfAddress(source, out var owner);
            var slot = isPeer ? SlotFor(owner) : AddressBook.Nobody;
            if (slot == AddressBook.Nobody)
            {
                Close(ref descriptor);
                continue;
            }

            Close(ref _accepted[slot].Descriptor);
            _accepted[slot] = new Accepted { Descriptor = descriptor, Owner = owner };
        }
    }

    /// <summary>The slot of a known owner is its position. Where several nodes share one address the owner is unknown and any free slot serves:
    /// such a connection is held for the other side's sake.</summary>
    private int SlotFor(int owner)
    {
        if (owner == _self) return AddressBook.Nobody;
        if (owner != AddressBook.Nobody) return owner;
        for (var i = 0; i < _nodes; i++)
        {
            if (_accepted[i].Descriptor < 0) return i;
        }

        return AddressBook.Nobody;
    }

    /// <summary>Begins to connect on the next link in turn; what has not come about until the next attempt is given up.</summary>
    private void Connect(Instant now, int position)
    {
        ref var wire = ref _outgoing[position];
        wire.Next = now + _retry;
        wire.Stage = Stage.Idle;
        var book = _books[wire.Attempts++ % _books.Count];
        wire.Descriptor = Open(book[position].Family);
        if (wire.Descriptor < 0) return;

        // From this link's own address (any port), so that the peer recognises the caller.
        var own = stackalloc byte[Libc.AddressBytes];
        (book[_self] with { Port = 0 }).Write(new Span<byte>(own, Libc.AddressBytes));
        var isBound = Libc.Bind(wire.Descriptor, own, (uint)book[_self].Length) == 0;
        if (!isBound || (Libc.Connect(wire.Descriptor, book.Native(position), (uint)book[position].Length) != 0 && Libc.Errno != Libc.Einprogress))
        {
            Close(ref wire.Descriptor);
            return;
        }

        wire.Stage = Stage.Connecting;
    }

    private void FinishConnecting(int position)
    {
        ref var wire = ref _outgoing[position];
        if (Libc.Get(wire.Descriptor, Libc.SolSocket, Libc.SoError) == 0)
        {
            wire.Stage = Stage.Established;
            return;
        }

        Close(ref wire.Descriptor);
        wire.Stage = Stage.Idle;
    }

    private static int Open(int family) => Libc.Socket(family, Libc.SockStream | Libc.SockNonblockCloexec, 0);

    [StructLayout(LayoutKind.Auto)]
    private struct Listener
    {
        public int Descriptor;
        public int Place;
        public int Errno;
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Outgoing
    {
        public int Descriptor;
        public int Place;
        public Stage Stage;
        public int Attempts;
        public Instant Next;
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Accepted
    {
        public int Descriptor;
        public int Place;
        public int Owner;
    }
}
