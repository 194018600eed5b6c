using Membership.Daemon.Witness;
using Membership.Daemon.Witness.Client;
using Membership.Daemon.Witness.Rule;
using Membership.Links;
using Membership.Quorum;
using Membership.V1;
using Membership.Virtual;
using WitnessAnswer = Membership.Quorum.WitnessAnswer;

namespace Membership.Exploration.Cluster;

/// <summary>The witness's rule and the nodes' leases, as the daemons run them, with a network between them whose every message is pending like all else.</summary>
internal sealed class VirtualWitness
{
    private const long Hop = 2_000_000;
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan SettleTime = TimeSpan.FromSeconds(2.2);

    private readonly World _world;
    private readonly Seat[] _seats;
    private WitnessCluster _rule;
    private GrantRecord? _disk;
    private ulong _sessions;

    /// <summary>A witness that has run for long enough to have forgotten nothing; every running machine begins a session.</summary>
    /// <param name="world">Each of its machines has one vote.</param>
    /// <param name="algorithm">How it decides.</param>
    /// <param name="votes">What it adds.</param>
    public VirtualWitness(World world, WitnessAlgorithm algorithm, ulong votes)
    {
        _world = world;
        _rule = new WitnessCluster(Now + TimeSpan.FromMinutes(-1), null);
        var voters = world.Hosts.ToDictionary(host => host.Id.Value, _ => 1UL);
        _seats = [.. world.Hosts.Select(host => new Seat(host, algorithm, votes, voters))];
        foreach (var seat in _seats) Tick(seat);
    }

    private Instant Now => new(_world.Now + 1_000_000_000_000); // instants before the start of the world must not be before time began

    /// <summary>A machine loses the witness, or finds it again.</summary>
    public void Reach(int position, bool canReach)
    {
        _seats[position].CanReach = canReach;
        if (!canReach) DropSession(_seats[position]);
    }

    public void ReachAll()
    {
        foreach (var seat in _seats) seat.CanReach = true;
    }

    /// <summary>The witness's process dies and starts again with what it wrote.</summary>
    public void Restart()
    {
        foreach (var seat in _seats) DropSession(seat);
        _rule = new WitnessCluster(Now, _disk);
    }

    /// <summary>What the client of the witness does at its pace and with each view: a lease that ends, a session that is silent, a report that is due.</summary>
    private void Tick(Seat seat)
    {
        Work(seat);
        _world.At(_world.Now + (long)WitnessClient.TickPace.TotalNanoseconds, () => Tick(seat));
    }

    private void Work(Seat seat)
    {
        var host = seat.Host;
        if (host.Node is not { } node)
        {
            DropSession(seat);
            seat.Generation = -1;
            return;
        }
        if (seat.Generation != host.Generation) seat.Start(host.Generation);
        var lease = seat.Lease!; // it was started
        if (host.View is { } view && lease.Observe(new Observation(view, seat.WasQuorate, node.Quorum))) seat.HasTold = false;
        seat.WasQuorate = node.Quorum.IsQuorate;
        lease.Expire(Now + WitnessClient.TickPace);
        if (seat.Session is not null && lease.IsSilent(Now)) DropSession(seat);
        if (seat.Session is null && seat.CanReach) Connect(seat, lease);
        if (seat.Session is { } session && lease.NextReport(Now) is { } report) Send(seat, () => OnReport(seat, session, report));
        Tell(seat, lease);
    }

    private static void Tell(Seat seat, WitnessLease lease)
    {
        if (seat.HasTold && seat.Told == lease.Belief) return;
        (seat.HasTold, seat.Told) = (true, lease.Belief);
        seat.Host.TellWitness(lease.Belief);
    }

    private void Connect(Seat seat, WitnessLease lease)
    {
        var session = ++_sessions;
        var hello = seat.Hello!; // it was started
        seat.Session = session;
        lease.Begin(Now);
        Send(seat, () => _rule.Connect(Now, session, hello));
    }

    private void DropSession(Seat seat)
    {
        if (seat.Session is not { } session) return;
        seat.Session = null;
        seat.Lease?.End();
        _world.At(_world.Now + Hop, () => _rule.Disconnect(session));
    }

    private void Send(Seat seat, Action deliver)
    {
        var session = seat.Session;
        seat.Line = Math.Max(seat.Line + 1, _world.Now + Hop);
        _world.At(seat.Line, () => { if (seat.CanReach && seat.Session == session) deliver(); });
    }

    private void OnReport(Seat seat, ulong session, WitnessReport report)
    {
        if (WitnessCodec.Read(report, seat.Hello!, out _) is { } read && _rule.Report(Now, session, report.Number, read, report.GrantEpoch) is not null) _rule.Disconnect(session); // it was started
        Evaluate();
    }

    private void Evaluate()
    {
        var answers = _rule.Evaluate(Now, out var record);
        if (record is not null) _disk = record;
        foreach (var answer in answers)
        {
            if (Array.Find(_seats, seat => seat.Session == answer.Session) is not { } seat) continue;
            var wire = WitnessCodec.Write(answer);
            Send(seat, () =>
            {
                if (seat.Lease is not { } lease || seat.Host.Node is null) return;
                lease.OnAnswer(Now, wire);
                Tell(seat, lease);
            });
        }
        if (_rule.NextDeadline is var next && next != Instant.Never) _world.At(_world.Now + Math.Max(Hop, (next - Now).Ticks * 100), () => { if (_rule.NextDeadline <= Now) Evaluate(); });
    }

    /// <summary>One machine's end.</summary>
    private sealed class Seat(Host host, WitnessAlgorithm algorithm, ulong votes, IReadOnlyDictionary<ushort, ulong> voters)
    {
        public Host Host { get; } = host;

        public bool CanReach { get; set; } = true;

        public int Generation { get; set; } = -1;

        public SessionHello? Hello { get; private set; }

        public WitnessLease? Lease { get; private set; }

        public ulong? Session { get; set; }

        public long Line { get; set; }

        public bool WasQuorate { get; set; }

        public bool HasTold { get; set; }

        public WitnessAnswer? Told { get; set; }

        public void Start(int generation)
        {
            Generation = generation;
            Hello = new SessionHello(Host.Id, Host.Boot.Short, "same", algorithm, votes, WitnessTieBreaker.Lowest, VirtualWitness.Lease, SettleTime);
            Lease = new WitnessLease(Hello, voters);
            (Session, WasQuorate, HasTold, Told) = (null, false, false, null);
        }
    }
}
