using System.Globalization;
using Membership.Daemon.Ring;
using Membership.Exploration.Hosts.Steering;
using Membership.Links;

namespace Membership.Exploration.Hosts.Daemons;

/// <summary>The network between ring threads of one world: what is sent is there at once.</summary>
internal sealed class MemoryRing(World world)
{
    private readonly Dictionary<int, MemoryPorts> _ports = [];

    /// <summary>The world.</summary>
    public World World => world;

    /// <summary>Ports of a node.</summary>
    public MemoryPorts Open(int position) => _ports[position] = new MemoryPorts(this, position);

    /// <summary>Carries a datagram.</summary>
    public void Carry(int from, int to, LinkId link, ReadOnlySpan<byte> datagram)
    {
        if (_ports.TryGetValue(to, out var ports)) ports.Arrived(from, link, datagram.ToArray());
    }

    /// <summary>A node's process is gone.</summary>
    public void Close(MemoryPorts ports)
    {
        if (_ports.TryGetValue(ports.Position, out var open) && open == ports) _ports.Remove(ports.Position);
        foreach (var other in _ports.Values) other.Closed(ports.Position);
    }
}

/// <summary>What one ring thread waits on and sends through.</summary>
internal sealed class MemoryPorts : IRingPorts
{
    private readonly MemoryRing _ring;
    private readonly Queue<(int From, LinkId Link, byte[] Bytes)> _waiting = new();
    private readonly PollSet _wake = new(1);
    private NodeSet _closed = NodeSet.Empty;
    private bool _isDiscarded;
    private bool _isClosed;

    public MemoryPorts(MemoryRing ring, int position) => (_ring, Position) = (ring, position);

    /// <summary>Of the node.</summary>
    public int Position { get; }

    /// <summary>The thread that uses them.</summary>
    public Fiber? Thread { get; set; }

    /// <inheritdoc/>
    public IReadOnlyList<LinkCounters> Counters { get; } = [];

    /// <inheritdoc/>
    public NodeSet Established => NodeSet.Empty;

    /// <inheritdoc/>
    public Instant NextDeadline => Instant.Never;

    /// <inheritdoc/>
    public void Open(Instant now, IDatagramReader reader)
    {
    }

    /// <inheritdoc/>
    public bool Wait(int wake, long? nanoseconds)
    {
        var thread = Thread ?? throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"node at {Position} has no thread"));
        var until = nanoseconds is { } limit ? _ring.World.Time.GetTimestamp() + limit : long.MaxValue;
        thread.Wait(() => _waiting.Count > 0 || _closed.Count > 0 || _ring.World.Time.GetTimestamp() >= until || IsReadable(wake), () => until);
        return IsReadable(wake);
    }

    /// <inheritdoc/>
    public void Pause(TimeSpan time)
    {
        var until = _ring.World.Time.GetTimestamp() + (long)time.TotalNanoseconds;
        Thread!.Wait(() => _ring.World.Time.GetTimestamp() >= until, () => until);   // the thread that calls
    }

    /// <inheritdoc/>
    public NodeSet Receive(IDatagramReader reader)
    {
        ReceiveWaiting(reader);
        return NodeSet.Empty;
    }

    /// <inheritdoc/>
    public void ReceiveWaiting(IDatagramReader reader)
    {
        _isDiscarded = false;
        if (_waiting.Count == 0) return;
        while (!_isDiscarded && _waiting.TryDequeue(out var datagram)) reader.OnDatagram(datagram.Link, datagram.From, datagram.Bytes);
        reader.OnBatchEnd();
    }

    /// <inheritdoc/>
    public NodeSet CollectClosed(Instant now)
    {
        var closed = _closed;
        _closed = NodeSet.Empty;
        return closed;
    }

    /// <summary>The key under which it sealed last, by the clear header of what it sent.</summary>
    public byte LastKeyId { get; private set; }

    /// <inheritdoc/>
    public void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
        LastKeyId = datagrams[2];
        for (; !datagrams.IsEmpty; datagrams = datagrams[Math.Min(segmentBytes, datagrams.Length)..])
        {
            foreach (var target in targets) _ring.Carry(Position, target, link, datagrams[..Math.Min(segmentBytes, datagrams.Length)]);
        }
    }

    /// <inheritdoc/>
    public void Discard()
    {
        _isDiscarded = true;
        _waiting.Clear();
    }

    /// <inheritdoc/>
    public void SetNeighbours(Instant now, NodeSet neighbours)
    {
    }

    /// <inheritdoc/>
    public void OnTick(Instant now, IDatagramReader reader)
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isClosed) return;
        _isClosed = true;
        _ring.Close(this);
        _wake.Dispose();
    }

    /// <summary>A datagram came.</summary>
    public void Arrived(int from, LinkId link, byte[] datagram) => _waiting.Enqueue((from, link, datagram));

    /// <summary>The tripwire to a node closed.</summary>
    public void Closed(int position) => _closed = _closed.With(position);

    private bool IsReadable(int wake)
    {
        if (_isClosed) return false;
        _wake.Clear();
        var place = _wake.Add(wake, Libc.PollIn);
        _wake.Wait(0);
        return _wake.Returned(place) != 0;
    }
}
