using Xunit;

namespace Membership.Totem.Tests;

public sealed class OrderingTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Five_nodes_form_one_ring_when_they_start_together()
    {
        var ring = new TestRing(5);
        ring.StartAll();

        Assert.True(ring.RunUntil(() => ring.Nodes.All(node => node.Core.View?.Members.Count == 5), Second));

        Assert.Single(ring.Nodes.Select(node => node.Core.View!.Id).Distinct());
        Assert.All(ring.Nodes, node => Assert.Single(node.Views));
    }

    [Fact]
    public void Messages_of_all_nodes_come_in_one_order_everywhere()
    {
        var ring = Formed(3);
        for (var i = 0; i < 200; i++)
        {
            foreach (var node in ring.Nodes) node.Submit($"{node.Position}-{i}", i % 3 == 0 ? DeliveryLevel.Safe : DeliveryLevel.Agreed);
            ring.Run(TimeSpan.FromMicroseconds(150));
        }

        ring.Run(Second);

        Assert.Equal(600, ring[1].Messages.Count);
        Assert.Single(ring.Nodes.Select(node => node.Texts).Distinct());
    }

    [Fact]
    public void Lost_frames_and_tokens_are_sent_again()
    {
        var random = new Random(1);
        var ring = Formed(4);
        ring.Drop = (_, _, _) => random.NextDouble() < 0.2;
        for (var i = 0; i < 300; i++)
        {
            foreach (var node in ring.Nodes) node.Submit($"{node.Position}-{i}");
            ring.Run(TimeSpan.FromMilliseconds(1));
        }

        ring.Run(Second * 3);

        Assert.Equal(1200, ring[1].Messages.Count);
        Assert.Single(ring.Nodes.Select(node => node.Texts).Distinct());
        Assert.All(ring.Nodes, node => Assert.Single(node.Views));
    }

    [Fact]
    public void A_large_message_arrives_whole_and_the_small_ones_behind_it_follow()
    {
        var ring = Formed(3);
        var large = new byte[2_000_000];
        new Random(2).NextBytes(large);
        ring[2].Submit(large);
        ring[2].Submit("after");
        ring.Run(Second);

        Assert.All(ring.Nodes, node => Assert.Equal([2_000_000, 5], node.Messages.Select(m => m.Length)));
        Assert.Single(ring.Nodes.Select(node => node.Texts).Distinct());
    }

    [Fact]
    public void An_idle_ring_holds_its_token()
    {
        var ring = Formed(5);
        ring.Run(Second);
        var before = ring.Nodes.Sum(node => node.Core.Counters.TokensReceived);

        ring.Run(Second * 10);

        Assert.InRange(ring.Nodes.Sum(node => node.Core.Counters.TokensReceived) - before, 5 * 30, 5 * 60);
        Assert.Equal(0, ring.Nodes.Sum(node => node.Core.Counters.TokensDropped));
    }

    [Fact]
    public void A_message_on_an_idle_ring_does_not_wait_for_the_hold_to_end()
    {
        var ring = Formed(5);
        ring.Run(Second);
        ring[4].Submit("now");

        ring.Run(TimeSpan.FromMilliseconds(2));

        Assert.All(ring.Nodes, node => Assert.Equal("now", node.Texts));
    }

    [Fact]
    public void A_message_on_an_idle_ring_does_not_wait_for_a_token_that_was_lost()
    {
        var ring = Formed(5);
        ring.Run(Second);
        var lost = false;
        ring.Drop = (from, _, packet) => !lost && (lost = from == 3 && packet[0] == (byte)PacketKind.Token);
        Assert.True(ring.RunUntil(() => lost, Second));
        ring[4].Submit("now");

        ring.Run(TimeSpan.FromMilliseconds(40));

        Assert.All(ring.Nodes, node => Assert.Equal("now", node.Texts));
    }

    internal static TestRing Formed(int nodes, Func<TotemOptions, TotemOptions>? configure = null)
    {
        var ring = new TestRing(nodes, configure);
        ring.StartAll();
        Assert.True(ring.RunUntil(() => ring.Nodes.All(node => node.Core.View?.Members.Count == nodes), Second * 2));
        ring.Run(TimeSpan.FromMilliseconds(50));
        return ring;
    }
}
