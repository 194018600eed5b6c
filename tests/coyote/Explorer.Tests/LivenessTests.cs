namespace Membership.Explorer.Tests;

/// <summary>What is owed must happen under fair scheduling, and only there.</summary>
public class LivenessTests
{
    private static readonly ScheduleExplorer Explorer = new();

    [Theory]
    [InlineData("random")]
    [InlineData("pct3")]
    [InlineData("pos")]
    [InlineData("delay2")]
    [InlineData("coverage")]
    public void What_never_happens_is_found_by_every_strategy(string strategy)
    {
        var failure = Assert.Single(Explorer.Run(Models.Request(hasBug: true), With(strategy)).Failures);

        Assert.Equal(FailureKind.Liveness, failure.Kind);
        Assert.Equal("\"answer\" has been owed for 300 fair steps", failure.Message);
    }

    [Theory]
    [InlineData("random")]
    [InlineData("pct3")]
    [InlineData("pos")]
    [InlineData("delay2")]
    [InlineData("coverage")]
    [InlineData("dfs1")]
    public void What_a_fair_schedule_brings_about_is_no_failure_however_unfair_the_strategy(string strategy) =>
        Assert.Empty(Explorer.Run(Models.Request(hasBug: false), With(strategy) with { StepsMax = 600, LivenessSteps = 100 }).Failures);

    [Theory]
    [InlineData("pct3")]        // fair from the step bound on
    [InlineData("random")]      // fair from the beginning
    public void A_trace_of_something_overdue_replays_to_the_same_step(string strategy)
    {
        var failure = Assert.Single(Explorer.Run(Models.Request(hasBug: true), With(strategy)).Failures);

        var again = Explorer.Replay(Models.Request(hasBug: true), Trace.Parse(failure.Trace.ToString()), With(strategy));

        Assert.NotNull(failure.Trace.FairFrom);
        Assert.Equal(failure.Message, again.Failure?.Message);
        Assert.Equal(failure.Step, again.Steps);
    }

    [Fact]
    public void Owed_when_nothing_more_happens_is_a_failure()
    {
        static void Test(IExploration exploration)
        {
            exploration.Hot("reply");
            if (exploration.NextBoolean()) exploration.Cold("reply");
        }

        var failure = Assert.Single(Explorer.Run(Test, With("random")).Failures);

        Assert.Equal("\"reply\" is still owed at the end, when nothing more happens", failure.Message);
        Assert.Equal("-", failure.Shrunk?.ToString());
    }

    [Fact]
    public void An_iteration_that_was_cut_off_owes_nothing_even_when_the_test_swallows_its_end()
    {
        var swallowed = 0;
        void Test(IExploration exploration)
        {
            exploration.Hot("reply");
            for (var state = 0UL; state < 100; state++)
            {
                try
                {
                    exploration.Observe(state % 2);
                }
                catch (Exception)   // as a task does with what is thrown in it
                {
                    if (++swallowed % 3 == 0) return;
                }
            }
        }

        Assert.Empty(Explorer.Run(Test, With("dfs")).Failures);
        Assert.Equal(0, swallowed % 3);
    }

    [Fact]
    public void Each_debt_is_counted_from_its_own_beginning()
    {
        static void Test(IExploration exploration)
        {
            for (var step = 0; step < 2_000; step++)
            {
                exploration.PickNext([0, 1]);
                var name = step % 2 == 0 ? "even" : "odd";
                exploration.Hot(name);
                exploration.Hot(name);
                if (step % 200 == 150) exploration.Cold("even");
                if (step % 200 == 199) exploration.Cold("odd");
            }
            exploration.Cold("even");
            exploration.Cold("odd");
        }

        Explorer.Run(Test, With("random") with { StepsMax = 5_000, Iterations = 20 }).ThrowIfFailed();
        Assert.Single(Explorer.Run(Test, With("random") with { StepsMax = 5_000, LivenessSteps = 150, Iterations = 20, ShrinkRunsMax = 0 }).Failures);
    }

    private static ExploreOptions With(string strategies) =>
        new() { Strategies = StrategyChoice.Parse(strategies)!, Iterations = 400, StepsMax = 200, LivenessSteps = 300 }; // names of this file
}
