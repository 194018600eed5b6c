using Membership.Totem;
using Xunit;

namespace Membership.Cpg.Tests;

/// <summary>Groups across views.</summary>
public sealed class ViewTests
{
    [Fact]
    public void Members_of_lost_nodes_leave_with_one_event_per_group_before_any_message_of_the_view()
    {
        var channel = Joined(3, "b", "a");
        channel.Nodes[0].Send(1, "before"u8);
        channel.Form([0, 1]);
        channel.Settle();

        Assert.Equal(
            ["transitional (1 2)", "view (1 2)", "a: NodeDown +() -(3.1) = (1.1 2.1)", "b: NodeDown +() -(3.1) = (1.1 2.1)", "b: 1.1 says before"],
            channel.Nodes[1].Log[^5..]);
        Assert.False(channel.Nodes[0].Core.IsSynchronising);
        Assert.Equal(0, channel.Nodes[0].Queued);
    }

    [Fact]
    public void Both_sides_of_a_merge_get_the_others_members_before_any_message()
    {
        var channel = Joined(3, "a");
        channel.Form([0, 1], [2]);
        channel.Settle();
        channel.Nodes[2].Join(9, "a");
        channel.Settle();
        channel.Nodes[2].Send(1, "hello"u8);

        channel.Form([0, 1, 2]);
        channel.Settle();

        Assert.Equal(["view (1 2 3)", "a: NodeUp +(3.1 3.9) -() = (1.1 2.1 3.1 3.9)", "a: 3.1 says hello"], channel.Nodes[0].Log[^3..]);
        Assert.Equal(["view (1 2 3)", "a: NodeUp +(1.1 2.1) -() = (1.1 2.1 3.1 3.9)", "a: 3.1 says hello"], channel.Nodes[2].Log[^3..]);
    }

    [Fact]
    public void A_node_that_comes_back_with_another_boot_is_another_node()
    {
        var channel = Joined(2, "a");
        channel.Restart(1);
        channel.Nodes[1].Join(4, "a");
        channel.Form([0, 1]);
        channel.Settle();

        Assert.Equal(["view (1 2)", "a: NodeDown +() -(2.1) = (1.1)", "a: Join +(2.4) -() = (1.1 2.4)"], channel.Nodes[0].Log[^3..]);
        Assert.Equal(["view (1 2)", "a: NodeUp +(1.1) -() = (1.1)", "a: Join +(2.4) -() = (1.1 2.4)"], channel.Nodes[1].Log[^3..]);
    }

    [Fact]
    public void A_node_that_went_another_way_and_is_back_in_the_next_view_left_in_between()
    {
        var channel = Joined(2, "a");
        channel.Form([1]);
        channel.Form([0, 1]);
        channel.Settle();

        Assert.Equal(["view (1 2)", "a: NodeDown +() -(2.1) = (1.1)", "a: NodeUp +(2.1) -() = (1.1 2.1)"], channel.Nodes[0].Log[^3..]);
    }

    [Fact]
    public void Nothing_of_a_new_view_takes_effect_until_all_join_lists_are_in()
    {
        var channel = Strangers();
        Order(channel.Nodes[0], channel.Nodes[0].Queued); // join list, then join and message
        Deliver(channel);

        Assert.Equal("view (1 2)", channel.Nodes[0].Log[^1]);
        Assert.True(channel.Nodes[0].Core.IsSynchronising);

        channel.Nodes[1].OrderNext();
        Deliver(channel);

        Assert.Equal(["view (1 2)", "a: NodeUp +(2.1) -() = (1.1 2.1)", "b: Join +(1.2) -() = (1.2)", "a: 1.1 says new"], channel.Nodes[0].Log[^4..]);
        Assert.Equal(["view (1 2)", "a: NodeUp +(1.1) -() = (1.1 2.1)", "b: Join +(1.2) -() = (1.2)", "a: 1.1 says new"], channel.Nodes[1].Log[^4..]);
    }

