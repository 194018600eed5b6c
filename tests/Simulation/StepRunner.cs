using Membership.Cpg;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Simulation;

/// <summary>Does the steps of a plan to a world, and undoes them when their time is over.</summary>
internal sealed class StepRunner
{
    private const int GarbageBytesMax = 1500;
    private const int DisturbancesForHoldDown = 3;

    private readonly World _world;
    private readonly WorldOptions _options;
    private readonly IReadOnlyList<Step> _steps;
    private readonly SeededRandom _random;
    private readonly bool[] _active;
    private readonly byte[] _payload = new byte[Plan.HugeBytes];
    private readonly HashSet<RingId> _met = [];
    private readonly List<int> _atInstall = [];
    private readonly HashSet<int> _cutOff = [];
    private int _disturbances;
    private bool _isOver;

    public StepRunner(World world, WorldOptions options, IReadOnlyList<Step> steps, SeededRandom random)
    {
        (_world, _options, _steps, _random) = (world, options, steps, random);
        _active = new bool[steps.Count];
        world.StepDue = (step, begins) =>
        {
            if (_isOver) return;
            if (begins) Begin(step);
            else End(step);
        };
        world.ViewInstalled = (_, view) => OnInstalled(view);
        for (var i = 0; i < steps.Count; i++) world.Schedule(steps[i].At, DueKind.Step, i, 0, 0, null);
        for (var i = 0; i < _payload.Length; i += 8) BitConverter.TryWriteBytes(_payload.AsSpan(i), random.NextUInt64());
    }

    /// <summary>How often each kind was done.</summary>
    public int[] Used { get; } = new int[Enum.GetValues<StepKind>().Length];

    /// <summary>Memberships may have ended early often enough that a node is held out for a while (three times in 60 s with one boot).</summary>
    public bool CanHoldDown { get; private set; }

    /// <summary>All faults end: everything heals, everybody runs.</summary>
    public void StopAll()
    {
        _isOver = true;
        _world.Network.HealAll();
        _world.Network.Options = _world.Network.Options with { Loss = 0, Duplication = 0, Reordering = 0, Corruption = 0, Replay = 0 };
        foreach (var host in _world.Hosts)
        {
            host.DiskFails = false;
            host.Resume();
            host.Start(hasDisk: true);
        }
    }

    /// <summary>A message of its own bytes: no two look alike.</summary>
    public SubmitResult Submit(Host host, int size, int count, DeliveryLevel level) => host.Submit(Payload(size), level, count);

    /// <summary>A session of each node joins a group and sends to it: with nothing else going on, all of it must arrive.</summary>
    public void SendToGroupsAtRest()
    {
        foreach (var host in _world.Hosts)
        {
            host.JoinGroup(0, "at rest");
            host.SendToGroups(0, Payload(50), DeliveryLevel.Safe);
        }
    }

    private ReadOnlySpan<byte> Payload(int size)
    {
        var payload = _payload.AsSpan(0, size);
        var mark = _random.NextUInt64();
        for (var i = 0; i < Math.Min(8, size); i++) payload[i] = (byte)(mark >> (8 * i));
        return payload;
    }

    private static string GroupName(long number) => Groups[number];

    private static readonly string[] Groups = ["a", "b", "größe", "\U0001F980"];

