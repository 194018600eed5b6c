namespace Membership.Links.Tests;

/// <summary>One test per reason to drop, and what a recording or a forgery can do: nothing.</summary>
public sealed class RefusalTests
{
    private static readonly NodeId One = new(1), Two = new(2);
    private static readonly LinkId A = new(0);

    [Fact]
    public void Shorter_than_header_and_tag_is_too_short() => Refused(DropReason.TooShort, bytes => bytes[..WireHeader.Overhead]);

    [Fact]
    public void Another_version_is_unknown() => Refused(DropReason.UnknownVersion, bytes => With(bytes, 0, 2));

    [Fact]
    public void Another_class_is_unknown() => Refused(DropReason.UnknownVersion, bytes => With(bytes, 1, 2));

    [Fact]
    public void A_length_field_that_differs_from_what_arrived_is_bad() => Refused(DropReason.BadLength, bytes => [.. bytes, 0]);

    [Fact]
    public void Longer_than_any_datagram_of_ours_is_bad() => Refused(DropReason.BadLength, bytes =>
    {
        var longer = new byte[9000];
        bytes.CopyTo(longer, 0);
        (longer[6], longer[7]) = (9000 & 255, 9000 >> 8);
        return longer;
    });

    [Fact]
    public void A_sender_that_is_not_configured_is_unknown() => Refused(DropReason.UnknownSender, bytes => With(bytes, 4, 77));

    [Fact]
    public void This_node_itself_as_sender_is_unknown() => Refused(DropReason.UnknownSender, bytes => With(bytes, 4, 1));

    [Fact]
    public void A_source_address_that_is_not_configured_is_unknown() => Refused(DropReason.UnknownSource, bytes => bytes, source: null);

    [Fact]
    public void A_source_address_of_another_node_is_unknown() => Refused(DropReason.UnknownSource, bytes => bytes, source: new NodeId(3));

    [Fact]
    public void A_key_id_outside_the_ring_is_unknown() => Refused(DropReason.UnknownKey, bytes => With(bytes, 2, 9));

    [Fact]
    public void Another_boot_has_no_session() => Refused(DropReason.StaleSession, bytes => With(bytes, 16, 99));

    [Fact]
    public void A_changed_byte_is_a_bad_tag() => Refused(DropReason.BadTag, bytes => With(bytes, bytes.Length - 1, (byte)(bytes[^1] + 1)));

    [Fact]
    public void A_datagram_seen_before_is_a_replay()
    {
        using var cluster = new TestCluster(3).Settle();
        var token = Token(cluster);
        cluster.Inject(cluster[1], A, Two, token);

        cluster.Inject(cluster[1], A, Two, token);

        Assert.Equal(1, cluster[1].Links.Dropped(DropReason.Replay));
        Assert.Single(cluster[1].Received);
    }

    [Fact]
    public void A_token_of_another_link_is_meant_for_that_link()
    {
        using var cluster = new TestCluster(3, TestCluster.Options() with { LinkCount = 2 }).Settle();

        cluster.Inject(cluster[1], new LinkId(1), Two, Token(cluster));

        Assert.Equal(1, cluster[1].Links.Dropped(DropReason.WrongTarget));
        Assert.Empty(cluster[1].Received);
    }

    [Fact]
    public void A_token_redirected_to_another_node_is_void()
    {
        using var cluster = new TestCluster(3).Settle();

        cluster.Inject(cluster[3], A, Two, Token(cluster));

        Assert.Equal(1, cluster[3].Links.Dropped(DropReason.WrongTarget));
        Assert.Empty(cluster[3].Received);
    }

    [Fact]
    public void A_token_for_an_earlier_boot_of_this_node_is_void()
    {
        using var cluster = new TestCluster(2).Settle();
        cluster.Drops = packet => packet.To == Two; // node 2 does not learn of node 1's new boot
        cluster.Restart(cluster[1]);
        cluster.Drops = _ => false;
        var token = Token(cluster);
        cluster.Run(TimeSpan.FromSeconds(1));

        cluster.Inject(cluster[1], A, Two, token);

        Assert.Equal(1, cluster[1].Links.Dropped(DropReason.WrongTarget));
    }

