namespace Membership.Explorer.Tests;

/// <summary>A trace shows the same run again, and a test that is no function of its answers is told so.</summary>
public class ReplayTests
{
    private static readonly ScheduleExplorer Explorer = new();

    [Theory]
    [InlineData("random")]
    [InlineData("pct3")]
    [InlineData("pos")]
    [InlineData("delay6")]
    [InlineData("coverage")]
    public void A_trace_as_text_leads_to_the_same_assertion(string strategy)
    {
        var found = Assert.Single(Explorer.Run(Models.Planted, With(strategy, 20_000)).Failures);

        var again = Explorer.Replay(Models.Planted, Trace.Parse(found.Trace.ToString()), new ExploreOptions());

        Assert.Equal(found.Message, again.Failure?.Message);
        Assert.Equal(found.Step, again.Steps);
    }

    [Fact]
    public void The_message_of_a_failure_holds_seed_strategy_and_trace()
    {
        var result = Explorer.Run(Models.LostUpdate(2, observes: false), With("pct3", 100));

        var thrown = Assert.Throws<ExplorationFailedException>(result.ThrowIfFailed);

        Assert.Matches("an update was lost, the register holds 1 \\[Assertion, step 4, strategy pct3, seed \\d+\\] replay: \"s[01* s]+\"", thrown.Message);
    }

    [Fact]
    public void Where_the_trace_ends_the_first_answer_is_given()
    {
        var answers = new List<int>();
        void Test(IExploration exploration)
        {
            answers.Add(exploration.PickNext([7, 8, 9]));
            answers.Add(exploration.NextInteger(10));
            answers.Add(exploration.PickNext([7, 8, 9]));
            answers.Add(exploration.NextBoolean() ? 1 : 0);
        }

        var result = Explorer.Replay(Test, Trace.Parse("s2 i4"), new ExploreOptions());

        Assert.Equal([2, 4, 0, 0], answers);
        Assert.Null(result.Left);
    }

    [Fact]
    public void A_trace_that_does_not_fit_any_more_says_where()
    {
        static void Test(IExploration exploration)
        {
            exploration.PickNext([1, 2]);
            exploration.NextInteger(3);
        }

        Assert.Contains("choice 2 of 2", Explorer.Replay(Test, Trace.Parse("s1 i3"), new ExploreOptions()).Left, StringComparison.Ordinal);
        Assert.Contains("choice 1 of 1", Explorer.Replay(Test, Trace.Parse("b1"), new ExploreOptions()).Left, StringComparison.Ordinal);
        Assert.Contains("ended after 2 of 3", Explorer.Replay(Test, Trace.Parse("s1 i2 i2"), new ExploreOptions()).Left, StringComparison.Ordinal);
        Assert.Null(Explorer.Replay(Test, Trace.Parse("s1 i2"), new ExploreOptions()).Left);
    }

    [Theory]
    [InlineData("-")]
    [InlineData("s3 s0*4 b1 i12")]
    [InlineData("f12 s1 s0 s1")]
    [InlineData("f0 -", "f0")]
    [InlineData("s2 s2 s2 b0 r", "s2*3 b0 r")]
    [InlineData("r")]
    public void A_trace_is_read_and_written(string text, string? written = null) => Assert.Equal(written ?? text, Trace.Parse(text).ToString());