    private void Begin(int index)
    {
        var step = _steps[index];
        Used[(int)step.Kind]++;
        if (CutsOff(step.Kind) && (_disturbances += step.Kind == StepKind.Flap ? (int)step.Value : 1) >= DisturbancesForHoldDown) CanHoldDown = true;
        if (!step.IsSubmit && !step.IsOfSession && _world.TraceSink is not null) _world.TraceSink($"---- {step}");
        if (step.Duration > 0)
        {
            _active[index] = true;
            _world.Schedule(_world.Now + step.Duration, DueKind.StepEnd, index, 0, 0, null);
        }
        var host = _world.Hosts[Math.Min(step.A, _world.Hosts.Count - 1)];
        switch (step.Kind)
        {
            case StepKind.SubmitAgreed: Submit(host, (int)step.Value, step.B, DeliveryLevel.Agreed); break;
            case StepKind.SubmitSafe: Submit(host, (int)step.Value, step.B, DeliveryLevel.Safe); break;
            case StepKind.GroupJoin: host.JoinGroup(step.B, GroupName(step.Value)); break;
            case StepKind.GroupLeave: host.LeaveGroup(step.B, GroupName(step.Value)); break;
            case StepKind.SessionEnd: host.EndSession(step.B); break;
            case StepKind.GroupSendAgreed: host.SendToGroups(step.B, Payload((int)step.Value), DeliveryLevel.Agreed); break;
            case StepKind.GroupSendSafe: host.SendToGroups(step.B, Payload((int)step.Value), DeliveryLevel.Safe); break;
            case StepKind.Pause: host.Pause(step.Duration); break;
            case StepKind.Slow: host.SlowBy = step.Value; break;
            case StepKind.DiskFailure: host.DiskFails = true; break;
            case StepKind.Crash or StepKind.CrashWithoutDisk: host.Crash(); break;
            case StepKind.CrashAll: foreach (var each in _world.Hosts) each.Crash(); break;
            case StepKind.Leave: host.Leave(); break;
            case StepKind.LossBurst: _world.Network.ExtraLoss += step.Value / 1000.0; break;
            case StepKind.PathShrinks: _world.Network.ShrunkPathBytes = (int)step.Value; break;
            case StepKind.Garbage: Garbage(step); break;
            case StepKind.WrongKey: new Intruder(_world, step.A).Talk(step.Duration); break;
            case StepKind.ReplayBurst: _world.Network.ReplayRecorded(_world, (int)step.Value); break;
            case StepKind.Flap: Flap(step); break;
            case StepKind.LastFramesLost: LastFramesLost(index, step); break;
            case StepKind.CutAtInstall: _atInstall.Add(index); CanHoldDown = true; break;
            default: Cut(step, 1); break;
        }
    }

    private void End(int index)
    {
        if (!_active[index]) return;
        _active[index] = false;
        var step = _steps[index];
        var host = _world.Hosts[Math.Min(step.A, _world.Hosts.Count - 1)];
        switch (step.Kind)
        {
            case StepKind.CutAtInstall: _atInstall.Remove(index); break;
            case StepKind.LastFramesLost: EndLastFramesLost(index, step); break;
            case StepKind.Pause or StepKind.Garbage or StepKind.WrongKey or StepKind.Flap: break;
            case StepKind.Slow: host.SlowBy = 0; break;
            case StepKind.DiskFailure: host.DiskFails = false; break;
            case StepKind.Crash: host.Start(hasDisk: true); break;
            case StepKind.Leave: ReturnAfterLeave(host); break;
            case StepKind.CrashWithoutDisk: host.Start(hasDisk: false); break;
            case StepKind.CrashAll: foreach (var each in _world.Hosts) each.Start(hasDisk: true); break;
            case StepKind.LossBurst: _world.Network.ExtraLoss = Math.Max(0, _world.Network.ExtraLoss - (step.Value / 1000.0)); break;
            case StepKind.PathShrinks: _world.Network.ShrunkPathBytes = 0; break;
            default: Cut(step, -1); break;
        }
    }

    /// <summary>The service manager does not wait for ever: what has not left by now is killed, then started again.</summary>
    private static void ReturnAfterLeave(Host host)
    {
        host.Crash();
        host.Start(hasDisk: true);
    }

    private void Flap(Step step)
    {
        var half = step.Duration / (2 * step.Value);
        for (var i = 0; i < step.Value; i++)
        {
            var change = new Step(0, StepKind.Partition, 1 << step.A, 0, 0, 0);
            _world.At(_world.Now + (2 * i * half), () => { if (!_isOver) Cut(change, 1); });
            _world.At(_world.Now + (((2 * i) + 1) * half), () => { if (!_isOver) Cut(change, -1); });
        }
    }

    private void LastFramesLost(int index, Step step)
    {
        CanHoldDown = true;
        _world.Network.LoseFrames(step.A, 1);
        _world.At(_world.Now + step.Value, () =>
        {
            if (_isOver || !_active[index]) return;
            _world.Network.LoseFrames(step.A, -1);
            Cut(new Step(0, StepKind.Partition, 1 << step.A, 0, 0, 0), 1);
            _cutOff.Add(index);
        });
    }

    private void EndLastFramesLost(int index, Step step)
    {
        if (_cutOff.Remove(index)) Cut(new Step(0, StepKind.Partition, 1 << step.A, 0, 0, 0), -1);
        else _world.Network.LoseFrames(step.A, -1);
    }

