namespace Membership.Explorer;

/// <summary>How much to explore, and how.</summary>
public sealed record ExploreOptions
{
    /// <summary>Strategies, one of which serves each iteration; the seed says which. Default: the portfolio.</summary>
    public IReadOnlyList<StrategyChoice> Strategies { get; init; } = StrategyChoice.Portfolio;

    /// <summary>Iteration i runs with this plus i, so each can be run alone.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>At most as many iterations. Depth-first search may end earlier: when it has seen everything.</summary>
    public long Iterations { get; init; } = 1000;

    /// <summary>No iteration but the first starts later than this after the beginning; null for no limit.</summary>
    public TimeSpan? TimeMax { get; init; }

    /// <summary>
    /// An iteration ends after so many steps (schedule choices), unless something is owed: then scheduling turns fair and it goes on until that has happened or
    /// <see cref="LivenessSteps"/> are over. For depth-first search this is the depth bound.
    /// </summary>
    public int StepsMax { get; init; } = 1000;

    /// <summary>What is owed must happen within so many fair steps.</summary>
    public int LivenessSteps { get; init; } = 5000;

    /// <summary>Threads; each takes every n-th iteration. Depth-first search alone uses one.</summary>
    public int Jobs { get; init; } = 1;

    /// <summary>End with the first failure; otherwise go on and collect different ones.</summary>
    public bool StopAtFailure { get; init; } = true;

    /// <summary>Runs that shrinking may take per failure; 0 for no shrinking.</summary>
    public int ShrinkRunsMax { get; init; } = 3000;

    /// <summary>Time that shrinking may take per failure.</summary>
    public TimeSpan ShrinkTimeMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The first and each n-th iteration runs twice, to see that the test is a function of the answers; 0 for never.</summary>
    public int CheckEvery { get; init; } = 1024;

    /// <summary>Choices with more than one answer that an iteration is expected to have, for PCT and delay bounding; 0 to find out by a few random walks.</summary>
    public int ExpectedChoices { get; init; }

    /// <summary>Ends the exploration between two iterations.</summary>
    public CancellationToken Cancellation { get; init; }
}
