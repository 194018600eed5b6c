using Membership.Daemon.Witness;
using Membership.Daemon.Witness.Client;
using Membership.Daemon.Witness.Rule;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;
using View = Membership.Totem.View;
using ViewMember = Membership.Totem.ViewMember;
using WireAnswer = Membership.V1.WitnessAnswer;

namespace Membership.Daemon.Tests.Witness;

/// <summary>Nodes with real leases, a real witness core, and between them a network and a fate drawn from a seed. Time is simulated.</summary>
/// <remarks>
/// The ring is modelled by its promises alone: views have rising sequences, and a member leaves a view at the latest one settling time after another
/// member did. Beliefs of a member hold for the rest of its view one settling time longer: the others may count its word until they notice.
/// </remarks>
internal sealed class WitnessWorld
{
    private const double StepSeconds = 0.02;
    private const double RunSeconds = 90;
    private const double CalmSeconds = 40;
    private const double SettleSeconds = 2;
    private const double LeaseSeconds = 6;
    private const int TickSteps = 5;

    private readonly Random _random;
    private readonly Node[] _nodes;
    private readonly WitnessAlgorithm _algorithm;
    private readonly List<Belief> _beliefs = [];
    private readonly List<(double At, Action Deliver)> _wire = [];
    private GrantRecord? _disk;
    private WitnessCluster? _witness;
    private double _witnessStarted;
    private double _witnessRate = 1;
    private ulong _sequence = 1;
    private ulong _boots = 100;
    private ulong _sessions;
    private ulong _lastEpoch;
    private double _now;
    private bool _isCalm;

    public WitnessWorld(int seed)
    {
        _random = new Random(seed);
        _nodes = [.. Enumerable.Range(1, _random.Next(2, 6)).Select(id => new Node((ushort)id))];
        _algorithm = _random.Next(2) == 0 ? WitnessAlgorithm.FiftyFiftySplit : WitnessAlgorithm.LastManStanding;
        foreach (var node in _nodes) StartNode(node);
        StartWitness();
    }

    public string? Violation { get; private set; }

    public string? EpochViolation { get; private set; }

    public int Grants { get; private set; }

    public bool SomebodyBelieves => _nodes.Any(node => node.Lease?.Belief is { IsGranted: true });

    public void Run()
    {
        while (_now < RunSeconds && Violation is null) Step();
    }

    /// <summary>Everybody up, one view, no losses.</summary>
    public void Calm()
    {
        _isCalm = true;
        if (_witness is null) StartWitness();
        foreach (var node in _nodes)
        {
            if (!node.IsUp) StartNode(node);
            node.ReachesWitness = true;
        }

        Part([_nodes]);
        var end = _now + CalmSeconds;
        while (_now < end) Step();
    }

    private void Step()
    {
        _now += StepSeconds;
        if (!_isCalm) Fate();
        foreach (var node in _nodes) InstallDue(node);
        Deliver();
        if (_witness is { } witness && witness.NextDeadline <= WitnessNow) Evaluate(witness);
        if ((int)(_now / StepSeconds) % TickSteps == 0)
        {
            foreach (var node in _nodes) Tick(node);
        }

        Note();
    }

    private Instant WitnessNow => new((long)((_now - _witnessStarted) * _witnessRate * 1e9));

    private Instant NodeNow(Node node) => new((long)(((_now * node.Rate) + node.Offset) * 1e9));

    private bool Happens(double perSecond) => _random.NextDouble() < perSecond * StepSeconds;

    private void Fate()
    {
        if (Happens(0.2)) Part(RandomParts());
        foreach (var node in _nodes)
        {
            if (node.IsUp && Happens(0.02)) Crash(node);
            else if (!node.IsUp && Happens(0.5)) StartNode(node);
            if (Happens(0.05)) node.ReachesWitness = !node.ReachesWitness;
            if (node.Session is { } session && !node.ReachesWitness && Happens(0.5)) DropSession(node, session);
        }

        if (_witness is not null && Happens(0.03)) _witness = null;
        else if (_witness is null && Happens(0.4)) StartWitness();
    }

    private void StartWitness()
    {
        if (_random.Next(3) == 0) _disk = null;
        _witnessStarted = _now;
        _witnessRate = 1 + ((_random.NextDouble() - 0.5) * 0.008);
        _witness = new WitnessCluster(new Instant(0), _disk);
        foreach (var node in _nodes.Where(node => node.Session is not null)) DropSession(node, node.Session!.Value); // not null, as just asked
    }

