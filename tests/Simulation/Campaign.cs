using System.Diagnostics;
using System.Globalization;
using Membership.Virtual;

namespace Membership.Simulation;

/// <summary>Many seeds on a few threads, and what came of them.</summary>
public sealed class Campaign(int nodes)
{
    /// <summary>Void runs above this share fail a campaign: it proves too little.</summary>
    public const double VoidShareMax = 0.01;

    /// <summary>After so many failures a campaign stops: the first ones have to be mended before more are worth their time.</summary>
    public const int FailuresMax = 100;

    private readonly Lock _gate = new();
    private readonly List<RunResult> _failed = [];
    private readonly long[] _steps = new long[Enum.GetValues<StepKind>().Length];
    private readonly long[] _network = new long[5];
    private int _runs;
    private int _void;
    private long _views;
    private long _sends;
    private long _deliveries;
    private TimeSpan _simulated;
    private TimeSpan _processor;
    private TimeSpan _slowestConvergence;

    /// <summary>It stops after so many failures: 1 when only the question is whether anything is found.</summary>
    public int FailuresEnough { get; init; } = FailuresMax;

    /// <summary>It begins no run after this much processor time; null = no such limit.</summary>
    public TimeSpan? ProcessorMax { get; init; }

    public IReadOnlyList<RunResult> Failed => _failed;

    public int Runs => _runs;

    public int Void => _void;

    public TimeSpan Simulated => _simulated;

    /// <summary>Runs seeds until all are done, the time is over or too many have failed.</summary>
    public void Run(IEnumerable<ulong> seeds, int jobs, TimeSpan? limit, Action<string> say)
    {
        var began = Stopwatch.GetTimestamp();
        var processor = Environment.CpuUsage.TotalTime;
        using var source = seeds.GetEnumerator();
        var workers = Enumerable.Range(0, jobs).Select(_ => new Thread(() => Work(source, () => IsTimeUp(began, processor, limit), say))).ToList();
        workers.ForEach(worker => worker.Start());
        workers.ForEach(worker => Await(worker, say));
        _processor = Environment.CpuUsage.TotalTime - processor;
    }

    private bool IsTimeUp(long began, TimeSpan processor, TimeSpan? limit) =>
        Stopwatch.GetElapsedTime(began) >= limit || Environment.CpuUsage.TotalTime - processor >= ProcessorMax;

    /// <summary>Waits for a worker; a run that takes far longer than any other is named while it lasts, so that it can be replayed.</summary>
    private void Await(Thread worker, Action<string> say)
    {
        while (!worker.Join(LookPace))
        {
            lock (_gate)
            {
                foreach (var (seed, since) in _running)
                {
                    if (Stopwatch.GetElapsedTime(since) > LongRun && _long.Add(seed))
                        say($"seed {seed} has run for {LongRun.TotalSeconds:F0} s\n    replay: {ReplayCommand(seed, nodes)}");
                }
            }
        }
    }

    private static readonly TimeSpan LookPace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongRun = TimeSpan.FromSeconds(20);

    private GroupTally _groups;
    private readonly Dictionary<ulong, long> _running = [];
    private readonly HashSet<ulong> _long = [];

    private void Work(IEnumerator<ulong> seeds, Func<bool> isTimeUp, Action<string> say)
    {
        while (!isTimeUp())
        {
            ulong seed;
            lock (_gate)
            {
                if (_failed.Count >= FailuresEnough || !seeds.MoveNext()) return;
                seed = seeds.Current;
                _running[seed] = Stopwatch.GetTimestamp();
            }
            var result = Simulator.Run(seed, nodes);
            lock (_gate)
            {
                _running.Remove(seed);
                Add(result, say);
            }
        }
    }

    private void Add(RunResult result, Action<string> say)
    {
        _runs++;
        if (result.Verdict == Verdict.Void) _void++;
        _views += result.Views;
        _sends += result.Sends;
        _deliveries += result.Deliveries;
        _groups = _groups.Plus(result.Groups);
        _simulated += result.Simulated;
        if (result.Convergence > _slowestConvergence) _slowestConvergence = result.Convergence;
        for (var i = 0; i < _steps.Length; i++) _steps[i] += result.Steps[i];
        for (var i = 0; i < _network.Length; i++) _network[i] += result.NetworkFaults[i];
        if (result.Verdict == Verdict.Failed)
        {
            _failed.Add(result);
            var first = result.Violations[0];
            var isNew = _failed.TrueForAll(other => other == result || other.Violations[0].Id != first.Id);
            say($"FAILED seed {result.Seed}: {(isNew ? first : $"{first.Id}: {first.Sentence}")}\n    replay: {ReplayCommand(result.Seed, nodes)}");
        }
        if (_runs % 200 == 0) say(string.Create(CultureInfo.InvariantCulture, $"{_runs} runs, {_simulated.TotalHours:F1} h, {_failed.Count} failed"));
    }

    /// <summary>The one command that shows a failure again.</summary>
    public static string ReplayCommand(ulong seed, int nodes) =>
        $"dotnet run -c Release --project tests/Simulation -- --seed {seed}{(nodes == 5 ? "" : $" --nodes {nodes}")} --trace";

    private string Kinds => _failed.Count == 0
        ? ""
        : $" ({string.Join(", ", _failed.GroupBy(run => run.Violations[0].Id).OrderBy(group => group.Key).Select(group => $"{group.Key} {group.Count()}"))})";

    /// <summary>The whole outcome in words.</summary>
    public string Report()
    {
        var faults = Plan.Faults.Select(kind => $"{kind} {_steps[(int)kind]}");
        var speed = _processor > TimeSpan.Zero ? _simulated / _processor : 0;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""
             runs {_runs}, failed {_failed.Count}{Kinds}, void {_void}, nodes {nodes}
             simulated {_simulated.TotalHours:F2} cluster-hours in {_processor.TotalSeconds:F1} s of processor: {speed:F0} x real time
             views {_views}, messages {_sends}, deliveries {_deliveries}, slowest convergence {_slowestConvergence.TotalSeconds:F1} s
             groups: changes {_groups.Changes}, deliveries {_groups.Deliveries}, views with strangers {_groups.Synchronisations + _groups.Cut} of which {_groups.Cut} ended before all were known
             faults: {string.Join(", ", faults)}
             datagrams: lost {_network[0]}, duplicated {_network[1]}, held back {_network[2]}, corrupted {_network[3]}, replayed {_network[4]}
             """);
    }
}
