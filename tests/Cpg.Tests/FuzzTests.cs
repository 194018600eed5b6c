using Membership.Totem;
using Xunit;
using Xunit.Abstractions;

namespace Membership.Cpg.Tests;

/// <summary>Whatever bytes are ordered: counted, dropped alike, never thrown over, never kept without bound.</summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const int Rounds = 60_000;

    [Fact]
    public void Random_bytes_and_spoiled_messages_are_dropped_alike_at_all_members()
    {
        var seed = Random.Shared.Next(1 << 30);
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var channel = new OrderedChannel(3, seed);
        channel.Form([0, 1, 2]);
        channel.Settle();
        foreach (var node in channel.Nodes) node.Join(1, "a");
        channel.Settle();
        for (var round = 0; round < Rounds; round++)
        {
            channel.Nodes[random.Next(3)].SubmitRaw(Spoiled(random, channel.Nodes[0].Ring!.Id)); // the ring was formed above
            if (random.Next(1000) == 0) channel.Form([0], [1, 2]);
            if (random.Next(500) != 0) continue;
            channel.Form([0, 1, 2]);
            for (var i = random.Next(300); i > 0; i--)
            {
                channel.Nodes[random.Next(3)].OrderNext();
                channel.Nodes[random.Next(3)].DeliverNext();
            }

            if (random.Next(2) == 0) channel.Form([0, 1, 2]);
            channel.Settle();
            AssertAlike(channel);
        }

        channel.Form([0, 1, 2]);
        channel.Settle();
        AssertAlike(channel);
        var counters = channel.Nodes[0].Core.Counters;
        foreach (var error in Enum.GetValues<GroupError>())
        {
            output.WriteLine($"{error} {counters.Dropped(error)}");
            if (error != GroupError.TooMany) Assert.True(counters.Dropped(error) > 0, $"{error} never happened");
        }
    }

    [Fact]
    public void Taking_a_join_list_allocates_at_most_four_times_its_bytes_and_a_kibibyte()
    {
        var random = new Random(5);
        var member = new ViewMember(new Links.NodeId(1), 1);
        var ring = new RingId(member.Node, 1, 1);
        var view = new View(ViewId.Regular(ring), [member], null, [member], []);
        var delivery = new Delivery(ring, new Seq(1), 0, member.Node, member.Boot, 1, DeliveryLevel.Agreed, 2);
        var worst = 0.0;
        for (var round = 0; round < 20_000; round++)
        {
            byte[][] messages = [.. Enumerable.Range(0, 4).Select(part => JoinList(random, ring, (uint)part))];
            // The runtime allocates for itself now and then on the thread that works: only what is allocated again is the list's.
            var (first, second) = (Allocated(messages), Allocated(messages));
            for (var part = 0; part < first.Count; part++)
            {
                var allocated = Math.Min(first[part], second[part]);
                worst = Math.Max(worst, allocated / (double)messages[part].Length);
                Assert.InRange(allocated, 0, (4 * messages[part].Length) + 1024);
            }
        }

        output.WriteLine($"at most {worst:F1} times");

        List<long> Allocated(byte[][] messages)
        {
            var lists = new JoinLists();
            lists.Begin(view);
            List<long> bytes = [];
            foreach (var message in messages)
            {
                if (lists.IsComplete) break;
                var before = GC.GetAllocatedBytesForCurrentThread();
                lists.Take(delivery, message);
                bytes.Add(GC.GetAllocatedBytesForCurrentThread() - before);
            }

            return bytes;
        }
    }

    [Fact]
    public void Parts_without_end_do_not_fill_the_memory()
    {
        var member = new ViewMember(new Links.NodeId(1), 1);
        var ring = new RingId(member.Node, 1, 1);
        var lists = new JoinLists();
        lists.Begin(new View(ViewId.Regular(ring), [member], null, [member], []));
        var message = new byte[64];
        var length = GroupWire.WriteJoinListHeader(message, 0, ring);

        Assert.Equal(GroupError.Malformed, lists.Take(new Delivery(ring, new Seq(1), 0, member.Node, member.Boot, 1, DeliveryLevel.Agreed, 2), message.AsSpan(0, length)));
        Assert.True(lists.IsComplete);
        Assert.Empty(lists.All[0].List.Parts);
    }

    private static void AssertAlike(OrderedChannel channel)
    {
        var first = channel.Nodes[0].Core;
        foreach (var node in channel.Nodes)
        {
            Assert.Equal(first.Groups, node.Core.Groups);
            foreach (var group in first.Groups) Assert.Equal(first.MembersOf(group), node.Core.MembersOf(group));
        }
    }

    private static byte[] Spoiled(Random random, RingId ring)
    {
        byte[] message = random.Next(7) switch
        {
            0 => Bytes(random),
            1 => JoinList(random, ring, (uint)random.Next(2)),
            2 => [1, (byte)random.Next(6), .. Bytes(random)],
            3 => [3, (byte)random.Next(4), (byte)random.Next(6), (byte)random.Next(6)],
            4 => [2, (byte)random.Next(6), (byte)random.Next(3), 0, (byte)random.Next(256)],
            5 => [(byte)random.Next(6), .. Bytes(random)],
            _ => [2, (byte)random.Next(100), (byte)random.Next(3), 0, (byte)'a'],
        };
        if (message.Length > 0 && random.Next(3) == 0) message[random.Next(message.Length)] ^= (byte)(1 << random.Next(8));
        return random.Next(4) == 0 ? message[..random.Next(message.Length + 1)] : message;
    }

    private static byte[] JoinList(Random random, RingId ring, uint part)
    {
        var message = new byte[64];
        var length = GroupWire.WriteJoinListHeader(message, part, ring);
        message[1] = (byte)(random.Next(10) == 0 ? random.Next(256) : random.Next(2));
        var body = new List<byte>();
        for (var group = random.Next(30); group > 0; group--)
        {
            body.AddRange([1, (byte)('z' - group)]);
            var count = random.Next(1, 4);
            body.Add((byte)count);
            for (var i = 0; i < count; i++) body.AddRange([(byte)random.Next(1, 120), (byte)((i * 10) + random.Next(10)), 0]);
        }

        return [.. message[..length], .. body];
    }

    private static byte[] Bytes(Random random)
    {
        var bytes = new byte[random.Next(60)];
        random.NextBytes(bytes);
        return bytes;
    }
}