    private void StartNode(Node node)
    {
        node.Boot = ++_boots;
        node.IsUp = true;
        node.Rate = 1 + ((_random.NextDouble() - 0.5) * 0.008);
        node.Offset = _random.Next(1, 1000);
        node.ReachesWitness = true;
        var hello = new SessionHello(node.Id, node.Boot, "same", _algorithm, 1, WitnessTieBreaker.Lowest, TimeSpan.FromSeconds(LeaseSeconds), TimeSpan.FromSeconds(SettleSeconds));
        node.Hello = hello;
        node.Lease = new WitnessLease(hello, _nodes.ToDictionary(each => each.Id.Value, _ => 1UL));
        node.Session = null;
        node.Pending = null;
        node.Ring = null;
        Target(node, Form([node]), 0);
    }

    private void Crash(Node node)
    {
        foreach (var belief in _beliefs.Where(belief => belief.Node == node && belief.End is null)) End(belief);
        node.IsUp = false;
        node.Lease = null;
        if (node.Session is { } session) DropSession(node, session);

        // The others notice within the settling time.
        if (node.Ring is { } ring)
        {
            Node[] left = [.. _nodes.Where(other => other.IsUp && other.Ring == ring)];
            if (left.Length > 0) Part([left]);
        }

        node.Ring = null;
        node.Pending = null;
    }

    private Node[][] RandomParts() =>
        [.. _nodes.Where(node => node.IsUp).GroupBy(_ => _random.Next(_random.Next(1, 4))).Select(part => part.ToArray())];

    private void Part(Node[][] parts)
    {
        foreach (var part in parts)
        {
            if (part.Length > 0 && part.All(node => node.Ring is { } ring && ring == part[0].Ring && ring.Members.Count == part.Length && node.Pending is null)) continue;
            var ring = Form(part);
            foreach (var node in part) Target(node, ring, _random.NextDouble() * SettleSeconds * 0.9);
        }
    }

    private RingView Form(Node[] members)
    {
        ViewMember[] ordered = [.. members.OrderBy(node => node.Id).Select(node => new ViewMember(node.Id, node.Boot))];
        return new RingView(new RingId(ordered[0].Node, _sequence += 4, ordered[0].Boot), ordered);
    }

    /// <summary>A node that is on its way into another view arrives there no later than it was due already.</summary>
    private void Target(Node node, RingView ring, double delay)
    {
        var at = _now + delay;
        node.Pending = (ring, node.Pending is { } before && before.At < at ? before.At : at);
    }

    private void InstallDue(Node node)
    {
        if (!node.IsUp || node.Pending is not { } pending || pending.At > _now) return;
        node.Pending = null;
        foreach (var belief in _beliefs.Where(belief => belief.Node == node && belief.End is null)) End(belief);
        var old = node.Ring;
        node.Ring = pending.Ring;
        if (old is not null)
        {
            foreach (var mate in _nodes.Where(mate => mate.IsUp && mate != node && mate.Ring == old && mate.Pending is null)) Target(mate, Form([mate]), _random.NextDouble() * SettleSeconds * 0.9);
        }

        var view = new View(ViewId.Regular(pending.Ring.Id), pending.Ring.Members, null, [], []);
        node.Lease!.Observe(new Observation(view, _random.Next(2) == 0, null)); // it is up
        Tick(node);
    }

    private void Tick(Node node)
    {
        if (node.Lease is not { } lease) return;
        var now = NodeNow(node);
        lease.Expire(now + WitnessClient.TickPace);
        if (node.Session is { } silent && lease.IsSilent(now)) DropSession(node, silent);
        if (node.Session is null && node.ReachesWitness && _witness is not null) Connect(node, lease, now);
        if (node.Session is not { } session || lease.NextReport(now) is not { } report) return;
        Send(node, () =>
        {
            if (_witness is not { } witness || WitnessCodec.Read(report, node.Hello!, out _) is not { } read) return; // a node that sends has said hello
            if (witness.Report(WitnessNow, session, report.Number, read, report.GrantEpoch) is not null) witness.Disconnect(session);
            Evaluate(witness);
        });
    }

