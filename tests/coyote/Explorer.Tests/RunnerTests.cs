using Membership.Exploration;

namespace Membership.Explorer.Tests;

/// <summary>The program: what it runs, what it prints, how it ends.</summary>
[Collection("console")]
public sealed class RunnerTests : IDisposable
{
    private static readonly Suite Sound = new()
    {
        Name = "sound",
        Promise = "Nothing ever fails.",
        Explore = Models.Grid(2, 3, observes: true),
    };

    private static readonly Suite Broken = new()
    {
        Name = "broken",
        Promise = "Two updates leave two.",
        Explore = Models.LostUpdate(2, observes: true),
    };

    private readonly string _regressions = Path.GetTempFileName();
    private readonly TextWriter _console = Console.Out;
    private readonly StringWriter _said = new();

    public RunnerTests() => Console.SetOut(_said);

    public void Dispose()
    {
        Console.SetOut(_console);
        File.Delete(_regressions);
    }

    [Fact]
    public void A_campaign_without_failures_ends_with_zero()
    {
        Assert.Equal(0, Campaign([Sound]));
        Assert.EndsWith("1 passed, 0 failed, 0 skipped", _said.ToString().TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_failure_is_printed_with_the_words_that_replay_it()
    {
        Assert.Equal(1, Campaign([Sound, Broken]));
        Assert.Contains("replay: --suite broken --replay \"s1\"", _said.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("1 passed, 1 failed, 0 skipped", _said.ToString().TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_report_for_programs_is_json_and_nothing_else()
    {
        File.WriteAllText(_regressions, "sound i4\n");

        Assert.Equal(1, Campaign([Sound, Broken], "--json"));

        using var json = System.Text.Json.JsonDocument.Parse(_said.ToString());
        Assert.Equal(2, json.RootElement.GetProperty("failed").GetInt32()); // the suite, and the regression that fits no longer
        Assert.Equal("sound", json.RootElement.GetProperty("suites")[0].GetProperty("suite").GetString());
        Assert.Equal("s1", json.RootElement.GetProperty("suites")[1].GetProperty("failures")[0].GetProperty("shrunk").GetString());
        Assert.Contains("no longer fits", json.RootElement.GetProperty("regressions")[0].GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_replay_ends_with_one_when_it_fails_and_zero_when_it_does_not()
    {
        Assert.Equal(1, new ReplayRun(Words("--suite", "broken", "--replay", "s1 s0 s1 s0", "--shrink")).Run([Sound, Broken]));
        Assert.Contains("--suite broken --replay \"s1\"", _said.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, new ReplayRun(Words("--suite", "broken", "--replay", "-")).Run([Sound, Broken]));
    }

    [Fact]
    public void A_regression_is_replayed_by_each_run()
    {
        File.WriteAllText(_regressions, "# once lost an update\nbroken s1   # mended\n");

        Assert.Equal(1, Campaign([Broken], "--strategy", "delay1", "--iterations", "1"));
        Assert.Contains("FAILED regression of broken", _said.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_regression_of_an_unknown_suite_fails_and_so_does_one_that_fits_no_longer()
    {
        File.WriteAllText(_regressions, "gone s1\n");
        Assert.Equal(1, Campaign([Sound]));

        File.WriteAllText(_regressions, "sound i4\n");
        Assert.Equal(1, Campaign([Sound]));
        Assert.EndsWith("1 passed, 1 failed, 0 skipped", _said.ToString().TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_search_that_does_not_come_to_its_promised_end_fails()
    {
        var suite = Sound with { Strategies = "dfs", ExhaustedWithin = 5 };

        Assert.Equal(1, Campaign([suite]));
        Assert.Equal(0, Campaign([suite with { ExhaustedWithin = 100 }]));
    }

    [Fact]
    public void A_search_that_the_bound_on_steps_cut_off_fails()
    {
        var silent = Sound with { Explore = Models.Grid(2, 3, observes: false), Strategies = "dfs", ExhaustedWithin = 100 };

        Assert.Equal(0, Campaign([silent]));
        Assert.Equal(1, Campaign([silent with { Explore = Uneven, StepsMax = 4 }]));
        Assert.Contains("the bound on steps cut off", _said.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_suite_of_which_no_iteration_comes_to_its_end_fails()
    {
        Assert.Equal(1, Campaign([Sound with { StepsMax = 3 }]));
        Assert.Contains("none came to the end", _said.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, Campaign([Sound with { Explore = Uneven, StepsMax = 4 }]));
    }

    /// <summary>One of two ways takes more steps than the other.</summary>
    private static void Uneven(IExploration exploration)
    {
        for (var steps = exploration.NextBoolean() ? 6 : 2; steps > 0; steps--) exploration.PickNext([0, 1]);
    }

    [Fact]
    public void The_canaries_are_found_and_a_silent_one_is_an_alarm()
    {
        var canaries = new Canaries().All.ToList();
        Assert.Equal(0, new CanaryRun(Words()).Run(canaries));

        Assert.Equal(1, new CanaryRun(Words()).Run([Sound with { MustFail = true }]));
        Assert.Equal(1, new CanaryRun(Words()).Run([Sound]));
    }

    [Fact]
    public void Mistakes_on_the_command_line_are_refused_in_words()
    {
        Assert.Null(Arguments.Parse(["--fast"]));
        Assert.Null(Arguments.Parse(["--suite"]));
        Assert.Contains("no suite has this name", Assert.Throws<UsageException>(() => Campaign([Sound], "--suite", "other")).Message, StringComparison.Ordinal);
        Assert.Contains("whole number", Assert.Throws<UsageException>(() => Campaign([Sound], "--iterations", "many")).Message, StringComparison.Ordinal);
        Assert.Contains("known are random", Assert.Throws<UsageException>(() => Campaign([Sound], "--strategy", "fast")).Message, StringComparison.Ordinal);
        Assert.Contains("built with membership", Assert.Throws<UsageException>(() => Campaign([Sound], "--explorer", "other")).Message, StringComparison.Ordinal);
        File.WriteAllText(_regressions, "sound x4\n");
        Assert.Contains(":1: word 1", Assert.Throws<UsageException>(() => Campaign([Sound])).Message, StringComparison.Ordinal);
    }

    private int Campaign(IReadOnlyList<Suite> suites, params string[] words) =>
        new CampaignRun(Words([.. words, "--regressions", _regressions])).Run(suites);

    private static Arguments Words(params string[] words) => Arguments.Parse(words)!; // words of this file
}
