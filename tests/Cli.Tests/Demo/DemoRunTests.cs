namespace Membership.Cli.Tests.Demo;

/// <summary>Whole demos with real daemons on loopback addresses; no root needed.</summary>
public class DemoRunTests
{
    private static readonly string[] Steps =
    [
        "form a ring", "order messages", "kill n5", "start n5 again", "split n1 n2 n3 | n4 n5", "heal the split", "cut one direction", "heal the cut",
        "freeze n3 for 5 s", "lose 20 % everywhere", "stop cleanly",
    ];

    [Fact]
    public async Task The_tour_sees_everything_it_promises_and_leaves_nothing_behind()
    {
        await using var demo = DemoRun.Start("--script", "tour");

        var code = await demo.EndAsync();

        Assert.True(code == 0, demo.Output);
        Assert.All(Steps, step => Assert.Contains($"PASS {step}", demo.Output, StringComparison.Ordinal));
        Assert.Equal(6, demo.Daemons.Count); // five, and n5 once more
        Assert.DoesNotContain(demo.Daemons, demo.IsAlive);
        Assert.False(Directory.Exists(demo.Folder));
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    [InlineData("HUP")]
    public async Task A_signal_ends_the_demo_and_all_it_started(string signal)
    {
        await using var demo = DemoRun.Start("--nodes", "3");
        await demo.UntilAsync(run => run.Output.Contains("identical on 3 nodes", StringComparison.Ordinal), "one order on three nodes");

        await demo.SignalAsync(signal);
        await demo.EndAsync();

        Assert.Equal(3, demo.Daemons.Count);
        Assert.DoesNotContain(demo.Daemons, demo.IsAlive);
        Assert.False(Directory.Exists(demo.Folder));
    }

    [Fact]
    public async Task Daemons_do_not_outlive_a_killed_demo_and_the_next_one_sweeps_its_folder()
    {
        await using var demo = DemoRun.Start("--nodes", "2");
        await demo.UntilAsync(run => run.Output.Contains("identical on 2 nodes", StringComparison.Ordinal), "one order on two nodes");

        await demo.SignalAsync("KILL");
        await demo.EndAsync();
        await demo.UntilGoneAsync();
        Assert.True(Directory.Exists(demo.Folder));
        await using var next = DemoRun.Start("--nodes", "1");
        await next.UntilAsync(run => run.Folder.Length > 0, "the next demo's folder");

        Assert.False(Directory.Exists(demo.Folder));
    }
}
