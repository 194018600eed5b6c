using System.Globalization;
using Membership.Cpg;
using Membership.Invariants;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Virtual;

/// <summary>What all nodes of a run share.</summary>
public sealed record WorldOptions
{
    public int Nodes { get; init; } = 5;

    public int Links { get; init; } = 1;

    public LinkPolicy Policy { get; init; } = LinkPolicy.Passive;

    public TimeSpan Token { get; init; } = TimeSpan.FromMilliseconds(1000);

    public TimeSpan Consensus { get; init; } = TimeSpan.FromMilliseconds(1200);

    public TimeSpan LinkDown { get; init; } = TimeSpan.FromMilliseconds(600);

    public int PostTokenBytes { get; init; }

    /// <summary>Things due at the same instant happen in an order drawn from the seed instead of the order they were scheduled in.</summary>
    public bool ShufflesTies { get; init; }

    public IReadOnlyList<ulong> Votes { get; init; } = [];

    /// <summary>Largest datagram that is ever tried, in bytes.</summary>
    public int DatagramBytesMax { get; init; } = 8952;

    /// <summary>Frames that may be in flight and not yet stable; a power of two. Half of it holds what is sent in one visit and two rotations.</summary>
    public int WindowFrames { get; init; } = 16384;

    /// <summary>Bytes that all members together may send in one rotation.</summary>
    public int WindowBytes { get; init; } = 512 * 1024;

    /// <summary>Bytes that one member may send in one visit of the token.</summary>
    public int VisitBytes { get; init; } = 192 * 1024;

    /// <summary>Bytes that may wait for the token.</summary>
    public int QueueBytesMax { get; init; } = 32 * 1024 * 1024;

    /// <summary>How quorum is decided, but for whose node it is; null: a majority of one vote each.</summary>
    public QuorumOptions? Quorum { get; init; }
}

/// <summary>What a history is told instead of the truth. Whoever judges it has to notice.</summary>
public sealed record Distortion
{
    /// <summary>How often a delivery is told; the truth is 1.</summary>
    public Func<Host, Delivery, int>? TimesDelivered { get; init; }

    /// <summary>The verdict that is told.</summary>
    public Func<Host, QuorumState, QuorumState>? Quorum { get; init; }

    /// <summary>False: a change of a group is kept back.</summary>
    public Func<Host, GroupChange, bool>? TellsGroupChange { get; init; }
}

/// <summary>Hears of deliveries.</summary>
public delegate void DeliveryListener(Host host, in Delivery delivery);

/// <summary>A whole cluster in virtual time on one thread: hosts, network and the history they write. Everything follows from the seed.</summary>
public sealed class World
{
    private static readonly byte[] ClusterSecret = [.. Enumerable.Range(1, 32).Select(value => (byte)value)];
    private static readonly byte[] ForeignSecret = [.. Enumerable.Range(101, 32).Select(value => (byte)value)];

    /// <summary>The key ring that every machine has until it is given another.</summary>
    public static readonly IReadOnlyList<ClusterKey> FirstKeys = [new ClusterKey(1, true, [.. ClusterSecret])];

    private readonly WorldOptions _options;
    private readonly ICipherSuite _ciphers;
    private readonly SeededRandom _random;
    private readonly IAgenda _agenda;
    private readonly Dictionary<RingId, NodeSet> _proposed = [];
    private readonly Dictionary<long, Action> _calls = [];
    private long _callNumber;
    private ulong _tie;

    /// <param name="agenda">Where what is pending waits; null: it happens by time.</param>
    public World(WorldOptions options, ulong seed, ICipherSuite ciphers, IAgenda? agenda = null)
    {
        (_options, _ciphers, _agenda) = (options, ciphers, agenda ?? new EventQueue());
        _random = new SeededRandom(seed);
        Nodes = new NodeTable(Enumerable.Range(1, options.Nodes).Select(number => new NodeId((ushort)number)));
        Network = new Network(options.Nodes, options.Links, _random.Fork(1));
        Hosts = [.. Enumerable.Range(0, options.Nodes).Select(position => new Host(this, position, Nodes[position], _random.Fork(100 + (ulong)position)))];
    }

    public NodeTable Nodes { get; }

    public IReadOnlyList<Host> Hosts { get; }

    public Network Network { get; }

    public TimeSpan LinkDown => _options.LinkDown;

    public HistoryChecker History { get; } = new();

    /// <summary>Nanoseconds since the run began.</summary>
    public long Now { get; private set; }

    /// <summary>Folds every event in the order it happened: two runs with one seed agree on it.</summary>
    public ulong TraceHash { get; private set; }

    public long EventsDone { get; private set; }

    /// <summary>What happened to groups, at all processes there were.</summary>
    public GroupTally GroupTally => new(History.GroupChanges, History.GroupDeliveries, Hosts.Sum(host => host.Synchronisations), Hosts.Sum(host => host.SynchronisationsCut));

