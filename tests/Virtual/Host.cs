using Membership.Links;
using Membership.Node;
using Membership.Totem;

namespace Membership.Virtual;

/// <summary>One simulated machine: its clock, its disk, its socket queue and, while it runs, the node's process.</summary>
public sealed partial class Host : INodeEffects
{
    /// <summary>Datagrams a socket queues for a process that does not read; more are dropped.</summary>
    public const int SocketQueueMax = 1000;

    /// <summary>Datagrams fed between two ends of a batch, as the daemon reads them.</summary>
    public const int BatchMax = 64;

    private const int ViewsAtOnceMax = 50;
    private const int TicksAtOnceMax = 1000;

    private readonly World _world;
    private readonly Queue<Datagram> _socket = new();
    private readonly SeededRandom _random;
    private long _tickAt = long.MaxValue;
    private (long At, int Count) _viewsNow;
    private (long At, int Count) _ticksNow;
    private bool _isWakeDue;
    private bool _isLeaving;
    private Instant? _sleepsSince;
    private View? _sleptThrough;
    private long? _deliveredAfterSleep;

    internal Host(World world, int position, NodeId id, SeededRandom random)
    {
        (_world, Position, Id, _random) = (world, position, id, random);
    }

    /// <summary>Position in the node table.</summary>
    public int Position { get; }

    public NodeId Id { get; }

    public VirtualDisk Disk { get; } = new();

    /// <summary>Its key file.</summary>
    public IReadOnlyList<ClusterKey> Keys { get; private set; } = World.FirstKeys;

    /// <summary>The node; null while no process runs.</summary>
    public MembershipNode? Node { get; private set; }

    public BootId Boot { get; private set; }

    /// <summary>Number of this start in the history; -1 before the first.</summary>
    public int Incarnation { get; private set; } = -1;

    /// <summary>Counts starts; events of an earlier process are void.</summary>
    public int Generation { get; private set; }

    /// <summary>The process reads nothing before this time.</summary>
    public long BusyUntil { get; private set; }

    /// <summary>Every batch of inputs costs the process this time.</summary>
    public long SlowBy { get; set; }

    /// <summary>Disk writes fail while this is set.</summary>
    public bool DiskFails { get; set; }

    /// <summary>Nanoseconds that a disk write takes.</summary>
    public long DiskLatency { get; set; } = 5_000_000;

    /// <summary>Offset of its clock to the simulator's, and its drift.</summary>
    public long ClockOffset { get; set; }

    public long ClockDriftPpm { get; set; }

    public NodeSet TripwireNeighbours { get; private set; }

    /// <summary>Views this process has installed.</summary>
    public int Views { get; private set; }

    /// <summary>The last regular view of this process.</summary>
    public View? View { get; private set; }

    public bool IsRunning => Node is not null;

    /// <summary>It runs and was asked to leave.</summary>
    public bool IsLeaving => IsRunning && _isLeaving;

    /// <summary>What its clock shows.</summary>
    public Instant Local => new(ClockOffset + _world.Now + (_world.Now * ClockDriftPpm / 1_000_000));

    /// <summary>What is on the disk now: ring sequences and the record of quorum.</summary>
    public DiskImage TakeImage() => new(Disk.Image(), _quorumOnDisk);

    /// <summary>Starts the process with an older image of its disk: it has forgotten what came after.</summary>
    public void StartWith(DiskImage image)
    {
        if (IsRunning) return;
        Disk.Restore(image.Reservations);
        _quorumOnDisk = image.Quorum;
        Start(hasDisk: true, isOlderDisk: true);
    }

    /// <summary>Starts the process with what the disk holds.</summary>
    public void Start(bool hasDisk) => Start(hasDisk, isOlderDisk: false);

