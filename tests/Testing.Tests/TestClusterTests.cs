using System.Text;
using Membership.Client;
using Membership.V1;
using Xunit;

namespace Membership.Testing.Tests;

public sealed class TestClusterTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Members_on_all_nodes_get_the_same_messages_in_the_same_order()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var groups = new List<ProcessGroup>();
        foreach (int node in cluster.Nodes) groups.Add(await cluster.Client(node).JoinAsync("orders").WaitAsync(Patience));

        await Task.WhenAll(groups.SelectMany((group, index) => Enumerable.Range(0, 20).Select(number => group.SendAsync(Bytes($"{index}.{number}"))))).WaitAsync(Patience);
        var seen = new List<List<GroupUpdate>>();
        foreach (var group in groups) seen.Add(await ReadUntilAsync(group, updates => updates.OfType<GroupUpdate.Message>().Count() == 60));

        var order = Messages(seen[0]);
        Assert.Equal(60, order.Distinct().Count());
        Assert.All(seen, updates => Assert.Equal(order, Messages(updates)));
        Assert.All(groups, group => Assert.Equal([1U, 2U, 3U], group.Members.Select(member => member.Node)));
    }

    [Fact]
    public async Task Partition_leaves_one_side_quorate_and_healing_brings_them_together()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        await using var one = await cluster.Client(1).JoinAsync("orders");
        await using var two = await cluster.Client(2).JoinAsync("orders");
        await using var three = await cluster.Client(3).JoinAsync("orders");

        cluster.Partition([1], [2, 3]);
        await cluster.SettleAsync();

        Assert.Equal((false, true, true), (cluster.IsQuorate(1), cluster.IsQuorate(2), cluster.IsQuorate(3)));
        Assert.False((await cluster.Client(1).GetQuorumAsync()).Quorate);
        Assert.Equal([2, 3], cluster.Members(2));
        await two.SendAsync(Bytes("without one"), DeliveryLevel.Safe).WaitAsync(Patience);
        var seen = await ReadUntilAsync(three, updates => updates[^1] is GroupUpdate.Message);
        var loss = Assert.IsType<GroupUpdate.MembersChanged>(seen[^2]);
        Assert.Equal((GroupReason.NodeDown, one.Self), (loss.Reason, Assert.Single(loss.Left)));

        cluster.Heal();
        await cluster.SettleAsync();

        Assert.All(cluster.Nodes, node => Assert.True(cluster.IsQuorate(node)));
        await ReadUntilAsync(one, updates => updates[^1] is GroupUpdate.MembersChanged { Members.Count: 3, Reason: GroupReason.NodeUp });
        await ReadUntilAsync(three, updates => updates[^1] is GroupUpdate.MembersChanged { Members.Count: 3, Reason: GroupReason.NodeUp });
    }

    [Fact]
    public async Task A_side_may_act_alone_only_after_the_time_of_the_view_before_it()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        await cluster.AdvanceAsync(TimeSpan.FromSeconds(5));
        Assert.True((await cluster.Client(1).GetExclusiveTimeAsync()).IsNow);

        cluster.Partition([1], [2, 3]);
        await cluster.SettleAsync();

        Assert.False((await cluster.Client(2).GetExclusiveTimeAsync()).IsNow);
        await cluster.AdvanceAsync(TimeSpan.FromSeconds(5));
        Assert.Equal((false, true), ((await cluster.Client(1).GetExclusiveTimeAsync()).IsNow, (await cluster.Client(2).GetExclusiveTimeAsync()).IsNow));
    }

    [Fact]
    public async Task Crash_is_seen_by_the_others_and_its_own_client_comes_back_after_the_start()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        await using var one = await cluster.Client(1).JoinAsync("orders");
        await using var three = await cluster.Client(3).JoinAsync("orders");

        cluster.Crash(3);
        await cluster.SettleAsync();
        await ReadUntilAsync(one, updates => updates[^1] is GroupUpdate.MembersChanged { Reason: GroupReason.NodeDown, Members.Count: 1 });
        var lost = await ReadUntilAsync(three, updates => updates[^1] is GroupUpdate.Interrupted);
        cluster.Start(3);
        await cluster.SettleAsync();
        var back = await ReadUntilAsync(three, updates => updates.Exists(update => update is GroupUpdate.MembersChanged { IsOwnJoin: true }) && updates[^1] is GroupUpdate.MembersChanged { Members.Count: 2 });

        Assert.Equal(MembershipReason.Unavailable, ((GroupUpdate.Interrupted)lost[^1]).Cause.Reason);
        Assert.NotEmpty(back);
        await three.SendAsync(Bytes("back")).WaitAsync(Patience);
        await ReadUntilAsync(one, updates => updates[^1] is GroupUpdate.Message { Text: "back" });
    }

    [Fact]
    public async Task Watches_tell_views_and_quorum_of_their_node()
    {
        await using var cluster = await TestCluster.StartAsync(5);
        await using var views = cluster.Client(1).WatchViewsAsync().GetAsyncEnumerator();
        await using var quorum = cluster.Client(1).WatchQuorumAsync().GetAsyncEnumerator();
        Assert.True(await views.MoveNextAsync().AsTask().WaitAsync(Patience));
        Assert.Equal(5, views.Current.Members.Count);

        cluster.Stop(5);
        cluster.Crash(4);
        cluster.Crash(3);
        await cluster.SettleAsync();

        while (views.Current.Transitional || views.Current.Members.Count != 2) Assert.True(await views.MoveNextAsync().AsTask().WaitAsync(Patience));
        do Assert.True(await quorum.MoveNextAsync().AsTask().WaitAsync(Patience));
        while (quorum.Current.Quorate);
        Assert.Equal((2UL, 3UL), (quorum.Current.Votes, quorum.Current.VotesNeeded));
    }

    [Fact]
    public async Task Time_moves_only_when_told_and_far_in_no_time()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var before = cluster.Now;
        await cluster.Client(1).GetStatusAsync();
        Assert.Equal(before, cluster.Now);

        await cluster.AdvanceAsync(TimeSpan.FromMinutes(10));

        Assert.Equal(before + TimeSpan.FromMinutes(10), cluster.Now);
        Assert.All(cluster.Nodes, node => Assert.Equal([1, 2, 3], cluster.Members(node)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public async Task Same_seed_and_calls_give_the_same_course_of_events(int seed)
    {
        Assert.Equal(await RunAsync(seed), await RunAsync(seed));

        static async Task<string> RunAsync(int seed)
        {
            await using var cluster = await TestCluster.StartAsync(3, seed);
            await using var group = await cluster.Client(2).JoinAsync("orders");
            var first = await group.SendAsync(Bytes("a"));
            cluster.Partition([1, 2], [3]);
            await cluster.SettleAsync();
            var second = await group.SendAsync(Bytes("b"));
            return $"{first} {second} {cluster.Now}";
        }
    }

    [Fact]
    public async Task Message_to_a_node_that_crashes_is_a_typed_failure()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        await using var client = cluster.NewClient(2);
        await using var group = await client.JoinAsync("orders");
        cluster.Crash(2);
        await ReadUntilAsync(group, updates => updates[^1] is GroupUpdate.Interrupted);

        using var cancel = new CancellationTokenSource();
        var waiting = group.SendAsync(Bytes("a"), cancellationToken: cancel.Token);
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(Patience));
        var unreachable = await Assert.ThrowsAsync<MembershipException>(() => client.GetQuorumAsync());
        Assert.True(unreachable.IsTransient);
    }

    /// <summary>What a user's own test looks like: the replica of the sample, under a partition.</summary>
    [Fact]
    public async Task Replicas_of_the_sample_agree_again_after_a_split()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var members = new List<(ProcessGroup Group, Replica Replica)>();
        foreach (int node in cluster.Nodes) members.Add((await cluster.Client(node).JoinAsync("cache"), new Replica()));
        await SetAsync(members[0].Group, "a", "1");
        foreach (var member in members) await ApplyUntilAsync(member, "a=1");

        cluster.Partition([1], [2, 3]);
        await cluster.SettleAsync();
        await SetAsync(members[0].Group, "b", "alone");
        await SetAsync(members[2].Group, "c", "3");
        await ApplyUntilAsync(members[0], "a=1 b=alone");
        await ApplyUntilAsync(members[1], "a=1 c=3");
        await ApplyUntilAsync(members[2], "a=1 c=3");
        cluster.Heal();
        await cluster.SettleAsync();

        // The side with the first member keeps its state.
        await Task.WhenAll(members.Select(member => ApplyUntilAsync(member, "a=1 b=alone", members: 3))).WaitAsync(Patience);
    }

    private static async Task ApplyUntilAsync((ProcessGroup Group, Replica Replica) member, string state, int members = 0)
    {
        using var limit = new CancellationTokenSource(Patience);
        await foreach (var update in member.Group.ReadAllAsync(limit.Token))
        {
            if (member.Replica.Apply(update) is { } snapshot) await (await member.Group.PostAsync(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(snapshot)));
            if (member.Replica.IsComplete && member.Replica.ToString() == state && member.Group.Members.Count >= members) return;
        }
    }

    private static Task<GroupReceipt> SetAsync(ProcessGroup group, string key, string value) =>
        group.SendAsync(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new Operation(key, value, null, null)));

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static List<string> Messages(IEnumerable<GroupUpdate> updates) => [.. updates.OfType<GroupUpdate.Message>().Select(message => $"{message.Text} {message.Position}")];

    private static async Task<List<GroupUpdate>> ReadUntilAsync(ProcessGroup group, Func<List<GroupUpdate>, bool> condition)
    {
        using var limit = new CancellationTokenSource(Patience);
        var updates = new List<GroupUpdate>();
        await foreach (var update in group.ReadAllAsync(limit.Token))
        {
            updates.Add(update);
            if (condition(updates)) break;
        }
        return updates;
    }
}
