using Membership.Cpg;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Fuzz.Targets;

/// <summary>A few whole nodes over an ideal network on virtual time, and a member that has the keys and says what it likes.</summary>
internal sealed class Cluster : IDisposable
{
    private readonly PriorityQueue<(int To, int From, byte[] Bytes, int Length), (long, long)> _network = new();
    private static readonly System.Collections.Concurrent.ConcurrentStack<byte[]> BufferPool = new();

    private readonly Stack<byte[]> _buffers = new();
    private readonly Queue<Action> _disk = new();
    // The network is not what is measured: it has its buffers before anything begins.
    private const int BuffersAtFirst = 512;
    private const int DatagramBytesMax = 9000;

    private readonly bool _isSealedForReal;
    private long _order;

    public Cluster(int nodes, bool isSealedForReal)
    {
        _isSealedForReal = isSealedForReal;
        _network.EnsureCapacity(BuffersAtFirst);
        for (var i = 0; i < BuffersAtFirst; i++) _buffers.Push(BufferPool.TryPop(out var kept) ? kept : new byte[DatagramBytesMax]);
        Table = new NodeTable(Enumerable.Range(1, nodes).Select(id => new NodeId((ushort)id)));
        for (var i = 0; i < nodes; i++) Nodes.Add(new Host(this, i));
    }

    public static ClusterKey Key { get; } = new(1, true, [.. Enumerable.Range(0, 32).Select(i => (byte)(7 * i))]);

    public static LinkId A { get; } = new(0);

    public NodeTable Table { get; }

    public List<Host> Nodes { get; } = [];

    public Instant Now { get; private set; }

    /// <summary>Datagrams to the first node, where somebody wants them.</summary>
    public List<byte[]>? Recording { get; set; }

    /// <summary>Starts all nodes and waits for their common view.</summary>
    public Cluster Form()
    {
        foreach (var node in Nodes) node.Core.Start(Now, node);
        for (var i = 0; i < 4000 && !IsFormed; i++) Run(TimeSpan.FromMilliseconds(1));
        return IsFormed ? this : throw new InvalidOperationException("the nodes found no common view");
    }

    public bool IsFormed => Nodes.TrueForAll(node => node.Core.State == TotemState.Operational && node.Core.View?.Members.Count == Nodes.Count);

    public ICipherSuite Ciphers() => _isSealedForReal ? new AesGcmSuite() : new PlainSuite();

    public void Carry(int from, int to, ReadOnlySpan<byte> bytes)
    {
        if (to == 0) Recording?.Add(bytes.ToArray());
        var buffer = _buffers.TryPop(out var free) ? free : new byte[DatagramBytesMax];
        bytes.CopyTo(buffer);
        _network.Enqueue((to, from, buffer, bytes.Length), (Now.Nanoseconds + 50_000, _order++));
    }

    public void Later(Action write) => _disk.Enqueue(write);

    public void Run(TimeSpan time)
    {
        var end = Now + time;
        while (true)
        {
            while (_disk.TryDequeue(out var write)) write();
            var next = Instant.Never;
            Host? due = null;
            foreach (var node in Nodes)
            {
                if (node.Core.NextDeadline >= next) continue;
                (next, due) = (node.Core.NextDeadline, node);
            }

            if (_network.TryPeek(out _, out var key) && key.Item1 <= next.Nanoseconds)
            {
                if (key.Item1 > end.Nanoseconds) break;
                Now = new Instant(Math.Max(Now.Nanoseconds, key.Item1));
                var item = _network.Dequeue();
                Nodes[item.To].Core.OnDatagram(Now, A, Table[item.From], item.Bytes.AsSpan(0, item.Length), Nodes[item.To]);
                Nodes[item.To].Core.OnBatchEnd(Now, Nodes[item.To]);
                _buffers.Push(item.Bytes);
                continue;
            }

            if (due is null || next > end) break;
            if (next > Now) Now = next;
            due.Core.OnTick(Now, due);
        }

        Now = end;
    }

    public void Dispose()
    {
        foreach (var node in Nodes) node.Core.Dispose();
        while (_network.TryDequeue(out var item, out _)) BufferPool.Push(item.Bytes);
        while (_buffers.TryPop(out var free)) BufferPool.Push(free);
    }

    /// <summary>Hosts one node.</summary>
    internal sealed class Host : INodeEffects
    {
        private readonly Cluster _cluster;
        private readonly int _position;