    [Theory]
    [InlineData(0)]   // no such kind
    [InlineData(200)]
    [InlineData(6)]   // a suspicion of one byte
    [InlineData(7)]   // a leave with something behind it
    [InlineData(9)]   // a token without a target
    [InlineData(10)]  // a piece without a head
    public void An_authentic_body_that_makes_no_sense_is_malformed(byte kind)
    {
        using var cluster = new TestCluster(2).Settle();

        cluster.Inject(cluster[1], A, Two, new Forger(cluster, Two).Seal([kind, 1]));

        Assert.Equal(1, cluster[1].Links.Dropped(DropReason.Malformed));
        Assert.Equal(cluster.Table.All, cluster[1].Links.Reachable);
    }

    [Fact]
    public void A_row_that_names_nodes_outside_the_configuration_is_malformed()
    {
        using var cluster = new TestCluster(2).Settle();
        var body = new byte[1 + BodyTarget.Bytes + Report.Bytes];
        body[0] = (byte)BodyKind.Heartbeat;
        new BodyTarget(One, cluster[1].Links.Boot.Short, A).Write(body.AsSpan(1));
        new Report(99, true, 1, new NodeSet(ulong.MaxValue), 1, 0, 0).Write(body.AsSpan(1 + BodyTarget.Bytes));

        cluster.Inject(cluster[1], A, Two, new Forger(cluster, Two).Seal(body));

        Assert.Equal(1, cluster[1].Links.Dropped(DropReason.Malformed));
    }

    [Theory]
    [InlineData(0, 0, 100, 10)]      // no pieces
    [InlineData(0, 65, 650, 10)]     // too many
    [InlineData(3, 3, 30, 10)]       // index beyond the count
    [InlineData(0, 2, 10, 10)]       // one would do
    [InlineData(0, 2, 70000, 35000)] // longer than any frame
    [InlineData(0, 1, 20, 9)]        // one is not enough: the rest would be what an earlier frame left
    [InlineData(0, 1, 10, 0)]        // pieces of nothing
    [InlineData(0, 2, -1, 65535)]    // 2^32-1
    [InlineData(0, 2, 18, 10)]       // the piece is longer than the head says (9 of 10 bytes)
    public void A_piece_that_fits_no_frame_is_a_bad_fragment(byte index, byte count, int frameBytes, int pieceBytes)
    {
        using var cluster = new TestCluster(2).Settle();
        var body = new byte[1 + FragmentHeader.Bytes + 9];
        body[0] = (byte)BodyKind.Fragment;
        new FragmentHeader(1, index, count, frameBytes, pieceBytes).Write(body.AsSpan(1));

        cluster.Inject(cluster[1], A, Two, new Forger(cluster, Two).Seal(body));

        Assert.Equal(1, cluster[1].Links.Dropped(DropReason.BadFragment));
    }

    [Fact]
    public void An_answer_to_no_question_of_ours_is_unexpected()
    {
        using var cluster = new TestCluster(2);
        cluster.Recording = [];
        cluster.Settle();
        var answers = cluster.Recording.Where(packet => packet.To == One && packet.Bytes[1] == 0).ToList();

        cluster.Restart(cluster[2]);
        cluster.Run(TimeSpan.FromMilliseconds(5));
        foreach (var answer in answers) cluster.Inject(answer);

        Assert.True(cluster[1].Links.Dropped(DropReason.UnexpectedHandshake) >= 1);
        Assert.Equal(cluster.Table.All, cluster[1].Links.Reachable);
    }

