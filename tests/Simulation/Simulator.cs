using System.Diagnostics;
using Membership.Invariants;
using Membership.Links;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Simulation;

/// <summary>How a run ended.</summary>
public enum Verdict
{
    /// <summary>Enough happened and nothing was broken.</summary>
    Passed,

    /// <summary>Nothing was broken, but too little happened to prove anything.</summary>
    Void,

    /// <summary>An invariant was broken, or a node threw.</summary>
    Failed,
}

/// <summary>What a run did.</summary>
public sealed record RunResult(
    ulong Seed, Verdict Verdict, IReadOnlyList<Violation> Violations, ulong TraceHash, TimeSpan Simulated, TimeSpan Processor, long Events,
    int Views, long Sends, long Deliveries, int[] Steps, long[] NetworkFaults, TimeSpan Convergence, GroupTally Groups);

/// <summary>One run of one seed.</summary>
public static class Simulator
{
    /// <summary>A run with fewer deliveries is void.</summary>
    public const int DeliveriesMin = 200;

    /// <summary>A run with fewer regular views is void.</summary>
    public const int ViewsMin = 1;

    private const int FramesShown = 6;
    private const long Second = 1_000_000_000;

    /// <summary>Beside two rotations: the holder may be asked in the moment before the token reaches it, and is asked again after 10 ms.</summary>
    private const long HoldAnswerMax = 15_000_000;

    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Merge = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan HoldDownMax = TimeSpan.FromSeconds(60);

    /// <summary>Runs a seed. <paramref name="keep"/>: numbers of the steps of its plan that are done; null = all.</summary>
    public static RunResult Run(ulong seed, int nodes = 5, IReadOnlyList<int>? keep = null, Action<string>? trace = null)
    {
        var swarm = Swarm.Draw(seed, nodes);
        var plan = Plan.Draw(swarm, seed);
        return Run(seed, swarm, keep is null ? plan : [.. keep.Select(index => plan[index])], trace);
    }

    public static RunResult Run(ulong seed, Swarm swarm, IReadOnlyList<Step> steps, Action<string>? trace)
    {
        var began = Stopwatch.GetTimestamp();
        ICipherSuite ciphers = swarm.HasRealCipher ? new AesGcmSuite() : new KeyedHashCipherSuite();
        var world = new World(swarm.World, seed, ciphers) { TraceSink = trace };
        world.Network.Options = swarm.Network;
        var random = new SeededRandom(seed).Fork(9);
        var runner = new StepRunner(world, swarm.World, steps, random.Fork(1));
        var convergence = TimeSpan.Zero;
        var violations = new List<Violation>();
        try
        {
            world.History.HasOneQuorateSide = swarm.HasOneQuorateSide;
            world.History.HasExclusiveTimes = swarm.HasExclusiveTimes;
            StartAll(world, swarm, random);
            swarm.ScheduleQuorumChanges(world, seed);
            if (world.RunTo((long)Swarm.FaultyTime.TotalNanoseconds)) convergence = Converge(world, swarm, runner, seed);
        }
        catch (InvariantBrokenException broken)
        {
            violations.Add(new Violation(broken.Id, $"a node stopped: {broken.Message}", FirstFrames(broken)));
        }
        catch (PromiseBrokenException broken)
        {
            violations.Add(new Violation(broken.Id, broken.Message, []));
        }
        catch (LivelockException stuck)
        {
            violations.Add(new Violation("livelock", stuck.Message, FirstFrames(stuck)));
        }
        catch (Exception thrown)
        {
            // A node must not throw whatever the network brings: the run is the place to say so, with its seed.
            violations.Add(new Violation("exception", thrown.Message, [thrown.GetType().Name, .. FirstFrames(thrown)]));
        }
        violations.AddRange(world.History.Violations);
        var verdict = violations.Count > 0 ? Verdict.Failed
            : world.History.Deliveries < DeliveriesMin || world.History.RegularViews < ViewsMin ? Verdict.Void : Verdict.Passed;
        return new RunResult(
            seed, verdict, violations, world.TraceHash, TimeSpan.FromMicroseconds(world.Now / 1000), Stopwatch.GetElapsedTime(began), world.EventsDone,
            world.History.RegularViews, world.History.Sends, world.History.Deliveries, runner.Used,
            [world.Network.Lost, world.Network.Duplicated, world.Network.HeldBack, world.Network.Corrupted, world.Network.Replayed], convergence,
            world.GroupTally);
    }

