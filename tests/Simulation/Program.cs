using System.Globalization;
using Membership.Links;
using Membership.Virtual;

namespace Membership.Simulation;

/// <summary>Campaigns, single seeds, shrinking and the table of ring sizes from a shell.</summary>
internal static class CommandLine
{
    private static readonly string[] WithValue = ["seeds", "first", "base", "jobs", "minutes", "cpu", "failures", "skip", "nodes", "seed", "keep", "shrink"];
    private static readonly string[] Alone = ["trace", "table", "speed"];

    private const string Help = """
        --seeds N [--first S] [--base B] [--jobs J] [--minutes M] [--cpu SECONDS] [--failures F] [--skip 1,2,3] [--nodes K]
                                                                                 a campaign: seeds S.. or drawn from B, until time is up or F have failed; without these seeds
        --seed S [--nodes K] [--keep 1,2,3] [--trace]                            one run, with only these steps of its plan
        --shrink S [--nodes K]                                                   the fewest steps that still break the invariant
        --table                                                                  rotation and view change of rings of 2 to 32 nodes
        """;

    public static int Main(string[] args) => CommandOptions.Run(args, WithValue, Alone, Help, Run);

    private static int Run(CommandOptions options)
    {
        if (options.Has("table"))
        {
            Console.WriteLine(RingTable.Measure());
            return 0;
        }
        if (options.Has("speed"))
        {
            Console.WriteLine(ReferenceCase.Measure());
            return 0;
        }
        var nodes = options.Count("nodes", 5, min: 1, NodeTable.Max);
        if (options.Has("shrink")) return Shrink(options.Number("shrink", 0), nodes);
        return options.Has("seed") ? One(options, nodes) : Many(options, nodes);
    }

    private static int Many(CommandOptions options, int nodes)
    {
        var campaign = new Campaign(nodes)
        {
            FailuresEnough = options.Count("failures", Campaign.FailuresMax),
            ProcessorMax = options.Time("cpu", TimeSpan.FromSeconds(1)),
        };
        var limit = options.Time("minutes", TimeSpan.FromMinutes(1));
        var count = options.Number("seeds", limit is null && campaign.ProcessorMax is null ? 100 : ulong.MaxValue);
        var skipped = options.Numbers("skip") ?? [];
        var seeds = Seeds(options, count).Where(seed => !skipped.Contains(seed));
        campaign.Run(seeds, options.Count("jobs", 1, min: 1), limit, Console.WriteLine);
        Console.WriteLine(campaign.Report());
        return campaign.Failed.Count > 0 || campaign.Void > campaign.Runs * Campaign.VoidShareMax ? 1 : 0;
    }

    private static IEnumerable<ulong> Seeds(CommandOptions options, ulong count)
    {
        if (!options.Has("base"))
        {
            var first = options.Number("first", 1);
            for (var i = 0UL; i < count; i++) yield return first + i;
            yield break;
        }
        var random = new SeededRandom(options.Number("base", 0));
        for (var i = 0UL; i < count; i++) yield return random.NextUInt64() >> 16;
    }

    private static int One(CommandOptions options, int nodes)
    {
        var seed = options.Number("seed", 0);
        IReadOnlyList<int>? keep = options.Numbers("keep", int.MaxValue) is { } kept ? [.. kept.Select(index => (int)index)] : null;
        var result = Simulator.Run(seed, nodes, keep, options.Has("trace") ? Console.WriteLine : null);
        foreach (var violation in result.Violations) Console.WriteLine(violation);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"seed {seed}: {result.Verdict}, trace {result.TraceHash:x16}, {result.Simulated.TotalSeconds:F1} s simulated in {result.Processor.TotalMilliseconds:F0} ms, " +
            $"{result.Events} events, {result.Views} views, {result.Sends} messages, {result.Deliveries} deliveries, converged in {result.Convergence.TotalSeconds:F2} s"));
        return result.Verdict == Verdict.Failed ? 1 : 0;
    }

    private static int Shrink(ulong seed, int nodes)
    {
        if (Shrinker.Shrink(seed, nodes, Console.WriteLine) is not { } kept)
        {
            Console.WriteLine($"seed {seed} does not fail");
            return 0;
        }
        var plan = Plan.Draw(Swarm.Draw(seed, nodes), seed);
        foreach (var index in kept) Console.WriteLine($"{index,6}  {plan[index]}");
        Console.WriteLine(Simulator.Run(seed, nodes, kept).Violations[0]);
        Console.WriteLine($"replay: {Campaign.ReplayCommand(seed, nodes)} --keep {string.Join(',', kept)}");
        return 1;
    }
}
