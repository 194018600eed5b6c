using Membership.Invariants;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Exploration.Cluster;

/// <content>The end of an iteration: faults stop, time passes in order, and the cluster has to come together.</content>
internal sealed partial class Play
{
    /// <summary>3 x (token + consensus), the merge, and a hold-down of a machine that was cut off again and again.</summary>
    private const long SettleMax = 20_000_000_000;

    private const int StepsPerLook = 4;

    /// <summary>Two token timeouts: long enough for a timer that was left behind to fire.</summary>
    private const long CalmTime = 2_000_000_000;

    /// <summary>Disks that cannot be written stay so to the end: whoever needs none of them must not be stopped by it.</summary>
    public bool DisksStayBroken { get; set; }

    /// <summary>All faults end and everybody runs: within a bounded time all are in one view, quorate, with the same groups, what was accepted is delivered, and then nothing changes any more.</summary>
    public void Settle()
    {
        EndFaults();
        var deadline = World.Now + SettleMax;
        Pass(2 * (long)World.LinkDown.TotalNanoseconds); // silence that began under the faults may still end in a verdict: calm (I15) begins after it
        var last = new LastWords(this);
        for (var looks = 0; !(looks % StepsPerLook == 0 && IsSettled() && last.AreHeard()); looks++)
        {
            StartStopped();
            if (_pending.Count == 0 || _pending.NextAt > deadline)
            {
                _exploration.Assert(false, $"I14: faults have ended for {SettleMax / 1_000_000_000} s of virtual time and the cluster has not come together: {Unsettled()}");
                return;
            }
            DoNext();
        }
        var calmSince = World.Now;
        Pass(CalmTime);
        Finish(calmSince);
    }

    /// <summary>Time passes in order.</summary>
    public void Pass(long nanoseconds)
    {
        for (var end = World.Now + nanoseconds; _pending.Count > 0 && _pending.NextAt <= end;) DoNext();
    }

    private void DoNext()
    {
        var due = _pending.Pop();
        if (World.IsVoid(due)) return;
        StepsOfSettling++;
        Do(due);
    }

    /// <summary>Judges the whole history: nothing is under way, all are together and nothing excuses a change since a while.</summary>
    private void Finish(long calmSince)
    {
        foreach (var host in Hosts)
        {
            Guarded(host.CheckGroupCounters);
            Guarded(host.CheckQuorumAtRest);
            World.History.Ended(host.Incarnation, World.Now);
        }
        World.History.Finish(new HistoryEnding { IsQuiesced = true, CalmSince = calmSince, Cliques = [[.. Hosts.Select(host => host.Incarnation)]] });
        Judge();
    }

    private void EndFaults()
    {
        _losses.Clear();
        Heal();
        foreach (var host in Hosts)
        {
            host.DiskFails &= DisksStayBroken;
            Guarded(host.Resume);
        }
        StartStopped();
    }

    /// <summary>A service manager starts whatever has stopped, also what leaves on purpose.</summary>
    private void StartStopped()
    {
        foreach (var host in Hosts)
        {
            if (!host.IsRunning) Guarded(() => host.Start(hasDisk: true));
        }
    }

    /// <summary>When all are together each says one thing more; when everybody has heard all of it, nothing that was said before is under way.</summary>
    private sealed class LastWords
    {
        private readonly Play _play;
        private readonly ulong[] _counters;
        private readonly ulong[] _heard;
        private ViewId? _saidIn;

        public LastWords(Play play)
        {
            _play = play;
            (_counters, _heard) = (new ulong[play.Hosts.Count], new ulong[play.Hosts.Count]);
            play.World.Heard = Hear;
        }

        public bool AreHeard()
        {
            var view = _play.Hosts[0].View!.Id; // all are together
            if (_saidIn != view)
            {
                _saidIn = view;
                Array.Clear(_heard);
                foreach (var host in _play.Hosts) _counters[host.Position] = host.Submit(_play.Payload(8), DeliveryLevel.Safe).Counter;
            }
            var all = (1UL << _heard.Length) - 1;
            return Array.TrueForAll(_heard, heard => heard == all);
        }

        private void Hear(Host host, in Delivery delivery)
        {
            var sender = _play.World.Nodes.Position(delivery.Sender);
            if (_saidIn is not null && delivery.Counter == _counters[sender]) _heard[host.Position] |= 1UL << sender;
        }
    }

    private bool IsSettled()
    {
        if (Hosts[0].View is not { } view || view.Members.Count != Hosts.Count) return false;
        foreach (var host in Hosts)
        {
            if (host.IsLeaving || host.Node is not { } node || host.View is not { } own || own.Id != view.Id || !IsAtRest(node)) return false;
        }
        return true;
    }

    private static bool IsAtRest(Membership.Node.MembershipNode node) =>
        node.State == TotemState.Operational && node.QueuedMessages == 0 && !node.Groups.IsSynchronising && !node.Quorum.IsSynchronizing && node.Quorum.IsQuorate;

    private string Unsettled() => string.Join("; ", Hosts.Select(host => host.Node is not { } node ? $"{host.Id} is down"
        : $"{host.Id} is {Node.Describe.Word(node.State)} in {(host.View is { } view ? $"({string.Join(',', view.Members.Select(member => member.Node))})" : "no view")}, " +
          $"{node.QueuedMessages} messages wait, groups {(node.Groups.IsSynchronising ? "synchronise" : "are known")}, quorum {(node.Quorum.IsSynchronizing ? "synchronises" : node.Quorum.IsQuorate ? "yes" : "MISSING")}"));

    /// <summary>What can be seen of the cluster: phases, views, verdicts, queues, and what is under way. For coverage, not for proof.</summary>
    private ulong Fingerprint()
    {
        var hash = 0xCBF29CE484222325UL;
        foreach (var host in Hosts)
        {
            if (host.Node is not { } node)
            {
                hash = Mixed(hash, ulong.MaxValue);
                continue;
            }
            var view = host.View;
            hash = Mixed(hash, (ulong)node.State | ((ulong)(view?.Members.Count ?? 0) << 8) | ((ulong)Math.Min(node.QueuedMessages, 15) << 16) |
                (node.Quorum.IsQuorate ? 1UL << 24 : 0) | (node.Quorum.IsSynchronizing ? 1UL << 25 : 0) | (node.Groups.IsSynchronising ? 1UL << 26 : 0) |
                (host.IsLeaving ? 1UL << 27 : 0) | (World.Now < host.BusyUntil ? 1UL << 28 : 0));
            hash = Mixed(hash, view?.Id.Ring.Sequence ?? 0);
        }
        var underWay = 0UL;
        for (var i = 0; i < _pending.Count; i++)
        {
            ref readonly var due = ref _pending[i];
            var what = due.Datagram is { } datagram ? (ulong)Peek.Of(datagram.Bytes) : 200 + (ulong)due.Kind;
            if (what != (ulong)DatagramKind.Heartbeat) underWay += Mixed(what, (ulong)due.Node);
        }
        return Mixed(hash, underWay);
    }

    private static ulong Mixed(ulong hash, ulong value)
    {
        hash = (hash ^ value) * 0x9E3779B97F4A7C15;
        return hash ^ (hash >> 29);
    }
}