    /// <summary>Gets a line for everything that happens, when set.</summary>
    public Action<string>? TraceSink { get; set; }

    /// <summary>Called when a step of the plan is due.</summary>
    public Action<int, bool>? StepDue { get; set; }

    /// <summary>Called for each fact a node reports.</summary>
    public Action<Host, NodeFact>? FactReported { get; set; }

    /// <summary>Called for each delivery. The payload is copied only for those who ask.</summary>
    public Action<Host, Delivery, byte[]>? MessageDelivered { get; set; }

    /// <summary>Called for each delivery, without its payload.</summary>
    public DeliveryListener? Heard { get; set; }

    /// <summary>Changes what the history is told, for tests of those who judge it; null: the truth.</summary>
    public Distortion? Distortion { get; set; }

    /// <summary>Called for each message its own node gave up.</summary>
    public Action<Host, ulong>? MessageFailed { get; set; }

    /// <summary>Called for each view.</summary>
    public Action<Host, View>? ViewInstalled { get; set; }

    /// <summary>Processes what is due next. False when nothing is due any more.</summary>
    public bool DoNext()
    {
        if (_agenda.Count == 0) return false;
        Do(_agenda.Pop());
        return true;
    }

    /// <summary>Processes one thing that was taken from the agenda, on time or late: time never runs back.</summary>
    public void Do(in Due due)
    {
        Now = Math.Max(Now, due.At);
        EventsDone++;
        Remember(due);
        switch (due.Kind)
        {
            case DueKind.Datagram: Hosts[due.Node].Arrive(due.Datagram!); break;
            case DueKind.Tick when IsCurrent(due): Hosts[due.Node].Tick(due.Argument); break;
            case DueKind.Wake when IsCurrent(due): Hosts[due.Node].Wake(); break;
            case DueKind.DiskWrite when IsCurrent(due): Hosts[due.Node].WriteEnds(); break;
            case DueKind.Hint when IsCurrent(due): Hosts[due.Node].Hint(Nodes[(int)(due.Argument >> 8)], (LinkHint)(byte)due.Argument); break;
            case DueKind.Step: StepDue?.Invoke(due.Node, true); break;
            case DueKind.Call: TakeCall(due.Argument)(); break;
            case DueKind.StepEnd: StepDue?.Invoke(due.Node, false); break;
            default: break; // due to a process that is gone
        }
    }

    /// <summary>True for what would do nothing any more: its process is gone, or the timer was set anew.</summary>
    public bool IsVoid(in Due due) => due.Kind switch
    {
        DueKind.Tick => !IsCurrent(due) || !Hosts[due.Node].IsNextTick(due.Argument),
        DueKind.Wake or DueKind.DiskWrite or DueKind.Hint => !IsCurrent(due),
        _ => false,
    };

    /// <summary>Processes everything due up to a time; stops early when a violation was found or <paramref name="until"/> says so.</summary>
    public bool RunTo(long time, Func<bool>? until = null)
    {
        while (_agenda.Count > 0 && _agenda.NextAt <= time)
        {
            DoNext();
            if (History.Violations.Count > 0) return false;
            if (until?.Invoke() == true) return true;
        }
        Now = Math.Max(Now, time);
        return until is null;
    }

    /// <summary>Calls something at a time, for what is too rare to have a kind of its own.</summary>
    internal void At(long at, Action call)
    {
        _calls.Add(++_callNumber, call);
        Schedule(Math.Max(at, Now), DueKind.Call, 0, 0, _callNumber, null);
    }

    private Action TakeCall(long number)
    {
        _calls.Remove(number, out var call);
        return call!; // scheduled once, under its own number
    }

    /// <summary>Sends recorded bytes to a node again, as from the node that sent them first.</summary>
    public void Replay(int from, byte link, int to, ReadOnlySpan<byte> bytes) => Network.Inject(this, from, link, to, bytes);

    /// <summary>Schedules something; what is due at the same time happens in this order, or in a drawn one.</summary>
    internal void Schedule(long at, DueKind kind, int node, int generation, long argument, Datagram? datagram)
    {
        var tie = ++_tie;
        if (_options.ShufflesTies) tie = (_random.NextUInt64() << 32) | (tie & uint.MaxValue);
        _agenda.Push(new Due(at, tie, kind, node, generation, argument, datagram));
    }

    internal MembershipNode Build(Host host, ulong ringSequence) =>
        new(Start(host.Id, host.Boot, ringSequence, host.QuorumOnDisk, host.Keys, (int)(_random.NextUInt64() >> 33)), _ciphers);

