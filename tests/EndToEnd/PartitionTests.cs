using Membership.Namespaces;
using Membership.V1;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>Cables are pulled and plugged in again.</summary>
public class PartitionTests(ITestOutputHelper output) : ClusterTest(output)
{
    private static readonly TimeSpan DetectionLimit = TimeSpan.FromMilliseconds(2700);
    private static readonly TimeSpan HealLimit = TimeSpan.FromSeconds(5);

    /// <summary>After a lasting one-way cut, views are settled within this time ...</summary>
    private static readonly TimeSpan SettleLimit = TimeSpan.FromSeconds(6);

    /// <summary>... and none follows for as long as anyone looks; here, this long.</summary>
    private static readonly TimeSpan SettledLook = TimeSpan.FromSeconds(8);

    [RootFact]
    public async Task A_node_without_cables_is_a_minority_and_the_others_a_majority_until_it_heals()
    {
        await StartAsync(new ClusterPlan { Links = 2 });

        Cluster.Network.SetCables(3, plugged: false);
        await Cluster.OneViewAsync(DetectionLimit, NodesOf(1, 2));
        await Cluster.OneViewAsync(DetectionLimit, Node(3));
        var majority = await Node(1).Api.GetStatusAsync();
        var minority = await Node(3).Api.GetStatusAsync();
        Cluster.Network.SetCables(3, plugged: true);
        await Cluster.OneViewAsync(HealLimit);

        Assert.Equal((true, false), (majority.Quorate, minority.Quorate));
        Assert.Equal(ClusterState.NoQuorum, minority.State);
    }

    [RootFact]
    public async Task One_cable_of_two_may_be_pulled_without_a_view_change()
    {
        await StartAsync(new ClusterPlan { Links = 2 });
        var recorders = await Cluster.RecordAsync([.. Cluster.Nodes]);
        await using var load = new RingLoad(Node(1), perSecond: 200, sizeBytes: 200);

        Cluster.Network.SetCable(3, link: 0, plugged: false);
        await Eventually.HoldsAsync("the first link of node 3 down at node 1", DetectionLimit, () => LinkIsAsync(0, LinkState.Down));
        Cluster.Network.SetCable(3, link: 0, plugged: true);
        await Eventually.HoldsAsync("the first link up again", HealLimit, () => LinkIsAsync(0, LinkState.Up));
        Cluster.Network.SetCable(3, link: 1, plugged: false);
        await Eventually.HoldsAsync("the second link of node 3 down at node 1", DetectionLimit, () => LinkIsAsync(1, LinkState.Down));
        await load.StopAsync();

        HistoryAssert.NoViewChange(recorders);
        Assert.Equal((load.Sent, 0), (load.Delivered, load.Refused));
        HistoryAssert.Holds(recorders);
    }

    [RootFact]
    public async Task Two_halves_of_four_are_both_without_quorum_and_find_each_other_again()
    {
        await StartAsync(new ClusterPlan { Nodes = 4 });

        foreach (var left in new[] { 1, 2 })
            foreach (var right in new[] { 3, 4 }) Cluster.Network.Separate(left, right);
        await Cluster.OneViewAsync(DetectionLimit, NodesOf(1, 2));
        await Cluster.OneViewAsync(DetectionLimit, NodesOf(3, 4));
        var statuses = await Task.WhenAll(Cluster.Nodes.Select(node => node.Api.GetStatusAsync()));
        Cluster.Network.Heal();
        await Cluster.OneViewAsync(HealLimit);

        Assert.All(statuses, status => Assert.False(status.Quorate));
    }

    [RootFact]
    public async Task A_one_way_cut_settles_in_one_view_and_stays_there_and_heals()
    {
        await StartAsync();
        Cluster.Network.Deafen(2, towards: 1);

        await SettlesAsync();

        Cluster.Network.Heal();
        await Cluster.OneViewAsync(HealLimit);
    }

    [RootFact]
    public async Task A_pair_that_cannot_talk_settles_in_one_view_and_stays_there_and_heals()
    {
        await StartAsync();
        Cluster.Network.Separate(1, 2);

        await SettlesAsync();

        Cluster.Network.Heal();
        await Cluster.OneViewAsync(HealLimit);
    }

    /// <summary>1 does not talk with 2: of the cliques 1,3 and 2,3, equal in votes and size, the rule takes the lower id list.</summary>
    private async Task SettlesAsync()
    {
        await Cluster.OneViewAsync(SettleLimit, NodesOf(1, 3));
        await Cluster.OneViewAsync(SettleLimit, Node(2));
        var recorders = await Cluster.RecordAsync([.. Cluster.Nodes]);
        await using var load = new RingLoad(Node(1), perSecond: 50, sizeBytes: 100);

        await Task.Delay(SettledLook);
        await load.StopAsync();

        HistoryAssert.NoViewChange(recorders);
        Assert.Null(load.Broken);
        Assert.Equal(load.Sent, load.Delivered);
    }

    private async Task<bool> LinkIsAsync(int link, LinkState state) =>
        (await Node(1).Api.GetStatusAsync()).Nodes.Single(node => node.Node == 3).Links[link].State == state;
}
