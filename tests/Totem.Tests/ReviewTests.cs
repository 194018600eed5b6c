using Membership.Links;
using Xunit;

namespace Membership.Totem.Tests;

/// <summary>Interleavings and hostile packets that once broke the ring.</summary>
public sealed class ReviewTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void The_node_that_does_not_receive_is_left_out_even_when_it_has_the_lowest_id()
    {
        var ring = OrderingTests.Formed(3);
        ring.Drop = (_, to, packet) => to == 1 && packet[0] == (byte)PacketKind.Data;
        ring[2].Submit("two");

        ring.Run(TimeSpan.FromMilliseconds(3900));

        Assert.Equal([2, 3], ring[2].Core.View!.Members.Select(member => (int)member.Node.Value));
        Assert.Equal(ring[2].Core.View!.Id, ring[3].Core.View!.Id);
    }

    [Fact]
    public void A_recovery_ends_although_a_member_receives_no_frames()
    {
        var ring = OrderingTests.Formed(4);
        ring.Drop = (_, to, packet) => to == 1 && packet[0] == (byte)PacketKind.Data;
        ring[2].Submit("two");
        ring.Crash(4);

        Assert.True(ring.RunUntil(() => ring[2].Core.State == TotemState.Operational && ring[2].Core.View!.Members.Count == 2, Second * 5));
        Assert.Equal([2, 3], ring[2].Core.View!.Members.Select(member => (int)member.Node.Value));
        Assert.Equal("two", ring[3].Texts);
    }

    [Fact]
    public void A_recovery_may_carry_more_frames_than_one_window_holds()
    {
        var ring = new TestRing(6, options => options with { WindowFrames = 64 });
        foreach (var (left, right) in Strangers()) ring.Cut(left, right);
        foreach (var node in ring.Nodes) node.Start();
        foreach (var group in new[] { 1, 3, 5 })
        {
            ring[group].Gain(group);
            ring[group + 1].Gain(group - 1);
        }

        Assert.True(ring.RunUntil(() => ring.Nodes.All(node => node.Core.View?.Members.Count == 2), Second * 2));
        ring.Run(TimeSpan.FromMilliseconds(50));
        ring.Drop = (_, _, packet) => packet[0] == (byte)PacketKind.Data && (packet[1] & DataFrame.EncapsulatedFlag) == 0;
        foreach (var group in new[] { 1, 3, 5 })
        {
            for (var i = 0; i < 25; i++) ring[group].Submit(new byte[1300]);
        }

        ring.Run(TimeSpan.FromMilliseconds(20));
        foreach (var (left, right) in Strangers()) ring.Heal(left, right);

        Assert.True(ring.RunUntil(() => ring.Nodes.All(node => node.Core.View!.Members.Count == 6), Second * 4));
        ring.Drop = (_, _, _) => false;
        ring.Run(Second);
        Assert.All(ring.Nodes, node => Assert.True(node.Messages.Count >= 25));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_frame_with_a_number_that_nobody_assigned_stops_no_node(int holder)
    {
        var ring = OrderingTests.Formed(3);
        ring[holder].Submit("first");
        ring.Run(Second);
        for (var ahead = 2UL; ahead <= 4; ahead++) ring[1].Packet(1, ring[2].Boot, Frame(ring, ring.Table[1], new Seq(ahead), 0));
        ring[1].Submit("one");
        ring.Run(Second);

        Assert.All(ring.Nodes, node => Assert.Contains("one", node.Texts));
    }

    [Fact]
    public void A_frame_forged_in_this_nodes_name_is_not_delivered_as_its_own()
    {
        var ring = OrderingTests.Formed(3);
        ring[1].Packet(1, ring[2].Boot, Frame(ring, ring.Table[0], new Seq(1), 77));
        ring[1].Submit("one");
        ring.Run(Second);

        Assert.Equal("one", ring[1].Texts);
    }

    [Fact]
    public void A_token_is_taken_from_the_predecessor_only()
    {
        var ring = OrderingTests.Formed(3);
        var token = new Token { Ring = ring[1].Core.View!.Id.Ring, TokenSeq = 1_000_000 };
        var packet = new byte[Token.BytesMax];
        var length = token.Write(packet);
        ring[1].Packet(1, ring[2].Boot, packet[..length]);
        ring[1].Submit("one");
        ring.Run(Second * 3);

        Assert.All(ring.Nodes, node => Assert.Single(node.Views));
        Assert.All(ring.Nodes, node => Assert.Equal("one", node.Texts));
    }

    [Fact]
    public void A_frame_too_large_to_be_carried_through_a_recovery_is_refused()
    {
        var ring = OrderingTests.Formed(2);
        var packet = Frame(ring, ring.Table[1], new Seq(1), 1, 65_530 - DataFrame.HeaderBytes);
        ring[1].Packet(1, ring[2].Boot, packet);

        Assert.Equal(1, ring[1].Core.Counters.Malformed);
        Assert.Equal(0, ring[1].Core.Counters.FramesReceived);
    }

    [Fact]
    public void A_leaving_representative_forms_the_ring_that_orders_its_messages()
    {
        var ring = OrderingTests.Formed(3);
        ring.Drop = (_, _, packet) => packet[0] == (byte)PacketKind.Token;
        ring[1].Submit("a");
        ring[1].Submit("b");
        ring.Run(TimeSpan.FromMilliseconds(20));
        for (var i = 0; i < 400; i++) ring[1].Submit(new byte[1300]);
        ring[3].Lose(0);
        ring[3].Gain(0);
        ring.Drop = (_, _, _) => false;
        ring[1].Core.Leave(ring.Now, ring[1]);
        ring.Run(Second * 2);

        Assert.True(ring[1].HasLeft);
        Assert.Empty(ring[1].Failures);
        Assert.Equal(402, ring[2].Messages.Count);
    }

    [Fact]
    public void A_commit_token_with_absurd_numbers_does_not_keep_a_node_busy()
    {
        var ring = OrderingTests.Formed(3);
        var commit = new CommitToken(ring.Table);
        ring.Drop = (from, _, packet) =>
        {
            if (packet[0] != (byte)PacketKind.CommitToken || from != 2 || !commit.TryRead(packet.AsSpan(1))) return false;
            commit.SetState(1, commit.State(1) with { High = new Seq(ulong.MaxValue), Aru = new Seq(ulong.MaxValue) });
            commit.Write(packet);
            return false;
        };
        ring[2].Submit("two");
        ring.Run(Second);
        ring[3].Lose(0);
        ring[3].Gain(0);

        Assert.True(ring.RunUntil(() => ring.Nodes.All(node => node.Views.Count >= 3 && node.Core.State == TotemState.Operational), Second * 3));
    }

    [Fact]
    public void With_a_post_token_window_lost_tails_and_a_crash_leave_all_survivors_with_the_same_messages()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            var ring = OrderingTests.Formed(4, options => options with { PostTokenBytes = 4096 });
            ring.Drop = (_, _, _) => random.NextDouble() < 0.1;
            for (var i = 0; i < 60; i++)
            {
                foreach (var node in ring.Nodes) node.Submit(new byte[random.Next(3000)], i % 4 == 0 ? DeliveryLevel.Safe : DeliveryLevel.Agreed);
                ring.Run(TimeSpan.FromMicroseconds(random.Next(500)));
            }

            ring.Crash(4);
            ring.Run(Second * 8);

            var survivors = ring.Nodes.Take(3).ToList();
            Assert.All(survivors, node => Assert.Equal(3, node.Core.View!.Members.Count));
            Assert.Single(survivors.Select(node => node.Texts).Distinct());
            Assert.All(survivors, node => Assert.Equal(60, node.Messages.Count(m => m.Delivery.Sender == ring.Table[node.Position])));
        }
    }

    private static byte[] Frame(TestRing ring, NodeId sender, Seq seq, ulong counter, int body = 12)
    {
        var frame = new byte[DataFrame.HeaderBytes + body];
        DataFrame.WriteHeader(frame, 0, sender, ring[1].Core.View!.Id.Ring, seq, counter);
        var piece = frame.AsSpan(DataFrame.HeaderBytes);
        piece[0] = Piece.FirstFlag | Piece.LastFlag;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16LittleEndian(piece[2..], (ushort)(body - 4));
        return frame;
    }

    private static IEnumerable<(int Left, int Right)> Strangers() =>
        from left in Enumerable.Range(1, 6) from right in Enumerable.Range(1, 6) where left < right && (left - 1) / 2 != (right - 1) / 2 select (left, right);
}
