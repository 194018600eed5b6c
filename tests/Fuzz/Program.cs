using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Membership.Fuzz.Engine;
using Membership.Virtual;

namespace Membership.Fuzz;

/// <summary>Campaigns against one parser or all of them, from a shell.</summary>
internal static class CommandLine
{
    private const int JobsMax = 1024;
    private const ulong SecondsMax = 365 * 24 * 3600;

    private static readonly string[] WithValue = ["target", "executions", "seconds", "jobs", "seed", "keep", "replay", "block", "write-corpus"];
    private static readonly string[] Alone = ["json", "list"];

    private const string Help = """
        --target NAME|all [--executions N | --seconds S] [--jobs J] [--seed B] [--json] [--keep DIR]
                                        a campaign (default: all, 2000000 executions, one job, seed 1). Failing inputs go to DIR (default: fuzz-failures)
        --target NAME --replay FILE     one input, from a .hex file of the corpus or any other file
        --target NAME --block N         one block of executions, for failures of targets with state
        --list                          the targets and their reasons
        --write-corpus DIR              what the encoders write now, as files
        exit code: 0 only when nothing failed and every reason of every target was met at least 100 times (else the campaign is void)
        """;

    public static int Main(string[] args) => CommandOptions.Run(args, WithValue, Alone, Help, Run);

    private static int Run(CommandOptions options)
    {
        if (options.Has("list")) return List();
        if (options.Text("write-corpus") is { } folder)
        {
            foreach (var make in TargetTable.All) Console.WriteLine($"{make().Name}: {Corpus.Write(folder, make())} seeds");
            return 0;
        }

        var name = options.Text("target") ?? "all";
        List<Func<Target>> targets = [.. TargetTable.All.Where(make => name == "all" || make().Name == name || make().Name.StartsWith(name + "/", StringComparison.Ordinal))];
        if (targets.Count == 0) throw new UsageException($"--target {name}: there is no such target; --list names them");
        if (options.Text("replay") is { } file) return Replay(targets[0](), Corpus.ReadFile(file));
        return Many(targets, options);
    }

    private static int List()
    {
        foreach (var make in TargetTable.All)
        {
            var target = make();
            Console.WriteLine($"{target.Name}: {string.Join(", ", target.Reasons)}");
        }

        return 0;
    }

    private static int Replay(Target target, byte[] input)
    {
        var judge = new Judge(target);
        judge.WarmUp(input);
        var verdict = judge.Run(input, out var reason);
        Console.WriteLine(verdict is { } wrong ? $"{wrong.Kind}: {wrong.Text}" : $"{target.Reasons[reason]}, {judge.AllocatedMax} bytes allocated for {input.Length}");
        return verdict is null ? 0 : 1;
    }

    private static int Many(List<Func<Target>> targets, CommandOptions options)
    {
        var seed = options.Number("seed", 1);
        var jobs = options.Count("jobs", 1, min: 1, JobsMax);
        var seconds = options.Has("seconds") ? options.Number("seconds", 0, max: SecondsMax) : (ulong?)null;
        var executions = options.Number("executions", seconds is null ? 2_000_000 : ulong.MaxValue >> 2, max: ulong.MaxValue >> 2);
        var block = options.Has("block") ? (long)options.Number("block", 0, max: long.MaxValue / Campaign.BlockExecutions) : (long?)null;
        var weights = targets.Sum(make => make().Weight);
        var watch = Stopwatch.StartNew();
        var results = new List<TargetResult>();
        Console.WriteLine($"fuzzer: {targets.Count} targets, seed {seed}, {jobs} jobs");
        foreach (var make in targets)
        {
            var target = make();
            var share = (double)target.Weight / weights;
            var campaign = new Campaign(make, seed, jobs, Corpus.Read(target.Name));
            var result = block is { } one
                ? campaign.RunBlock(one)
                : campaign.Run((long)Math.Ceiling(executions * share), seconds is { } s ? TimeSpan.FromSeconds(s * share) : null);
            results.Add(result);
            Tell(result, options.Has("json"));
            Keep(result, options.Text("keep") ?? "fuzz-failures", seed);
            if (result.Failures.Exists(failure => failure.Kind == "hang")) break;
        }

        return Sum(results, watch.Elapsed, options.Has("json"));
    }

    private static void Tell(TargetResult result, bool json)
    {
        var hits = result.Reasons.Select((reason, index) => (reason, hits: result.Hits[index])).ToList();
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                target = result.Name,
                executions = result.Executions,
                per_second = Math.Round(result.Rate),
                allocated_bytes_max = result.AllocatedMax,
                reasons = hits.ToDictionary(each => each.reason, each => each.hits),
                is_void = result.IsVoid,
                failures = result.Failures.Select(failure => new { failure.Kind, failure.Text, failure.Block, input = Convert.ToHexStringLower(failure.Input) }),
            }));
            return;
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Name,-24} {result.Executions,10} executions {result.Rate,9:F0}/s per core {result.AllocatedMax,8} B at most   {string.Join(", ", hits.Select(each => $"{each.reason} {each.hits}"))}"));
        foreach (var failure in result.Failures) Console.WriteLine($"  FAILED {failure.Kind}: {failure.Text}\n    input: {Convert.ToHexStringLower(failure.Input)} (block {failure.Block})");
        if (result.IsVoid) Console.WriteLine($"  VOID: met less than {TargetResult.HitsMin} times: {string.Join(", ", result.Rare)}");
    }

    private static void Keep(TargetResult result, string folder, ulong seed)
    {
        for (var i = 0; i < result.Failures.Count; i++)
        {
            var failure = result.Failures[i];
            Directory.CreateDirectory(folder);
            var file = Path.Combine(folder, $"{failure.Target.Replace('/', '-')}-{failure.Kind}-{i}.hex");
            File.WriteAllText(file, Corpus.ToHex(failure.Input, $"{failure.Kind}: {failure.Text.ReplaceLineEndings(" ")}, seed {seed}, block {failure.Block}"));
            Console.WriteLine($"  kept: {file}; replay: --target {failure.Target} --replay {file} (with state: --target {failure.Target} --seed {seed} --block {failure.Block})");
        }
    }

    private static int Sum(List<TargetResult> results, TimeSpan elapsed, bool json)
    {
        var executions = results.Sum(result => result.Executions);
        var rate = executions / Math.Max(results.Sum(result => result.Processor.TotalSeconds), 1e-6);
        var slow = results.Where(result => result.RateMin > 0 && result.Rate < result.RateMin).Select(result => result.Name).ToList();
        var (failed, empty) = (results.Count(result => result.Failures.Count > 0), results.Count(result => result.Failures.Count == 0 && result.IsVoid));
        if (slow.Count > 0 && !json) Console.WriteLine($"below their pace (told, not failed: it depends on the machine): {string.Join(", ", slow)}");
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"fuzzer: {executions} executions in {elapsed.TotalSeconds:F0} s ({rate:F0}/s per core), {results.Count(result => result.IsWell)} targets well, {failed} failed, {empty} void"));
        return results.TrueForAll(result => result.IsWell) ? 0 : 1;
    }
}