    private void Start(bool hasDisk, bool isOlderDisk)
    {
        if (IsRunning) return;
        if (!hasDisk) Disk.Replace();
        Generation++;
        Boot = new BootId(_random.NextUInt64(), _random.NextUInt64());
        Incarnation = _world.History.Begin(new ViewMember(Id, Boot.Short), hasDisk && !isOlderDisk);
        (View, Views, BusyUntil, SlowBy, _tickAt, TripwireNeighbours) = (null, 0, 0, 0, long.MaxValue, NodeSet.Empty);
        (_isLeaving, _sleepsSince, _sleptThrough, _deliveredAfterSleep) = (false, null, null, null);
        ForgetSessions();
        ForgetQuorum(hasDisk);
        _leaseTold = null;
        var sequence = Disk.Read();
        Node = _world.Build(this, sequence);
        _world.Trace(this, $"started boot {Boot.Short:x16} after ring sequence {sequence:x}");
        Node.Start(Local, this);
        AfterInput();
    }

    /// <summary>The process dies: nothing it had in memory survives, writes under way may be torn.</summary>
    public void Crash()
    {
        if (!IsRunning) return;
        _world.History.Crashed(Incarnation, _world.Now);
        _world.Trace(this, "crashed");
        Disk.Crash(_random.Chance(0.8));
        Stop();
        _world.TellNeighbours(this);
    }

    /// <summary>Asks the node to leave.</summary>
    public void Leave()
    {
        if (Node is not { } node) return;
        _world.Trace(this, "is asked to leave");
        _isLeaving = true;
        node.Leave(Local, this);
        AfterInput();
    }

    /// <summary>An operator puts another key file in place and tells the daemon to read it.</summary>
    public void ReplaceKeys(IReadOnlyList<ClusterKey> keys)
    {
        Keys = keys;
        if (Awake() is not { } node) return;
        _world.Trace(this, $"reads keys ({string.Join(',', keys.Select(key => $"{key.Id}{(key.Active ? " active" : "")}"))})");
        node.ReplaceKeys(Local, keys, this);
        AfterInput();
    }

    /// <summary>The process is not scheduled for a while; its socket fills.</summary>
    public void Pause(long nanoseconds)
    {
        if (!IsRunning) return;
        _world.Trace(this, $"paused for {nanoseconds / 1_000_000} ms");
        _sleepsSince ??= Local;
        BusyUntil = Math.Max(BusyUntil, _world.Now + nanoseconds);
        WakeLater();
    }

    /// <summary>A pause ends now.</summary>
    public void Resume()
    {
        (BusyUntil, SlowBy) = (0, 0);
        if (IsRunning) Work();
    }

    /// <summary>Submits a message and tells the node that there is no more at hand.</summary>
    public SubmitResult Submit(ReadOnlySpan<byte> payload, DeliveryLevel level, int count = 1)
    {
        if (Node is not { } node || _world.Now < BusyUntil) return new SubmitResult(SubmitStatus.NotRunning, 0);
        NoteAwake();
        var result = default(SubmitResult);
        var hash = KeyedHashCipherSuite.Fold(0, payload);
        for (var i = 0; i < count; i++)
        {
            result = node.Submit(Local, payload, level, this);
            if (result.Status != SubmitStatus.Accepted) break;
            _world.History.Sent(Incarnation, _world.Now, result.Counter, hash, payload.Length, level);
        }
        node.OnSubmitted(Local, this);
        AfterInput();
        return result;
    }

    internal void Arrive(Datagram datagram)
    {
        if (!IsRunning)
        {
            _world.AnswerUnreachable(this, datagram);
            datagram.Release();
            return;
        }
        if (_socket.Count >= SocketQueueMax) datagram.Release();
        else _socket.Enqueue(datagram);
        if (_world.Now >= BusyUntil) Work();
        else WakeLater();
    }

    internal void Tick(long at)
    {
        if (at != _tickAt) return;
        NoteProgress(at, ref _ticksNow, TicksAtOnceMax, "ticks");
        _tickAt = long.MaxValue;
        if (_world.Now >= BusyUntil) Work();
        else WakeLater();
    }

