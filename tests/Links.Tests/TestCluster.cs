namespace Membership.Links.Tests;

/// <summary>A datagram on the test network.</summary>
public sealed record Packet(NodeId From, NodeId To, LinkId Link, byte[] Bytes);

/// <summary>One node of a <see cref="TestCluster"/>: its links and everything they reported.</summary>
public sealed class TestNode(TestCluster cluster, NodeId id) : ILinkEffects
{
    public NodeId Id { get; } = id;

    /// <summary>Set by the cluster at each (re)start.</summary>
    public LinkLayer Links { get; set; } = null!; // the cluster starts every node before a test sees it

    public bool IsRunning { get; set; }

    public bool IsFrozen { get; set; }

    public Instant Now => cluster.Now;

    public List<(Instant At, NodeId From, BootId Boot, byte[] Frame)> Received { get; } = [];

    public List<(Instant At, NodeId Peer, BootId Boot, PeerState State, PeerReason Reason)> Changes { get; } = [];

    public List<(Instant At, NodeId Peer, LinkId Link, LinkState State)> LinkChanges { get; } = [];

    public List<(NodeId Peer, NodeSet Row)> Rows { get; } = [];

    public List<int> FrameLimits { get; } = [];

    public List<(Instant At, NodeId Peer, string Mine, string Theirs)> Incompatibles { get; } = [];

    public List<(LinkId Link, NodeSet Targets, int Bytes, int SegmentBytes)> Transmits { get; } = [];

    public void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
        Transmits.Add((link, targets, datagrams.Length, segmentBytes));
        cluster.Carry(this, link, targets, datagrams, segmentBytes);
    }

    public void Receive(NodeId from, BootId boot, ReadOnlySpan<byte> frame) => Received.Add((cluster.Now, from, boot, frame.ToArray()));

    public void PeerChanged(NodeId peer, BootId boot, PeerState state, PeerReason reason) => Changes.Add((cluster.Now, peer, boot, state, reason));

    public void PeerRow(NodeId peer, BootId boot, NodeSet hears) => Rows.Add((peer, hears));

    public void LinkChanged(NodeId peer, LinkId link, LinkState state) => LinkChanges.Add((cluster.Now, peer, link, state));

    public void FrameLimitChanged(int frameBytesMax) => FrameLimits.Add(frameBytesMax);

    public void Incompatible(NodeId peer, string mine, string theirs) => Incompatibles.Add((cluster.Now, peer, mine, theirs));

    public PeerStatus Peer(int node) => Links.Describe(cluster.Now).Single(peer => peer.Node == new NodeId((ushort)node));
}

/// <summary>Two to sixteen link layers on virtual time and a network that a test can cut, narrow, delay, record and lose packets on.</summary>
public sealed class TestCluster : IDisposable
{
    private static readonly TimeSpan Delay = TimeSpan.FromTicks(1000);

    private readonly PriorityQueue<(Packet? Packet, (NodeId To, NodeId Gone)? Unreachable), (long At, long Order)> _flying = new();
    private readonly Random _random;
    private readonly LinkOptions _options;
    private long _order;
    private int _boots;

    public TestCluster(int nodes, LinkOptions? options = null, ICipherSuite? ciphers = null, int seed = 1)
    {
        _random = new Random(seed);
        Ciphers = ciphers ?? new KeyedHashSuite();
        Table = new NodeTable(Enumerable.Range(1, nodes).Select(id => new NodeId((ushort)id)));
        _options = (options ?? Options()) with { Nodes = Table };
        Nodes = [.. Enumerable.Range(0, nodes).Select(position => new TestNode(this, Table[position]))];
        foreach (var node in Nodes) Create(node, _options);
    }

    public Instant Now { get; private set; } = new(1_000_000_000);

    public NodeTable Table { get; }

    public TestNode[] Nodes { get; }

    /// <summary>What nodes that are made from now on seal with.</summary>
    public ICipherSuite Ciphers { get; set; }

    /// <summary>True drops the packet.</summary>
    public Func<Packet, bool> Drops { get; set; } = _ => false;

    /// <summary>Every packet that was put on the network, when set.</summary>
    public List<Packet>? Recording { get; set; }

    /// <summary>Share of packets lost at random.</summary>
    public double Loss { get; set; }

    public long Carried { get; private set; }

    /// <summary>When the first port unreachable came back from each dead node.</summary>
    public Dictionary<NodeId, Instant> FirstHints { get; } = [];

    public TestNode this[int node] => Nodes[node - 1];

    public static LinkOptions Options() => new()
    {
        ClusterName = "test",
        Nodes = new NodeTable([new NodeId(1)]),
        Self = new NodeId(1),
        Keys = [new ClusterKey(1, true, Key(1))],
    };

    public static LinkOptions Fast() => Options() with { LinkDown = TimeSpan.FromMilliseconds(150) };

    public static byte[] Key(byte fill) => [.. Enumerable.Repeat(fill, 32)];

