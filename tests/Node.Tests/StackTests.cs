using Membership.Totem;
using Xunit;

namespace Membership.Node.Tests;

public sealed class StackTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Five_nodes_form_one_ring_within_half_a_second()
    {
        var cluster = new TestCluster(5);
        cluster.Start();

        Assert.True(cluster.Form());

        Assert.True(cluster.Now < new Links.Instant(500_000_000), cluster.Now.ToString());
        Assert.Single(cluster.Nodes.Select(node => node.Core.View!.Id).Distinct());
    }

    [Fact]
    public void All_nodes_deliver_the_same_messages_in_the_same_order()
    {
        var cluster = Formed(4);
        for (var i = 0; i < 500; i++)
        {
            foreach (var node in cluster.Nodes)
                node.Submit(BitConverter.GetBytes((i * 10) + node.Position), i % 5 == 0 ? DeliveryLevel.Safe : DeliveryLevel.Agreed);
            cluster.Run(TimeSpan.FromMicroseconds(100));
        }

        cluster.Run(Second);

        Assert.Equal(2000, cluster.Nodes[0].Log.Count);
        Assert.All(cluster.Nodes, node => Assert.Equal(cluster.Nodes[0].Log, node.Log));
    }

    [Fact]
    public void A_silent_node_is_out_of_the_view_within_a_second()
    {
        var cluster = Formed(5);
        cluster.Run(Second);
        cluster.Nodes[2].IsUp = false;
        var before = cluster.Now;

        Assert.True(cluster.RunUntil(() => cluster.Nodes.Where(node => node.IsUp).All(node => node.Core.View!.Members.Count == 4), Second));

        Assert.InRange((cluster.Now - before).TotalMilliseconds, 400, 1000);
    }

    [Fact]
    public void A_healed_split_is_one_view_again_within_a_second_and_a_half()
    {
        var cluster = Formed(5);
        foreach (var (left, right) in from l in new[] { 0, 1, 2 } from r in new[] { 3, 4 } select (l, r))
        {
            cluster.Cuts.Add((left, right));
            cluster.Cuts.Add((right, left));
        }

        Assert.True(cluster.RunUntil(() => cluster.Nodes[0].Core.View!.Members.Count == 3 && cluster.Nodes[4].Core.View!.Members.Count == 2, Second * 2));
        cluster.Run(Second * 3);
        cluster.Cuts.Clear();
        var before = cluster.Now;

        Assert.True(cluster.RunUntil(() => cluster.Nodes.All(node => node.Core.View!.Members.Count == 5), Second * 3));

        Assert.True(cluster.Now - before < Second * 1.5, $"{cluster.Now - before}");
    }

    [Fact]
    public void A_node_that_loses_all_links_is_alone_within_a_second_and_back_within_a_second_and_a_half()
    {
        for (var cut = 0; cut < 5; cut++)
        {
            var cluster = Formed(5);
            cluster.Run(Second * 7 + TimeSpan.FromMilliseconds(37 * cut));
            var alone = cluster.Nodes[cut];
            foreach (var other in cluster.Nodes.Where(node => node != alone))
            {
                cluster.Cuts.Add((other.Position, cut));
                cluster.Cuts.Add((cut, other.Position));
            }

            var cutAt = cluster.Now;
            Assert.True(cluster.RunUntil(() => cluster.Nodes.All(node => node.Core.View!.Members.Count == (node == alone ? 1 : 4)), Second * 5));
            var apart = cluster.Now - cutAt;
            cluster.Run(Second * 3);
            cluster.Cuts.Clear();
            var healAt = cluster.Now;
            Assert.True(cluster.RunUntil(() => cluster.Nodes.All(node => node.Core.View!.Members.Count == 5), Second * 10));
            var together = cluster.Now - healAt;
            Assert.True(apart <= Second && together <= Second * 1.5, $"node {cut + 1}: apart after {apart.TotalSeconds:F3} s, together after {together.TotalSeconds:F3} s");
        }
    }

    [Fact]
    public void A_one_way_cut_ends_in_one_stable_view()
    {
        var cluster = Formed(3);
        cluster.Cuts.Add((1, 2));
        cluster.Run(Second * 3);
        Assert.Equal([2, 2, 1], cluster.Nodes.Select(node => node.Core.View!.Members.Count));
        var views = cluster.Nodes.Sum(node => node.Views.Count);

        cluster.Run(Second * 60);

        Assert.Equal(views, cluster.Nodes.Sum(node => node.Views.Count));
    }

    [Fact]
    public void A_node_that_leaves_is_missed_at_once()
    {
        var cluster = Formed(4);
        cluster.Nodes[0].Core.Leave(cluster.Now, cluster.Nodes[0]);

        Assert.True(cluster.RunUntil(() => cluster.Nodes.Skip(1).All(node => node.Core.View!.Members.Count == 3), TimeSpan.FromMilliseconds(100)));
        cluster.Run(Second);
        Assert.True(cluster.Nodes[0].HasLeft);
    }

    [Theory]
    [InlineData(3, 600, 30)]
    [InlineData(8, 600, 30)]
    [InlineData(16, 600, 30)]
    [InlineData(8, 150, 90)]
    public void An_idle_ring_stays_within_its_budget_of_packets(int nodes, int linkDownMs, int perSecond)
    {
        var cluster = Formed(nodes, TimeSpan.FromMilliseconds(linkDownMs));
        cluster.Run(Second * 10);
        var before = cluster.Datagrams;

        cluster.Run(Second * 20);

        Assert.InRange((cluster.Datagrams - before) / 20.0 / nodes, 0, perSecond);
    }

    [Fact]
    public void Packets_and_tokens_allocate_nothing_once_warm()
    {
        var cluster = Formed(3);
        foreach (var node in cluster.Nodes) node.IsRecording = false;
        var payload = new byte[300];
        Load(cluster, payload, 3000);
        var before = GC.GetAllocatedBytesForCurrentThread();

        Load(cluster, payload, 3000);

        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(bytes < 3000, $"{bytes} bytes for 9000 messages");
    }

    [Fact]
    public void Messages_of_groups_allocate_nothing_once_warm()
    {
        var cluster = Formed(3);
        var slots = cluster.Nodes.Select(node => node.Join(1, "chat")).ToArray();
        cluster.Run(TimeSpan.FromSeconds(1));
        foreach (var node in cluster.Nodes) node.IsRecording = false;
        var payload = new byte[300];
        LoadGroup(cluster, slots, payload, 3000);
        var before = GC.GetAllocatedBytesForCurrentThread();

        LoadGroup(cluster, slots, payload, 3000);

        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(bytes < 3000, $"{bytes} bytes for 9000 messages");
        cluster.Run(TimeSpan.FromSeconds(1));
        Assert.Equal([18000L, 18000L, 18000L], cluster.Nodes.Select(node => node.GroupMessages));
    }

    private static void LoadGroup(TestCluster cluster, uint[] slots, byte[] payload, int rounds)
    {
        for (var i = 0; i < rounds; i++)
        {
            foreach (var node in cluster.Nodes) node.Send(slots[node.Position], payload);
            cluster.Run(TimeSpan.FromMicroseconds(200));
        }
    }

    private static void Load(TestCluster cluster, byte[] payload, int rounds)
    {
        for (var i = 0; i < rounds; i++)
        {
            foreach (var node in cluster.Nodes) node.Submit(payload);
            cluster.Run(TimeSpan.FromMicroseconds(200));
        }
    }

    private static TestCluster Formed(int nodes, TimeSpan? linkDown = null)
    {
        var cluster = new TestCluster(nodes, linkDown);
        cluster.Start();
        Assert.True(cluster.Form());
        return cluster;
    }
}