    /// <summary>The first of a ring's members installed it: the others are a moment behind.</summary>
    private void OnInstalled(View view)
    {
        if (_isOver || view.Transitional || !_met.Add(view.Id.Ring)) return;
        foreach (var index in _atInstall)
        {
            var change = new Step(0, StepKind.Partition, _steps[index].A, 0, 0, 0);
            Cut(change, 1);
            _world.At(_world.Now + _steps[index].Value, () => { if (!_isOver) Cut(change, -1); });
        }
    }

    private void Garbage(Step step)
    {
        Span<byte> bytes = stackalloc byte[GarbageBytesMax];
        for (var i = 0; i < step.Value; i++)
        {
            var length = _random.Next(GarbageBytesMax + 1);
            for (var place = 0; place < length; place++) bytes[place] = (byte)_random.Next(256);
            if (length > 0 && _random.Chance(0.5)) bytes[0] = 1;
            _world.Network.Inject(_world, _random.Chance(0.5) ? step.B : -1, (byte)_random.Next(_options.Links), step.A, bytes[..length]);
        }
    }

    private void Cut(Step step, int change)
    {
        for (var from = 0; from < _options.Nodes; from++)
        {
            for (var to = 0; to < _options.Nodes; to++)
            {
                for (var link = 0; link < _options.Links; link++)
                {
                    if (from != to && Cuts(step, from, to, link)) _world.Network.Cut(from, to, link, change);
                }
            }
        }
    }

    private static bool Cuts(Step step, int from, int to, int link) => step.Kind switch
    {
        StepKind.CutOneWay => from == step.A && to == step.B,
        StepKind.CutPair => (from == step.A && to == step.B) || (from == step.B && to == step.A),
        StepKind.Partition => (step.A >> from & 1) != (step.A >> to & 1),
        StepKind.ThreeWaySplit => Side(step, from) != Side(step, to),
        StepKind.LinkDown => link == step.B && (from == step.A || to == step.A),
        _ => false,
    };

    /// <summary>Can make a node lose its membership and keep its boot.</summary>
    private static bool CutsOff(StepKind kind) => kind is StepKind.CutOneWay or StepKind.CutPair or StepKind.Partition or StepKind.ThreeWaySplit or
        StepKind.LinkDown or StepKind.Flap or StepKind.Pause or StepKind.Slow or StepKind.LossBurst or StepKind.PathShrinks;

    private static int Side(Step step, int node) => (step.A >> node & 1) != 0 ? 0 : (step.B >> node & 1) != 0 ? 1 : 2;

    /// <summary>A process with the cluster's configuration but not its key.</summary>
    private sealed class Intruder(World world, int position) : INodeEffects
    {
        private readonly MembershipNode _node = world.BuildForeign(world.Nodes[position]);
        private long _end;

        public void Talk(long duration)
        {
            _end = world.Now + duration;
            _node.Start(new Instant(world.Now), this);
            Again();
        }

        private void Again()
        {
            var next = Math.Max(_node.NextDeadline.Nanoseconds, world.Now + 1);
            if (next >= _end) return;
            world.At(next, () =>
            {
                _node.OnTick(new Instant(world.Now), this);
                Again();
            });
        }

        public void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
        {
            for (var start = 0; start < datagrams.Length; start += segmentBytes)
            {
                var one = datagrams.Slice(start, Math.Min(segmentBytes, datagrams.Length - start));
                foreach (var target in targets) world.Network.Inject(world, position, link.Index, target, one);
            }
        }

        public void Deliver(in Delivery delivery, ReadOnlySpan<byte> payload)
        {
        }

        public void InstallView(View view)
        {
        }

        public void QuorumChanged(QuorumState state)
        {
        }

        public void PersistQuorum(QuorumRecord record)
        {
        }

        public void QuorumChangeDone(ulong tag, string? error)
        {
        }

        public void GroupChanged(GroupChange change)
        {
        }

        public void GroupMessage(in GroupDelivery message, ReadOnlySpan<byte> payload)
        {
        }

        public void GroupDropped(ulong counter)
        {
        }

        public void Failed(ulong counter)
        {
        }

        public void Reserve(ulong upTo) => world.At(world.Now + 1, () => _node.OnReserved(new Instant(world.Now), upTo, this));

        public void Neighbours(NodeSet neighbours)
        {
        }

        public void DiscardReceived()
        {
        }

        public void Fact(NodeFact fact)
        {
        }

        public void Left()
        {
        }
    }
}
