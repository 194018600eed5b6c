using Xunit;

namespace Membership.Samples.Tests;

/// <summary>Each sample runs as a user would run it, several processes at once, against real daemons.</summary>
public sealed class SampleTests(SampleCluster cluster) : IClassFixture<SampleCluster>
{
    [Fact]
    public async Task Print_views_shows_members_and_quorum_and_goes_on_after_a_restart_of_its_daemon()
    {
        await using var sample = SampleRun.Start("PrintViews", cluster.Socket(3));
        await sample.PrintsAsync("a view of all", line => line.StartsWith("view ", StringComparison.Ordinal) && line.EndsWith("members=n1,n2,n3", StringComparison.Ordinal));
        await sample.PrintsAsync("that it is quorate", line => line.StartsWith("quorum yes votes=3/3", StringComparison.Ordinal));

        cluster.Kill(3);
        await sample.PrintsAsync("that it is not connected", line => line.StartsWith("not connected", StringComparison.Ordinal));
        int before = sample.Lines.Count;
        cluster.Start(3);
        await cluster.FormAsync();
        await sample.PrintsAsync("a later view of all", line => line.EndsWith("members=n1,n2,n3", StringComparison.Ordinal) && sample.Lines.Skip(before).Contains(line));
        await sample.StopAsync();

        Assert.Equal("stopped", sample.Lines[^1]);
    }

    [Fact]
    public async Task Chat_shows_everybody_the_same_lines_in_the_same_order()
    {
        await using var ada = SampleRun.Start("Chat", cluster.Socket(1), "ada");
        await ada.PrintsAsync("that it is there", line => line.StartsWith("* 1 here", StringComparison.Ordinal));
        await using var bob = SampleRun.Start("Chat", cluster.Socket(2), "bob");
        await ada.PrintsAsync("that another one came", line => line.StartsWith("* 2 here, came: n2/", StringComparison.Ordinal));

        for (int number = 0; number < 20; number++)
        {
            await ada.TypeAsync($"line {number}");
            await bob.TypeAsync($"line {number}");
        }
        await ada.PrintsAsync("ada: line 19");
        await ada.PrintsAsync("bob: line 19");
        await bob.PrintsAsync("ada: line 19");
        await bob.PrintsAsync("bob: line 19");
        await bob.StopAsync();
        await ada.PrintsAsync("that the other one went", line => line.StartsWith("* 1 here, went: n2/", StringComparison.Ordinal));

        Assert.Equal(40, Said(ada).Count);
        Assert.Equal(Said(ada), Said(bob));
    }

    [Fact]
    public async Task Replicated_cache_gives_its_state_to_joiners_and_survives_who_had_it()
    {
        await using var first = SampleRun.Start("ReplicatedCache", cluster.Socket(1));
        await first.TypeAsync("a=1");
        await first.TypeAsync("b=2");
        await first.PrintsAsync("state a=1 b=2");

        await using var second = SampleRun.Start("ReplicatedCache", cluster.Socket(2));
        await second.EndsWithAsync("state a=1 b=2");
        await second.TypeAsync("c=3");
        await second.TypeAsync("a");
        await first.PrintsAsync("state b=2 c=3");
        first.Kill();
        await using var third = SampleRun.Start("ReplicatedCache", cluster.Socket(3));

        await third.EndsWithAsync("state b=2 c=3");
        await third.TypeAsync("d=4");
        await second.PrintsAsync("state b=2 c=3 d=4");
    }

    [Fact]
    public async Task Leader_is_one_and_when_it_dies_another_one_leads()
    {
        await using var first = SampleRun.Start("Leader", cluster.Socket(1));
        await first.PrintsAsync("leading");
        await using var second = SampleRun.Start("Leader", cluster.Socket(2));
        await using var watcher = SampleRun.Start("Chat", cluster.Socket(3), "watcher", "leader");   // behind both in the order of members
        await watcher.PrintsAsync("both", line => line.StartsWith("* 3 here", StringComparison.Ordinal));
        Assert.DoesNotContain("leading", second.Lines);

        first.Kill();

        await second.PrintsAsync("leading");
        await second.StopAsync();
        Assert.StartsWith("not leading", second.Lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Work_queue_does_every_task_once_and_shares_them()
    {
        await using var first = SampleRun.Start("WorkQueue", cluster.Socket(1));
        await using var second = SampleRun.Start("WorkQueue", cluster.Socket(2));
        await using var watcher = SampleRun.Start("Chat", cluster.Socket(3), "watcher", "work");
        await watcher.PrintsAsync("all of them", line => line.StartsWith("* 3 here", StringComparison.Ordinal));
        await watcher.StopAsync();

        // The watcher's going is ordered before the tasks: it has none of them.
        await using var submitter = SampleRun.Start("WorkQueue", cluster.Socket(3));
        await submitter.TypeAsync("first");
        await SampleRunsAsync(["did first"]);
        for (int number = 0; number < 30; number++) await submitter.TypeAsync($"task {number}");
        string[] expected = [.. Enumerable.Range(0, 30).Select(number => $"did task {number}"), "did first"];
        await SampleRunsAsync(expected);

        string[] done = [.. Done(first), .. Done(second), .. Done(submitter)];
        Assert.Equal(expected.Order(), done.Order());
        Assert.All([first, second, submitter], run => Assert.NotEmpty(Done(run)));

        async Task SampleRunsAsync(string[] lines)
        {
            foreach (string line in lines)
                await Namespaces.Eventually.HoldsAsync(line, TimeSpan.FromSeconds(30), () => new[] { first, second, submitter }.Any(run => run.Lines.Contains(line)));
        }
    }

    private static List<string> Said(SampleRun chat) => [.. chat.Lines.Where(line => line.Contains(": line ", StringComparison.Ordinal))];

    private static IEnumerable<string> Done(SampleRun run) => run.Lines.Where(line => line.StartsWith("did ", StringComparison.Ordinal));
}
