namespace Membership.Daemon.Tests;

public sealed class LineFoldingTests
{
    private readonly HandTime _time = new();

    [Fact]
    public void A_repeat_is_counted_and_told_once_ten_seconds_later()
    {
        var folding = new LineFolding(_time);

        Assert.True(folding.Admit("a"));
        for (var i = 0; i < 1234; i++) Assert.False(folding.Admit("a"));
        Assert.Empty(folding.Due());
        _time.Pass(TimeSpan.FromSeconds(10));

        Assert.Equal([new LineFolding.Folded("a", 1234, 10)], folding.Due());
        Assert.True(folding.Admit("a"));
    }

    [Fact]
    public void Nobody_gets_more_than_ten_different_lines_a_second()
    {
        var folding = new LineFolding(_time);

        Assert.Equal(10, Enumerable.Range(0, 5000).Count(i => folding.Admit($"line {i}")));
        Assert.Equal(4990, folding.TakeLost());
        _time.Pass(TimeSpan.FromSeconds(1));

        Assert.True(folding.Admit("later"));
    }
}
