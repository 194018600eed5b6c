namespace Membership.Links.Tests;

/// <summary>Frames out and in: batches, pieces, policies, keys.</summary>
public sealed class SendTests
{
    private static readonly NodeId Two = new(2), Three = new(3);
    private static readonly LinkId A = new(0), B = new(1);

    [Fact]
    public void A_frame_reaches_every_target_once_and_whole()
    {
        using var cluster = new TestCluster(3).Settle();
        var frame = Bytes(1000);

        Send(cluster[1], cluster.Table.All, frame);
        cluster.Run(TimeSpan.FromMilliseconds(5));

        Assert.Equal(frame, Assert.Single(cluster[2].Received).Frame);
        Assert.Equal(frame, Assert.Single(cluster[3].Received).Frame);
        Assert.Equal(cluster[1].Links.Boot, cluster[3].Received[0].Boot);
        Assert.Empty(cluster[1].Received);
    }

    [Fact]
    public void A_token_reaches_its_target_alone()
    {
        using var cluster = new TestCluster(3).Settle();

        cluster[1].Links.SendTo(cluster.Now, Two, Bytes(100), cluster[1]);
        cluster[1].Links.Flush(cluster[1]);
        cluster.Run(TimeSpan.FromMilliseconds(5));

        Assert.Equal(Bytes(100), Assert.Single(cluster[2].Received).Frame);
        Assert.Empty(cluster[3].Received);
    }

    [Fact]
    public void Equal_frames_for_equal_targets_leave_in_one_call_with_equal_bytes_for_all()
    {
        using var cluster = new TestCluster(4).Settle();
        cluster.Recording = [];
        cluster[1].Transmits.Clear();
        for (var i = 0; i < 10; i++) cluster[1].Links.Send(cluster.Now, cluster.Table.All, Bytes(500, i), cluster[1]);
        cluster[1].Links.Send(cluster.Now, cluster.Table.All, Bytes(20), cluster[1]);

        cluster[1].Links.Flush(cluster[1]);

        var transmit = Assert.Single(cluster[1].Transmits);
        Assert.Equal((cluster.Table.All.Without(0), (10 * 541) + 61, 541), (transmit.Targets, transmit.Bytes, transmit.SegmentBytes));
        var perTarget = cluster.Recording.GroupBy(packet => packet.To).Select(group => group.Select(packet => Convert.ToHexString(packet.Bytes)).ToArray()).ToArray();
        Assert.Equal(3, perTarget.Length);
        Assert.Equal(perTarget[0], perTarget[1]);
        Assert.Equal(perTarget[0], perTarget[2]);
    }

    [Fact]
    public void A_shorter_frame_closes_the_batch_and_a_longer_one_opens_the_next()
    {
        using var cluster = new TestCluster(2).Settle();
        cluster[1].Transmits.Clear();
        foreach (var size in new[] { 100, 100, 50, 50, 200 }) cluster[1].Links.Send(cluster.Now, cluster.Table.All, Bytes(size), cluster[1]);

        cluster[1].Links.Flush(cluster[1]);

        Assert.Equal([(141 * 2) + 91, 91, 241], cluster[1].Transmits.Select(transmit => transmit.Bytes));
    }

    [Fact]
    public void Frames_and_tokens_keep_their_order_on_the_wire()
    {
        using var cluster = new TestCluster(3).Settle();
        var random = new Random(3);
        for (var i = 0; i < 500; i++)
        {
            var frame = Bytes(random.Next(10, 30) * 10, i);
            if (random.Next(3) == 0) cluster[1].Links.SendTo(cluster.Now, Two, frame, cluster[1]);
            else cluster[1].Links.Send(cluster.Now, random.Next(2) == 0 ? cluster.Table.All : NodeSet.Of(1), frame, cluster[1]);
        }
        cluster[1].Links.Flush(cluster[1]);
        cluster.Run(TimeSpan.FromMilliseconds(5));

        random = new Random(3);
        var expected = new List<byte[]>();
        for (var i = 0; i < 500; i++)
        {
            expected.Add(Bytes(random.Next(10, 30) * 10, i));
            if (random.Next(3) != 0) random.Next(2);
        }
        Assert.Equal(expected, cluster[2].Received.Select(received => received.Frame));
    }

