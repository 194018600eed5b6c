using Membership.Cpg;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Testing;

/// <summary>One node: the real stack, what it would keep on disk, and the sessions of its clients. Under the world's lock.</summary>
internal sealed class TestNode(VirtualWorld world, NodeTable table, int position, int seed) : INodeEffects, IDisposable
{
    /// <summary>Ring sequences reserved ahead, as the daemon does.</summary>
    private const ulong ReservationBlock = 1024;

    private readonly SortedDictionary<uint, TestSession> _sessions = [];
    private readonly Dictionary<ulong, PendingReceipt> _receipts = [];
    private MembershipNode? _core;
    private QuorumRecord? _disk;
    private Proto.View? _lastRegular;
    private ulong _reserved;
    private ulong _boot;
    private uint _lastSession;
    private CancellationTokenSource _life = new();

    public NodeId Id => table[position];

    public VirtualWorld World => world;

    public bool IsUp => _core is not null;

    /// <summary>Fires when this life of the node ends.</summary>
    public CancellationToken Life => _life.Token;

    public string BootText => _boot.ToString("x16", System.Globalization.CultureInfo.InvariantCulture);

    public Feed<Proto.View> Views { get; private set; } = new();

    public Feed<Proto.Quorum> Verdicts { get; private set; } = new();

    public Instant NextDeadline => _core?.NextDeadline ?? Instant.Never;

    public MembershipNode Core => _core ?? throw new InvalidOperationException($"node {Id} is not running");

    public IReadOnlyList<int> Members => _core?.View is { } view ? [.. view.Members.Select(member => (int)member.Node.Value)] : [];

    /// <summary>In one view with exactly those, quorum decided and the group lists exchanged.</summary>
    public bool IsSettledWith(IReadOnlyCollection<int> nodes) =>
        Members.SequenceEqual(nodes) && !Core.Quorum.IsSynchronizing && Core.Quorum.View?.Id == Core.View?.Id && !Core.Groups.IsSynchronising;

    public void Start()
    {
        if (IsUp) throw new InvalidOperationException($"node {Id} runs already");
        _life = new CancellationTokenSource();
        _boot++;
        (Views, Verdicts, _lastRegular) = (new Feed<Proto.View>(), new Feed<Proto.Quorum>(), null);
        var links = new LinkOptions
        {
            ClusterName = "test",
            Nodes = table,
            Self = Id,
            LinkDown = TimeSpan.FromMilliseconds(600),   // as in the profile lan
            Keys = [new ClusterKey(1, true, [.. Enumerable.Range(0, 32).Select(i => (byte)i)])],
        };
        var totem = new TotemOptions { Nodes = table, Self = Id, LinkDown = links.LinkDown };
        var quorum = new QuorumOptions { Self = Id, Voters = [.. table.Nodes(table.All).Select(node => new Voter(node, 1))] };
        var from = _reserved;
        _reserved += 2 * ReservationBlock;
        var boot = new BootId((ulong)seed, ((ulong)Id.Value << 32) | _boot);
        _core = new MembershipNode(
            new NodeStart(links, totem, quorum, _disk, new CpgOptions { Self = Id }, boot, from, _reserved, seed + position + (int)_boot), new AesGcmSuite());
        _boot = boot.Short;
        GroupPosition = 0;
        _core.Start(world.Now, this);
    }

    /// <summary>The verdict in force, with its times as they are now.</summary>
    public Proto.Quorum CurrentQuorum()
    {
        lock (world.Gate)
        {
            var quorum = Verdicts.Last?.Clone() ?? new Proto.Quorum { Reason = "not started" };
            if (_core?.Quorum.Lease is { } lease && quorum.Quorate) Convert.AddTimes(quorum, lease, world.Now);
            return quorum;
        }
    }

    /// <summary>Ends as a crash does: the others notice its closed connections.</summary>
    public void Crash()
    {
        End("stopped");
        foreach (var other in world.Nodes)
        {
            if (other.IsUp && !world.IsCut(position, other.Position)) other.Core.OnHint(world.Now, Id, LinkHint.TripwireClosed, other);
        }
    }

    /// <summary>Leaves cleanly, then ends.</summary>
    public void Leave()
    {
        Core.Leave(world.Now, this);
        world.RunUntil(() => !IsUp, TimeSpan.FromSeconds(20));
        if (IsUp) End("left");
    }

