using Membership.Daemon.Ring;
using Membership.Links;
using Membership.Totem;

namespace Membership.Daemon.Tests.Ring;

/// <summary>However hard clients press, a ring thread stands back for so short a time that neither the token nor its own links are lost by it.</summary>
public sealed class StandBackTests
{
    [Theory]
    [InlineData(3, 1000, 600, 20.0)]
    [InlineData(64, 1000, 600, 3.906)]
    [InlineData(3, 50, 30, 1.875)]
    [InlineData(2, 10000, 6000, 20.0)]
    public void The_longest_pause_fits_the_timing(int nodes, int tokenMs, int linkDownMs, double expectedMs)
    {
        var timing = new TotemOptions
        {
            Nodes = new NodeTable([.. Enumerable.Range(1, nodes).Select(id => new NodeId((ushort)id))]),
            Self = new NodeId(1),
            Token = TimeSpan.FromMilliseconds(tokenMs),
            LinkDown = TimeSpan.FromMilliseconds(linkDownMs),
        };

        var longest = RingLoop.StandBackMax(timing);

        Assert.Equal(expectedMs, longest.TotalMilliseconds, 3);   // a TimeSpan has ticks of 100 ns
        Assert.InRange(longest * nodes, TimeSpan.Zero, timing.Token / 4);
        Assert.InRange(longest, TimeSpan.Zero, timing.LinkDown / 4);
    }
}