    [Theory]
    [InlineData("x1")]
    [InlineData("s")]
    [InlineData("s-1")]
    [InlineData("b2")]
    [InlineData("s1*0")]
    [InlineData("s1*9999999999")]
    [InlineData("s1*2000000")]
    [InlineData("s1 f3")]
    [InlineData("r s1")]
    public void What_is_no_trace_is_refused_with_its_place(string text)
    {
        Assert.False(Trace.TryParse(text, out _, out var error));
        Assert.StartsWith("word ", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_test_that_remembers_earlier_iterations_is_called_nondeterministic()
    {
        var runs = 0;
        void Test(IExploration exploration)
        {
            runs++;
            for (var i = 0; i < 5; i++) exploration.PickNext(runs % 2 == 0 ? [1, 2] : [1, 2, 3]);
        }

        var failure = Assert.Single(Explorer.Run(Test, With("random", 100)).Failures);

        Assert.Equal(FailureKind.Nondeterminism, failure.Kind);
        Assert.Contains("run twice with the same answers, at choice 1 of 5", failure.Message, StringComparison.Ordinal);
        Assert.Contains("must be asked of IExploration", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_test_that_tells_other_states_is_called_nondeterministic()
    {
        var runs = 0UL;
        var failure = Assert.Single(Explorer.Run(exploration => exploration.Observe(runs++), With("random", 100)).Failures);

        Assert.Contains("told other states", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_failure_that_does_not_happen_again_is_called_nondeterministic()
    {
        var runs = 0;
        var failure = Assert.Single(Explorer.Run(exploration => exploration.Assert(++runs != 50, "fifty"), With("random", 100) with { CheckEvery = 0 }).Failures);

        Assert.Equal(FailureKind.Nondeterminism, failure.Kind);
        Assert.Contains("led once to \"fifty\" and then to nothing", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Depth_first_search_sees_nondeterminism_in_its_prefix()
    {
        var runs = 0;
        void Test(IExploration exploration)
        {
            runs++;
            exploration.NextInteger(runs == 7 ? 3 : 2);
            for (var i = 0; i < 4; i++) exploration.NextBoolean();
        }

        var failure = Assert.Single(Explorer.Run(Test, With("dfs", 100) with { CheckEvery = 0 }).Failures);

        Assert.Equal(FailureKind.Nondeterminism, failure.Kind);
        Assert.Contains("after the same 0 choices it offered 2 answers once and 3 this time", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_test_throws_is_its_failure()
    {
        static void Test(IExploration exploration)
        {
            if (exploration.NextInteger(4) == 3) throw new InvalidOperationException("node 12 broke");
        }

        var failure = Assert.Single(Explorer.Run(Test, With("random", 100)).Failures);

        Assert.Equal("InvalidOperationException: node 12 broke", failure.Message);
        Assert.Equal("i3", failure.Trace.ToString());
        Assert.Contains("ReplayTests.cs", failure.Details, StringComparison.Ordinal);
    }

    [Fact]
    public void A_failed_assertion_counts_even_when_the_test_swallows_it()
    {
        static void Test(IExploration exploration)
        {
            try
            {
                exploration.Assert(false, "swallowed");
            }
            catch (Exception)   // what a careless test would do
            {
                exploration.Tell("nothing happened");
            }
        }

        Assert.Equal("swallowed", Assert.Single(Explorer.Run(Test, With("random", 10)).Failures).Message);
    }

    [Fact]
    public void Different_failures_are_told_apart_by_their_words_and_not_by_their_digits()
    {
        static void Test(IExploration exploration)
        {
            var drawn = exploration.NextInteger(20);
            exploration.Assert(drawn < 15, $"{drawn} is too much");
            exploration.Assert(drawn > 4, $"{drawn} is too little");
        }

        var result = Explorer.Run(Test, With("random", 500) with { StopAtFailure = false });

        Assert.Equal([" is too little", " is too much"], result.Failures.Select(failure => failure.Identity).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_test_that_asks_without_end_is_stopped()
    {
        static void Test(IExploration exploration)
        {
            while (true) exploration.NextBoolean();
        }

        var failure = Assert.Single(Explorer.Run(Test, With("random", 1) with { ShrinkRunsMax = 0 }).Failures);

        Assert.Contains("did not end", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_replay_is_told_step_by_step_and_a_campaign_is_not()
    {
        var told = new List<string>();
        void Test(IExploration exploration)
        {
            var actor = exploration.PickNext([1, 2]);
            if (exploration.IsTold) exploration.Tell($"actor at {actor} runs");
        }

        Explorer.Replay(Test, Trace.Parse("s1"), new ExploreOptions(), told.Add);
        Explorer.Run(exploration => Assert.False(exploration.IsTold), With("random", 1)).ThrowIfFailed();

        Assert.Equal(["actor at 1 runs"], told);
    }

    private static ExploreOptions With(string strategies, long iterations) =>
        new() { Strategies = StrategyChoice.Parse(strategies)!, Iterations = iterations }; // names of this file
}
