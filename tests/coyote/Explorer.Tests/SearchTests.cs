namespace Membership.Explorer.Tests;

/// <summary>Depth-first search against models counted by hand.</summary>
public class SearchTests
{
    private static readonly ScheduleExplorer Explorer = new();

    [Theory]
    [InlineData(2, 3, 20)]      // 6! / (3! 3!)
    [InlineData(3, 2, 90)]      // 6! / (2! 2! 2!)
    [InlineData(4, 2, 2520)]    // 8! / (2! 2! 2! 2!)
    public void Search_runs_every_schedule_once(int actors, int steps, long schedules)
    {
        var result = Explorer.Run(Models.Grid(actors, steps, observes: false), Search("dfs"));

        Assert.Equal(schedules, result.Iterations);
        Assert.Equal(schedules, result.DistinctSchedules);
        Assert.True(result.Search is { IsComplete: true, Pruned: 0 });
    }

    [Fact]
    public void Search_runs_every_data_choice_too()
    {
        void Test(IExploration exploration)
        {
            exploration.NextInteger(3);
            if (exploration.NextBoolean()) exploration.PickNext([5, 6, 7, 8]);
        }

        var result = Explorer.Run(Test, Search("dfs"));

        Assert.Equal(15, result.Iterations);     // 3 numbers x (4 actors after true + 1 after false)
        Assert.True(result.Search!.IsComplete); // depth-first search took part
    }

    /// <summary>Of the 4 x 4 states, 9 have both actors enabled; each is expanded once, so 9 alternatives follow the first run.</summary>
    [Fact]
    public void Pruning_expands_each_state_once()
    {
        var result = Explorer.Run(Models.Grid(2, 3, observes: true), Search("dfs"));

        Assert.Equal(16, result.DistinctStates);
        Assert.Equal(10, result.Iterations);
        Assert.True(result.Search is { IsComplete: true, Pruned: > 0 });
    }

    /// <summary>AAABBB is free; ABBBAA, AABBBA and BBBAAA cost one delay each.</summary>
    [Fact]
    public void One_delay_allows_four_schedules_of_two_times_three_steps()
    {
        var result = Explorer.Run(Models.Grid(2, 3, observes: false), Search("dfs1"));

        Assert.Equal(4, result.Iterations);
        Assert.True(result.Search is { IsExhausted: true, IsComplete: false, LeftOut: > 0 });
    }

    [Fact]
    public void Pruning_with_a_bound_on_delays_loses_no_state_that_the_bound_allows()
    {
        for (var delays = 1; delays <= 4; delays++)
        {
            var without = new HashSet<ulong>();
            var with = new HashSet<ulong>();
            Explorer.Run(Recording(without, isToldToExplorer: false), Search($"dfs{delays}"));
            Explorer.Run(Recording(with, isToldToExplorer: true), Search($"dfs{delays}"));

            Assert.Equal(without.Order(), with.Order());
        }
    }

    /// <summary>The same state is reached for two delays first and for one later; what lies one delay behind it can only be reached from there the second time.</summary>
    [Fact]
    public void A_state_is_explored_again_when_more_delays_are_left()
    {
        var isReached = false;
        void Test(IExploration exploration)
        {
            int Turn() => exploration.PickNext([0, 1], [0, 0]);
            if (Turn() == 0 && (Turn() == 0 || Turn() == 0)) return;
            exploration.Observe(7);
            isReached |= Turn() == 1;
        }

        Explorer.Run(Test, Search("dfs2"));

        Assert.True(isReached);
    }

    [Fact]
    public void Pruning_does_not_lose_the_bug()
    {
        var pruned = Explorer.Run(Models.LostUpdate(3, observes: true), Search("dfs") with { StopAtFailure = false });
        var plain = Explorer.Run(Models.LostUpdate(3, observes: false), Search("dfs") with { StopAtFailure = false });

        Assert.Single(pruned.Failures);
        Assert.Single(plain.Failures);
        Assert.True(pruned.Iterations < plain.Iterations / 2, $"{pruned.Iterations} with pruning, {plain.Iterations} without");
    }

