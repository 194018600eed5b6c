using System.Globalization;
using Membership.Virtual;

namespace Membership.Simulation;

/// <summary>What a step of a run does. Every fault carries its duration, so that any subset of a plan is a plan.</summary>
public enum StepKind
{
    /// <summary>Node A submits Value bytes, B times.</summary>
    SubmitAgreed,

    /// <summary>As SubmitAgreed, with the safe guarantee.</summary>
    SubmitSafe,

    /// <summary>What A sends on any link does not reach B.</summary>
    CutOneWay,

    /// <summary>A and B do not reach each other.</summary>
    CutPair,

    /// <summary>Nodes of the set A and the others do not reach each other.</summary>
    Partition,

    /// <summary>Three sets: A, B and the rest.</summary>
    ThreeWaySplit,

    /// <summary>Link B of node A is dead in both directions.</summary>
    LinkDown,

    /// <summary>Node A loses and regains all links, a few times.</summary>
    Flap,

    /// <summary>The process of node A dies and starts again after the duration.</summary>
    Crash,

    /// <summary>As Crash, and the disk is new.</summary>
    CrashWithoutDisk,

    /// <summary>All processes die at once and start again within the duration.</summary>
    CrashAll,

    /// <summary>Node A leaves and starts again after the duration.</summary>
    Leave,

    /// <summary>Node A is not scheduled for the duration.</summary>
    Pause,

    /// <summary>Node A needs Value nanoseconds per batch of inputs.</summary>
    Slow,

    /// <summary>Disk writes of node A fail.</summary>
    DiskFailure,

    /// <summary>Everybody loses Value per mille more.</summary>
    LossBurst,

    /// <summary>Datagrams over Value bytes vanish.</summary>
    PathShrinks,

    /// <summary>Random bytes go to node A, pretending to come from B.</summary>
    Garbage,

    /// <summary>Something without the key talks to everybody in the name of node A.</summary>
    WrongKey,

    /// <summary>Recorded datagrams are sent again, Value of them.</summary>
    ReplayBurst,

    /// <summary>As soon as the first node installs a view, the set A is cut off for Value nanoseconds, and again after each view while the duration lasts.</summary>
    CutAtInstall,

    /// <summary>For Value nanoseconds the frames of node A reach nobody while its tokens do; then it is cut off for the rest of the duration.</summary>
    LastFramesLost,

    /// <summary>Session B of node A joins group Value.</summary>
    GroupJoin,

    /// <summary>Session B of node A leaves group Value.</summary>
    GroupLeave,

    /// <summary>The process of session B of node A ends; the next one under that number is another.</summary>
    SessionEnd,

    /// <summary>Session B of node A sends Value bytes to all its groups.</summary>
    GroupSendAgreed,

    /// <summary>As GroupSendAgreed, with the safe guarantee.</summary>
    GroupSendSafe,
}

/// <summary>One step: when, what, to whom, for how long.</summary>
public readonly record struct Step(long At, StepKind Kind, int A, int B, long Value, long Duration)
{
    public bool IsSubmit => Kind is StepKind.SubmitAgreed or StepKind.SubmitSafe;

    /// <summary>Something a session does.</summary>
    public bool IsOfSession => Kind is StepKind.GroupJoin or StepKind.GroupLeave or StepKind.SessionEnd or StepKind.GroupSendAgreed or StepKind.GroupSendSafe;

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{At / 1e6,10:F1} ms  {Kind} {Who} {(IsOfSession ? $"session {B}, {Value}" : IsSubmit ? $"{Value} bytes x {B}" : $"value {Value} for {Duration / 1e6:F0} ms")}");

    private string Who => Kind switch
    {
        StepKind.Partition or StepKind.CutAtInstall => $"set {Convert.ToString(A, 2)}",
        StepKind.ThreeWaySplit => $"sets {Convert.ToString(A, 2)} and {Convert.ToString(B, 2)}",
        StepKind.CutOneWay or StepKind.CutPair or StepKind.Garbage => $"{A + 1}, {B + 1}",
        StepKind.CrashAll or StepKind.LossBurst or StepKind.PathShrinks or StepKind.ReplayBurst => "all",
        StepKind.LinkDown => $"{A + 1} link {(char)('A' + B)}",
        _ => $"{A + 1}",
    };
}

/// <summary>All steps of a run, drawn before it begins: the list that is shrunk when the run fails.</summary>
public static class Plan
{
    /// <summary>Bytes of the rare very large message.</summary>
    public const int HugeBytes = 2 * 1024 * 1024;

    private const long Second = 1_000_000_000;
    private const long Millisecond = 1_000_000;

    /// <summary>The kinds that are faults.</summary>
    public static readonly StepKind[] Faults = [.. Enum.GetValues<StepKind>().Where(kind => kind is not (StepKind.SubmitAgreed or StepKind.SubmitSafe) && !new Step(0, kind, 0, 0, 0, 0).IsOfSession)];

    public static IReadOnlyList<Step> Draw(Swarm swarm, ulong seed)
    {
        var random = new SeededRandom(seed).Fork(8);
        var steps = new List<Step>();
        DrawFaults(steps, swarm, random.Fork(1));
        DrawLoad(steps, swarm, random.Fork(2));
        DrawSessions(steps, swarm, random.Fork(3));
        return [.. steps.OrderBy(step => step.At)];
    }