    private void Connect(Node node, WitnessLease lease, Instant now)
    {
        var session = ++_sessions;
        var hello = node.Hello!; // it was started
        node.Session = session;
        lease.Begin(now);
        Send(node, () => _witness?.Connect(WitnessNow, session, hello));
    }

    private void DropSession(Node node, ulong session)
    {
        node.Session = null;
        node.Lease?.End();
        var at = _now + (_random.NextDouble() * 5);
        _wire.Add((at, () => _witness?.Disconnect(session)));
    }

    private void Send(Node node, Action deliver)
    {
        if (!node.ReachesWitness) return;
        node.Line = Math.Max(node.Line, _now + (_random.NextDouble() * 0.4)); // in order
        _wire.Add((node.Line, deliver));
    }

    private void Deliver()
    {
        while (true)
        {
            var next = -1;
            for (var i = 0; i < _wire.Count; i++)
            {
                if (_wire[i].At <= _now && (next < 0 || _wire[i].At < _wire[next].At)) next = i;
            }

            if (next < 0) return;
            var deliver = _wire[next].Deliver;
            _wire.RemoveAt(next);
            deliver();
        }
    }

    private void Evaluate(WitnessCluster witness)
    {
        var answers = witness.Evaluate(WitnessNow, out var record);
        if (record is not null)
        {
            if (record.Epoch <= _lastEpoch && _nodes.Any(node => node.Lease is { Epoch: > 0 } lease && lease.Epoch >= record.Epoch && node.Session is not null && lease.IsConnected))
                EpochViolation ??= $"at {_now:0.00}: grant {record.Epoch} after {_lastEpoch}";
            _lastEpoch = Math.Max(_lastEpoch, record.Epoch);
            _disk = record;
        }

        foreach (var answer in answers)
        {
            if (_nodes.FirstOrDefault(node => node.Session == answer.Session) is not { } node) continue;
            WireAnswer wire = WitnessCodec.Write(answer);
            Send(node, () =>
            {
                if (node.Session == answer.Session && node.Lease is { } lease) lease.OnAnswer(NodeNow(node), wire);
            });
        }
    }

    /// <summary>Keeps who believes what since when, and looks for two at once that have no member in common.</summary>
    private void Note()
    {
        foreach (var node in _nodes)
        {
            var current = _beliefs.Find(belief => belief.Node == node && belief.End is null);
            var ring = node.Lease?.Belief is { IsGranted: true } ? node.Ring : null;
            if (current is not null && current.Ring != ring) End(current);
            if (ring is null || current?.Ring == ring) continue;
            Grants++;
            _beliefs.Add(new Belief(node, ring, _now));
        }

        _beliefs.RemoveAll(belief => belief.End < _now);
        foreach (var one in _beliefs)
        {
            foreach (var other in _beliefs)
            {
                if (one.Ring == other.Ring || one.Ring.Members.Intersect(other.Ring.Members).Any()) continue;
                Violation ??= $"at {_now:0.00}: {one} and {other}";
            }
        }
    }

    private void End(Belief belief) => belief.End = belief.Ring.Members.Count == 1 ? _now - StepSeconds : _now + SettleSeconds;

    private sealed class Node(ushort id)
    {
        public NodeId Id { get; } = new(id);

        public ulong Boot { get; set; }

        public bool IsUp { get; set; }

        public double Rate { get; set; }

        public double Offset { get; set; }

        public double Line { get; set; }

        public bool ReachesWitness { get; set; }

        public SessionHello? Hello { get; set; }

        public WitnessLease? Lease { get; set; }

        public ulong? Session { get; set; }

        public RingView? Ring { get; set; }

        public (RingView Ring, double At)? Pending { get; set; }
    }

    private sealed record RingView(RingId Id, IReadOnlyList<ViewMember> Members)
    {
        public bool Equals(RingView? other) => other?.Id == Id;

        public override int GetHashCode() => Id.GetHashCode();
    }

    private sealed record Belief(Node Node, RingView Ring, double Start)
    {
        public double? End { get; set; }

        public override string ToString() =>
            $"node {Node.Id} believes for {Ring.Id} of {string.Join(',', Ring.Members.Select(member => $"{member.Node}/{member.Boot}"))} since {Start:0.00}{(End is { } end ? $" (counted to {end:0.00})" : "")}";
    }
}
