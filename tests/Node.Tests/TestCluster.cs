using System.Text;
using Membership.Cpg;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Node.Tests;

/// <summary>A few whole nodes over an ideal network on virtual time, with real AES-GCM.</summary>
internal sealed class TestCluster
{
    private readonly PriorityQueue<(int To, LinkId Link, int From, byte[] Bytes, int Length), (long, long)> _network = new();
    private readonly Stack<byte[]> _buffers = new();
    private readonly Queue<(TestHost Host, QuorumRecord Record)> _written = new();
    private long _order;

    public TestCluster(int nodes, TimeSpan? linkDown = null)
    {
        Table = new NodeTable(Enumerable.Range(1, nodes).Select(i => new NodeId((ushort)i)));
        for (var i = 0; i < nodes; i++) Nodes.Add(new TestHost(this, i, linkDown ?? TimeSpan.FromMilliseconds(600)));
    }

    public NodeTable Table { get; }

    public List<TestHost> Nodes { get; } = [];

    public Instant Now { get; private set; }

    public TimeSpan Hop { get; set; } = TimeSpan.FromMicroseconds(50);

    public HashSet<(int From, int To)> Cuts { get; } = [];

    public long Datagrams { get; private set; }

    public void Start()
    {
        foreach (var node in Nodes) node.Core.Start(Now, node);
    }

    public void Carry(int from, int to, LinkId link, ReadOnlySpan<byte> bytes)
    {
        if (Cuts.Contains((from, to))) return;
        Datagrams++;
        var buffer = _buffers.TryPop(out var free) ? free : new byte[9000];
        bytes.CopyTo(buffer);
        _network.Enqueue((to, link, from, buffer, bytes.Length), ((Now + Hop).Nanoseconds, _order++));
    }

    public void Run(TimeSpan time)
    {
        var end = Now + time;
        while (true)
        {
            EndWrites();
            var next = Instant.Never;
            TestHost? due = null;
            foreach (var node in Nodes)
            {
                if (!node.IsUp || node.Core.NextDeadline >= next) continue;
                (next, due) = (node.Core.NextDeadline, node);
            }

            if (_network.TryPeek(out _, out var key) && key.Item1 <= next.Nanoseconds)
            {
                if (key.Item1 > end.Nanoseconds) break;
                Now = new Instant(Math.Max(Now.Nanoseconds, key.Item1));
                var item = _network.Dequeue();
                var host = Nodes[item.To];
                if (host.IsUp)
                {
                    host.Core.OnDatagram(Now, item.Link, Table[item.From], item.Bytes.AsSpan(0, item.Length), host);
                    host.Core.OnBatchEnd(Now, host);
                }

                _buffers.Push(item.Bytes);
                continue;
            }

            if (due is null || next > end) break;
            if (next > Now) Now = next;
            due.Core.OnTick(Now, due);
        }

        Now = end;
    }

    /// <summary>The disk: durable at once, and the node hears of it after what it does now.</summary>
    public void Persist(TestHost host, QuorumRecord record) => _written.Enqueue((host, record));

    private void EndWrites()
    {
        while (_written.TryDequeue(out var written))
        {
            if (written.Host.IsUp) written.Host.Core.OnQuorumPersisted(Now, written.Record, written.Host);
        }
    }

    public bool RunUntil(Func<bool> condition, TimeSpan limit)
    {
        var end = Now + limit;
        while (!condition())
        {
            if (Now >= end) return false;
            Run(TimeSpan.FromMilliseconds(1));
        }

        return true;
    }

    public bool Form() => RunUntil(() => Nodes.All(node => node.Core.View?.Members.Count == Nodes.Count), TimeSpan.FromSeconds(2));
}

/// <summary>The host of one node of a <see cref="TestCluster"/>.</summary>
internal sealed class TestHost : INodeEffects
{
    private readonly TestCluster _cluster;