    /// <summary>The timer was not set anew since.</summary>
    internal bool IsNextTick(long at) => at == _tickAt;

    internal void Wake()
    {
        _isWakeDue = false;
        if (!IsRunning) return;
        if (_world.Now >= BusyUntil) Work();
        else WakeLater();
    }

    internal void Hint(NodeId peer, LinkHint hint)
    {
        if (Node is not { } node || _world.Now < BusyUntil) return;
        NoteAwake();
        node.OnHint(Local, peer, hint, this);
        AfterInput();
    }

    internal void WriteEnds()
    {
        if (Node is not { } node) return;
        if (_world.Now < BusyUntil)
        {
            _world.Schedule(BusyUntil, DueKind.DiskWrite, Position, Generation, 0, null);
            return;
        }
        NoteAwake();
        if (DiskFails)
        {
            // As the daemon does: a failed write is tried again, the node goes on with what it has reserved.
            _world.Schedule(_world.Now + 1_000_000_000, DueKind.DiskWrite, Position, Generation, 0, null);
            return;
        }
        node.OnReserved(Local, Disk.End(), this);
        AfterInput();
    }

    /// <summary>What the daemon's loop does on waking: a batch of datagrams, its end, the timer, until nothing is left.</summary>
    private void Work()
    {
        NoteAwake();
        do
        {
            var now = Local;
            for (var i = 0; i < BatchMax && Node is not null && _socket.TryDequeue(out var datagram); i++)
            {
                var source = datagram.From >= 0 ? _world.Nodes[datagram.From] : (NodeId?)null;
                Node.OnDatagram(now, new LinkId(datagram.Link), source, datagram.Bytes, this);
                datagram.Release();
            }
            Node?.OnBatchEnd(now, this);
            if (Node is { } node && node.NextDeadline <= now) node.OnTick(now, this);
        }
        while (Node is not null && _socket.Count > 0);
        if (SlowBy > 0) BusyUntil = _world.Now + SlowBy;
        AfterInput();
    }

    /// <summary>Finds out whether a pause that is over was a long sleep for the node: link_down beyond the moment it wanted to be woken.</summary>
    private void NoteAwake()
    {
        if (_sleepsSince is not { } since || _world.Now < BusyUntil || Node is not { } node) return;
        _sleepsSince = null;
        var awake = since < node.NextDeadline ? node.NextDeadline : since;
        if (Local - awake >= _world.LinkDown && !_isLeaving) (_sleptThrough, _deliveredAfterSleep) = (View, null);
    }

    /// <summary>D15: in the view it slept through a node delivers nothing more but what belongs to leaving that view, at the moment it does.</summary>
    private void CheckSlept(bool isRegularView)
    {
        if (_sleptThrough is null || _isLeaving) return;
        if (_deliveredAfterSleep < _world.Now)
        {
            throw new PromiseBrokenException(
                "D15", $"node {Id} slept longer than link_down in view {_sleptThrough.Id} and went on delivering in it, {(_world.Now - _deliveredAfterSleep) / 1e6:F3} ms before it left it");
        }
        if (isRegularView) _sleptThrough = null;
        else _deliveredAfterSleep = _world.Now;
    }

    /// <summary>Counts what happens at one instant: a node that never lets time pass hangs its daemon.</summary>
    private void NoteProgress(long now, ref (long At, int Count) seen, int max, string what)
    {
        seen = seen.At == now ? (now, seen.Count + 1) : (now, 1);
        if (seen.Count > max) throw new LivelockException($"node {Id} had more than {max} {what} at {now / 1e6:F3} ms");
    }

    private void AfterInput()
    {
        if (Node is not { } node) return;
        TellLease(node);
        var deadline = node.NextDeadline;
        if (deadline == Instant.Never) return;
        var at = Math.Max(Global(deadline), _world.Now);
        if (at >= _tickAt) return;
        _tickAt = at;
        _world.Schedule(at, DueKind.Tick, Position, Generation, at, null);
    }

