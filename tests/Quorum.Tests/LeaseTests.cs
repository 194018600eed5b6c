using Membership.Links;
using Membership.Totem;

namespace Membership.Quorum.Tests;

/// <summary>When the members of a primary view may act while nobody outside it can (I31).</summary>
public sealed class LeaseTests
{
    private static readonly TimeSpan Lease = TimeSpan.FromMilliseconds(2200);
    private static readonly TimeSpan Delay = Lease + (Lease / 8);

    private static HistoryWorld World(int nodes, Func<QuorumOptions, QuorumOptions>? change = null)
    {
        var voters = Enumerable.Range(1, nodes).Select(i => new Voter(new NodeId((ushort)i), 1)).ToList();
        var world = new HistoryWorld(1, nodes, self => (change ?? (o => o))(new QuorumOptions { Self = self, Voters = voters, Lease = Lease }));
        foreach (var node in world.Nodes) world.Start(node);
        return world;
    }

    /// <summary>Returns when the verdicts were there.</summary>
    private static Instant Views(HistoryWorld world, params int[][] sides)
    {
        world.Split([.. sides.Select(side => side.Select(id => world.Nodes[id - 1]).ToArray())]);
        var at = world.Now;
        world.Quiesce();
        return at;
    }

    private static QuorumLease? LeaseOf(HistoryWorld world, int node) => world.Nodes[node - 1].Core!.State.Lease;

    private static void Confirm(HistoryWorld world, int node, Instant since)
    {
        var running = world.Nodes[node - 1];
        running.Core!.OnRingConfirmed(running.Log!.Id, since);
    }

    [Fact]
    public void A_new_primary_is_exclusive_a_lease_and_a_margin_for_clocks_after_it_became_quorate()
    {
        var world = World(5);
        var at = Views(world, [1, 2, 3], [4, 5]);

        Assert.All(Enumerable.Range(1, 3), node => Assert.Equal(at + Delay, LeaseOf(world, node)!.ExclusiveFrom));
        Assert.Null(LeaseOf(world, 4));
    }

    [Fact]
    public void Also_when_all_nodes_are_there_for_one_of_them_may_not_know_yet_that_its_old_view_is_over()
    {
        var world = World(3);
        var at = Views(world, [1, 2, 3]);

        Assert.Equal(at + Delay, LeaseOf(world, 1)!.ExclusiveFrom);
    }

    [Fact]
    public void Quorate_until_is_a_lease_after_the_token_that_came_back_was_handed_over()
    {
        var world = World(3);
        Views(world, [1, 2, 3]);
        Assert.Equal(default, LeaseOf(world, 1)!.QuorateUntil);

        Confirm(world, 1, world.Now);

        Assert.Equal(world.Now + Lease, LeaseOf(world, 1)!.QuorateUntil);
    }

    [Fact]
    public void What_another_ring_confirms_renews_nothing()
    {
        var world = World(3);
        Views(world, [1, 2, 3]);
        Confirm(world, 1, world.Now);
        var lease = LeaseOf(world, 1)!;
        var before = lease.QuorateUntil;

        world.Nodes[0].Core!.OnRingConfirmed(new RingId(new NodeId(2), 99, 9), world.Now + TimeSpan.FromSeconds(1));

        Assert.Equal(before, lease.QuorateUntil);
    }

    [Fact]
    public void A_ring_confirmed_while_it_was_formed_counts_as_soon_as_its_view_is_quorate()
    {
        var world = World(3);
        world.Split([[.. world.Nodes]]);
        foreach (var node in world.Nodes) node.Core!.OnRingConfirmed(node.Next!.Log.Id, world.Now);
        var at = world.Now;

        world.Quiesce();

        Assert.Equal(at + Lease, LeaseOf(world, 2)!.QuorateUntil);
    }

    [Fact]
    public void Who_comes_with_the_whole_primary_view_does_not_wait_again_and_who_joins_it_does()
    {
        var world = World(5);
        var first = Views(world, [1, 2, 3], [4], [5]);

        var second = Views(world, [1, 2, 3, 4], [5]);

        Assert.All(Enumerable.Range(1, 3), node => Assert.Equal(first + Delay, LeaseOf(world, node)!.ExclusiveFrom));
        Assert.Equal(second + Delay, LeaseOf(world, 4)!.ExclusiveFrom);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void When_a_member_stays_behind_all_wait_again_even_when_it_left_in_order(bool inOrder)
    {
        var world = World(5);
        Views(world, [1, 2, 3, 4, 5]);
        world.Nodes[4].SaidGoodbye = inOrder;

        var at = Views(world, [1, 2, 3, 4], [5]);

        Assert.All(Enumerable.Range(1, 4), node => Assert.Equal(at + Delay, LeaseOf(world, node)!.ExclusiveFrom));
    }

    [Fact]
    public void What_was_told_of_a_view_is_not_renewed_after_it()
    {
        var world = World(5);
        Views(world, [1, 2, 3, 4, 5]);
        Confirm(world, 1, world.Now);
        var old = LeaseOf(world, 1)!;
        var before = old.QuorateUntil;

        Views(world, [1, 2, 3], [4, 5]);
        Confirm(world, 1, world.Now);

        Assert.Equal(before, old.QuorateUntil);
        Assert.Null(LeaseOf(world, 5));
    }

    [Fact]
    public void A_view_between_two_primaries_breaks_the_chain()
    {
        var world = World(3);
        Views(world, [1, 2], [3]);
        Views(world, [1], [2], [3]);

        var at = Views(world, [1, 2], [3]);

        Assert.Equal(at + Delay, LeaseOf(world, 1)!.ExclusiveFrom);
    }

    [Fact]
    public void One_of_two_nodes_alone_is_quorate_and_at_no_time_exclusive()
    {
        var world = World(2, o => o with { Mode = QuorumMode.TwoNode });
        world.ChecksUniqueness = false; // a cut leaves both quorate, as documented
        Views(world, [1, 2]);
        Assert.NotNull(LeaseOf(world, 1));

        Views(world, [1], [2]);

        Assert.True(world.Nodes[0].Core!.State.IsQuorate);
        Assert.Null(LeaseOf(world, 1));
    }

    [Fact]
    public void Quorum_that_was_lost_and_came_back_within_one_view_waits_again()
    {
        var world = World(2, o => o with { Witness = WitnessAlgorithm.FiftyFiftySplit, WitnessVotes = 1 });
        Views(world, [1], [2]);
        var node = world.Nodes[0];
        node.Core!.OnWitness(world.Now, new WitnessAnswer(node.Log!.Id, true, 1, "chosen"), node);
        world.Quiesce();
        var first = LeaseOf(world, 1)!;
        node.Core.OnWitness(world.Now, null, node);
        world.Quiesce();
        Assert.Null(LeaseOf(world, 1));

        var at = world.Now;
        node.Core.OnWitness(world.Now, new WitnessAnswer(node.Log.Id, true, 2, "chosen again"), node);
        world.Quiesce();

        Assert.Equal(at + Delay, LeaseOf(world, 1)!.ExclusiveFrom);
        Assert.True(first.ExclusiveFrom < LeaseOf(world, 1)!.ExclusiveFrom);
    }
}
