using System.Diagnostics;
using Membership.Explorer.Strategies;

namespace Membership.Explorer;

/// <summary>Our own explorer: single-threaded runs, several at once, nothing but the test between two choices.</summary>
public sealed class ScheduleExplorer : IExplorer
{
    /// <summary>Random walks that find out how many choices an iteration has. Their seeds are fixed, so that any iteration can be run alone.</summary>
    private const int ProbeWalks = 8;

    /// <summary>Bytes of stack of a worker: tests may recurse.</summary>
    private const int StackSize = 16 << 20;

    /// <summary>Different failures that are shrunk; all are reported.</summary>
    private const int ShrunkMax = 4;

    /// <inheritdoc/>
    public string Name => "membership";

    /// <inheritdoc/>
    public ExploreResult Run(Action<IExploration> test, ExploreOptions options)
    {
        var started = Stopwatch.GetTimestamp();
        var jobs = options.Strategies.All(choice => choice.Kind == StrategyKind.Dfs) ? 1 : Math.Max(1, options.Jobs);
        var expected = options.ExpectedChoices > 0 ? options.ExpectedChoices : ProbeChoices(test, options);
        var workers = Enumerable.Range(0, jobs).Select(number => new Worker(test, options, number, jobs, expected)).ToArray();
        var hasFailed = 0;
        bool IsOver() => options.StopAtFailure && Volatile.Read(ref hasFailed) != 0;
        void Failed() => Volatile.Write(ref hasFailed, 1);

        var threads = workers.Select(worker => new Thread(() => worker.Run(started, IsOver, Failed), StackSize) { IsBackground = true, Name = "explorer" }).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        if (workers.FirstOrDefault(worker => worker.Died is not null) is { } dead) throw new InvalidOperationException("the explorer itself failed, not the test", dead.Died);

        return Report(test, options, workers, Stopwatch.GetElapsedTime(started));
    }

    /// <inheritdoc/>
    public ReplayResult Replay(Action<IExploration> test, Trace trace, ExploreOptions options, Action<string>? tell = null)
    {
        var exploration = new Exploration(options.StepsMax, options.LivenessSteps, null) { Listener = tell };
        var player = new TracePlayer();
        player.Load(trace.Decisions.ToArray(), isLoose: false, trace.FairFrom, trace.EndsFair);
        var outcome = exploration.Run(test, player, TracePlayer.SeedAfterEnd);
        return new ReplayResult(outcome.HasFailed ? outcome.ToFailure() with { Trace = trace, Strategy = "replay" } : null, outcome.Steps, outcome.HasFailed ? null : player.Left);
    }

    /// <summary>Choices with an alternative that an iteration has: the most of a few random walks.</summary>
    internal static int ProbeChoices(Action<IExploration> test, ExploreOptions options)
    {
        var usesIt = options.Strategies.Any(choice => choice.Kind is StrategyKind.Pct or StrategyKind.Delay);
        if (!usesIt) return 1;
        var exploration = new Exploration(options.StepsMax, options.LivenessSteps, null);
        var walk = new RandomWalk();
        var longest = 1;
        for (var probe = 0; probe < ProbeWalks; probe++)
        {
            var schedule = 0;
            foreach (var decision in exploration.Run(test, walk, ulong.MaxValue - (ulong)probe).Decisions)
            {
                if (decision.Kind == ChoiceKind.Schedule) schedule++;
            }
            longest = Math.Max(longest, schedule);
        }
        return longest;
    }

    private ExploreResult Report(Action<IExploration> test, ExploreOptions options, Worker[] workers, TimeSpan elapsed)
    {
        var (states, schedules) = (workers[0].States, workers[0].Schedules);
        foreach (var worker in workers.Skip(1))
        {
            states.AddAll(worker.States);
            schedules.AddAll(worker.Schedules);
        }
        var found = workers.SelectMany(worker => worker.Failures).OrderBy(failure => failure.Iteration).DistinctBy(failure => failure.Identity).ToList();
        return new ExploreResult
        {
            Explorer = Name,
            Iterations = workers.Sum(worker => worker.Slots.Sum(slot => slot.Iterations)),
            Steps = workers.Sum(worker => worker.Slots.Sum(slot => slot.Steps)),
            CutOff = workers.Sum(worker => worker.CutOff),
            DistinctSchedules = schedules.Count,
            DistinctStates = states.Count,
            IsLowerBound = states.IsFull || schedules.IsFull,
            Elapsed = elapsed,
            Seed = options.Seed,
            Shares = [.. workers.SelectMany(worker => worker.Slots).GroupBy(slot => slot.Choice).Select(StrategySlot.Share)],
            Search = SearchOf(workers[0]),
            Failures = [.. found.Select((failure, at) => at < ShrunkMax ? Examine(test, options, failure) : failure)],
        };
    }

    private static SearchEnd? SearchOf(Worker worker)
    {
        foreach (var slot in worker.Slots)
        {
            if (slot.Strategy is not DepthFirstSearch search) continue;
            return new SearchEnd(search.IsExhausted && search.LeftOut == 0 && search.CutOff == 0, search.IsExhausted, slot.Choice.Depth, search.LeftOut, search.CutOff, search.Pruned);
        }
        return null;
    }

    /// <summary>Is it the same when run again? Then what is the least that leads to it?</summary>
    internal Failure Examine(Action<IExploration> test, ExploreOptions options, Failure failure)
    {
        if (failure.Kind == FailureKind.Nondeterminism) return failure;
        var again = Replay(test, failure.Trace, options);
        if (again.Failure?.Identity != failure.Identity)
        {
            var second = again.Failure is { } other ? $"\"{other.Message}\"" : $"nothing{(again.Left is { } left ? $" ({left})" : "")}";
            return Nondeterminism.ToFailure($"the same answers led once to \"{failure.Message}\" and then to {second}", failure.Trace) with
            {
                Strategy = failure.Strategy,
                Seed = failure.Seed,
                Iteration = failure.Iteration,
                Details = failure.Details,
            };
        }
        return options.ShrinkRunsMax == 0 ? failure : failure with { Shrunk = new Shrinker(test, options, failure).Shrink() };
    }
}
