namespace Membership.Links.Tests;

/// <summary>The window against a plain set, over jumps, reorderings and the ends of the number range.</summary>
public sealed class ReplayWindowTests
{
    [Theory]
    [InlineData(0UL)]
    [InlineData(4094UL)]
    [InlineData((1UL << 32) - 2)]
    [InlineData(ulong.MaxValue - 20_000)]
    public void It_agrees_with_a_set_of_everything_seen(ulong start)
    {
        var window = new ReplayWindow();
        var seen = new HashSet<ulong>();
        ulong highest = 0;
        var random = new Random(5);
        for (var i = 0; i < 20_000; i++)
        {
            var counter = random.Next(4) == 0 && highest > 5000 ? highest - (ulong)random.Next(4200) : start + (ulong)random.Next(i + 2);
            var stale = seen.Contains(counter) || (seen.Count > 0 && highest >= counter && highest - counter >= ReplayWindow.Size);

            Assert.Equal(stale, window.IsStale(counter));

            if (stale) continue;
            window.Accept(counter);
            seen.Add(counter);
            highest = Math.Max(highest, counter);
        }
    }

    [Fact]
    public void Its_edge_is_4096_behind_the_highest()
    {
        var window = new ReplayWindow();
        window.Accept(10_000);

        Assert.False(window.IsStale(10_000 - 4095));
        Assert.True(window.IsStale(10_000 - 4096));
    }
}
