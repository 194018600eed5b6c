using Membership.Exploration.Cluster.Copying;
using Membership.Explorer;
using Membership.Invariants;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Exploration.Cluster.Ideal;

/// <summary>What may happen to a cluster besides its own messages and timers. Small numbers: everything is tried.</summary>
internal sealed record Faults
{
    /// <summary>Machines that may die, each at any step.</summary>
    public int Crashes { get; init; }

    /// <summary>Cuts of the lowest machine from the others, each at any step; each heals at any step.</summary>
    public int Cuts { get; init; }

    /// <summary>Messages of this kind that may be lost, any of them.</summary>
    public DatagramKind Lost { get; init; }

    /// <summary>How many of them.</summary>
    public int Losses { get; init; }

    /// <summary>Timers that may fire while messages are under way.</summary>
    public int EarlyTimers { get; init; }

    /// <summary>Messages that the lowest and the highest machine each send.</summary>
    public int Messages { get; init; }

    /// <summary>As a promise states it.</summary>
    public string Text => $"{Crashes} crashes, {Cuts} cuts, {(Losses == 0 ? "nothing" : $"{Losses} {Describe.Word(Lost)} messages")} lost, {EarlyTimers} timers before what is under way, {2 * Messages} messages";
}

/// <summary>Two or three nodes over ideal links: each pair of machines has a line that keeps its order, and every change of what can be reached is told, at any later step.</summary>
/// <remarks>
/// Small enough to try everything within bounds. A step is: the first message of a line arrives, a machine learns that it reaches another or does not, time
/// passes to the earliest timer, or a fault. Time passes only when nothing is under way, but for <see cref="Faults.EarlyTimers"/>.
/// </remarks>
internal sealed class IdealCluster
{
    /// <summary>Bytes of the largest packet.</summary>
    public const int FrameBytes = 1200;

    /// <summary>Longer than any run that converges.</summary>
    private const int StepsMax = 600;

    /// <summary>Rounds of a token that brings no news, after which time passes although it is under way.</summary>
    private const int RoundsMax = 5;

    /// <summary>Packets of the ring are numbered from here on among datagrams.</summary>
    private const int FirstOfRing = 100;

    private const int EndId = 1, TimeId = 2, CrashId = 10, CutId = 20, HealId = 21, LineId = 100, LoseId = 200, NewsId = 300;
    private const int IdsMax = 64;

    private readonly Queue<Packet>[] _lines;
    private readonly Queue<News>[] _news;
    private readonly bool[,] _isCut;
    private readonly IdealNode[] _nodes;
    private readonly TotemOptions _totem;
    private readonly QuorumOptions _quorum;
    private readonly List<(IdealNode Node, ulong UpTo)> _reservations = [];
    private int _steps;
    private int _tokensInTurn;

    public IdealCluster(int nodes)
    {
        Nodes = new NodeTable(Enumerable.Range(1, nodes).Select(number => new NodeId((ushort)number)));
        _totem = new TotemOptions { Nodes = Nodes, Self = Nodes[0], WindowFrames = 64, WindowBytes = 8000, VisitBytes = 4000, QueueBytesMax = 2000, MessageBytesMax = 1000 };
        _quorum = new QuorumOptions { Self = Nodes[0], Voters = [.. Nodes.Nodes(Nodes.All).Select(node => new Voter(node, 1))] };
        (_lines, _news, _isCut) = (new Queue<Packet>[nodes * nodes], new Queue<News>[nodes * nodes], new bool[nodes, nodes]);
        for (var line = 0; line < _lines.Length; line++) (_lines[line], _news[line]) = (new(), new());
        _nodes = [.. Enumerable.Range(0, nodes).Select(position => new IdealNode(this, position))];
    }

    /// <summary>Bytes of the ring, or whom the sender's links reach.</summary>
    private readonly record struct Packet(byte[] Bytes, BootId Boot, NodeSet? Row)
    {
        public PacketKind Kind => Row is null ? (PacketKind)Bytes[0] : default;
    }

    private readonly record struct News(BootId Boot, bool IsReachable);

    public NodeTable Nodes { get; }

    public Instant Now { get; private set; } = new(1_000_000_000);

    public HistoryChecker History { get; } = new();

