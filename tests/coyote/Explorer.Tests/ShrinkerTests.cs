namespace Membership.Explorer.Tests;

/// <summary>What shrinking leaves is the least, and still the same failure.</summary>
public class ShrinkerTests
{
    private static readonly ScheduleExplorer Explorer = new();

    [Fact]
    public void A_planted_bug_shrinks_to_the_four_choices_it_needs()
    {
        for (var seed = 1UL; seed < 20; seed++)
        {
            var failure = Assert.Single(Explorer.Run(Models.Planted, With("random", 20_000) with { Seed = seed * 100_000 }).Failures);

            Assert.Equal("s2 i37 b1 s1", failure.Shrunk?.ToString());
        }
    }

    [Fact]
    public void A_lost_update_shrinks_to_the_one_choice_it_needs()
    {
        var failure = Assert.Single(Explorer.Run(Models.LostUpdate(2, observes: false), With("random", 100)).Failures);

        Assert.Equal("s1", failure.Shrunk?.ToString());     // the second client reads first, then the first one does both, then the second one writes
    }

    [Fact]
    public void Shrinking_does_not_turn_one_failure_into_another()
    {
        static void Test(IExploration exploration)
        {
            var first = exploration.NextInteger(10);
            exploration.Assert(first is not (0 or 2 or 4), "an easy one");     // half of 5, of 8 and of what is left out
            exploration.Assert(first < 5 || exploration.NextInteger(10) < 5, "the one looked for");
        }

        var failures = Explorer.Run(Test, With("random", 2_000) with { StopAtFailure = false }).Failures;

        Assert.Equal("i5*2", failures.Single(failure => failure.Message == "the one looked for").Shrunk?.ToString());
        Assert.Equal("-", failures.Single(failure => failure.Message == "an easy one").Shrunk?.ToString());
    }

    [Fact]
    public void What_one_actor_does_is_joined()
    {
        static void Test(IExploration exploration)
        {
            Span<int> done = stackalloc int[3];
            for (var step = 0; step < 9; step++) done[exploration.PickNext([0, 1, 2])]++;
            exploration.Assert(done is not [_, 3, 3], "three and three");
        }

        var failure = Assert.Single(Explorer.Run(Test, With("random", 5_000)).Failures);

        Assert.Contains(failure.Shrunk?.ToString(), new[] { "s1*3 s2*3", "s2*3 s1*3" });
    }

    /// <summary>Either of the two numbers alone may not become 0, and the choice between them must stay.</summary>
    [Fact]
    public void Where_no_single_change_helps_several_at_once_are_tried()
    {
        static void Test(IExploration exploration)
        {
            var first = exploration.NextInteger(10);
            var isBetween = exploration.NextBoolean();
            var second = exploration.NextInteger(10);
            exploration.Assert(!isBetween || first == 0 != (second == 0), "alike");
        }

        for (var seed = 1UL; seed < 10; seed++)
        {
            var failure = Assert.Single(Explorer.Run(Test, With("random", 100) with { Seed = seed * 1_000 }).Failures);

            Assert.Equal("i0 b1", failure.Shrunk?.ToString());
        }
    }

    [Fact]
    public void Shrinking_ends_with_its_budget()
    {
        var failure = Assert.Single(Explorer.Run(Models.Planted, With("random", 20_000) with { ShrinkRunsMax = 0 }).Failures);
        var shrinker = new Shrinker(Models.Planted, With("random", 1) with { ShrinkRunsMax = 10 }, failure);

        var least = shrinker.Shrink();

        Assert.Equal(10, shrinker.Runs);
        Assert.Equal(failure.Identity, Explorer.Replay(Models.Planted, least, new ExploreOptions()).Failure?.Identity);
    }

    [Fact]
    public void Of_something_owed_forever_only_what_leads_there_is_left()
    {
        var options = With("random", 100) with { StepsMax = 1_000, LivenessSteps = 2_000 };

        var failure = Assert.Single(Explorer.Run(Models.Request(hasBug: true), options).Failures);

        Assert.True(failure.Trace.Decisions.Count > 2_000, "the run had to go on until the answer was overdue");
        Assert.Equal("s0 r", failure.Shrunk?.ToString());       // ask before the server starts; then any fair walk
        Assert.Equal(failure.Identity, Explorer.Replay(Models.Request(hasBug: true), failure.Shrunk!, options).Failure?.Identity); // shrunk: said above
    }

    private static ExploreOptions With(string strategies, long iterations) =>
        new() { Strategies = StrategyChoice.Parse(strategies)!, Iterations = iterations }; // names of this file
}