    /// <summary>A node of the same configuration under another key, for an intruder.</summary>
    internal MembershipNode BuildForeign(NodeId id) =>
        new(Start(id, new BootId(_random.NextUInt64(), _random.NextUInt64()), 0, null, [new ClusterKey(1, true, [.. ForeignSecret])], 1), _ciphers);

    private NodeStart Start(NodeId id, BootId boot, ulong ringSequence, QuorumRecord? record, IReadOnlyList<ClusterKey> keys, int seed)
    {
        var links = new LinkOptions
        {
            ClusterName = "simulated",
            Nodes = Nodes,
            Self = id,
            LinkCount = _options.Links,
            Policy = _options.Policy,
            LinkDown = _options.LinkDown,
            Keys = keys,
            DatagramBytesMax = _options.DatagramBytesMax,
        };
        var totem = new TotemOptions
        {
            Nodes = Nodes,
            Self = id,
            PostTokenBytes = _options.PostTokenBytes,
            WindowFrames = _options.WindowFrames,
            WindowBytes = _options.WindowBytes,
            VisitBytes = _options.VisitBytes,
            QueueBytesMax = _options.QueueBytesMax,
            Votes = _options.Votes,
        }.WithProfile(_options.Token, _options.Consensus, _options.LinkDown);
        var quorum = _options.Quorum is { } settings ? settings with { Self = id }
            : new QuorumOptions { Self = id, Voters = [.. Nodes.Nodes(Nodes.All).Select(node => new Voter(node, 1))] };
        return new NodeStart(links, totem, quorum, record, new CpgOptions { Self = id }, boot, ringSequence, ringSequence, seed);
    }

    /// <summary>Ring neighbours of a process that ended see their tripwire close, unless the network keeps it from them.</summary>
    internal void TellNeighbours(Host gone)
    {
        foreach (var host in Hosts)
        {
            if (!host.IsRunning || !host.TripwireNeighbours.Contains(gone.Position) || Network.IsCut(gone.Position, host.Position)) continue;
            Schedule(Now + Network.Options.Hop, DueKind.Hint, host.Position, host.Generation, ((long)gone.Position << 8) | (byte)LinkHint.TripwireClosed, null);
        }
    }

    internal void AnswerUnreachable(Host dead, Datagram datagram)
    {
        if (datagram.From < 0 || !_random.Chance(Network.Options.Unreachable)) return;
        if (Network.IsCut(dead.Position, datagram.From, datagram.Link)) return;
        var sender = Hosts[datagram.From];
        Schedule(Now + Network.Options.Hop, DueKind.Hint, sender.Position, sender.Generation, ((long)dead.Position << 8) | (byte)LinkHint.PortUnreachable, null);
    }

    internal void OnFact(Host host, NodeFact fact)
    {
        if (fact is NodeFact.Ring { Fact: TotemFact.Consensus consensus }) _proposed[consensus.Ring] = consensus.Members;
        if (fact is NodeFact.Ring { Fact: TotemFact.Recovering recovering } && _proposed.TryGetValue(recovering.Ring, out var members))
            History.Recovering(host.Incarnation, recovering.Old, Nodes.Nodes(members));
        if (fact is NodeFact.Ring { Fact: TotemFact.Committing committing } && committing.Members != committing.Proposal)
            throw new PromiseBrokenException("D7", $"node {host.Id}: {Describe.Of(committing, Nodes)}");
        FactReported?.Invoke(host, fact);
        if (TraceSink is not null) Trace(host, Describe.Of(fact, Nodes));
    }

    internal void OnDelivered(Host host, in Delivery delivery, ReadOnlySpan<byte> payload)
    {
        Heard?.Invoke(host, delivery);
        MessageDelivered?.Invoke(host, delivery, payload.ToArray());
        if (TraceSink is not null) Trace(host, Describe.Of(delivery, payload.Length));
    }

    internal void OnInstalled(Host host, View view)
    {
        ViewInstalled?.Invoke(host, view);
        if (TraceSink is not null) Trace(host, Describe.Of(view));
    }

    internal void Trace(Host host, string text)
    {
        if (TraceSink is { } sink) sink(string.Create(CultureInfo.InvariantCulture, $"{Now / 1e6,12:F3} {host.Id,2} {text}"));
    }

    private bool IsCurrent(in Due due) => due.Generation == Hosts[due.Node].Generation;

    private void Remember(in Due due)
    {
        var hash = TraceHash ^ (ulong)due.At ^ ((ulong)due.Kind << 56) ^ ((ulong)(uint)due.Node << 48);
        if (due.Datagram is { Length: > 0 } datagram) hash ^= (ulong)datagram.Length << 32 ^ datagram.Bytes[^1] ^ ((ulong)datagram.Bytes[datagram.Length / 2] << 8);
        TraceHash = Math.BigMul(hash ^ 0x9E3779B97F4A7C15, 0xA0761D6478BD642F, out var low) ^ low;
    }
}
