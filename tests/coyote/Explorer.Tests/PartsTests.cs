using System.Globalization;

namespace Membership.Explorer.Tests;

/// <summary>The structures below the strategies, the report, and what a step costs.</summary>
public class PartsTests
{
    [Fact]
    public void The_table_of_hashes_knows_what_a_set_knows()
    {
        var table = new HashTable();
        var set = new HashSet<ulong>();
        var random = new SplitMix(1);
        for (var i = 0; i < 100_000; i++)
        {
            var hash = (ulong)random.Below(40_000);
            Assert.Equal(set.Add(hash), table.Add(hash));
        }

        Assert.Equal(set.Count, table.Count);
        Assert.Contains(0UL, set);
    }

    [Fact]
    public void The_fingerprint_of_a_debt_is_the_same_in_every_process()
    {
        var monitors = new Monitors();

        monitors.Hot("answer", 0);

        Assert.Equal(0x965DFB7F011636ADUL, monitors.Fingerprint);
        monitors.Cold("answer");
        Assert.Equal(0UL, monitors.Fingerprint);
    }

    [Fact]
    public void The_table_of_hashes_keeps_a_word_with_each()
    {
        var table = new HashTable(entriesMax: 1000, hasWords: true);
        for (var hash = 0UL; hash < 2000; hash++)
        {
            table.Word(hash, out var isNew) = hash + 7;
            Assert.True(isNew);
        }

        for (var hash = 0UL; hash < 1000; hash++) Assert.Equal(hash + 7, table.Word(hash, out _));
        Assert.True(table.IsFull);
        Assert.Equal(0UL, table.Word(1999, out var isStillNew));
        Assert.True(isStillNew);
    }

    [Fact]
    public void A_full_table_of_hashes_says_so_and_keeps_what_it_has()
    {
        var table = new HashTable(entriesMax: 100);
        for (var hash = 1UL; hash <= 200; hash++) table.Add(hash);

        Assert.True(table.IsFull);
        Assert.Equal(100, table.Count);
        Assert.False(table.Add(50));
    }

    [Fact]
    public void The_table_of_ids_forgets_all_at_once()
    {
        var table = new IdTable();
        for (var round = 0; round < 50; round++)
        {
            table.Clear();
            for (var id = -500; id < 500; id++)
            {
                table.Word(id, out var isNew) = (ulong)(id + 1000 + round);
                Assert.True(isNew);
            }
            for (var id = -500; id < 500; id++)
            {
                Assert.Equal((ulong)(id + 1000 + round), table.Word(id, out var isNew));
                Assert.False(isNew);
            }
        }
    }

    [Theory]
    [InlineData("random")]
    [InlineData("pct3")]
    [InlineData("pos")]
    [InlineData("delay3")]
    [InlineData("dfs")]
    public void A_step_allocates_nothing_once_the_tables_have_grown(string strategy)
    {
        var allocated = 0L;
        var iterations = 0;
        var grid = Models.Grid(4, 25, observes: false);
        void Test(IExploration exploration)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            grid(exploration);
            if (iterations++ > 50) allocated += GC.GetAllocatedBytesForCurrentThread() - before;
        }

        new ScheduleExplorer().Run(Test, new ExploreOptions { Strategies = StrategyChoice.Parse(strategy)!, Iterations = 500, CheckEvery = 0 }); // a name of this file

        Assert.Equal(0, allocated);
    }

    [Fact]
    public void The_text_of_an_assertion_is_put_together_only_when_it_fails()
    {
        var composed = 0;
        string Text() => $"{++composed}";

        void Test(IExploration exploration) => exploration.Assert(exploration.NextInteger(2) >= 0, $"never {Text()}");
        new ScheduleExplorer().Run(Test, new ExploreOptions()).ThrowIfFailed();

        Assert.Equal(0, composed);
    }

    [Fact]
    public void Nobody_enabled_is_a_mistake_of_the_test()
    {
        var failure = Assert.Single(new ScheduleExplorer().Run(exploration => exploration.PickNext([]), new ExploreOptions()).Failures);

        Assert.Contains("nobody is enabled", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_report_says_who_found_what_as_text_and_as_json()
    {
        var result = new ScheduleExplorer().Run(Models.LostUpdate(2, observes: true), new ExploreOptions { StopAtFailure = false });

        var text = result.ToString();
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"1000 iterations, {result.Steps} steps, 6 schedules, "), text, StringComparison.Ordinal);
        Assert.Contains("found an update was lost, the register holds", text, StringComparison.Ordinal);
        using var json = System.Text.Json.JsonDocument.Parse(result.ToJson());
        Assert.Equal(6, json.RootElement.GetProperty("distinct_schedules").GetInt32());
        Assert.Equal("s1", json.RootElement.GetProperty("failures")[0].GetProperty("shrunk").GetString());
        Assert.Equal("assertion", json.RootElement.GetProperty("failures")[0].GetProperty("kind").GetString());
        Assert.True(json.RootElement.GetProperty("iterations_per_second").GetDouble() > 0);
    }

    [Fact]
    public void Time_ends_an_exploration()
    {
        var result = new ScheduleExplorer().Run(Models.Grid(3, 3, observes: false), new ExploreOptions { Iterations = long.MaxValue / 2, TimeMax = TimeSpan.FromMilliseconds(50), Jobs = 2 });

        Assert.InRange(result.Iterations, 1, 100_000_000);
    }

    [Fact]
    public void A_cancelled_exploration_ends()
    {
        using var cancel = new CancellationTokenSource();
        void Test(IExploration exploration)
        {
            if (exploration.NextInteger(50) == 7) cancel.Cancel();
        }

        var result = new ScheduleExplorer().Run(Test, new ExploreOptions { Iterations = 1_000_000_000, Cancellation = cancel.Token });

        Assert.True(result.Iterations < 1_000_000_000);
    }
}