    private static string[] FirstFrames(Exception thrown) =>
        [.. (thrown.StackTrace ?? "").Split('\n').Take(FramesShown).Select(line => line.Split(" in ")[0].Trim())];

    private static void StartAll(World world, Swarm swarm, SeededRandom random)
    {
        var isSimultaneous = random.Chance(0.5);
        foreach (var host in world.Hosts)
        {
            host.ClockOffset = random.Between(0, 1_000_000 * Second);
            if (swarm.HasDrift) host.ClockDriftPpm = swarm.DriftOf(random.Between(-200, 200));
            host.DiskLatency = (long)random.LogBetween(50_000, 200_000_000);
            if (isSimultaneous) host.Start(hasDisk: true);
            else world.At(random.Between(0, 2 * Second), () => host.Start(hasDisk: true));
        }
    }

    /// <summary>Faults are over: all nodes must come together, deliver everything and then stay as they are.</summary>
    private static TimeSpan Converge(World world, Swarm swarm, StepRunner runner, ulong seed)
    {
        var began = world.Now;
        runner.StopAll();
        var bound = (3 * (swarm.World.Token + swarm.World.Consensus)) + Merge + (runner.CanHoldDown ? HoldDownMax : TimeSpan.Zero);
        var deadline = began + (long)bound.TotalNanoseconds;

        // Silence that began under the faults may still end in a verdict: calm (I15) begins when that time is over.
        world.RunTo(began + (2 * (long)swarm.World.LinkDown.TotalNanoseconds));
        var check = 0;
        var settled = world.RunTo(deadline, () => ++check % 64 == 0 && IsSettled(world));
        if (world.History.Violations.Count > 0) return TimeSpan.Zero;

        var since = world.Now;
        if (settled)
        {
            world.RunTo(since + Second);
            foreach (var host in world.Hosts) runner.Submit(host, 100, 3, host.Position % 2 == 0 ? DeliveryLevel.Safe : DeliveryLevel.Agreed);
            runner.SendToGroupsAtRest();
            world.RunTo(since + (Rest.Ticks * 100 / 2));
            SendIntoIdleRing(world, runner, world.Hosts[(int)(seed % (ulong)world.Hosts.Count)]);
            world.RunTo(since + (long)Rest.TotalNanoseconds);
        }
        if (world.History.Violations.Count > 0) return TimeSpan.Zero;
        foreach (var host in world.Hosts)
        {
            host.CheckGroupCounters();
            host.CheckQuorumAtRest();
            world.History.Ended(host.Incarnation, world.Now);
        }
        world.History.Finish(new HistoryEnding
        {
            IsQuiesced = true,
            CalmSince = settled ? since : null,
            Cliques = [[.. world.Hosts.Select(host => host.Incarnation)]],
        });
        return TimeSpan.FromMicroseconds((since - began) / 1000);
    }

    /// <summary>D5: whoever holds the token of an idle ring gives it at once to who asks: the message is everywhere after two rotations, not after the hold.</summary>
    private static void SendIntoIdleRing(World world, StepRunner runner, Host sender)
    {
        if (world.History.Violations.Count > 0) return;
        var network = world.Network.Options;
        var began = world.Now;
        var limit = began + (2 * (world.Hosts.Count + 1) * (network.Hop + network.Jitter)) + HoldAnswerMax;
        var missing = world.Hosts.Select(host => host.Id).ToHashSet();
        world.MessageDelivered = (host, delivery, _) => missing.Remove(host.Id); // idle: there is no other message
        runner.Submit(sender, 100, 1, DeliveryLevel.Agreed);
        world.RunTo(limit, () => missing.Count == 0);
        world.MessageDelivered = null;
        if (missing.Count == 0 || world.History.Violations.Count > 0) return;
        throw new PromiseBrokenException("D5", $"a message of node {sender.Id} to an idle ring was not at node {missing.Min(node => node.Value)} after {(limit - began) / 1e6:F0} ms: the token was held");
    }

    private static bool IsSettled(World world)
    {
        var view = world.Hosts[0].View;
        if (view is null || view.Members.Count != world.Hosts.Count) return false;
        foreach (var host in world.Hosts)
        {
            if (host.Node is not { State: TotemState.Operational, QueuedBytes: 0 } || host.View is not { } own || own.Id != view.Id) return false;
        }
        return true;
    }
}
