using System.Text;
using Membership.Totem;
using Xunit;

namespace Membership.Cpg.Tests;

/// <summary>What sessions ask for and what they get, in one view.</summary>
public sealed class GroupTests
{
    [Fact]
    public void A_join_is_seen_by_all_at_one_place_and_slots_count_from_one()
    {
        var channel = Formed(2);
        Assert.Equal(new JoinResult(GroupStatus.Accepted, 1), channel.Nodes[0].Join(7, "a"));
        Assert.Equal(new JoinResult(GroupStatus.Accepted, 2), channel.Nodes[0].Join(7, "b"));
        Assert.Empty(channel.Nodes[0].Changes);

        channel.Settle();

        string[] expected = ["view (1 2)", "a: Join +(1.7) -() = (1.7)", "b: Join +(1.7) -() = (1.7)"];
        Assert.Equal(expected, channel.Nodes[0].Log);
        Assert.Equal(expected, channel.Nodes[1].Log);
        Assert.Equal(["a", "b"], channel.Nodes[1].Core.Groups);
    }

    [Fact]
    public void A_slot_is_never_given_again()
    {
        var channel = Formed(1);
        var first = channel.Nodes[0].Join(1, "a").Slot;
        channel.Settle();
        channel.Nodes[0].Leave(first);
        channel.Settle();

        Assert.Equal(first + 1, channel.Nodes[0].Join(1, "a").Slot);
    }

    [Fact]
    public void A_session_is_in_a_group_once_until_its_leave_is_ordered()
    {
        var node = Formed(1).Nodes[0];
        var slot = node.Join(1, "a").Slot;
        Assert.Equal(GroupStatus.AlreadyJoined, node.Join(1, "a").Status);
        Assert.Equal(GroupStatus.Accepted, node.Join(2, "a").Status);
        Drain(node);
        Assert.Equal(GroupStatus.AlreadyJoined, node.Join(1, "a").Status);

        Assert.Equal(GroupStatus.Accepted, node.Leave(slot));

        Assert.Equal(GroupStatus.AlreadyJoined, node.Join(1, "a").Status);
        Assert.Equal(GroupStatus.NotJoined, node.Leave(slot));
        Assert.Equal(GroupStatus.NotJoined, node.Send(slot, "x"u8).Status);
        Drain(node);
        Assert.Equal(GroupStatus.Accepted, node.Join(1, "a").Status);
        Assert.Equal(GroupStatus.NotJoined, node.Leave(999));
    }

    [Fact]
    public void A_leave_may_follow_its_join_at_once()
    {
        var node = Formed(1).Nodes[0];
        node.Leave(node.Join(1, "a").Slot);
        Drain(node);

        Assert.Equal(["view (1)", "a: Join +(1.1) -() = (1.1)", "a: Leave +() -(1.1) = ()"], node.Log);
        Assert.Empty(node.Core.Groups);
    }

    [Fact]
    public void Changes_of_a_group_are_counted_from_one_and_anew_when_it_was_empty()
    {
        var node = Formed(1).Nodes[0];
        var first = node.Join(1, "a").Slot;
        var second = node.Join(2, "a").Slot;
        node.Leave(first);
        node.Leave(second);
        node.Join(3, "a");
        Drain(node);

        Assert.Equal([1UL, 2, 3, 4, 1], node.Changes.Select(change => change.Change));
    }

    [Fact]
    public void Each_group_of_a_session_that_ends_has_one_event_by_name()
    {
        var channel = Formed(2);
        foreach (var name in new[] { "c", "a", "b" }) channel.Nodes[0].Join(1, name);
        channel.Nodes[1].Join(5, "b");
        channel.Settle();
        channel.Nodes[0].Leave(2); // "a": it said goodbye before it died
        channel.Nodes[0].EndSession(1);
        channel.Settle();

        Assert.Equal(["a: Leave +() -(1.1) = ()", "b: ProcessDown +() -(1.1) = (2.5)", "c: ProcessDown +() -(1.1) = ()"], channel.Nodes[1].Log[^3..]);
        channel.Nodes[0].EndSession(1);
        Assert.Equal(0, channel.Nodes[0].Queued);
    }