    public void OnDatagram(int from, LinkId link, byte[] datagram)
    {
        if (_core is not { } core) return;
        core.OnDatagram(world.Now, link, table[from], datagram, this);
        core.OnBatchEnd(world.Now, this);
    }

    public void OnTick() => _core?.OnTick(world.Now, this);

    public void Open(TestSession session) => _sessions.Add(session.Number = ++_lastSession, session);

    public void Close(TestSession session)
    {
        if (!_sessions.Remove(session.Number) || _core is not { } core) return;
        core.EndSession(world.Now, session.Number, this);
        world.Run(TimeSpan.FromMilliseconds(5));   // enough for the others to hear of it on a whole ring
    }

    /// <summary>Counts the events of all groups in this life.</summary>
    public ulong GroupPosition { get; private set; }

    public void Expect(ulong counter, PendingReceipt receipt) => _receipts.Add(counter, receipt);

    /// <summary>Ends a life that is left, telling nobody.</summary>
    public void Dispose()
    {
        if (IsUp) End("stopped");
        _life.Dispose();
    }

    private int Position => position;

    private void End(string why)
    {
        _core?.Dispose();
        _core = null;
        _sessions.Clear();
        foreach (var receipt in _receipts.Values) receipt.Fail($"node {Id} has {why}");
        _receipts.Clear();
        _life.Cancel();
    }

    void INodeEffects.Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
        foreach (int to in targets)
        {
            for (int at = 0; at < datagrams.Length; at += segmentBytes)
                world.Carry(position, to, link, datagrams.Slice(at, Math.Min(segmentBytes, datagrams.Length - at)));
        }
    }

    void INodeEffects.Deliver(in Delivery delivery, ReadOnlySpan<byte> payload)
    {
        // Nobody here reads the raw ring.
    }

    void INodeEffects.InstallView(View view)
    {
        Views.Add(revision => Convert.View(view, revision, world.Now));
        if (!view.Transitional) _lastRegular = Views.Last;
    }

    void INodeEffects.QuorumChanged(QuorumState state)
    {
        var view = _lastRegular is { } last && last.Id == state.View?.Id.ToString() ? last.Clone() : null;
        Verdicts.Add(revision => Convert.Quorum(state, view, revision, world.Now));
    }

    void INodeEffects.PersistQuorum(QuorumRecord record)
    {
        _disk = record;
        var core = _core;
        world.At(world.Now, () =>
        {
            if (_core == core) core?.OnQuorumPersisted(world.Now, record, this);
        });
    }

    void INodeEffects.QuorumChangeDone(ulong tag, string? error)
    {
        // Votes are not changed here.
    }

    void INodeEffects.GroupChanged(GroupChange change)
    {
        GroupPosition++;
        foreach (var session in _sessions.Values) session.OnChanged(change);
    }

    void INodeEffects.GroupMessage(in GroupDelivery message, ReadOnlySpan<byte> payload)
    {
        GroupPosition++;
        var bytes = Google.Protobuf.ByteString.CopyFrom(payload);
        foreach (var session in _sessions.Values) session.OnMessage(message, bytes);
        bool isOwn = message.Order.Sender == Id && message.Order.SenderBoot == _boot;
        if (isOwn && _receipts.Remove(message.Order.Counter, out var receipt)) receipt.Deliver(message.Order, world.Now);
    }

    void INodeEffects.GroupDropped(ulong counter)
    {
        if (_receipts.Remove(counter, out var receipt)) receipt.Fail("never delivered: the sender had left the group");
    }

    void INodeEffects.Failed(ulong counter)
    {
        if (_receipts.Remove(counter, out var receipt)) receipt.Fail("never ordered: this node is leaving the cluster");
    }

    void INodeEffects.Reserve(ulong upTo)
    {
        _reserved = upTo;
        var core = _core;
        world.At(world.Now, () =>
        {
            if (_core == core) core?.OnReserved(world.Now, upTo, this);
        });
    }

    void INodeEffects.Neighbours(NodeSet neighbours)
    {
        // A crash tells everybody.
    }

    void INodeEffects.DiscardReceived()
    {
        // Nothing waits at a socket.
    }

    void INodeEffects.Fact(NodeFact fact)
    {
        // No log.
    }

    // The core must not be disposed of while it runs.
    void INodeEffects.Left() => world.At(world.Now, () => End("left"));
}