    [Fact]
    public void A_batch_never_exceeds_64_datagrams_or_65000_bytes()
    {
        using var cluster = new TestCluster(2).Settle();
        cluster[1].Transmits.Clear();
        for (var i = 0; i < 200; i++) cluster[1].Links.Send(cluster.Now, cluster.Table.All, Bytes(100), cluster[1]);
        for (var i = 0; i < 30; i++) cluster[1].Links.Send(cluster.Now, cluster.Table.All, Bytes(8000), cluster[1]);
        cluster[1].Links.Flush(cluster[1]);
        cluster.Run(TimeSpan.FromMilliseconds(5));

        Assert.All(cluster[1].Transmits, transmit => Assert.True(transmit.Bytes <= 65_000 && transmit.Bytes <= 64 * transmit.SegmentBytes));
        Assert.Equal(230, cluster[2].Received.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1179)]
    [InlineData(1180)]
    [InlineData(1181)]
    [InlineData(1190)]
    [InlineData(1191)]
    [InlineData(1192)]
    [InlineData(2400)]
    [InlineData(65536)]
    public void Every_size_travels_whole_also_over_the_smallest_path(int size)
    {
        using var cluster = new TestCluster(3, TestCluster.Options() with { DatagramBytesMax = 1232 }).Settle();
        var frame = Bytes(size);

        Send(cluster[1], cluster.Table.All, frame);
        cluster[1].Links.SendTo(cluster.Now, Two, frame, cluster[1]);
        cluster[1].Links.Flush(cluster[1]);
        cluster.Run(TimeSpan.FromMilliseconds(5));

        Assert.Equal([frame, frame], cluster[2].Received.Select(received => received.Frame));
        Assert.Equal([frame], cluster[3].Received.Select(received => received.Frame));
    }

    [Fact]
    public void A_frame_beyond_the_largest_is_refused()
    {
        using var cluster = new TestCluster(2).Settle();
        Assert.Throws<ArgumentException>(() => Send(cluster[1], cluster.Table.All, new byte[LinkLayer.FragmentedFrameBytesMax + 1]));
    }

    [Fact]
    public void Only_the_target_with_the_narrow_path_gets_pieces()
    {
        using var cluster = new TestCluster(3);
        cluster.Drops = packet => packet.To == Three && packet.Bytes.Length > 1500;
        cluster.Settle();
        cluster[1].Transmits.Clear();
        var frame = Bytes(4000);

        Send(cluster[1], cluster.Table.All, frame);
        cluster.Run(TimeSpan.FromMilliseconds(5));

        Assert.Equal([(NodeSet.Of(1), 4041), (NodeSet.Of(2), 4000 + (3 * 53))], cluster[1].Transmits.Select(transmit => (transmit.Targets, transmit.Bytes)));
        Assert.Equal(frame, Assert.Single(cluster[2].Received).Frame);
        Assert.Equal(frame, Assert.Single(cluster[3].Received).Frame);
    }

    [Fact]
    public void With_lost_pieces_a_frame_comes_whole_or_not_at_all()
    {
        using var cluster = new TestCluster(2, TestCluster.Options() with { DatagramBytesMax = 1232 }).Settle();
        cluster.Loss = 0.02;
        for (var i = 0; i < 200; i++)
        {
            Send(cluster[1], cluster.Table.All, Bytes(20_000, i));
            cluster.Run(TimeSpan.FromMilliseconds(2));
        }

        Assert.InRange(cluster[2].Received.Count, 100, 190);
        var all = Enumerable.Range(0, 200).Select(i => Convert.ToHexString(Bytes(20_000, i))).ToHashSet();
        Assert.All(cluster[2].Received, received => Assert.Contains(Convert.ToHexString(received.Frame), all));
        Assert.Equal(cluster[2].Received.Count, cluster[2].Received.Select(received => Convert.ToHexString(received.Frame)).Distinct().Count());
    }

