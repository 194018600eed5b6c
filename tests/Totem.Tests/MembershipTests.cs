using Xunit;

namespace Membership.Totem.Tests;

public sealed class MembershipTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Survivors_of_a_crash_install_one_view_soon_after_the_evidence()
    {
        var ring = OrderingTests.Formed(5);
        ring.Crash(3);

        var survivors = ring.Nodes.Where(node => node.Position != 2).ToList();
        Assert.True(ring.RunUntil(() => survivors.All(node => node.Core.View!.Members.Count == 4 && node.Core.State == TotemState.Operational), TimeSpan.FromMilliseconds(160)));
        Assert.Single(survivors.Select(node => node.Core.View!.Id).Distinct());
        Assert.All(survivors, node => Assert.Equal(3, node.Views.Count));
        Assert.All(survivors, node => Assert.True(node.Views[1].Transitional));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void Messages_in_flight_at_a_crash_are_the_same_at_all_survivors(int crashed)
    {
        for (var seed = 0; seed < 30; seed++)
        {
            var random = new Random(seed);
            var ring = OrderingTests.Formed(5);
            ring.Drop = (_, _, _) => random.NextDouble() < 0.1;
            for (var i = 0; i < 40; i++)
            {
                foreach (var node in ring.Nodes) node.Submit($"{node.Position}-{i}", i % 4 == 0 ? DeliveryLevel.Safe : DeliveryLevel.Agreed);
                ring.Run(TimeSpan.FromMicroseconds(random.Next(500)));
            }

            ring.Crash(crashed);
            ring.Run(Second * 8);

            var survivors = ring.Nodes.Where(node => node.Position != crashed - 1).ToList();
            Assert.All(survivors, node => Assert.Equal(4, node.Core.View!.Members.Count));
            Assert.Single(survivors.Select(node => node.Texts).Distinct());
            Assert.All(survivors, node => Assert.Equal(40, node.Messages.Count(m => m.Delivery.Sender == ring.Table[node.Position])));
        }
    }

    [Fact]
    public void A_split_makes_two_rings_and_a_heal_one_again()
    {
        var ring = OrderingTests.Formed(5);
        Split(ring);
        ring.Run(Second * 2);
        Assert.Equal([3, 3, 3, 2, 2], ring.Nodes.Select(node => node.Core.View!.Members.Count));
        ring[1].Submit("left");
        ring[5].Submit("right");
        ring.Run(Second);
        foreach (var (left, right) in Pairs()) ring.Heal(left, right);

        Assert.True(ring.RunUntil(() => ring.Nodes.All(node => node.Core.View!.Members.Count == 5), Second));

        ring[2].Submit("all");
        ring.Run(Second);
        Assert.Equal("left all", ring[3].Texts);
        Assert.Equal("right all", ring[4].Texts);
    }

    [Fact]
    public void A_partial_mesh_settles_on_one_clique_and_stays_there()
    {
        var ring = OrderingTests.Formed(3);
        ring.Cut(2, 3);
        ring.Run(Second * 2);
        Assert.Equal([2, 2, 1], ring.Nodes.Select(node => node.Core.View!.Members.Count));
        var views = ring.Nodes.Sum(node => node.Views.Count);

        ring.Run(Second * 60);

        Assert.Equal(views, ring.Nodes.Sum(node => node.Views.Count));
    }

    [Fact]
    public void A_clean_leave_orders_what_was_accepted_and_is_seen_at_once()
    {
        var ring = OrderingTests.Formed(4);
        for (var i = 0; i < 100; i++) ring[4].Submit($"{i}");
        ring[4].Core.Leave(ring.Now, ring[4]);

        Assert.True(ring.RunUntil(() => ring.Nodes.Take(3).All(node => node.Core.View!.Members.Count == 3), TimeSpan.FromMilliseconds(100)));
        ring.Run(Second);

        Assert.True(ring[4].HasLeft);
        Assert.Empty(ring[4].Failures);
        Assert.All(ring.Nodes, node => Assert.Equal(100, node.Messages.Count));
    }

    [Fact]
    public void A_restarted_node_comes_back_as_a_new_member_with_a_higher_ring_sequence()
    {
        var ring = OrderingTests.Formed(3);
        var before = ring[1].Core.View!.Number;
        ring.Crash(1);
        ring.Run(Second);
        ring.Restart(1);

        Assert.True(ring.RunUntil(() => ring.Nodes.All(node => node.Core.View?.Members.Count == 3), Second * 2));
        Assert.True(ring[1].Core.View!.Number > before);
    }

    private static void Split(TestRing ring)
    {
        foreach (var (left, right) in Pairs()) ring.Cut(left, right);
    }

    private static IEnumerable<(int Left, int Right)> Pairs() =>
        from left in new[] { 1, 2, 3 } from right in new[] { 4, 5 } select (left, right);
}
