namespace Membership.Explorer.Tests;

/// <summary>What every back end of the seam must do, with the same models.</summary>
public class BackEndTests
{
    public static TheoryData<string> Names => [.. Explorers.All.Select(explorer => explorer.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_lost_update_is_found_replayed_and_shrunk(string name)
    {
        var explorer = Called(name);
        var failure = Assert.Single(explorer.Run(Models.LostUpdate(2, observes: true), new ExploreOptions { Iterations = 100 }).Failures);

        Assert.StartsWith("an update was lost", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("does not lead to it again", failure.Details, StringComparison.Ordinal);
        Assert.Equal("s1", failure.Shrunk?.ToString());
        Assert.Equal(failure.Identity, explorer.Replay(Models.LostUpdate(2, observes: true), failure.Trace, new ExploreOptions()).Failure?.Identity);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_sound_model_passes_and_its_schedules_and_states_are_counted(string name)
    {
        var result = Called(name).Run(Models.Grid(2, 3, observes: true), new ExploreOptions { Iterations = 1_000, Strategies = [new StrategyChoice(StrategyKind.Random)] });

        Assert.Empty(result.Failures);
        Assert.Equal(1_000, result.Iterations);
        Assert.Equal(20, result.DistinctSchedules);
        Assert.Equal(16, result.DistinctStates);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void An_answer_that_never_comes_is_found_and_one_that_comes_is_not(string name)
    {
        var options = new ExploreOptions { Iterations = 200, StepsMax = 200, LivenessSteps = 300 };

        var failure = Assert.Single(Called(name).Run(Models.Request(hasBug: true), options).Failures);

        Assert.Equal("\"answer\" has been owed for 300 fair steps", failure.Message);
        Assert.DoesNotContain("does not lead to it again", failure.Details, StringComparison.Ordinal);
        Assert.Equal("s0 r", failure.Shrunk?.ToString());
        Assert.Empty(Called(name).Run(Models.Request(hasBug: false), options).Failures);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Priorities_reach_what_a_random_walk_does_not(string name)
    {
        var hits = 0;
        Called(name).Run(Models.DepthThree(() => hits++), new ExploreOptions { Iterations = 2_000, CheckEvery = 0, Strategies = [new StrategyChoice(StrategyKind.Pct, 3)] });

        Assert.InRange(hits, 1, 200);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void What_is_thrown_is_found_and_with_all_failures_the_run_goes_on(string name)
    {
        static void Test(IExploration exploration)
        {
            var drawn = exploration.NextInteger(8);
            if (drawn == 3) throw new InvalidOperationException("three {0}");
            exploration.Assert(drawn != 5, "five");
        }

        var result = Called(name).Run(Test, new ExploreOptions { Iterations = 200, StopAtFailure = false });

        Assert.Equal(200, result.Iterations);
        Assert.Equal(["InvalidOperationException: three {}", "five"], result.Failures.Select(failure => failure.Identity).Order(StringComparer.Ordinal));
    }

    private static IExplorer Called(string name) => Explorers.All.Single(explorer => explorer.Name == name);
}
