using Membership.Links;
using Xunit;

namespace Membership.Totem.Tests;

public sealed class StructureTests
{
    [Fact]
    public void Cliques_agree_with_trying_every_subset()
    {
        var random = new Random(5);
        for (var run = 0; run < 300; run++)
        {
            var nodes = random.Next(1, 10);
            var votes = Enumerable.Range(0, nodes).Select(_ => (ulong)random.Next(1, 3)).ToArray();
            var matrix = new HearingMatrix();
            for (var left = 0; left < nodes; left++)
            {
                for (var right = left + 1; right < nodes; right++)
                {
                    if (random.NextDouble() < 0.6) matrix.Connect(left, right);
                }
            }

            var all = new NodeSet((1UL << nodes) - 1);
            var cliques = new Cliques(nodes, votes);
            for (var self = 0; self < nodes; self++) Assert.Equal(ByBruteForce(self, all, matrix, cliques), cliques.Of(self, all, matrix));
        }
    }

    [Fact]
    public void Every_node_computes_the_same_partition_of_the_same_matrix()
    {
        var matrix = new HearingMatrix();
        foreach (var (left, right) in new[] { (0, 1), (0, 2), (1, 3), (2, 3) }) matrix.Connect(left, right);
        var cliques = new Cliques(4, []);
        var all = new NodeSet(0b1111);

        Assert.Equal(new NodeSet(0b0011), cliques.Of(0, all, matrix));
        Assert.Equal(new NodeSet(0b0011), cliques.Of(1, all, matrix));
        Assert.Equal(new NodeSet(0b1100), cliques.Of(2, all, matrix));
        Assert.Equal(new NodeSet(0b1100), cliques.Of(3, all, matrix));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void What_is_packed_into_frames_comes_out_again(int seed)
    {
        var random = new Random(seed);
        var queue = new SendQueue(64 * 1024 * 1024);
        var sent = new List<(byte[] Bytes, DeliveryLevel Level)>();
        for (var i = 1UL; i <= 400; i++)
        {
            var bytes = new byte[random.Next(10) == 0 ? random.Next(70_000) : random.Next(200)];
            random.NextBytes(bytes);
            var level = (DeliveryLevel)random.Next(2);
            sent.Add((bytes, level));
            Assert.True(queue.TryAdd(i, level, (byte)i, [], bytes));
        }

        var received = new List<(byte[] Bytes, DeliveryLevel Level)>();
        var reassembly = new Reassembly(1 << 20);
        var body = new byte[1394];
        var expected = 1UL;
        while (!queue.IsEmpty)
        {
            var length = queue.Pack(body, out var counter, out var isSafe);
            var pieces = new PieceReader(body.AsSpan(0, length));
            var endsSafe = false;
            for (; pieces.TryNext(out var piece); counter++)
            {
                endsSafe |= piece.IsLast && piece.Level == DeliveryLevel.Safe;
                if (!piece.IsWhole && !reassembly.Add(counter, piece)) continue;
                Assert.Equal(expected++, counter);
                received.Add((piece.IsWhole ? piece.Payload.ToArray() : reassembly.Message.ToArray(), piece.Level));
            }

            Assert.False(pieces.IsMalformed);
            Assert.Equal(isSafe, endsSafe);
        }

        Assert.Equal(0, queue.Bytes);
        Assert.Equal(sent.Count, received.Count);
        Assert.All(sent.Zip(received), pair => Assert.True(pair.First.Level == pair.Second.Level && pair.First.Bytes.AsSpan().SequenceEqual(pair.Second.Bytes)));
    }

    [Fact]
    public void A_rewound_message_starts_over_from_its_first_byte()
    {
        var queue = new SendQueue(1 << 20);
        var payload = new byte[5000];
        new Random(9).NextBytes(payload);
        queue.TryAdd(1, DeliveryLevel.Agreed, 0, [], payload);
        var body = new byte[1000];
        queue.Pack(body, out _, out _);
        queue.Rewind();

        var reassembly = new Reassembly(1 << 20);
        var isComplete = false;
        while (!queue.IsEmpty)
        {
            var length = queue.Pack(body, out var counter, out _);
            var pieces = new PieceReader(body.AsSpan(0, length));
            while (pieces.TryNext(out var piece)) isComplete |= reassembly.Add(counter, piece);
        }

        Assert.True(isComplete);
        Assert.Equal(payload, reassembly.Message.ToArray());
    }

    [Fact]
    public void A_full_queue_refuses_but_takes_one_message_of_any_size()
    {
        var queue = new SendQueue(1000);

        Assert.True(queue.TryAdd(1, DeliveryLevel.Agreed, 0, [], new byte[5000]));
        Assert.False(queue.TryAdd(2, DeliveryLevel.Agreed, 0, [], new byte[1]));
    }

    [Fact]
    public void Fragments_that_do_not_continue_are_dropped_with_what_came_before()
    {
        var reassembly = new Reassembly(100);
        Assert.False(reassembly.Add(1, new Piece(Piece.FirstFlag, 0, 0, 6, "abc"u8)));
        Assert.False(reassembly.Add(1, new Piece(Piece.LastFlag, 0, 2, 0, "def"u8)));
        Assert.False(reassembly.Add(1, new Piece(Piece.LastFlag, 0, 1, 0, "def"u8)));
        Assert.False(reassembly.Add(2, new Piece(Piece.FirstFlag, 0, 0, 101, "abc"u8)));
        Assert.False(reassembly.Add(3, new Piece(Piece.FirstFlag, 0, 0, 5, "abc"u8)));
        Assert.False(reassembly.Add(3, new Piece(Piece.LastFlag, 0, 1, 0, "def"u8)));
    }

    [Fact]
    public void The_window_counts_aru_over_gaps_and_frees_only_what_is_stable_and_delivered()
    {
        var window = new MessageWindow(8, new FramePool());
        Assert.True(window.TryAdd(new Seq(2), [1]));
        Assert.Equal(Seq.None, window.Aru);
        Assert.True(window.TryAdd(new Seq(1), [1]));
        Assert.Equal(new Seq(2), window.Aru);
        Assert.False(window.TryAdd(new Seq(2), [1]));
        Assert.True(window.TryAdd(new Seq(5), [1]));
        Assert.True(window.TryMissing(window.Aru, new Seq(5), out var missing));
        Assert.Equal(new SeqRange(new Seq(3), 2), missing);
        Assert.False(window.TryAdd(new Seq(9), [1]));

        window.MarkDelivered(new Seq(1));
        window.Release(new Seq(2));

        Assert.Equal(new Seq(1), window.Released);
        Assert.True(window.Has(new Seq(1)));
        Assert.True(window.TryAdd(new Seq(9), [1]));
    }

    [Fact]
    public void A_node_is_held_out_from_its_third_short_membership_on_for_longer_each_time()
    {
        var holdDown = new HoldDown();
        var at = new Instant(0);
        var times = new List<double>();
        for (var i = 0; i < 10; i++)
        {
            var time = holdDown.Strike(at);
            times.Add(time.TotalSeconds);
            at += time + TimeSpan.FromSeconds(2);
        }

        Assert.Equal([0, 0, 1, 2, 4, 8, 16, 32, 60, 60], times);
        Assert.Equal(TimeSpan.Zero, holdDown.Strike(at + TimeSpan.FromSeconds(200)));
    }

    [Fact]
    public void The_visit_allowance_keeps_to_window_visit_and_share()
    {
        var flow = new FlowControl(100_000, 40_000);
        Assert.Equal(40_000, flow.Allowance(0, 0, 500_000));
        Assert.Equal(10_000, flow.Allowance(90_000, 0, 500_000));
        Assert.Equal(0, flow.Allowance(200_000, 0, 500_000));
        Assert.Equal(25_000, flow.Allowance(0, 300_000, 100_000));
        Assert.Equal(FlowControl.ShareBytesMin, flow.Allowance(0, 10_000_000, 10));

        Assert.Equal(30_000u, flow.FlowAfter(0, 30_000));
        Assert.Equal(10_000u, flow.FlowAfter(30_000, 10_000));
    }

    [Fact]
    public void No_mutated_packet_makes_a_node_throw_or_leave_its_ring()
    {
        var random = new Random(11);
        var ring = OrderingTests.Formed(3);
        var corpus = new List<byte[]>();
        ring.Drop = (_, _, packet) =>
        {
            if (corpus.Count < 500) corpus.Add(packet);
            return false;
        };
        for (var i = 0; i < 20; i++) ring[(i % 3) + 1].Submit(new byte[random.Next(3000)]);
        ring.Run(TimeSpan.FromSeconds(1));
        ring.Cut(2, 3);
        ring.Run(TimeSpan.FromSeconds(1));
        ring.Heal(2, 3);
        ring.Run(TimeSpan.FromSeconds(2));
        Assert.Equal(7, corpus.Select(packet => packet[0]).Distinct().Count(kind => kind is >= 1 and <= 7) + (corpus.Any(packet => packet[0] == 5) ? 0 : 1));

        for (var i = 0; i < 50_000; i++)
        {
            var packet = (byte[])corpus[random.Next(corpus.Count)].Clone();
            if (random.Next(3) == 0) packet = packet[..random.Next(packet.Length + 1)];
            for (var flips = random.Next(4); flips > 0 && packet.Length > 1; flips--) packet[1 + random.Next(packet.Length - 1)] = (byte)random.Next(256);
            var target = ring.Nodes[random.Next(3)];
            target.Packet((target.Position + 1) % 3, ring.Nodes[(target.Position + 1) % 3].Boot, packet);
        }

        ring.Run(TimeSpan.FromSeconds(30));
        Assert.All(ring.Nodes, node => Assert.Equal(3, node.Core.View!.Members.Count));
    }

    private static NodeSet ByBruteForce(int self, NodeSet all, HearingMatrix matrix, Cliques cliques)
    {
        var rest = all;
        while (true)
        {
            var best = NodeSet.Empty;
            for (var bits = 1UL; bits <= all.Bits; bits++)
            {
                var set = new NodeSet(bits);
                if (!rest.Contains(set) || !IsClique(set, matrix)) continue;
                if (best.IsEmpty || cliques.IsStronger(set, best) || (!cliques.IsStronger(best, set) && IsLower(set, best))) best = set;
            }

            if (best.Contains(self)) return best;
            rest -= best;
        }
    }

    private static bool IsLower(NodeSet left, NodeSet right) => left != right && left.Contains(new NodeSet(left.Bits ^ right.Bits).First);

    private static bool IsClique(NodeSet set, HearingMatrix matrix)
    {
        foreach (var node in set)
        {
            if (!matrix.Neighbours(node).With(node).Contains(set)) return false;
        }

        return true;
    }
}
