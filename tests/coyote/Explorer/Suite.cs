namespace Membership.Explorer;

/// <summary>One model with what must always hold in it, ready to be explored.</summary>
public sealed record Suite
{
    /// <summary>Words joined by hyphens, as in <c>ring-formation</c>.</summary>
    public required string Name { get; init; }

    /// <summary>One sentence: what never happens, and what always happens in the end.</summary>
    public required string Promise { get; init; }

    /// <summary>One iteration. A function of the answers alone; several threads call it at once, each one iteration after the other.</summary>
    public required Action<IExploration> Explore { get; init; }

    /// <summary>As in <see cref="ExploreOptions.StepsMax"/>.</summary>
    public int StepsMax { get; init; } = 1000;

    /// <summary>As in <see cref="ExploreOptions.LivenessSteps"/>.</summary>
    public int LivenessSteps { get; init; } = 5000;

    /// <summary>Which strategies serve it unless others are asked for, as <see cref="StrategyChoice.Parse"/> reads them: <c>dfs</c> for a model small enough to be exhausted.</summary>
    public string Strategies { get; init; } = "portfolio";

    /// <summary>For <c>dfs</c>: the search must come to its end, within this many iterations; 0 when it need not.</summary>
    public long ExhaustedWithin { get; init; }

    /// <summary>Set where the suite must fail: the alarm is being tested, and a run that finds nothing is the failure.</summary>
    public bool MustFail { get; init; }

    /// <summary>The options of a run of this suite.</summary>
    public ExploreOptions Options => new()
    {
        StepsMax = StepsMax,
        LivenessSteps = LivenessSteps,
        Strategies = StrategyChoice.Parse(Strategies) ?? throw new InvalidOperationException($"suite {Name}: \"{Strategies}\" names no strategies"),
    };

    /// <summary>Explores it and throws what it finds, with the trace in the message: for a unit test of the suite.</summary>
    /// <exception cref="ExplorationFailedException">Something failed.</exception>
    public ExploreResult Check(long iterations, ulong seed = 1) =>
        new ScheduleExplorer().Run(Explore, Options with { Iterations = iterations, Seed = seed }).ThrowIfFailed();
}

/// <summary>Suites of one assembly: every public class that has this and a constructor without parameters is found by the runner, in each <c>Membership.Exploration*.dll</c> beside it.</summary>
public interface ISuites
{
    /// <summary>The suites, always the same ones in the same order.</summary>
    IEnumerable<Suite> All { get; }
}