    private void WakeLater()
    {
        if (_isWakeDue) return;
        _isWakeDue = true;
        _world.Schedule(BusyUntil, DueKind.Wake, Position, Generation, 0, null);
    }

    private long Global(Instant local)
    {
        var elapsed = local.Nanoseconds - ClockOffset;
        if (ClockDriftPpm == 0) return elapsed;
        var at = elapsed is > -PlainMax and < PlainMax ? elapsed * 1_000_000 / (1_000_000 + ClockDriftPpm) : (long)((Int128)elapsed * 1_000_000 / (1_000_000 + ClockDriftPpm));
        while (at + (at * ClockDriftPpm / 1_000_000) < elapsed) at++;
        return at;
    }

    /// <summary>Below this, some hours, 64 bits are enough, and much faster.</summary>
    private const long PlainMax = long.MaxValue / 1_000_000;

    private void Stop()
    {
        EndGroups();
        Node = null;
        View = null;
        _isWakeDue = false;
        ClearSocket();
    }

    private void ClearSocket()
    {
        while (_socket.TryDequeue(out var datagram)) datagram.Release();
    }

    void INodeEffects.Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes) =>
        _world.Network.Send(_world, Position, link, targets, datagrams, segmentBytes);

    void INodeEffects.Deliver(in Delivery delivery, ReadOnlySpan<byte> payload)
    {
        CheckSlept(isRegularView: false);
        for (var times = _world.Distortion?.TimesDelivered?.Invoke(this, delivery) ?? 1; times > 0; times--)
        {
            _world.History.Delivered(Incarnation, _world.Now, delivery, KeyedHashCipherSuite.Fold(0, payload), payload.Length);
        }
        _world.OnDelivered(this, delivery, payload);
    }

    void INodeEffects.InstallView(View view)
    {
        NoteProgress(_world.Now, ref _viewsNow, ViewsAtOnceMax, "views");
        if (!view.Transitional) CheckSlept(isRegularView: true);
        if (view.Transitional) _world.History.GroupsKnown(Incarnation, !Node!.Groups.IsSynchronising); // a node that runs installs it
        _world.History.Installed(Incarnation, _world.Now, view.Id, view.Members);
        Views++;
        if (!view.Transitional) View = view;
        _world.OnInstalled(this, view);
    }

    void INodeEffects.Failed(ulong counter)
    {
        _world.History.Failed(Incarnation, _world.Now, counter);
        _world.MessageFailed?.Invoke(this, counter);
        _world.Trace(this, $"failed own message {counter}");
    }

    void INodeEffects.Reserve(ulong upTo)
    {
        Disk.Begin(upTo);
        _world.Trace(this, $"reserves ring sequences up to {upTo:x}");
        _world.Schedule(_world.Now + DiskLatency, DueKind.DiskWrite, Position, Generation, 0, null);
    }

    void INodeEffects.Neighbours(NodeSet neighbours) => TripwireNeighbours = neighbours;

    void INodeEffects.DiscardReceived()
    {
        _world.Trace(this, $"discards {_socket.Count} datagrams");
        ClearSocket();
    }

    void INodeEffects.Fact(NodeFact fact) => _world.OnFact(this, fact);

    void INodeEffects.Left()
    {
        _world.History.Left(Incarnation, _world.Now);
        _world.Trace(this, "has left");
        Stop();
        _world.TellNeighbours(this);
    }
}

/// <summary>What a machine's disk held at some time.</summary>
public sealed record DiskImage(IReadOnlyList<ulong?> Reservations, Quorum.QuorumRecord? Quorum);

/// <summary>A node does the same thing over and over without letting time pass.</summary>
public sealed class LivelockException(string message) : Exception(message);

/// <summary>A promise that is not about histories was broken.</summary>
/// <param name="id">The deviation of docs/protocol/deviations.md that promises it.</param>
public sealed class PromiseBrokenException(string id, string message) : Exception(message)
{
    public string Id { get; } = id;
}
