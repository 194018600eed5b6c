using System.Runtime.CompilerServices;
using Membership.Explorer;
using Membership.Virtual;
using Xunit;

namespace Membership.Exploration.Cluster;

/// <summary>Every suite finds nothing in the product and something where a lie is told. Long runs are the runner's.</summary>
public class SuiteTests
{
    private const int Iterations = 60;
    private const int IterationsToNotice = 40;
    private const int IterationsToStrike = 400;

    public static TheoryData<string> Names => [.. ClusterSuites.Suites.Select(suite => suite.Name)];

    public static TheoryData<string> NamesOfSplits => [.. ClusterSuites.Suites.Select(suite => suite.Name).Where(name => name.StartsWith("split-", StringComparison.Ordinal) && name != "split-two-node")];

    [Theory]
    [MemberData(nameof(Names))]
    public void Nothing_is_found(string name) => Suite(name).AsSuite.Check(Iterations);

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_deed_is_done_and_each_loss_strikes(string name)
    {
        var suite = Suite(name);
        var done = new Dictionary<string, int>();

        new ScheduleExplorer().Run(
            exploration =>
            {
                foreach (var (what, times) in suite.Run(exploration).Done) done[what] = done.GetValueOrDefault(what) + times;
            },
            suite.AsSuite.Options with { Iterations = IterationsToStrike, CheckEvery = 0, ShrinkRunsMax = 0 }).ThrowIfFailed();

        Assert.NotEmpty(done);
        Assert.Empty(done.Where(deed => deed.Value == 0).Select(deed => deed.Key));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_delivery_that_is_told_twice_is_noticed(string name)
    {
        var suite = Suite(name);

        var failure = Explore(exploration => suite.Run(exploration, world => world.Distortion = new Distortion { TimesDelivered = (host, delivery) => host.Position == 1 ? 2 : 1 }));

        Assert.StartsWith("I2:", failure, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_machine_that_stays_cut_off_is_noticed(string name)
    {
        var suite = Suite(name);

        var failure = Explore(exploration => suite.Run(exploration, world => world.Network.Cut(0, 1, 0, 1)));

        Assert.StartsWith("I14:", failure, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(NamesOfSplits))]
    public void Two_sides_that_both_say_yes_are_noticed(string name)
    {
        var suite = Suite(name);

        var failure = Explore(exploration => suite.Run(exploration, world => world.Distortion = new Distortion { Quorum = (_, state) => state with { IsQuorate = true, IsSynchronizing = false } }), 600);

        Assert.StartsWith("I29:", failure, StringComparison.Ordinal);
    }

    [Fact]
    public void A_change_of_a_group_that_one_machine_is_not_told_is_noticed()
    {
        var suite = Suite("sessions");

        var failure = Explore(exploration => suite.Run(exploration, world => world.Distortion = new Distortion { TellsGroupChange = (host, _) => host.Position != 2 }));

        Assert.StartsWith("I3", failure, StringComparison.Ordinal);
    }

    [Fact]
    public void One_sequence_of_answers_is_one_iteration_whatever_ran_before()
    {
        var suite = Suite("partition-and-crash");
        var first = new List<ulong>();
        var second = new List<ulong>();

        foreach (var hashes in new[] { first, second })
        {
            new ScheduleExplorer().Run(
                exploration =>
                {
                    var play = suite.Run(exploration);
                    hashes.Add(play.World.TraceHash);
                },
                suite.AsSuite.Options with { Iterations = 50, CheckEvery = 0 });
        }

        Assert.Equal(first, second);
        Assert.True(first.Distinct().Count() > 40, "iterations differ from each other");
    }

    [Fact]
    public void The_page_of_guarantees_names_suites_that_exist()
    {
        var known = new ClusterSuites().All.Concat(new Ideal.IdealSuites().All).Select(suite => suite.Name).ToHashSet();
        var hosts = string.Concat(Directory.GetFiles(Path.Combine(Root(), "tests", "coyote", "Hosts"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText)); // suites of another program
        var named = File.ReadLines(Path.Combine(Root(), "docs", "guarantees.md"))
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal) && line.Split('|').Length > 4)
            .SelectMany(line => line.Split('|')[3].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            .Where(name => name.StartsWith('`'))
            .Select(name => name.Trim('`'))
            .ToList();

        Assert.NotEmpty(named);
        Assert.All(named.Except(known), name => Assert.Contains($"\"{name}\"", hosts, StringComparison.Ordinal));
    }

    private static string Root([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."); // a source file has a folder

    private static ClusterSuite Suite(string name) => ClusterSuites.Suites.Single(suite => suite.Name == name);

    private static string Explore(Action<IExploration> iteration, int iterations = IterationsToNotice)
    {
        var result = new ScheduleExplorer().Run(iteration, new ExploreOptions { Iterations = iterations, ShrinkRunsMax = 0 });
        return result.Failures.Count == 0 ? "nothing" : result.Failures[0].Message;
    }
}