    private static void DrawFaults(List<Step> steps, Swarm swarm, SeededRandom random)
    {
        var end = (long)Swarm.FaultyTime.TotalNanoseconds;
        var at = random.Between(0, 3 * Second);
        while (at < end)
        {
            var kind = swarm.Kinds[random.Next(swarm.Kinds.Count)];
            var step = DrawFault(at, kind, swarm, random);
            steps.Add(step with { Duration = Math.Min(step.Duration, end - at) });
            at += (long)(-Math.Log(1 - random.NextDouble()) * swarm.FaultEvery);
        }
    }

    private static Step DrawFault(long at, StepKind kind, Swarm swarm, SeededRandom random)
    {
        var nodes = swarm.World.Nodes;
        var token = (long)swarm.World.Token.TotalNanoseconds;
        var a = random.Next(nodes);
        var b = (a + 1 + random.Next(Math.Max(1, nodes - 1))) % nodes;
        var brief = (long)random.LogBetween(Millisecond, 2 * token);
        var any = (long)random.LogBetween(10 * Millisecond, 15 * Second);
        return kind switch
        {
            StepKind.CutAtInstall => new Step(at, kind, 1 + random.Next((1 << nodes) - 2), 0, (long)random.LogBetween(Millisecond, 2 * token), Math.Max(any, Second)),
            StepKind.LastFramesLost => new Step(at, kind, a, 0, (long)random.LogBetween(10 * Millisecond, 200 * Millisecond), Math.Max(any, Second)),
            StepKind.Partition => new Step(at, kind, 1 + random.Next((1 << nodes) - 2), 0, 0, any),
            StepKind.ThreeWaySplit => Split(at, nodes, any, random),
            StepKind.LinkDown => new Step(at, kind, a, random.Next(swarm.World.Links), 0, any),
            StepKind.Flap => new Step(at, kind, a, 0, random.Between(2, 8), random.Between(Second, 16 * Second)),
            StepKind.Crash or StepKind.CrashWithoutDisk or StepKind.Leave or StepKind.CrashAll =>
                new Step(at, kind, a, 0, 0, random.Chance(0.3) ? random.Between(0, 100 * Millisecond) : any),
            StepKind.Pause => new Step(at, kind, a, 0, 0, random.Chance(0.6) ? OrAlmostLong(brief, swarm) : any),
            StepKind.Slow => new Step(at, kind, a, 0, (long)random.LogBetween(Millisecond, 40 * Millisecond), any),
            StepKind.LossBurst => new Step(at, kind, 0, 0, random.Between(50, 600), Math.Min(any, 4 * Second)),
            StepKind.PathShrinks => new Step(at, kind, 0, 0, random.Between(1260, 1472), any),
            StepKind.Garbage => new Step(at, kind, a, b, random.Between(1, 200), any),
            StepKind.ReplayBurst => new Step(at, kind, 0, 0, random.Between(1, 200), 0),
            _ => new Step(at, kind, a, b, 0, any),
        };
    }

    /// <summary>Some pauses last about as long as a sleep may before it counts as a long one: the others have just gone on, and the sleeper still takes what lies in its socket.</summary>
    private static long OrAlmostLong(long brief, Swarm swarm) =>
        brief % 2 == 0 ? (long)(swarm.World.LinkDown.TotalNanoseconds * (0.6 + (0.6 * (brief / 2 % 1000) / 1000))) : brief;

    private static Step Split(long at, int nodes, long duration, SeededRandom random)
    {
        var (first, second) = (0, 0);
        for (var node = 0; node < nodes; node++)
        {
            var side = random.Next(3);
            if (side == 0) first |= 1 << node;
            if (side == 1) second |= 1 << node;
        }
        return new Step(at, StepKind.ThreeWaySplit, first, second, 0, duration);
    }

    private static void DrawLoad(List<Step> steps, Swarm swarm, SeededRandom random)
    {
        var end = (long)Swarm.FaultyTime.TotalNanoseconds;
        var huge = 0;
        for (var at = Second / 2; at < end; at += (long)(-Math.Log(1 - random.NextDouble()) * 1e9 / swarm.Rate))
        {
            var kind = random.Chance(swarm.SafeShare) ? StepKind.SubmitSafe : StepKind.SubmitAgreed;
            var size = random.Between(1, 400);
            var count = 1;
            if (random.Chance(swarm.LargeShare)) size = (long)random.LogBetween(1_500, 200_000);
            else if (random.Chance(0.002)) count = (int)random.Between(20, 200);
            else if (swarm.LargeShare > 0 && huge < 1 && random.Chance(0.0005)) (size, huge) = (HugeBytes, huge + 1);
            steps.Add(new Step(at, kind, random.Next(swarm.World.Nodes), count, size, 0));
        }
    }

    private static void DrawSessions(List<Step> steps, Swarm swarm, SeededRandom random)
    {
        var end = (long)Swarm.FaultyTime.TotalNanoseconds;
        for (var at = Second / 4; at < end; at += (long)(-Math.Log(1 - random.NextDouble()) * 1e9 / swarm.GroupRate))
        {
            var (node, session) = (random.Next(swarm.World.Nodes), random.Next(Swarm.Sessions));
            var draw = random.NextDouble();
            var size = random.Chance(swarm.LargeShare) ? (long)random.LogBetween(1_500, 200_000) : random.Between(0, 300);
            steps.Add(draw switch
            {
                < 0.15 => new Step(at, StepKind.GroupJoin, node, session, random.Next(Swarm.Groups), 0),
                < 0.22 => new Step(at, StepKind.GroupLeave, node, session, random.Next(Swarm.Groups), 0),
                < 0.25 => new Step(at, StepKind.SessionEnd, node, session, 0, 0),
                _ => new Step(at, random.Chance(swarm.SafeShare) ? StepKind.GroupSendSafe : StepKind.GroupSendAgreed, node, session, size, 0),
            });
        }
    }
}