    public void Start()
    {
        foreach (var node in Nodes) Start(node);
    }

    public void Start(TestNode node)
    {
        node.IsRunning = true;
        node.Links.Start(Now, node);
        node.Links.Flush(node);
    }

    /// <summary>Starts and runs until everybody reaches everybody and every path is measured.</summary>
    public TestCluster Settle()
    {
        Start();
        Run(TimeSpan.FromSeconds(2));
        foreach (var node in Nodes) Assert.Equal(Table.All, node.Links.Reachable);
        return this;
    }

    /// <summary>The process is gone: its port answers unreachable from now on.</summary>
    public static void Kill(TestNode node) => node.IsRunning = false;

    /// <summary>A new boot of the node, with other settings when given.</summary>
    public void Restart(TestNode node, Func<LinkOptions, LinkOptions>? change = null)
    {
        Create(node, change is null ? _options : change(_options));
        Start(node);
    }

    /// <summary>Replaces a node that did not start yet by one with other settings.</summary>
    public void Configure(TestNode node, Func<LinkOptions, LinkOptions> change) => Create(node, change(_options));

    public void Run(TimeSpan time) => RunUntil(() => false, time);

    /// <summary>Stops a node for a while; what arrives meanwhile is lost, its ticks are late.</summary>
    public void Freeze(TestNode node, TimeSpan time)
    {
        node.IsFrozen = true;
        Run(time);
        node.IsFrozen = false;
    }

    /// <summary>Runs until the condition holds; false when the time is over first.</summary>
    public bool RunUntil(Func<bool> condition, TimeSpan limit)
    {
        var end = Now + limit;
        while (!condition())
        {
            var next = end;
            if (_flying.TryPeek(out _, out var first) && first.At < next.Nanoseconds) next = new Instant(first.At);
            foreach (var node in Nodes)
                if (node.IsRunning && !node.IsFrozen && node.Links.NextDeadline < next) next = node.Links.NextDeadline;
            if (next > Now) Now = next;
            if (Now >= end) return condition();
            Step();
        }
        return true;
    }

    /// <summary>Hands a packet to its receiver now, as if it came from <see cref="Packet.From"/>.</summary>
    public void Inject(Packet packet) => Inject(this[packet.To.Value], packet.Link, packet.From, packet.Bytes);

    public void Inject(TestNode node, LinkId link, NodeId? source, ReadOnlySpan<byte> bytes)
    {
        node.Links.OnDatagram(Now, link, source, bytes, node);
        node.Links.Flush(node);
    }

    public void Carry(TestNode from, LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
        foreach (var position in targets)
        {
            for (var at = 0; at < datagrams.Length; at += segmentBytes)
            {
                var bytes = datagrams[at..Math.Min(datagrams.Length, at + segmentBytes)].ToArray();
                var packet = new Packet(from.Id, Table[position], link, bytes);
                Carried++;
                Recording?.Add(packet);
                if (Drops(packet) || (Loss > 0 && _random.NextDouble() < Loss)) continue;
                Post(Delay, (packet, null));
            }
        }
    }

    public void Dispose()
    {
        foreach (var node in Nodes) node.Links.Dispose();
    }

    private void Create(TestNode node, LinkOptions options)
    {
        var boot = new BootId((ulong)_random.NextInt64(), (ulong)++_boots << 32 | node.Id.Value);
        node.Links = new LinkLayer(options with { Self = node.Id }, boot, Ciphers, new Random(_random.Next()));
    }

    private void Step()
    {
        foreach (var node in Nodes)
        {
            if (!node.IsRunning || node.IsFrozen || node.Links.NextDeadline > Now) continue;
            node.Links.OnTick(Now, node);
            Assert.True(node.Links.NextDeadline > Now || !node.IsRunning, $"node {node.Id} is due again at once");
        }
        while (_flying.TryPeek(out var event_, out var at) && at.At <= Now.Nanoseconds)
        {
            _flying.Dequeue();
            if (event_.Packet is { } packet) Arrive(packet);
            else if (event_.Unreachable is { } gone) Hint(gone.To, gone.Gone);
        }
    }

    private void Arrive(Packet packet)
    {
        var node = this[packet.To.Value];
        if (node.IsFrozen) return;
        if (node.IsRunning) Inject(packet);
        else if (!Drops(packet with { From = packet.To, To = packet.From })) Post(Delay, (null, (packet.From, packet.To)));
    }

    private void Hint(NodeId to, NodeId gone)
    {
        var node = this[to.Value];
        if (!node.IsRunning) return;
        FirstHints.TryAdd(gone, Now);
        node.Links.OnHint(Now, gone, LinkHint.PortUnreachable, node);
        node.Links.Flush(node);
    }

    private void Post(TimeSpan delay, (Packet?, (NodeId, NodeId)?) what) => _flying.Enqueue(what, ((Now + delay).Nanoseconds, _order++));
}