    [Fact]
    public void A_flood_of_recorded_hellos_gets_a_bounded_number_of_answers_no_larger_than_they_are()
    {
        using var cluster = new TestCluster(2);
        cluster.Recording = [];
        cluster.Settle();
        var hello = cluster.Recording.First(packet => packet.To == One && packet.Bytes[1] == 0);
        cluster[1].Transmits.Clear();

        for (var i = 0; i < 10_000; i++) cluster.Inject(hello);

        Assert.InRange(cluster[1].Transmits.Count, 1, 20);
        Assert.All(cluster[1].Transmits, transmit => Assert.True(transmit.Bytes <= hello.Bytes.Length));
        Assert.InRange(cluster[1].Links.Dropped(DropReason.UnexpectedHandshake), 9_900, 10_000);
    }

    [Fact]
    public void Another_configuration_is_named_to_both_sides_once_a_minute()
    {
        using var cluster = new TestCluster(2);
        cluster.Configure(cluster[2], options => options with { ConfigurationDigest = 0xabcdef });
        cluster.Start();
        cluster.Run(TimeSpan.FromSeconds(70));

        foreach (var node in cluster.Nodes)
        {
            Assert.True(node.Links.Dropped(DropReason.ConfigurationDiffers) > 2);
            Assert.Equal(2, node.Incompatibles.Count);
            Assert.Contains("0000000000abcdef", node.Incompatibles[0].Mine + node.Incompatibles[0].Theirs);
            Assert.NotEqual(node.Incompatibles[0].Mine, node.Incompatibles[0].Theirs);
            Assert.Empty(node.Changes);
        }
    }

    [Fact]
    public void Another_wire_version_is_named_to_both_sides()
    {
        using var cluster = new TestCluster(2);
        cluster.Configure(cluster[2], options => options with { WireVersionMin = 2, WireVersionMax = 3, ProductVersion = "0.9.0" });
        cluster.Start();
        cluster.Run(TimeSpan.FromSeconds(1));

        Assert.Contains("1-1 (product 0.1.0)", Assert.Single(cluster[1].Incompatibles).Mine);
        Assert.Contains("2-3 (product 0.9.0)", cluster[1].Incompatibles[0].Theirs);
        Assert.Contains("1-1 (product 0.1.0)", Assert.Single(cluster[2].Incompatibles).Theirs);
        Assert.Empty(cluster[1].Changes);
        Assert.Equal("0.9.0", cluster[1].Peer(2).ProductVersion);
    }

    [Fact]
    public void The_product_version_of_a_peer_is_known_from_its_handshake_on_and_follows_its_restarts()
    {
        using var cluster = new TestCluster(2);
        cluster.Configure(cluster[2], options => options with { ProductVersion = "0.2.0" });
        Assert.Equal("", cluster[1].Peer(2).ProductVersion);
        cluster.Settle();
        Assert.Equal(("0.2.0", "0.1.0"), (cluster[1].Peer(2).ProductVersion, cluster[2].Peer(1).ProductVersion));

        cluster.Restart(cluster[2], options => options with { ProductVersion = "0.3.0-rc.1" });
        cluster.Run(TimeSpan.FromSeconds(2));

        Assert.Equal("0.3.0-rc.1", cluster[1].Peer(2).ProductVersion);
    }

    [Fact]
    public void A_recording_of_everything_changes_nothing_for_the_same_boots()
    {
        using var cluster = new TestCluster(3);
        cluster.Recording = [];
        cluster.Settle();
        cluster[2].Links.Send(cluster.Now, cluster.Table.All, SendTests.Bytes(50), cluster[2]);
        cluster[2].Links.Leave(cluster.Now, cluster[2]);
        cluster.Run(TimeSpan.FromSeconds(1));
        cluster.Restart(cluster[2]);
        cluster.Run(TimeSpan.FromSeconds(1));

        NothingHappens(cluster, cluster.Recording);
    }

    [Fact]
    public void A_recording_of_everything_changes_nothing_after_all_restarted()
    {
        using var cluster = new TestCluster(3);
        cluster.Recording = [];
        cluster.Settle();
        cluster[2].Links.Send(cluster.Now, cluster.Table.All, SendTests.Bytes(50), cluster[2]);
        cluster[2].Links.Leave(cluster.Now, cluster[2]);
        cluster.Run(TimeSpan.FromSeconds(1));
        var recording = cluster.Recording;
        cluster.Recording = null;
        foreach (var node in cluster.Nodes) cluster.Restart(node);
        cluster.Run(TimeSpan.FromSeconds(1));

        NothingHappens(cluster, recording);
        Assert.All(cluster.Nodes, node => Assert.True(node.Links.Dropped(DropReason.StaleSession) > 10));
    }