        public Host(Cluster cluster, int position)
        {
            (_cluster, _position) = (cluster, position);
            var self = cluster.Table[position];
            Boot = new BootId(77, 1000 + (ulong)position);
            Core = new MembershipNode(
                new NodeStart(
                    new LinkOptions { ClusterName = "fuzz", Nodes = cluster.Table, Self = self, Keys = [Key], ConfigurationDigest = 42 },
                    new TotemOptions { Nodes = cluster.Table, Self = self, WindowFrames = 1024 },
                    new QuorumOptions { Self = self, Voters = [.. cluster.Table.Nodes(cluster.Table.All).Select(node => new Voter(node, 1))] },
                    null, new CpgOptions { Self = self }, Boot, 0, 2048, position),
                cluster.Ciphers());
        }

        public MembershipNode Core { get; }

        public BootId Boot { get; }

        public long Delivered { get; private set; }

        public long Malformed { get; private set; }

        public void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
        {
            foreach (var to in targets)
            {
                for (var at = 0; at < datagrams.Length; at += segmentBytes)
                    _cluster.Carry(_position, to, datagrams.Slice(at, Math.Min(segmentBytes, datagrams.Length - at)));
            }
        }

        public void Deliver(in Delivery delivery, ReadOnlySpan<byte> payload) => Delivered++;

        public void InstallView(View view)
        {
        }

        public void QuorumChanged(QuorumState state)
        {
        }

        public void PersistQuorum(QuorumRecord record) => _cluster.Later(() => Core.OnQuorumPersisted(_cluster.Now, record, this));

        public void QuorumChangeDone(ulong tag, string? error)
        {
        }

        public void GroupChanged(GroupChange change)
        {
        }

        public void GroupMessage(in GroupDelivery message, ReadOnlySpan<byte> payload) => Delivered++;

        public void GroupDropped(ulong counter)
        {
        }

        public void Failed(ulong counter)
        {
        }

        public void Reserve(ulong upTo) => _cluster.Later(() => Core.OnReserved(_cluster.Now, upTo, this));

        public void Neighbours(NodeSet neighbours)
        {
        }

        public void DiscardReceived()
        {
        }

        public void Fact(NodeFact fact)
        {
            if (fact is NodeFact.Ring { Fact: TotemFact.Malformed }) Malformed++;
        }

        public void Left()
        {
        }
    }
}

/// <summary>Has the key and the boot of node 2, and seals what it likes for node 1.</summary>
internal sealed class Forger : IDisposable
{
    private static readonly NodeId Sender = new(2);

    private readonly ICipher _traffic;
    private readonly ICipher _handshake;
    private readonly KeyRing _ring;
    private readonly BootId _boot;
    private readonly byte[] _datagram = new byte[ushort.MaxValue];
    private ulong _counter = 1_000_000;

    public Forger(Cluster cluster)
    {
        _boot = cluster.Nodes[1].Boot;
        _ring = new KeyRing([Cluster.Key], "fuzz", cluster.Ciphers());
        _traffic = _ring.Traffic(0, Sender, _boot, Cluster.A, SealAlgorithm.AesGcm);
        _handshake = _ring.Handshake(0);
    }

    /// <summary>A datagram with this body; valid until the next call.</summary>
    public ReadOnlySpan<byte> Seal(ReadOnlySpan<byte> body, bool isHandshake = false)
    {
        var datagram = _datagram.AsSpan(0, WireHeader.Overhead + body.Length);
        var header = new WireHeader(1, isHandshake ? WireClass.Handshake : WireClass.Sealed, 1, Cluster.A, Sender, datagram.Length, ++_counter, _boot.Short);
        header.Write(datagram);
        Span<byte> nonce = stackalloc byte[WireHeader.NonceBytes];
        header.WriteNonce(nonce);
        (isHandshake ? _handshake : _traffic).Seal(nonce, datagram[..WireHeader.Bytes], body, datagram[WireHeader.Bytes..]);
        return datagram;
    }

    public void Dispose()
    {
        _traffic.Dispose();
        _ring.Dispose();
    }
}

/// <summary>Seals nothing: the tag is a sum. For targets behind the seal, where only the body counts.</summary>
internal sealed class PlainSuite : ICipherSuite
{
    public ICipher Create(ReadOnlySpan<byte> key) => new Cipher(key[0]);

    private sealed class Cipher(byte key) : ICipher
    {
        public void Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> plaintext, Span<byte> sealedBytes)
        {
            plaintext.CopyTo(sealedBytes);
            sealedBytes[plaintext.Length..].Fill(key);
        }

        public bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> sealedBytes, Span<byte> plaintext)
        {
            sealedBytes[..^ICipher.TagBytes].CopyTo(plaintext);
            return sealedBytes[^1] == key;
        }

        public void Dispose()
        {
        }
    }
}