    [Fact]
    public void Passive_uses_the_link_of_highest_priority_that_is_up()
    {
        using var cluster = EvidenceTests.Ring(2, 600, TestCluster.Options() with { LinkCount = 2, Priorities = [1, 5] });
        Assert.Equal([B], LinksUsed(cluster, 10));

        cluster.Drops = packet => packet.Link == B;
        cluster.Run(TimeSpan.FromSeconds(1));
        Assert.Equal([A], LinksUsed(cluster, 10));
        Assert.Equal(LinkState.Down, cluster[1].Peer(2).Links[1].State);
        Assert.Equal(PeerState.Reachable, cluster[1].Peer(2).State);

        cluster.Drops = _ => false;
        cluster.Run(TimeSpan.FromSeconds(1));
        Assert.Equal([B], LinksUsed(cluster, 10));
    }

    [Fact]
    public void A_link_that_works_one_way_only_carries_nothing_while_another_is_up()
    {
        using var cluster = EvidenceTests.Ring(2, 600, TestCluster.Options() with { LinkCount = 2 });
        cluster.Drops = packet => packet.Link == A && packet.From == Two;
        cluster.Run(TimeSpan.FromSeconds(1));

        Assert.Equal([B], LinksUsed(cluster, 10));
        Assert.Equal((LinkState.OneWay, false, true), (cluster[1].Peer(2).Links[0].State, cluster[1].Peer(2).Links[0].Hears, cluster[1].Peer(2).Links[0].HeardByPeer));
        Assert.Equal((LinkState.OneWay, true, false), (cluster[2].Peer(1).Links[0].State, cluster[2].Peer(1).Links[0].Hears, cluster[2].Peer(1).Links[0].HeardByPeer));
        Assert.DoesNotContain(cluster[1].Changes, change => change.State == PeerState.Dead);
    }

    [Fact]
    public void Active_uses_every_link_and_each_link_delivers_once()
    {
        using var cluster = EvidenceTests.Ring(2, 600, TestCluster.Options() with { LinkCount = 3, Policy = LinkPolicy.Active });

        Send(cluster[1], cluster.Table.All, Bytes(100));
        cluster.Run(TimeSpan.FromMilliseconds(5));

        Assert.Equal(3, cluster[2].Received.Count);
        Assert.Equal([A, B, new LinkId(2)], LinksUsed(cluster, 1));
    }

    [Fact]
    public void A_frame_in_pieces_over_all_links_is_put_together_from_any_of_them()
    {
        using var cluster = EvidenceTests.Ring(2, 600, TestCluster.Options() with { LinkCount = 2, Policy = LinkPolicy.Active, DatagramBytesMax = 1232 });
        cluster.Loss = 0.2;
        for (var i = 0; i < 100; i++)
        {
            Send(cluster[1], cluster.Table.All, Bytes(3000, i));
            cluster.Run(TimeSpan.FromMilliseconds(1));
        }

        Assert.True(cluster[2].Received.Count >= 80, $"{cluster[2].Received.Count} of 100"); // either link alone would bring about half of them
    }

    [Fact]
    public void Round_robin_takes_the_links_in_turn()
    {
        using var cluster = EvidenceTests.Ring(3, 600, TestCluster.Options() with { LinkCount = 2, Policy = LinkPolicy.RoundRobin });

        var used = Enumerable.Range(0, 4).Select(_ => Assert.Single(LinksUsed(cluster, 1))).ToArray();
        cluster.Run(TimeSpan.FromMilliseconds(5));
        Assert.Equal([used[0], used[1], used[0], used[1]], used);
        Assert.NotEqual(used[0], used[1]);
        cluster[2].Received.Clear();
        for (var i = 0; i < 10; i++) Send(cluster[1], cluster.Table.All, Bytes(10, i));
        cluster.Run(TimeSpan.FromMilliseconds(5));
        Assert.Equal(10, cluster[2].Received.Count);
    }