    public Dictionary<RingId, NodeSet> Proposed { get; } = [];

    private static Faults Nothing { get; } = new();

    /// <summary>Everybody starts and learns of everybody.</summary>
    public void StartAll()
    {
        foreach (var node in _nodes) node.Start(_totem with { Self = Nodes[node.Position] }, _quorum with { Self = Nodes[node.Position] });
        FinishReservations();
        foreach (var node in _nodes)
        {
            foreach (var other in _nodes) Announce(node, other, isReachable: true);
        }
    }

    /// <summary>Runs in order until all are in one view.</summary>
    public void Form()
    {
        StartAll();
        while (!IsTogether(Nodes.All)) DoFirst();
        for (var rotations = 0; rotations < 20; rotations++) DoFirst();
    }

    public void Send(IdealNode from, int to, ReadOnlySpan<byte> packet)
    {
        if (!_isCut[from.Position, to] && _nodes[to].IsUp) _lines[Line(from.Position, to)].Enqueue(new Packet(packet.ToArray(), from.Boot, null));
    }

    /// <summary>A node's links tell its peers whom they reach.</summary>
    public void SendRow(IdealNode from, NodeSet reached)
    {
        foreach (var to in reached.Without(from.Position))
        {
            if (!_isCut[from.Position, to] && _nodes[to].IsUp) _lines[Line(from.Position, to)].Enqueue(new Packet([], from.Boot, reached));
        }
    }

    public void Reserved(IdealNode node, ulong upTo) => _reservations.Add((node, upTo));

    public void Tell(IdealNode node, object what)
    {
        if (_told is not { } told) return;
        told($"{Now.Nanoseconds / 1e6,10:F3} {Nodes[node.Position]} {(what is TotemFact fact ? Describe.Of(fact, Nodes) : what is QuorumState state ? Describe.Of(state) : what)}");
    }

    private Action<string>? _told;

    /// <summary>Everything that can happen, one after the other, until nothing is owed and no fault is left, or the explorer has seen the rest before.</summary>
    public void Explore(IExploration exploration, Faults faults, StateHasher hasher)
    {
        if (exploration.IsTold) _told = exploration.Tell;
        var left = new Left { Crashes = faults.Crashes, Cuts = faults.Cuts, Losses = faults.Losses, Early = faults.EarlyTimers };
        Span<byte> payload = stackalloc byte[4];
        for (var i = 0; i < faults.Messages; i++)
        {
            payload[0] = (byte)(i + 1);
            _nodes[0].Submit(payload, DeliveryLevel.Safe);
            payload[0] = (byte)(i + 101);
            _nodes[^1].Submit(payload, DeliveryLevel.Agreed);
        }
        Span<int> ids = stackalloc int[IdsMax];
        Span<int> places = stackalloc int[IdsMax];
        for (_steps = 0; ; _steps++)
        {
            exploration.Assert(_steps < StepsMax, $"I14: after {StepsMax} steps the machines that reach each other are not in one view");
            var count = Enabled(faults, left, ids, places);
            exploration.Assert(count > 0, "the model is stuck: nothing can happen, and it is not at rest");
            var chosen = count == 1 ? ids[0] : ids[exploration.PickNext(ids[..count], places[..count])];
            if (chosen == EndId) break;
            try
            {
                Do(chosen, left);
            }
            catch (Exception broken) when (broken is InvariantBrokenException or PromiseBrokenException)
            {
                exploration.Assert(false, broken.Message);
            }
            if (History.Violations.Count > 0) exploration.Assert(false, $"{History.Violations[0].Id}: {History.Violations[0].Sentence}");
            exploration.Observe(Fingerprint(left, hasher));
        }
        JudgeEnd(exploration);
    }

    /// <summary>Whoever got here is at rest: what a bound or a known state cuts off never comes back from the explorer. So nothing that is owed may be missing.</summary>
    private void JudgeEnd(IExploration exploration)
    {
        List<int> up = [];
        foreach (var node in _nodes)
        {
            if (!node.IsUp) continue;
            History.Ended(node.Incarnation, Now.Nanoseconds);
            up.Add(node.Incarnation);
        }
        History.Finish(new HistoryEnding { IsQuiesced = true, Cliques = [up] });
        if (History.Violations.Count > 0) exploration.Assert(false, $"{History.Violations[0].Id}: {History.Violations[0].Sentence}");
    }

