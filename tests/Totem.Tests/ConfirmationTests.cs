using Xunit;

namespace Membership.Totem.Tests;

/// <summary>Since when all members have certainly been in the ring: what leases count from.</summary>
public sealed class ConfirmationTests
{
    private static readonly TimeSpan Hold = TimeSpan.FromMilliseconds(200);

    [Fact]
    public void A_token_that_took_long_on_its_way_confirms_since_it_was_handed_over_not_since_it_came_back()
    {
        var ring = OrderingTests.Formed(3);
        var hop = TimeSpan.FromMilliseconds(100);
        ring.Hop = hop;
        ring.Run(TimeSpan.FromSeconds(1));
        var before = ring[1].Confirmed!.Value;

        Assert.True(ring.RunUntil(() => ring[1].Confirmed != before, TimeSpan.FromSeconds(1)));

        Assert.True(ring.Now - ring[1].Confirmed!.Value.Since >= hop * 3, $"confirmed since {ring[1].Confirmed!.Value.Since}, now it is {ring.Now}");
        Assert.Equal(ring[1].Core.View!.Id.Ring, ring[1].Confirmed!.Value.Ring);
    }

    [Fact]
    public void An_idle_ring_is_confirmed_at_every_node_within_two_holds_of_its_token()
    {
        var ring = OrderingTests.Formed(4);
        ring.Run(TimeSpan.FromSeconds(1));

        for (var i = 0; i < 3000; i++)
        {
            ring.Run(TimeSpan.FromMilliseconds(1));
            Assert.All(ring.Nodes, node => Assert.True(ring.Now - node.Confirmed!.Value.Since < Hold * 2.2));
        }
    }

    [Fact]
    public void Nothing_is_confirmed_of_a_ring_whose_token_does_not_come_back()
    {
        var ring = OrderingTests.Formed(3);
        ring.Run(TimeSpan.FromSeconds(1));
        ring.Drop = (from, _, _) => from == 2;
        ring.Run(Hold * 1.5);
        var last = ring[1].Confirmed;

        ring.Run(TimeSpan.FromMilliseconds(500));

        Assert.Equal(last, ring[1].Confirmed);
    }

    [Fact]
    public void A_node_alone_confirms_its_ring_at_every_look()
    {
        var ring = new TestRing(1);
        ring.StartAll();
        ring.Run(TimeSpan.FromSeconds(5));

        Assert.True(ring.Now - ring[1].Confirmed!.Value.Since <= Hold);
        Assert.Equal(ring[1].Core.View!.Id.Ring, ring[1].Confirmed!.Value.Ring);
    }
}