    [Fact]
    public void What_waited_when_its_view_ends_takes_effect_in_it_for_those_who_know_its_sender()
    {
        var channel = Strangers();
        Order(channel.Nodes[0], channel.Nodes[0].Queued);
        Deliver(channel);

        channel.Form([0, 1]); // before node 2's list was ordered
        Deliver(channel);

        Assert.Equal(["transitional (1 2)", "b: Join +(1.2) -() = (1.2)", "a: 1.1 says new", "view (1 2)"], channel.Nodes[0].Log[^4..]);
        Assert.Equal(["transitional (1 2)", "view (1 2)"], channel.Nodes[1].Log[^2..]);
        channel.Settle();
        Assert.Equal("a: NodeUp +(2.1) -() = (1.1 2.1)", channel.Nodes[0].Log[^1]);
        Assert.Equal(["a: NodeUp +(1.1) -() = (1.1 2.1)", "b: NodeUp +(1.2) -() = (1.2)"], channel.Nodes[1].Log[^2..]);
    }

    [Fact]
    public void Lists_of_a_view_that_is_over_mean_nothing()
    {
        var channel = Strangers();
        channel.Form([0, 1]);
        Assert.Equal(1, channel.Nodes[1].Queued); // the list for the view before; that for this one is written when it is ordered
        channel.Nodes[1].OrderNext();
        Order(channel.Nodes[0], channel.Nodes[0].Queued);
        Deliver(channel);

        Assert.All(channel.Nodes, node => Assert.Equal(2, node.Core.Counters.Dropped(GroupError.StaleJoinList)));
        Assert.True(channel.Nodes[0].Core.IsSynchronising);
        channel.Settle();
        Assert.False(channel.Nodes[0].Core.IsSynchronising);
        Assert.Equal(channel.Nodes[0].Core.MembersOf("a"), channel.Nodes[1].Core.MembersOf("a"));
    }

    [Fact]
    public void A_list_that_makes_no_sense_holds_up_nobody_and_brings_nobody()
    {
        var channel = Strangers();
        channel.Nodes[0].Core.OnMessage(Place(channel, 1), [4, 7], channel.Nodes[0]);
        channel.Nodes[1].Core.OnMessage(Place(channel, 1), [4, 7], channel.Nodes[1]);
        Assert.Equal(1, channel.Nodes[0].Core.Counters.Dropped(GroupError.Malformed));
        Order(channel.Nodes[0], 1);
        Deliver(channel);

        Assert.Equal("view (1 2)", channel.Nodes[0].Log[^1]);
        Assert.False(channel.Nodes[0].Core.IsSynchronising);
        Assert.Equal(["a: NodeUp +(1.1) -() = (1.1 2.1)", "a: ProcessDown +() -(2.1) = (1.1)"], channel.Nodes[1].Log[^2..]);
        Assert.Equal(1, channel.Nodes[1].Core.Counters.Ghosts);
        Assert.Equal(GroupStatus.NotJoined, channel.Nodes[1].Send(1, "x"u8).Status);
    }

    [Fact]
    public void While_too_much_waits_for_the_join_lists_sends_are_refused()
    {
        var channel = Strangers();
        var node = channel.Nodes[0];
        while (node.OrderNext())
        {
        }

        for (var sent = 0; sent < CpgOptions.WaitingBytesMax; sent += 1 << 20)
        {
            Assert.Equal(GroupStatus.Accepted, node.Send(1, new byte[1 << 20]).Status);
            node.OrderNext();
            while (node.DeliverNext())
            {
            }
        }

        Assert.Equal(GroupStatus.QueueFull, node.Send(1, "x"u8).Status);
        channel.Settle();
        Assert.Equal(GroupStatus.Accepted, node.Send(1, "x"u8).Status);
    }