    public TestHost(TestCluster cluster, int position, TimeSpan linkDown)
    {
        (_cluster, Position) = (cluster, position);
        var links = new LinkOptions
        {
            ClusterName = "test",
            Nodes = cluster.Table,
            Self = cluster.Table[position],
            LinkDown = linkDown,
            Keys = [new ClusterKey(1, true, [.. Enumerable.Range(0, 32).Select(i => (byte)i)])],
        };
        var totem = new TotemOptions { Nodes = cluster.Table, Self = cluster.Table[position], LinkDown = linkDown };
        var boot = new BootId(1, 1000 + (ulong)position);
        Core = new MembershipNode(new NodeStart(links, totem, new QuorumOptions { Self = links.Self, Voters = [.. links.Nodes.Nodes(links.Nodes.All).Select(node => new Voter(node, 1))] }, null, new CpgOptions { Self = links.Self }, boot, 0, 2048, position), new AesGcmSuite());
    }

    public int Position { get; }

    public MembershipNode Core { get; }

    public bool IsUp { get; set; } = true;

    public bool IsRecording { get; set; } = true;

    public List<string> Log { get; } = [];

    /// <summary>Group changes and messages, in their order.</summary>
    public List<string> GroupLog { get; } = [];

    public long GroupMessages { get; private set; }

    public List<View> Views { get; } = [];

    public List<NodeFact> Facts { get; } = [];

    public long Delivered { get; private set; }

    public bool HasLeft { get; private set; }

    public int Discards { get; private set; }

    public SubmitResult Submit(ReadOnlySpan<byte> payload, DeliveryLevel level = DeliveryLevel.Agreed)
    {
        var result = Core.Submit(_cluster.Now, payload, level, this);
        Core.OnSubmitted(_cluster.Now, this);
        return result;
    }

    public uint Join(uint session, string group)
    {
        var result = Core.JoinGroup(_cluster.Now, session, 100 + session, group, this);
        return result.Status == GroupStatus.Accepted ? result.Slot : throw new InvalidOperationException($"join: {result.Status}");
    }

    public SendResult Send(uint slot, ReadOnlySpan<byte> payload, DeliveryLevel level = DeliveryLevel.Agreed)
    {
        var result = Core.SendToGroup(_cluster.Now, slot, payload, level, this);
        Core.OnSubmitted(_cluster.Now, this);
        return result;
    }

    public void LeaveGroup(uint slot) => Core.LeaveGroup(_cluster.Now, slot, this);

    public void EndSession(uint session) => Core.EndSession(_cluster.Now, session, this);

    public void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
        foreach (var to in targets)
        {
            for (var at = 0; at < datagrams.Length; at += segmentBytes)
                _cluster.Carry(Position, to, link, datagrams.Slice(at, Math.Min(segmentBytes, datagrams.Length - at)));
        }
    }

    public void Deliver(in Delivery delivery, ReadOnlySpan<byte> payload)
    {
        Delivered++;
        if (IsRecording) Log.Add($"{delivery.Ring}/{delivery.Seq}.{delivery.Index} {Convert.ToHexString(payload[..Math.Min(8, payload.Length)])}");
    }

    void INodeEffects.QuorumChanged(QuorumState state)
    {
    }

    void INodeEffects.PersistQuorum(QuorumRecord record) => _cluster.Persist(this, record);

    void INodeEffects.QuorumChangeDone(ulong tag, string? error)
    {
    }

    void INodeEffects.GroupChanged(GroupChange change)
    {
        if (!IsRecording) return;
        GroupLog.Add($"{change.Group}: {change.Reason} +({Text(change.Joined)}) -({Text(change.Left)}) = ({Text(change.Members)})");
    }

    void INodeEffects.GroupMessage(in GroupDelivery message, ReadOnlySpan<byte> payload)
    {
        GroupMessages++;
        if (IsRecording) GroupLog.Add($"{message.Group}: {Text([message.Sender])} says {Encoding.UTF8.GetString(payload)}");
    }

    void INodeEffects.GroupDropped(ulong counter) => GroupLog.Add($"dropped {counter}");

    private static string Text(IEnumerable<GroupMember> members) => string.Join(' ', members.Select(member => $"{member.Node}.{member.Session}"));

    public void InstallView(View view) => Views.Add(view);

    public void Failed(ulong counter)
    {
    }

    public void Reserve(ulong upTo) => throw new InvalidOperationException("2048 sequences are enough for these tests");

    public void Neighbours(NodeSet neighbours)
    {
    }

    public void DiscardReceived() => Discards++;

    public void Fact(NodeFact fact) => Facts.Add(fact);

    public void Left() => HasLeft = true;
}