    [Fact]
    public void Keys_rotate_without_a_lost_frame_or_a_new_session()
    {
        var (old, next) = (TestCluster.Key(1), TestCluster.Key(2));
        using var cluster = new TestCluster(3, ciphers: new AesGcmSuite()).Settle();
        foreach (var node in cluster.Nodes) node.Changes.Clear();
        var steps = new ClusterKey[][]
        {
            [new(1, true, old), new(2, false, next)],
            [new(1, false, old), new(2, true, next)],
            [new(2, true, next)],
        };

        var sent = 0;
        foreach (var keys in steps)
        {
            foreach (var node in cluster.Nodes)
            {
                node.Links.ReplaceKeys(keys, node);
                foreach (var sender in cluster.Nodes) Send(sender, cluster.Table.All, Bytes(100, sent));
                sent++;
                cluster.Run(TimeSpan.FromMilliseconds(50));
            }
        }

        Assert.All(cluster.Nodes, node => Assert.Empty(node.Changes));
        Assert.All(cluster.Nodes, node => Assert.Equal(sent * 2, node.Received.Count));
        Assert.All(cluster.Nodes, node => Assert.Equal(0, node.Links.Dropped(DropReason.UnknownKey)));
    }

    [Fact]
    public void A_new_key_under_an_old_id_and_a_ring_without_active_key_are_refused_or_open_nothing()
    {
        using var cluster = new TestCluster(2).Settle();

        Assert.Throws<ArgumentException>(() => cluster[1].Links.ReplaceKeys([new ClusterKey(1, false, TestCluster.Key(1))], cluster[1]));
        Assert.Throws<ArgumentException>(() => cluster[1].Links.ReplaceKeys([new ClusterKey(1, true, new byte[31])], cluster[1]));
        Assert.Throws<ArgumentException>(() => cluster[1].Links.ReplaceKeys([new ClusterKey(1, true, TestCluster.Key(1)), new ClusterKey(1, false, TestCluster.Key(2))], cluster[1]));
        cluster[2].Links.ReplaceKeys([new ClusterKey(1, true, TestCluster.Key(9))], cluster[2]);
        Send(cluster[2], cluster.Table.All, Bytes(10));
        cluster.Run(TimeSpan.FromMilliseconds(5));

        Assert.True(cluster[1].Links.Dropped(DropReason.BadTag) > 0);
        Assert.Empty(cluster[1].Received);
    }

    [Fact]
    public void Machines_with_and_without_AES_instructions_understand_each_other()
    {
        using var cluster = new TestCluster(2, ciphers: new AesGcmSuite());
        cluster.Ciphers = new AesGcmSuite(LibCrypto.Instance, hasAesInstructions: false);
        cluster.Configure(cluster[2], options => options);
        cluster.Settle();

        Send(cluster[1], cluster.Table.All, Bytes(10));
        Send(cluster[2], cluster.Table.All, Bytes(20));
        cluster.Run(TimeSpan.FromMilliseconds(5));

        Assert.Equal(Bytes(10), Assert.Single(cluster[2].Received).Frame);
        Assert.Equal(Bytes(20), Assert.Single(cluster[1].Received).Frame);
    }

    internal static byte[] Bytes(int count, int seed = 1)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static void Send(TestNode node, NodeSet targets, byte[] frame)
    {
        node.Links.Send(node.Now, targets, frame, node);
        node.Links.Flush(node);
    }

    private static LinkId[] LinksUsed(TestCluster cluster, int frames)
    {
        cluster[1].Transmits.Clear();
        for (var i = 0; i < frames; i++) Send(cluster[1], NodeSet.Of(1), [1]);
        return [.. cluster[1].Transmits.Select(transmit => transmit.Link).Distinct()];
    }
}