    [Fact]
    public void A_recording_alone_brings_no_dead_node_to_life()
    {
        using var cluster = new TestCluster(2);
        cluster.Recording = [];
        cluster.Settle();
        var recording = cluster.Recording;
        cluster.Recording = null;
        TestCluster.Kill(cluster[2]);
        cluster.Restart(cluster[1]);
        cluster.Run(TimeSpan.FromSeconds(1));
        cluster[1].Changes.Clear();

        foreach (var packet in recording.Where(packet => packet.To == One)) cluster.Inject(packet);
        cluster.Run(TimeSpan.FromSeconds(1));

        Assert.Empty(cluster[1].Changes);
        Assert.Equal(NodeSet.Of(0), cluster[1].Links.Reachable);
    }

    [Fact]
    public void A_forged_counter_does_not_move_the_window()
    {
        using var cluster = new TestCluster(2).Settle();
        var token = Token(cluster);
        var forged = (byte[])token.Clone();
        forged[15] = 0x80; // counter 2^63 and more

        cluster.Inject(cluster[1], A, Two, forged);
        cluster.Inject(cluster[1], A, Two, token);

        Assert.Equal(1, cluster[1].Links.Dropped(DropReason.BadTag));
        Assert.Single(cluster[1].Received);
    }

    [Fact]
    public void Another_cluster_key_or_name_opens_nothing()
    {
        foreach (var change in new Func<LinkOptions, LinkOptions>[]
        {
            options => options with { Keys = [new ClusterKey(1, true, TestCluster.Key(2))] },
            options => options with { ClusterName = "other" },
        })
        {
            using var cluster = new TestCluster(2, ciphers: new AesGcmSuite());
            cluster.Configure(cluster[2], change);
            cluster.Start();
            cluster.Run(TimeSpan.FromSeconds(2));

            Assert.All(cluster.Nodes, node => Assert.Empty(node.Changes));
            Assert.All(cluster.Nodes, node => Assert.True(node.Links.Dropped(DropReason.BadTag) > 4));
        }
    }