    [Fact]
    public void A_message_goes_to_nodes_with_members_and_carries_its_sender_and_place()
    {
        var channel = Formed(3);
        var slot = channel.Nodes[0].Join(1, "a").Slot;
        channel.Nodes[1].Join(1, "a");
        channel.Settle();
        channel.Nodes[0].Send(slot, "hello"u8, DeliveryLevel.Safe);
        channel.Settle();

        Assert.Equal("a: 1.1 says hello", channel.Nodes[0].Log[^1]);
        Assert.Equal("a: 1.1 says hello", channel.Nodes[1].Log[^1]);
        Assert.DoesNotContain("says", channel.Nodes[2].Log[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_sent_before_its_join_is_ordered_arrives_after_it()
    {
        var node = Formed(1).Nodes[0];
        node.Send(node.Join(1, "a").Slot, "early"u8);
        Drain(node);

        Assert.Equal(["a: Join +(1.1) -() = (1.1)", "a: 1.1 says early"], node.Log[^2..]);
    }

    [Fact]
    public void What_cannot_be_sent_is_refused_with_its_reason()
    {
        var node = Formed(1).Nodes[0];
        var slot = node.Join(1, "a").Slot;

        Assert.Equal(GroupStatus.TooLarge, node.Send(slot, new byte[(1 << 20) + 1]).Status);
        Assert.Equal(GroupStatus.NotJoined, node.Send(0, "x"u8).Status);
        Assert.Equal(GroupStatus.BadName, node.Join(1, "a\nb").Status);
        while (node.Send(slot, "x"u8).Status == GroupStatus.Accepted)
        {
        }

        Assert.Equal(GroupStatus.QueueFull, node.Send(slot, "x"u8).Status);
        Assert.Equal(GroupStatus.Accepted, node.Join(2, "a").Status);
    }

    [Fact]
    public void Beyond_the_limit_of_memberships_a_join_is_refused_until_one_has_ended()
    {
        var effects = Formed(1).Nodes[0];
        var core = new CpgNode(new CpgOptions { Self = effects.Name.Node, LocalMembershipsMax = 2 });
        core.Join(1, 0, "a", effects);
        core.Join(1, 0, "b", effects);

        Assert.Equal(GroupStatus.LimitReached, core.Join(1, 0, "c", effects).Status);
    }

    [Fact]
    public void The_sender_of_a_message_ordered_after_its_membership_is_told()
    {
        var node = Formed(1).Nodes[0];
        var slot = node.Join(1, "a").Slot;
        node.Join(2, "a");
        node.SubmitRaw(3, (byte)GroupReason.Leave, (byte)slot); // a leave that this node does not know of
        var sent = node.Send(slot, "late"u8);
        Drain(node);

        Assert.Equal(GroupStatus.Accepted, sent.Status);
        Assert.Equal($"dropped {sent.Counter}", node.Log[^1]);
        Assert.Equal(GroupStatus.NotJoined, node.Send(slot, "x"u8).Status);
    }

    [Fact]
    public void Groups_are_listed_by_their_bytes()
    {
        var node = Formed(1).Nodes[0];
        foreach (var name in new[] { "\U0001F980", "z", "ß", "\uffe5", "a" }) node.Join(1, name);
        Drain(node);

        Assert.Equal(["a", "z", "ß", "\uffe5", "\U0001F980"], node.Core.Groups);
        Assert.Empty(node.Core.MembersOf("none"));
    }

    [Fact]
    public void Malformed_messages_are_counted_by_reason()
    {
        var channel = Formed(2);
        var node = channel.Nodes[0];
        node.Join(1, "a");
        channel.Settle();
        node.SubmitRaw();
        node.SubmitRaw(0x11, 1);
        node.SubmitRaw(1);
        node.SubmitRaw(1, 9);
        node.SubmitRaw([2, 9, 1, 0, .. Encoding.UTF8.GetBytes("a")]);
        node.SubmitRaw([2, 1, 8, 0, .. Encoding.UTF8.GetBytes("a")]);
        node.SubmitRaw(2, 9, 8, 0, 7);
        node.SubmitRaw(3, 1);
        node.SubmitRaw(3, 3, 1);
        node.SubmitRaw(3, 1, 9);
        node.SubmitRaw(4, 1, 0);
        channel.Settle();

        foreach (var counters in channel.Nodes.Select(one => one.Core.Counters))
        {
            Assert.Equal(2, counters.Dropped(GroupError.UnknownKind));
            Assert.Equal(3, counters.Dropped(GroupError.Malformed));
            Assert.Equal(2, counters.Dropped(GroupError.UnknownSlot));
            Assert.Equal(1, counters.Dropped(GroupError.AlreadyMember));
            Assert.Equal(1, counters.Dropped(GroupError.SlotTaken));
            Assert.Equal(1, counters.Dropped(GroupError.BadName));
            Assert.Equal(1, counters.Dropped(GroupError.StaleJoinList));
        }
    }

    private static OrderedChannel Formed(int nodes)
    {
        var channel = new OrderedChannel(nodes);
        channel.Form([.. Enumerable.Range(0, nodes)]);
        channel.Settle();
        return channel;
    }

    private static void Drain(ChannelNode node)
    {
        while (node.OrderNext() | node.DeliverNext())
        {
        }
    }
}
