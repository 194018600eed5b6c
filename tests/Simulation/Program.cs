using System.Globalization;
using Membership.Virtual;

namespace Membership.Simulation;

/// <summary>Campaigns, single seeds, shrinking and the table of ring sizes from a shell.</summary>
internal static class CommandLine
{
    private const int Usage = 64;

    private const string Help = """
        --seeds N [--first S] [--base B] [--jobs J] [--minutes M] [--cpu SECONDS] [--failures F] [--skip 1,2,3] [--nodes K]
                                                                                 a campaign: seeds S.. or drawn from B, until time is up or F have failed; without these seeds
        --seed S [--nodes K] [--keep 1,2,3] [--trace]                            one run, with only these steps of its plan
        --shrink S [--nodes K]                                                   the fewest steps that still break the invariant
        --table                                                                  rotation and view change of rings of 2 to 32 nodes
        """;

    public static int Main(string[] args)
    {
        var options = Parse(args);
        if (options is null)
        {
            Console.Error.WriteLine(Help);
            return Usage;
        }
        if (options.ContainsKey("table"))
        {
            Console.WriteLine(RingTable.Measure());
            return 0;
        }
        if (options.ContainsKey("speed"))
        {
            Console.WriteLine(ReferenceCase.Measure());
            return 0;
        }
        var nodes = (int)Number(options, "nodes", 5);
        if (options.ContainsKey("shrink")) return Shrink(Number(options, "shrink", 0), nodes);
        return options.ContainsKey("seed") ? One(options, nodes) : Many(options, nodes);
    }

    private static int Many(Dictionary<string, string> options, int nodes)
    {
        var campaign = new Campaign(nodes)
        {
            FailuresEnough = (int)Number(options, "failures", Campaign.FailuresMax),
            ProcessorMax = options.ContainsKey("cpu") ? TimeSpan.FromSeconds(Number(options, "cpu", 0)) : null,
        };
        TimeSpan? limit = options.TryGetValue("minutes", out var minutes) ? TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture)) : null;
        var count = Number(options, "seeds", limit is null && campaign.ProcessorMax is null ? 100 : long.MaxValue);
        var skipped = options.TryGetValue("skip", out var list) ? list.Split(',').Select(seed => ulong.Parse(seed, CultureInfo.InvariantCulture)).ToList() : [];
        var seeds = Seeds(options, count).Where(seed => !skipped.Contains(seed));
        campaign.Run(seeds, (int)Number(options, "jobs", 1), limit, Console.WriteLine);
        Console.WriteLine(campaign.Report());
        return campaign.Failed.Count > 0 || campaign.Void > campaign.Runs * Campaign.VoidShareMax ? 1 : 0;
    }

    private static IEnumerable<ulong> Seeds(Dictionary<string, string> options, ulong count)
    {
        if (!options.ContainsKey("base"))
        {
            var first = Number(options, "first", 1);
            for (var i = 0UL; i < count; i++) yield return first + i;
            yield break;
        }
        var random = new SeededRandom(Number(options, "base", 0));
        for (var i = 0UL; i < count; i++) yield return random.NextUInt64() >> 16;
    }

    private static int One(Dictionary<string, string> options, int nodes)
    {
        var seed = Number(options, "seed", 0);
        IReadOnlyList<int>? keep = options.TryGetValue("keep", out var list) ? [.. list.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(part => int.Parse(part, CultureInfo.InvariantCulture))] : null;
        var result = Simulator.Run(seed, nodes, keep, options.ContainsKey("trace") ? Console.WriteLine : null);
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

    private static ulong Number(Dictionary<string, string> options, string name, ulong otherwise) =>
        options.TryGetValue(name, out var text) ? ulong.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    private static ulong Number(Dictionary<string, string> options, string name, long otherwise) => Number(options, name, (ulong)otherwise);

    private static Dictionary<string, string>? Parse(string[] args)
    {
        string[] withValue = ["seeds", "first", "base", "jobs", "minutes", "cpu", "failures", "skip", "nodes", "seed", "keep", "shrink"];
        string[] alone = ["trace", "table", "speed"];
        var options = new Dictionary<string, string>();
        for (var i = 0; i < args.Length; i++)
        {
            var name = args[i].StartsWith("--", StringComparison.Ordinal) ? args[i][2..] : "";
            if (alone.Contains(name)) options[name] = "";
            else if (withValue.Contains(name) && i + 1 < args.Length) options[name] = args[++i];
            else return null;
        }
        return options;
    }
}
