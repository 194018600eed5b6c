using System.Globalization;
using Xunit;
using Xunit.Abstractions;

namespace Membership.Simulation;

/// <summary>What every test run simulates: the regressions, and seeds nobody has tried before.</summary>
public class SimulationTests(ITestOutputHelper output)
{
    private const int FreshSeeds = 24;

    [Fact]
    public void Seeds_that_once_failed_pass()
    {
        foreach (var line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "regressions.txt")))
        {
            var words = line.Split('#')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0) continue;
            var seed = ulong.Parse(words[0], CultureInfo.InvariantCulture);
            var nodes = words.Length > 1 && words[1] != "keep" ? int.Parse(words[1], CultureInfo.InvariantCulture) : 5;
            var kept = Array.IndexOf(words, "keep");
            IReadOnlyList<int>? keep = kept < 0 ? null : [.. words[kept + 1].Split(',').Select(number => int.Parse(number, CultureInfo.InvariantCulture))];

            var result = Simulator.Run(seed, nodes, keep);

            Assert.True(result.Verdict != Verdict.Failed, $"seed {seed}: {string.Join('\n', result.Violations)}");
        }
    }

    [Fact]
    public void Fresh_seeds_break_nothing()
    {
        // The campaign of test.sh runs thousands; this is the part that every `dotnet test` does.
        var origin = (ulong)Random.Shared.NextInt64(1L << 40);
        output.WriteLine($"base seed {origin}: seeds {origin} to {origin + FreshSeeds - 1}");
        var campaign = new Campaign(5);

        campaign.Run(Enumerable.Range(0, FreshSeeds).Select(number => origin + (ulong)number), 2, null, output.WriteLine);

        output.WriteLine(campaign.Report());
        Assert.True(campaign.Failed.Count == 0, $"base seed {origin}: {string.Join('\n', campaign.Failed.Select(run => $"{run.Seed}: {run.Violations[0]}"))}");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void One_seed_gives_one_trace(ulong seed)
    {
        var first = Simulator.Run(seed);
        var second = Simulator.Run(seed);

        Assert.Equal(first.TraceHash, second.TraceHash);
        Assert.Equal(first.Events, second.Events);
        Assert.NotEqual(first.TraceHash, Simulator.Run(seed + 1000).TraceHash);
    }
}
