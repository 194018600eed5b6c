namespace Membership.Links.Tests;

/// <summary>Who hears whom, and how soon its end is known.</summary>
public sealed class EvidenceTests
{
    private static readonly NodeId Three = new(3);

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void Nodes_that_start_together_reach_each_other_within_a_few_round_trips(int nodes)
    {
        using var cluster = new TestCluster(nodes);

        cluster.Start();

        Assert.True(cluster.RunUntil(() => cluster.Nodes.All(node => node.Links.Reachable == cluster.Table.All), TimeSpan.FromMilliseconds(20)));
    }

    [Fact]
    public void A_killed_process_is_dead_for_all_peers_130_ms_after_the_first_hint()
    {
        using var cluster = new TestCluster(8).Settle();
        foreach (var node in cluster.Nodes) SetRingNeighbours(cluster, node);
        cluster.Run(TimeSpan.FromSeconds(10));

        TestCluster.Kill(cluster[3]);
        var killed = cluster.Now;
        Assert.True(cluster.RunUntil(() => cluster.Nodes.Where(node => node.IsRunning).All(node => !node.Links.Reachable.Contains(2)), TimeSpan.FromSeconds(1)));

        // The first datagram to the dead port leaves within one pace of 150 ms.
        Assert.True(cluster.Now - killed <= TimeSpan.FromMilliseconds(150 + 130), $"{cluster.Now - killed}");
        foreach (var node in cluster.Nodes.Where(node => node.IsRunning))
        {
            var last = node.Changes[^1];
            Assert.Equal((Three, PeerState.Dead, PeerReason.ProcessGone), (last.Peer, last.State, last.Reason));
        }
    }

    [Fact]
    public void A_new_boot_ends_the_old_incarnation_first()
    {
        using var cluster = new TestCluster(2).Settle();
        var old = cluster[2].Links.Boot;
        cluster[1].Changes.Clear();

        cluster.Restart(cluster[2]);
        cluster.Run(TimeSpan.FromMilliseconds(50));

        Assert.Equal(
            [(old, PeerState.Dead, PeerReason.Restarted), (cluster[2].Links.Boot, PeerState.OneWay, PeerReason.Handshake), (cluster[2].Links.Boot, PeerState.Reachable, PeerReason.Heard)],
            cluster[1].Changes.Select(change => (change.Boot, change.State, change.Reason)));
    }

    internal static void SetRingNeighbours(TestCluster cluster, TestNode node)
    {
        var position = cluster.Table.Position(node.Id);
        var count = cluster.Table.Count;
        node.Links.SetNeighbours(cluster.Now, NodeSet.Of((position + 1) % count).With((position + count - 1) % count), node);
    }
}