    /// <summary>What is left of the faults.</summary>
    private sealed class Left
    {
        public int Crashes { get; set; }

        public int Cuts { get; set; }

        public int Losses { get; set; }

        public int Early { get; set; }

        public bool IsCutNow { get; set; }
    }

    /// <summary>Messages and news first, in the order of machines; then time; then faults: the first is what happens when nobody interferes.</summary>
    private int Enabled(Faults faults, Left left, Span<int> ids, Span<int> places)
    {
        var count = 0;
        var size = _nodes.Length;
        var isQuiet = IsQuiet();
        for (var to = 0; to < size && !isQuiet; to++)
        {
            for (var from = 0; from < size; from++)
            {
                if (_news[Line(from, to)].Count > 0) (ids[count], places[count++]) = (NewsId + (from * size) + to, to);
                if (_lines[Line(from, to)].Count > 0) (ids[count], places[count++]) = (LineId + (from * size) + to, to);
            }
        }
        var isAtRest = isQuiet && (left.IsCutNow ? IsTogether(NodeSet.Of(0)) && IsTogether(Nodes.All.Without(0)) : IsTogether(Nodes.All));
        if (isAtRest) (ids[count], places[count++]) = (left.IsCutNow ? HealId : EndId, size);
        if ((isQuiet && !isAtRest) || (!isQuiet && left.Early > 0)) (ids[count], places[count++]) = (TimeId, size);
        if (left.Crashes > 0)
        {
            foreach (var node in _nodes) if (node.IsUp) (ids[count], places[count++]) = (CrashId + node.Position, node.Position);
        }
        if (left.Cuts > 0 && !left.IsCutNow) (ids[count], places[count++]) = (CutId, size);
        if (left.IsCutNow && !isAtRest) (ids[count], places[count++]) = (HealId, size);
        if (left.Losses == 0) return count;
        for (var line = 0; line < size * size; line++)
        {
            if (_lines[line].TryPeek(out var packet) && packet.Kind == PacketOf(faults.Lost)) (ids[count], places[count++]) = (LoseId + line, line % size);
        }
        return count;
    }

    private static PacketKind PacketOf(DatagramKind kind) => (PacketKind)((int)kind - FirstOfRing);

    private void Do(int id, Left left)
    {
        var size = _nodes.Length;
        switch (id)
        {
            case TimeId:
                if (!IsQuiet()) left.Early--;
                PassTime();
                break;
            case CutId: left.Cuts--; left.IsCutNow = true; SetCut(true); break;
            case HealId: left.IsCutNow = false; SetCut(false); break;
            case >= NewsId: Learn((id - NewsId) / size, (id - NewsId) % size); break;
            case >= LoseId: left.Losses--; _lines[id - LoseId].Dequeue(); break;
            case >= LineId: Arrive((id - LineId) / size, (id - LineId) % size); break;
            default: left.Crashes--; Crash(_nodes[id - CrashId]); break;
        }
        FinishReservations();
    }

    private void DoFirst()
    {
        Span<int> ids = stackalloc int[IdsMax];
        Span<int> places = stackalloc int[IdsMax];
        var left = new Left();
        if (Enabled(Nothing, left, ids, places) > 0 && ids[0] != EndId) Do(ids[0], left);
        else PassTime();
    }

    private void Arrive(int from, int to)
    {
        var packet = _lines[Line(from, to)].Dequeue();
        _tokensInTurn = packet.Kind == PacketKind.Token ? _tokensInTurn + 1 : 0;
        if (!_nodes[to].IsUp) return;
        if (packet.Row is { } row) _nodes[to].LearnRow(from, packet.Boot, row);
        else _nodes[to].Receive(from, packet.Boot, packet.Bytes);
    }

    private void Learn(int about, int who)
    {
        var news = _news[Line(about, who)].Dequeue();
        if (_nodes[who].IsUp) _nodes[who].Learn(about, news.Boot, news.IsReachable);
    }