    [Fact]
    public void A_view_of_strangers_to_nobody_needs_no_list()
    {
        var channel = Joined(3, "a");
        var before = channel.Nodes[0].Core.Counters.Synchronisations;
        channel.Form([0, 1]);
        channel.Form([0]);
        channel.Settle();

        Assert.Equal(before, channel.Nodes[0].Core.Counters.Synchronisations);
        Assert.Equal("a: NodeDown +() -(2.1) = (1.1)", channel.Nodes[0].Log[^1]);
    }

    [Fact]
    public void Lists_and_leaves_of_many_groups_fit_the_shortest_messages_a_ring_may_be_set_to()
    {
        var channel = new OrderedChannel(2, messageBytes: CpgOptions.MessageBytesMin);
        channel.Form([0], [1]);
        for (var group = 0; group < 300; group++) channel.Nodes[0].Join(1, $"{group:D3}{new string('ß', 126)}");
        channel.Settle();
        channel.Form([0, 1]);
        channel.Settle();

        Assert.Equal(300, channel.Nodes[1].Core.Groups.Count());
        channel.Nodes[0].EndSession(1);
        channel.Settle();
        Assert.Empty(channel.Nodes[1].Core.Groups);
        Assert.Empty(channel.History.Violations);
        Assert.Throws<ArgumentOutOfRangeException>(() => new CpgNode(new CpgOptions { Self = new Links.NodeId(1), MessageBytesMax = CpgOptions.MessageBytesMin - 1 }));
    }

    [Fact]
    public void However_often_views_change_before_anything_is_ordered_one_join_list_waits()
    {
        var channel = new OrderedChannel(2, messageBytes: CpgOptions.MessageBytesMin);   // small parts: the list has several
        channel.Form([0], [1]);
        foreach (var node in channel.Nodes)
        {
            for (var group = 0; group < 40; group++) node.Join(1, $"{group:d2} of a name that makes the list long enough for some parts");
        }

        channel.Settle();
        channel.Form([0, 1]);
        var one = channel.Nodes.Select(node => node.Queued).ToArray();
        for (var flap = 0; flap < 100; flap++)
        {
            channel.Form([0], [1]);
            channel.Form([0, 1]);
        }

        Assert.All(one, parts => Assert.InRange(parts, 2, 40));
        Assert.Equal(one, channel.Nodes.Select(node => node.Queued));
        channel.Settle();
        Assert.All(channel.Nodes, node => Assert.False(node.Core.IsSynchronising));
        Assert.All(channel.Nodes, node => Assert.Equal(2, node.Core.MembersOf("07 of a name that makes the list long enough for some parts").Count));
    }

    /// <summary>Two nodes, each with a member of "a", in a view in which nothing is ordered yet; node 1 has a join to "b" and a message behind its list.</summary>
    private static OrderedChannel Strangers()
    {
        var channel = new OrderedChannel(2);
        channel.Form([0], [1]);
        foreach (var node in channel.Nodes) node.Join(1, "a");
        channel.Settle();
        channel.Form([0, 1]);
        channel.Nodes[0].Join(2, "b");
        channel.Nodes[0].Send(1, "new"u8);
        return channel;
    }

    private static OrderedChannel Joined(int nodes, params string[] groups)
    {
        var channel = new OrderedChannel(nodes);
        channel.Form([.. Enumerable.Range(0, nodes)]);
        foreach (var node in channel.Nodes)
        {
            foreach (var group in groups) node.Join(1, group);
        }

        channel.Settle();
        return channel;
    }

    private static Delivery Place(OrderedChannel channel, int sender) =>
        new(channel.Nodes[0].Ring!.Id, new Seq(1), 0, channel.Nodes[sender].Name.Node, channel.Nodes[sender].Name.Boot, 0, DeliveryLevel.Agreed, 2); // formed above

    private static void Order(ChannelNode node, int count)
    {
        for (; count > 0; count--) node.OrderNext();
    }

    private static void Deliver(OrderedChannel channel)
    {
        foreach (var node in channel.Nodes)
        {
            while (node.DeliverNext())
            {
            }
        }
    }
}
