using System.Diagnostics;
using Membership.Explorer.Strategies;

namespace Membership.Explorer;

/// <summary>A strategy of one thread and what it did.</summary>
internal sealed class StrategySlot(StrategyChoice choice, Strategy strategy)
{
    public StrategyChoice Choice { get; } = choice;

    public Strategy Strategy { get; } = strategy;

    public long Iterations { get; private set; }

    public long Steps { get; private set; }

    public long NewStates { get; private set; }

    public long NewSchedules { get; private set; }

    public List<string> Found { get; } = [];

    /// <summary>Searching a tree leaf by leaf, each neighbour is new and none is interesting.</summary>
    public bool FeedsCorpus => Strategy is not DepthFirstSearch;

    public static StrategySlot Create(StrategyChoice choice, int expectedChoices, Corpus corpus, bool maySearch) => new(choice, choice.Kind switch
    {
        StrategyKind.Random => new RandomWalk(),
        StrategyKind.Pct => new PctStrategy(choice.Depth, expectedChoices),
        StrategyKind.Pos => new PartialOrderSampling(),
        StrategyKind.Delay => new DelayStrategy(choice.Depth, expectedChoices),
        StrategyKind.Coverage => new CoverageGuided(corpus),
        StrategyKind.Dfs when maySearch => new DepthFirstSearch(choice.Depth),
        StrategyKind.Dfs => new PartialOrderSampling(),     // two searches from the same root would see the same
        _ => throw new UnreachableException($"unknown strategy {choice}"),
    });

    public static StrategyShare Share(IGrouping<StrategyChoice, StrategySlot> slots) => new(
        slots.Key.ToString(), slots.Sum(slot => slot.Iterations), slots.Sum(slot => slot.Steps),
        slots.Sum(slot => slot.NewSchedules), slots.Sum(slot => slot.NewStates), [.. slots.SelectMany(slot => slot.Found).Distinct()]);

    public void Count(IterationOutcome outcome, bool isNewSchedule)
    {
        Iterations++;
        Steps += outcome.Steps;
        NewStates += outcome.NewStates;
        if (isNewSchedule) NewSchedules++;
    }
}