    [Fact]
    public void Two_hundred_thousand_mutations_and_bytes_of_garbage_never_throw_and_never_count_as_heard()
    {
        using var cluster = new TestCluster(3);
        cluster.Recording = [];
        cluster.Settle();
        cluster[2].Links.Send(cluster.Now, cluster.Table.All, SendTests.Bytes(3000), cluster[2]);
        cluster[2].Links.Flush(cluster[2]);
        cluster.Run(TimeSpan.FromMilliseconds(5)); // a mutation that changes nothing is then a replay
        var originals = cluster.Recording.Where(packet => packet.To == One).Select(packet => packet.Bytes).ToArray();
        var random = new Random(20);
        var victim = cluster[1];
        victim.Changes.Clear();
        victim.Received.Clear();

        for (var i = 0; i < 200_000; i++)
        {
            var bytes = (byte[])originals[random.Next(originals.Length)].Clone();
            var length = random.Next(3) == 0 ? random.Next(bytes.Length + 1) : bytes.Length;
            for (var flips = random.Next(4); flips >= 0; flips--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            if (random.Next(50) == 0) random.NextBytes(bytes);
            victim.Links.OnDatagram(cluster.Now, A, Two, bytes.AsSpan(0, length), victim);
        }

        Assert.Empty(victim.Changes);
        Assert.Empty(victim.Received);
    }

    [Fact]
    public void Two_hundred_thousand_authentic_bodies_of_garbage_never_throw()
    {
        using var cluster = new TestCluster(2).Settle();
        var random = new Random(21);
        var forger = new Forger(cluster, Two);
        for (var i = 0; i < 200_000; i++)
        {
            var body = new byte[1 + random.Next(60)];
            random.NextBytes(body);
            body[0] = (byte)random.Next(12);
            if (body[0] == (byte)BodyKind.Leaving) body[0] = 0;
            if (body.Length > 12 && random.Next(4) != 0) new BodyTarget(One, cluster[1].Links.Boot.Short, A).Write(body.AsSpan(1));
            cluster[1].Links.OnDatagram(cluster.Now, A, Two, forger.Seal(body), cluster[1]);
            if (i % 1000 == 0) cluster.Run(TimeSpan.FromMilliseconds(1));
        }

        cluster.Run(TimeSpan.FromSeconds(3));

        Assert.True(cluster[1].Links.Dropped(DropReason.Malformed) > 1000);
        Assert.True(cluster[1].Links.Dropped(DropReason.BadFragment) > 1000);
    }

    private static void Refused(DropReason reason, Func<byte[], byte[]> change) => Refused(reason, change, Two);

    private static void Refused(DropReason reason, Func<byte[], byte[]> change, NodeId? source)
    {
        using var cluster = new TestCluster(3).Settle();
        var before = cluster[1].Links.Dropped(reason);

        cluster.Inject(cluster[1], A, source, change(Token(cluster)));

        Assert.Equal(before + 1, cluster[1].Links.Dropped(reason));
        Assert.Empty(cluster[1].Received);
    }

    private static void NothingHappens(TestCluster cluster, IReadOnlyList<Packet> recording)
    {
        foreach (var node in cluster.Nodes)
        {
            node.Changes.Clear();
            node.LinkChanges.Clear();
            node.Received.Clear();
        }

        foreach (var packet in recording.ToArray()) cluster.Inject(packet);
        cluster.Run(TimeSpan.FromSeconds(1));

        foreach (var node in cluster.Nodes)
        {
            Assert.Empty(node.Changes);
            Assert.Empty(node.LinkChanges);
            Assert.Empty(node.Received);
            Assert.Equal(cluster.Table.All, node.Links.Reachable);
        }
    }

    /// <summary>A token of node 2 for node 1 that never left.</summary>
    private static byte[] Token(TestCluster cluster)
    {
        byte[]? token = null;
        var drops = cluster.Drops;
        cluster.Drops = packet =>
        {
            token = packet.Bytes;
            return true;
        };
        cluster[2].Links.SendTo(cluster.Now, One, SendTests.Bytes(64), cluster[2]);
        cluster[2].Links.Flush(cluster[2]);
        cluster.Drops = drops;
        return token ?? throw new InvalidOperationException("node 2 has no way to node 1");
    }

    private static byte[] With(byte[] bytes, int at, byte value)
    {
        var changed = (byte[])bytes.Clone();
        changed[at] = value;
        return changed;
    }

    /// <summary>Seals whatever a member that has the key could send.</summary>
    private sealed class Forger
    {
        private readonly NodeId _sender;
        private readonly BootId _boot;
        private readonly ICipher _cipher;
        private ulong _counter = 1_000_000;

        public Forger(TestCluster cluster, NodeId sender)
        {
            _sender = sender;
            _boot = cluster[sender.Value].Links.Boot;
            using var ring = new KeyRing([new ClusterKey(1, true, TestCluster.Key(1))], "test", new KeyedHashSuite());
            _cipher = ring.Traffic(0, sender, _boot, A, SealAlgorithm.AesGcm);
        }

        public byte[] Seal(ReadOnlySpan<byte> body)
        {
            var datagram = new byte[WireHeader.Overhead + body.Length];
            var header = new WireHeader(1, WireClass.Sealed, 1, A, _sender, datagram.Length, ++_counter, _boot.Short);
            header.Write(datagram);
            var nonce = new byte[WireHeader.NonceBytes];
            header.WriteNonce(nonce);
            _cipher.Seal(nonce, datagram.AsSpan(0, WireHeader.Bytes), body, datagram.AsSpan(WireHeader.Bytes));
            return datagram;
        }
    }
}