    private void PassTime()
    {
        var earliest = Instant.Never;
        foreach (var node in _nodes)
        {
            if (node.Ring is not { } ring) continue;
            if (ring.NextDeadline < earliest) earliest = ring.NextDeadline;
            if (node.Quorum!.NextDeadline < earliest) earliest = node.Quorum.NextDeadline; // both or none
        }
        if (earliest == Instant.Never) return;
        _tokensInTurn = 0;
        if (earliest > Now) Now = earliest;
        foreach (var node in _nodes)
        {
            if (node.Ring is not { } ring || (ring.NextDeadline > Now && node.Quorum!.NextDeadline > Now)) continue; // both or none
            node.Tick();
            return;
        }
    }

    private void Crash(IdealNode gone)
    {
        gone.Crash();
        for (var other = 0; other < _nodes.Length; other++)
        {
            _lines[Line(other, gone.Position)].Clear();
            if (!_isCut[gone.Position, other]) Announce(_nodes[other], gone, isReachable: false);
        }
    }

    private void SetCut(bool isCut)
    {
        for (var other = 1; other < _nodes.Length; other++)
        {
            _isCut[0, other] = _isCut[other, 0] = isCut;
            if (isCut)
            {
                _lines[Line(0, other)].Clear();
                _lines[Line(other, 0)].Clear();
            }
            Announce(_nodes[0], _nodes[other], !isCut);
            Announce(_nodes[other], _nodes[0], !isCut);
        }
    }

    private void Announce(IdealNode who, IdealNode about, bool isReachable)
    {
        if (who == about || !who.IsUp || (isReachable && !about.IsUp)) return;
        _news[Line(about.Position, who.Position)].Enqueue(new News(about.Boot, isReachable));
    }

    private void FinishReservations()
    {
        if (_reservations.Count == 0) return;
        foreach (var (node, upTo) in _reservations.ToArray()) node.OnReserved(upTo);
        _reservations.Clear();
    }

    private int Line(int from, int to) => (from * _nodes.Length) + to;

    /// <summary>Nothing is under way, or only a token that has gone round and round: then time passes.</summary>
    private bool IsQuiet()
    {
        foreach (var news in _news) if (news.Count > 0) return false;
        var packets = 0;
        foreach (var line in _lines)
        {
            packets += line.Count;
            if (line.TryPeek(out var packet) && packet.Kind != PacketKind.Token) return false;
        }
        return packets == 0 || (packets == 1 && _tokensInTurn >= RoundsMax * _nodes.Length);
    }

    /// <summary>All of a side that are up are in one view of exactly them, have delivered the same in it, and have nothing to say: a lost token leaves silence too, but no rest.</summary>
    private bool IsTogether(NodeSet side)
    {
        IdealNode? first = null;
        var up = 0;
        foreach (var position in side)
        {
            var node = _nodes[position];
            if (!node.IsUp) continue;
            up++;
            first ??= node;
            if (!IsIdle(node) || node.View!.Id != first.View!.Id || node.DeliveredInView != first.DeliveredInView) return false; // idle: in a view
        }
        return first is null || first.View!.Members.Count == up; // idle: in a view
    }

    private static bool IsIdle(IdealNode node) => node is { View: not null, Owed: 0, Ring: { State: TotemState.Operational, QueuedMessages: 0 }, Quorum.State.IsSynchronizing: false };

    private ulong Fingerprint(Left left, StateHasher hasher)
    {
        foreach (var node in _nodes) node.Refresh(hasher);
        hasher.Begin(Now);
        hasher.Add((uint)left.Crashes | ((uint)left.Cuts << 4) | ((uint)left.Losses << 8) | ((uint)left.Early << 12) | (left.IsCutNow ? 1u << 16 : 0) | ((uint)_tokensInTurn << 20));
        foreach (var node in _nodes) hasher.Add((long)node.StateHash);
        foreach (var line in _lines)
        {
            hasher.Add(line.Count);
            foreach (var packet in line)
            {
                hasher.AddBytes(packet.Bytes);
                hasher.Add((long)(packet.Row?.Bits ?? ulong.MaxValue));
            }
        }
        foreach (var news in _news)
        {
            hasher.Add(news.Count);
            foreach (var item in news) hasher.Add(item.IsReachable ? 1 : 0);
        }
        return hasher.End();
    }
}