    [Fact]
    public void A_correct_model_is_proven_correct()
    {
        var result = Explorer.Run(Models.LostUpdate(1, observes: true), Search("dfs"));

        Assert.Empty(result.Failures);
        Assert.True(result.Search!.IsComplete); // depth-first search took part
    }

    [Fact]
    public void A_search_that_the_step_bound_cuts_off_says_that_it_is_not_complete()
    {
        var result = Explorer.Run(Models.Grid(2, 3, observes: false), Search("dfs") with { StepsMax = 4 });

        Assert.True(result.Search is { IsExhausted: true, IsComplete: false, CutOff: > 0 });
    }

    /// <summary>A counter that only grows, reached faster one way: the late way must be explored again when the bound would have hidden what follows.</summary>
    [Fact]
    public void With_a_step_bound_a_state_is_explored_again_when_more_steps_are_left()
    {
        var deepest = 0;
        void Test(IExploration exploration)
        {
            for (var at = 0; ;)
            {
                exploration.Observe((ulong)at);
                var jump = exploration.PickNext([0, 1]);
                at += jump == 0 ? 1 : at == 0 ? 3 : 1;
                deepest = Math.Max(deepest, at);
            }
        }

        var result = Explorer.Run(Test, Search("dfs") with { StepsMax = 6 });

        Assert.Equal(8, deepest);       // 3 at once, then five more
        Assert.True(result.Search is { IsExhausted: true, IsComplete: false });
    }

    [Fact]
    public void A_state_that_a_forced_step_leads_back_to_ends_the_run()
    {
        static void Test(IExploration exploration)
        {
            exploration.PickNext([1, 2]);
            while (true)
            {
                exploration.PickNext([3]);
                exploration.Observe(99);
            }
        }

        var result = Explorer.Run(Test, Search("dfs") with { StepsMax = 1_000 });

        Assert.Equal(2, result.Iterations);
        Assert.True(result.Steps < 10);
        Assert.True(result.Search is { IsComplete: true, Pruned: 2 });
    }

    [Fact]
    public void The_same_state_with_a_debt_is_another_one()
    {
        static void Test(IExploration exploration)
        {
            if (exploration.NextBoolean()) exploration.Hot("debt");
            exploration.Observe(5);
        }

        Assert.Single(Explorer.Run(Test, Search("dfs")).Failures);
    }

    [Fact]
    public void A_search_stopped_by_its_number_of_iterations_is_not_exhausted()
    {
        var result = Explorer.Run(Models.Grid(3, 3, observes: false), Search("dfs") with { Iterations = 100 });

        Assert.Equal(100, result.Iterations);
        Assert.False(result.Search!.IsExhausted); // depth-first search took part
    }

    [Fact]
    public void A_portfolio_goes_on_with_others_when_its_search_is_exhausted()
    {
        var result = Explorer.Run(Models.Grid(2, 2, observes: false), Search("dfs,random") with { Iterations = 200, Jobs = 2 });

        Assert.Equal(200, result.Iterations);
        Assert.True(result.Search!.IsExhausted); // depth-first search took part
        Assert.Equal(6, result.DistinctSchedules);
    }

    private static Action<IExploration> Recording(HashSet<ulong> states, bool isToldToExplorer) => exploration =>
    {
        Span<int> done = stackalloc int[3];
        Span<int> enabled = stackalloc int[3];
        while (true)
        {
            var count = 0;
            for (var actor = 0; actor < 3; actor++)
            {
                if (done[actor] < 3) enabled[count++] = actor;
            }
            if (count == 0) return;
            done[enabled[exploration.PickNext(enabled[..count])]]++;
            var state = (ulong)((done[0] * 16) + (done[1] * 4) + done[2]);
            states.Add(state);
            if (isToldToExplorer) exploration.Observe(state);
        }
    };

    private static ExploreOptions Search(string strategies) =>
        new() { Strategies = StrategyChoice.Parse(strategies)!, Iterations = 1_000_000 }; // names of this file
}
