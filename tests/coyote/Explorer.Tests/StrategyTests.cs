namespace Membership.Explorer.Tests;

/// <summary>Each strategy finds what it is for.</summary>
public class StrategyTests
{
    private static readonly ScheduleExplorer Explorer = new();

    [Theory]
    [InlineData("random")]
    [InlineData("pct3")]
    [InlineData("pos")]
    [InlineData("delay2")]
    [InlineData("dfs")]
    [InlineData("dfs1")]
    [InlineData("coverage")]
    [InlineData("portfolio")]
    public void Every_strategy_finds_a_lost_update(string strategy)
    {
        var result = Explorer.Run(Models.LostUpdate(2, observes: true), With(strategy, 200));

        var failure = Assert.Single(result.Failures);
        Assert.StartsWith("an update was lost", failure.Message, StringComparison.Ordinal);
        Assert.Contains(result.Shares, share => share.Found.Count > 0);
    }

    [Fact]
    public void Pct_finds_an_order_of_depth_three_that_a_random_walk_does_not()
    {
        Assert.Equal(0, Hits("random", 20_000));
        Assert.InRange(Hits("pct3", 20_000), 10, 2_000);
    }

    [Fact]
    public void A_bug_needs_as_many_changes_as_its_depth_says() =>
        Assert.True(Hits("pct3", 20_000) > 2 * Hits("pct1", 20_000), "three priorities in the right order are not enough, they must change on the way");

    [Fact]
    public void Coverage_guidance_opens_a_lock_that_random_answers_never_would()
    {
        var guided = Explorer.Run(Models.CombinationLock, With("coverage", 20_000));
        var random = Explorer.Run(Models.CombinationLock, With("random", 20_000));

        Assert.Single(guided.Failures);
        Assert.Empty(random.Failures);
    }

    /// <summary>
    /// Two events wait, one runs, a third one arrives. At one place the one left draws anew, so either may be next; at different places it keeps the higher of two ranks,
    /// and the newcomer goes first two times of three.
    /// </summary>
    [Theory]
    [InlineData(0, 0, 0, 3000)]
    [InlineData(0, 1, 2, 4000)]
    public void Partial_order_sampling_draws_anew_only_where_events_race(int first, int second, int newcomer, int expected)
    {
        var overtaken = 0;
        void Test(IExploration exploration)
        {
            var ran = exploration.PickNext([10, 11], [first, second]);
            var left = 1 - ran;
            if (exploration.PickNext([10 + left, 12], [left == 0 ? first : second, newcomer]) == 1) overtaken++;
        }

        Explorer.Run(Test, With("pos", 6_000) with { CheckEvery = 0 });

        Assert.InRange(overtaken, expected - 200, expected + 200);
    }

    [Fact]
    public void Delay_bounding_without_delays_left_runs_the_first_enabled()
    {
        var schedules = new HashSet<string>();
        void Test(IExploration exploration)
        {
            var schedule = "";
            List<int> actors = [0, 0, 0, 1, 1, 1];
            while (actors.Count > 0)
            {
                int[] enabled = [.. actors.Distinct()];
                var actor = enabled[exploration.PickNext(enabled)];
                schedule += actor;
                actors.Remove(actor);
            }
            schedules.Add(schedule);
        }

        Explorer.Run(Test, With("delay1", 500) with { CheckEvery = 0, ExpectedChoices = 6 });

        Assert.Equal(["000111", "001110", "011100", "111000"], schedules.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void An_iteration_runs_alone_from_its_seed()
    {
        var found = Assert.Single(Explorer.Run(Models.Planted, With("pct3,pos,random,delay4", 5_000)).Failures);

        var alone = Assert.Single(Explorer.Run(Models.Planted, With("pct3,pos,random,delay4", 1) with { Seed = found.Seed }).Failures);

        Assert.Equal(found.Trace.ToString(), alone.Trace.ToString());
        Assert.Equal(found.Strategy, alone.Strategy);
    }

    [Fact]
    public void The_same_seed_gives_the_same_run_and_another_seed_another()
    {
        static string All(ulong seed)
        {
            var traces = new List<string>();
            void Test(IExploration exploration)
            {
                Models.Grid(3, 5, observes: true)(exploration);
                traces.Add($"{exploration.NextInteger(1000)}");
            }

            var result = Explorer.Run(Test, With("portfolio", 300) with { Seed = seed });
            return $"{string.Join(' ', traces)} {result.DistinctSchedules} {result.DistinctStates}";
        }

        Assert.Equal(All(7), All(7));
        Assert.NotEqual(All(7), All(1007));
    }

    [Fact]
    public void Threads_share_the_seeds_and_miss_none()
    {
        var one = Explorer.Run(Models.Grid(3, 4, observes: true), With("random,pct3,pos", 3_000));
        var four = Explorer.Run(Models.Grid(3, 4, observes: true), With("random,pct3,pos", 3_000) with { Jobs = 4 });

        Assert.Equal(one.Iterations, four.Iterations);
        Assert.Equal(one.DistinctSchedules, four.DistinctSchedules);
        Assert.Equal(one.DistinctStates, four.DistinctStates);
    }

    [Theory]
    [InlineData("pct3", 2, 3)]
    [InlineData("random", 1, 0)]
    [InlineData("portfolio", 8, 0)]
    public void Names_of_strategies_are_read(string names, int count, int depth)
    {
        var choices = StrategyChoice.Parse(names + (count == 2 ? ",dfs" : ""));

        Assert.NotNull(choices);
        Assert.Equal(count, choices.Count);
        Assert.Equal(depth, choices[0].Depth);
    }

    [Theory]
    [InlineData("")]
    [InlineData("fast")]
    [InlineData("random3")]
    [InlineData("pct0")]
    [InlineData("pct3,x")]
    public void Unknown_names_of_strategies_are_refused(string names) => Assert.Null(StrategyChoice.Parse(names));

    private static int Hits(string strategy, int iterations)
    {
        var hits = 0;
        Explorer.Run(Models.DepthThree(() => hits++), With(strategy, iterations) with { CheckEvery = 0 });
        return hits;
    }

    private static ExploreOptions With(string strategies, long iterations) =>
        new() { Strategies = StrategyChoice.Parse(strategies)!, Iterations = iterations }; // names of this file
}
