using Membership.Cpg;
using Membership.Totem;
using Xunit;

namespace Membership.Node.Tests;

/// <summary>Groups on whole nodes: through the ring, its views and its queue.</summary>
public sealed class GroupTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Joins_messages_and_leaves_come_in_one_order_at_all_nodes()
    {
        var cluster = Formed(3);
        var first = cluster.Nodes[0].Join(1, "chat");
        var second = cluster.Nodes[1].Join(1, "chat");
        cluster.Run(Second);
        cluster.Nodes[0].Send(first, "hello"u8);
        cluster.Nodes[1].Send(second, "hi"u8, DeliveryLevel.Safe);
        cluster.Run(Second);
        cluster.Nodes[0].LeaveGroup(first);
        cluster.Run(Second);

        var log = cluster.Nodes[0].GroupLog;
        Assert.Equal(log, cluster.Nodes[1].GroupLog);
        Assert.Contains("chat: Join +(1.1) -() = (1.1)", log);
        Assert.Contains("chat: 1.1 says hello", log);
        Assert.Contains("chat: 2.1 says hi", log);
        Assert.Equal("chat: Leave +() -(1.1) = (2.1)", log[^1]);
    }

    [Fact]
    public void A_node_without_a_member_sees_the_changes_and_no_message()
    {
        var cluster = Formed(3);
        cluster.Nodes[0].Send(cluster.Nodes[0].Join(1, "chat"), "hello"u8);
        cluster.Run(Second);

        Assert.Equal(["chat: Join +(1.1) -() = (1.1)"], cluster.Nodes[2].GroupLog);
        Assert.Equal([new GroupMember(cluster.Table[0], 101, 1)], cluster.Nodes[2].Core.Groups.MembersOf("chat"));
        Assert.Equal(["chat"], cluster.Nodes[2].Core.Groups.Groups);
    }

    [Fact]
    public void A_message_sent_right_after_the_join_is_delivered()
    {
        var cluster = Formed(2);
        var slot = cluster.Nodes[1].Join(9, "chat");
        var sent = cluster.Nodes[1].Send(slot, "first"u8);
        cluster.Run(Second);

        Assert.Equal(GroupStatus.Accepted, sent.Status);
        Assert.Equal(["chat: Join +(2.9) -() = (2.9)", "chat: 2.9 says first"], cluster.Nodes[1].GroupLog);
    }

    [Fact]
    public void Members_of_a_silent_node_leave_with_the_view_that_misses_it()
    {
        var cluster = Formed(3);
        foreach (var node in cluster.Nodes) node.Join(1, "chat");
        cluster.Run(Second);
        cluster.Nodes[2].IsUp = false;
        cluster.Run(2 * Second);

        Assert.Equal("chat: NodeDown +() -(3.1) = (1.1 2.1)", cluster.Nodes[0].GroupLog[^1]);
        Assert.Equal("chat: NodeDown +() -(3.1) = (1.1 2.1)", cluster.Nodes[1].GroupLog[^1]);
    }

    [Fact]
    public void Members_of_both_sides_of_a_split_meet_again()
    {
        var cluster = Formed(4);
        foreach (var node in cluster.Nodes) node.Join(1, "chat");
        cluster.Run(Second);
        Split(cluster, 2);
        cluster.Run(3 * Second);
        cluster.Nodes[3].Join(2, "chat");
        cluster.Run(Second);
        Assert.Equal("chat: NodeDown +() -(3.1 4.1) = (1.1 2.1)", cluster.Nodes[0].GroupLog[^1]);

        cluster.Cuts.Clear();
        cluster.Run(3 * Second);

        Assert.Equal("chat: NodeUp +(3.1 4.1 4.2) -() = (1.1 2.1 3.1 4.1 4.2)", cluster.Nodes[0].GroupLog[^1]);
        Assert.Equal("chat: NodeUp +(1.1 2.1) -() = (1.1 2.1 3.1 4.1 4.2)", cluster.Nodes[3].GroupLog[^1]);
    }

    [Fact]
    public void A_session_that_ends_leaves_all_its_groups_as_a_process_that_died()
    {
        var cluster = Formed(2);
        cluster.Nodes[0].Join(1, "a");
        cluster.Nodes[0].Join(1, "b");
        cluster.Nodes[0].Join(2, "b");
        cluster.Run(Second);
        cluster.Nodes[0].EndSession(1);
        cluster.Run(Second);

        Assert.Equal(["a: ProcessDown +() -(1.1) = ()", "b: ProcessDown +() -(1.1) = (1.2)"], cluster.Nodes[1].GroupLog[^2..]);
    }

    [Fact]
    public void A_message_of_sixteen_mebibytes_arrives_whole()
    {
        var cluster = Formed(2);
        var slot = cluster.Nodes[0].Join(1, "bulk");
        cluster.Nodes[1].Join(1, "bulk");
        cluster.Run(Second);
        var text = new byte[16 * 1024 * 1024];
        Array.Fill(text, (byte)'x');
        Assert.Equal(GroupStatus.Accepted, cluster.Nodes[0].Send(slot, text).Status);
        Assert.Equal(GroupStatus.TooLarge, cluster.Nodes[0].Send(slot, new byte[text.Length + 1]).Status);
        cluster.Run(20 * Second);

        Assert.Equal(1, cluster.Nodes[1].GroupMessages);
        Assert.EndsWith(new string('x', 1000), cluster.Nodes[1].GroupLog[^1], StringComparison.Ordinal);
        Assert.Equal("bulk: 1.1 says ".Length + text.Length, cluster.Nodes[1].GroupLog[^1].Length);
    }

    private static TestCluster Formed(int nodes)
    {
        var cluster = new TestCluster(nodes);
        cluster.Start();
        Assert.True(cluster.Form());
        return cluster;
    }

    /// <summary>The first nodes and the others do not reach each other.</summary>
    private static void Split(TestCluster cluster, int first)
    {
        for (var left = 0; left < first; left++)
        {
            for (var right = first; right < cluster.Nodes.Count; right++)
            {
                cluster.Cuts.Add((left, right));
                cluster.Cuts.Add((right, left));
            }
        }
    }
}
