namespace Membership.Links.Tests;

/// <summary>Who hears whom, and how soon its end is known.</summary>
public sealed class EvidenceTests
{
    private static readonly NodeId One = new(1), Two = new(2), Three = new(3);

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void Nodes_that_start_together_reach_each_other_within_a_few_round_trips(int nodes)
    {
        using var cluster = new TestCluster(nodes);

        cluster.Start();

        Assert.True(cluster.RunUntil(() => cluster.Nodes.All(node => node.Links.Reachable == cluster.Table.All), TimeSpan.FromMilliseconds(20)));
    }

    [Theory]
    [InlineData(600)]
    [InlineData(150)]
    public void A_killed_process_is_dead_for_all_peers_130_ms_after_the_first_hint(int linkDownMs)
    {
        using var cluster = Ring(8, linkDownMs);
        for (var victim = 3; victim <= 5; victim++)
        {
            cluster.Run(TimeSpan.FromMilliseconds(1234));
            TestCluster.Kill(cluster[victim]);
            var gone = new NodeId((ushort)victim);

            Assert.True(cluster.RunUntil(() => Survivors(cluster).All(node => Last(node, gone) == (PeerState.Dead, PeerReason.ProcessGone)), TimeSpan.FromSeconds(1)));

            var took = cluster.Now - cluster.FirstHints[gone];
            Assert.True(took <= TimeSpan.FromMilliseconds(130), $"{took} after the first hint");
        }
    }

    [Fact]
    public void A_forged_hint_harms_nobody_who_answers()
    {
        using var cluster = Ring(3, 600);
        foreach (var node in cluster.Nodes) node.Changes.Clear();

        for (var i = 0; i < 200; i++)
        {
            cluster[1].Links.OnHint(cluster.Now, Two, i % 2 == 0 ? LinkHint.PortUnreachable : LinkHint.TripwireClosed, cluster[1]);
            cluster.Run(TimeSpan.FromMilliseconds(13));
        }

        Assert.All(cluster.Nodes, node => Assert.Empty(node.Changes));
    }

    [Fact]
    public void A_flood_of_forged_hints_costs_fifty_probes_a_second_at_most()
    {
        using var cluster = Ring(5, 600);
        var before = cluster.Carried;
        for (var i = 0; i < 1000; i++)
        {
            cluster[1].Links.OnHint(cluster.Now, Two, LinkHint.PortUnreachable, cluster[1]);
            cluster.Run(TimeSpan.FromMilliseconds(1));
        }

        // 50 probes and answers; ten suspicions to three peers, who probe and are answered; heartbeats.
        Assert.InRange(cluster.Carried - before, 100, (2 * 50) + (10 * 3 * 3) + (5 * 20));
        Assert.All(cluster.Nodes, node => Assert.DoesNotContain(node.Changes, change => change.State == PeerState.Dead));
    }

    [Fact]
    public void In_flight_datagrams_of_a_dead_process_do_not_save_it_but_an_answered_probe_does()
    {
        using var cluster = Ring(2, 600);
        var late = Capture(cluster, () => Send(cluster[2], One));
        cluster.Drops = packet => packet.From == Two;
        cluster[1].Links.OnHint(cluster.Now, Two, LinkHint.PortUnreachable, cluster[1]);
        cluster.Run(TimeSpan.FromMilliseconds(5));
        cluster.Inject(late);

        cluster.Run(TimeSpan.FromMilliseconds(96));

        Assert.Equal((PeerState.Dead, PeerReason.ProcessGone), Last(cluster[1], Two));
    }

    [Theory]
    [InlineData(600, 5)]
    [InlineData(150, 5)]
    [InlineData(600, 3)]
    public void A_cut_cable_is_silence_for_all_peers_no_sooner_and_not_much_later_than_link_down(int linkDownMs, int nodes)
    {
        using var cluster = Ring(nodes, linkDownMs);
        cluster.Drops = packet => packet.From == Two || packet.To == Two;
        var cut = cluster.Now;

        Assert.True(cluster.RunUntil(() => Survivors(cluster).Where(node => node.Id != Two).All(node => Last(node, Two) == (PeerState.Dead, PeerReason.Silent)), TimeSpan.FromSeconds(5)));

        var verdicts = cluster.Nodes.Where(node => node.Id != Two).Select(node => node.Changes.Last(change => change.Peer == Two).At - cut).ToArray();
        Assert.True(verdicts.Max() <= TimeSpan.FromMilliseconds(linkDownMs + 20), $"latest {verdicts.Max()}");
        Assert.True(verdicts.Min() >= TimeSpan.FromMilliseconds(linkDownMs * 3 / 4), $"earliest {verdicts.Min()}");
    }

    [Fact]
    public void A_pause_of_half_the_time_is_no_verdict_for_anybody()
    {
        using var cluster = Ring(5, 600);
        foreach (var node in cluster.Nodes) node.Changes.Clear();
        for (var i = 0; i < 20; i++)
        {
            cluster.Drops = packet => packet.From == Two || packet.To == Two;
            cluster.Run(TimeSpan.FromMilliseconds(300));
            cluster.Drops = _ => false;
            cluster.Run(TimeSpan.FromMilliseconds(700));
        }

        Assert.All(cluster.Nodes, node => Assert.Empty(node.Changes));
    }

    [Theory]
    [InlineData(600)]
    [InlineData(150)]
    public void Ten_percent_loss_for_five_minutes_brings_no_verdict(int linkDownMs)
    {
        using var cluster = Ring(4, linkDownMs);
        foreach (var node in cluster.Nodes) node.Changes.Clear();
        cluster.Loss = 0.1;

        cluster.Run(TimeSpan.FromMinutes(5));

        Assert.All(cluster.Nodes, node => Assert.Empty(node.Changes));
        Assert.InRange(cluster[1].Peer(2).Links[0].Loss ?? 0, 0.04, 0.2);
    }

    [Fact]
    public void A_suspicion_from_above_finds_a_silent_far_peer_within_link_down()
    {
        using var cluster = Ring(6, 600);
        cluster[1].Links.SetNeighbours(cluster.Now, NodeSet.Of(1).With(5), cluster[1]);
        cluster[4].Links.SetNeighbours(cluster.Now, NodeSet.Of(2).With(4), cluster[4]);
        cluster.Run(TimeSpan.FromSeconds(4));
        cluster.Drops = packet => (packet.From, packet.To) == (One, new NodeId(4)) || (packet.From, packet.To) == (new NodeId(4), One); // only this far pair
        cluster.Run(TimeSpan.FromMilliseconds(200));
        var suspected = cluster.Now;

        cluster[1].Links.OnSuspicion(cluster.Now, cluster[1]);
        Assert.True(cluster.RunUntil(() => Last(cluster[1], new NodeId(4)) == (PeerState.Dead, PeerReason.Silent), TimeSpan.FromSeconds(3)));

        Assert.True(cluster.Now - suspected <= TimeSpan.FromMilliseconds(640), $"{cluster.Now - suspected}");
    }

    [Fact]
    public void A_healed_cut_is_seen_within_300_ms()
    {
        using var cluster = Ring(3, 600);
        cluster.Drops = packet => packet.From == Two || packet.To == Two;
        cluster.Run(TimeSpan.FromSeconds(5));
        cluster.Drops = _ => false;

        Assert.True(cluster.RunUntil(() => cluster.Nodes.All(node => node.Links.Reachable == cluster.Table.All), TimeSpan.FromMilliseconds(300)));
    }

    [Fact]
    public void A_one_way_path_is_recognised_on_both_sides_and_named()
    {
        using var cluster = Ring(3, 600);
        cluster.Drops = packet => packet.From == Two && packet.To == One;

        cluster.Run(TimeSpan.FromSeconds(2));

        Assert.Equal((PeerState.Dead, PeerReason.Silent), Last(cluster[1], Two));
        Assert.Equal((PeerState.OneWay, PeerReason.NotHeardByPeer), Last(cluster[2], One));
        Assert.Equal(LinkState.OneWay, cluster[2].Peer(1).Links[0].State);
        Assert.Equal(cluster.Table.All.Without(0), cluster[2].Links.Reachable);
        Assert.Equal(NodeSet.Of(1).With(2), cluster[3].Rows.Last(row => row.Peer == Two).Row);
        Assert.Equal(NodeSet.Of(0).With(2), cluster[3].Rows.Last(row => row.Peer == One).Row);
    }

    [Fact]
    public void A_new_row_reaches_everybody_at_once()
    {
        using var cluster = Ring(5, 600);
        cluster.Drops = packet => (packet.From, packet.To) == (One, Two) || (packet.From, packet.To) == (Two, One);
        Assert.True(cluster.RunUntil(() => Last(cluster[1], Two).State == PeerState.Dead, TimeSpan.FromSeconds(2)));

        cluster.Run(TimeSpan.FromMilliseconds(40));

        foreach (var node in new[] { 3, 4, 5 }) Assert.Equal(cluster.Table.All.Without(1), cluster[node].Rows.Last(row => row.Peer == One).Row);
    }

    [Fact]
    public void A_new_boot_ends_the_old_incarnation_first()
    {
        using var cluster = new TestCluster(2).Settle();
        var old = cluster[2].Links.Boot;
        cluster[1].Changes.Clear();

        cluster.Restart(cluster[2]);
        cluster.Run(TimeSpan.FromMilliseconds(50));

        Assert.Equal(
            [(old, PeerState.Dead, PeerReason.Restarted), (cluster[2].Links.Boot, PeerState.OneWay, PeerReason.Handshake), (cluster[2].Links.Boot, PeerState.Reachable, PeerReason.Heard)],
            cluster[1].Changes.Select(change => (change.Boot, change.State, change.Reason)));
    }

    [Fact]
    public void Whoever_leaves_is_gone_at_once_and_nothing_of_that_boot_counts_any_more()
    {
        using var cluster = Ring(3, 600);
        var late = Capture(cluster, () => Send(cluster[2], One));

        cluster[2].Links.Leave(cluster.Now, cluster[2]);
        cluster.Run(TimeSpan.FromMilliseconds(1));
        cluster.Inject(late);

        Assert.Equal((PeerState.Dead, PeerReason.Left), Last(cluster[1], Two));
        Assert.Equal((PeerState.Dead, PeerReason.Left), Last(cluster[3], Two));
        Assert.True(cluster[1].Links.Dropped(DropReason.StaleSession) > 0);
        Assert.Equal(Instant.Never, cluster[2].Links.NextDeadline);
    }

    [Fact]
    public void After_a_stall_everybody_gets_a_fresh_link_down_to_be_heard_in()
    {
        using var cluster = Ring(3, 600);
        cluster.Freeze(cluster[1], TimeSpan.FromSeconds(3));
        cluster[1].Changes.Clear();
        var woken = cluster.Now;

        cluster[1].Links.OnStall(cluster.Now);
        cluster.Drops = packet => packet.From == Three;
        cluster.Run(TimeSpan.FromMilliseconds(590));
        Assert.DoesNotContain(cluster[1].Changes, change => change.State == PeerState.Dead);
        cluster.Run(TimeSpan.FromMilliseconds(60));

        Assert.Equal((PeerState.Dead, PeerReason.Silent), Last(cluster[1], Three));
        Assert.True(cluster[1].Changes.Last(change => change.Peer == Three).At - woken >= TimeSpan.FromMilliseconds(600));
    }

    [Fact]
    public void Round_trips_are_measured_without_a_single_pong()
    {
        using var cluster = Ring(2, 600);
        cluster.Recording = [];

        cluster.Run(TimeSpan.FromSeconds(10));

        Assert.InRange(cluster[1].Peer(2).Links[0].Rtt?.TotalMicroseconds ?? 0, 190, 220);
        Assert.InRange(cluster.Recording.Count, 2 * 60, 2 * 70); // heartbeats alone
    }

    [Theory]
    [InlineData(600, 3, 20)]
    [InlineData(600, 8, 20)]
    [InlineData(600, 16, 20)]
    [InlineData(150, 3, 65)]
    [InlineData(150, 8, 65)]
    [InlineData(150, 16, 65)]
    public void An_idle_node_sends_few_packets_whatever_the_size_of_the_cluster(int linkDownMs, int nodes, int packetsPerSecond)
    {
        using var cluster = Ring(nodes, linkDownMs);
        cluster.Run(TimeSpan.FromSeconds(5));
        var before = cluster.Carried;

        cluster.Run(TimeSpan.FromSeconds(60));

        var rate = (cluster.Carried - before) / 60.0 / nodes;
        Assert.True(rate <= packetsPerSecond, $"{rate:F1} packets a second and node");
    }

    [Fact]
    public void Other_traffic_stands_in_for_heartbeats_but_not_for_news()
    {
        using var cluster = Ring(2, 600);
        cluster.Recording = [];
        for (var i = 0; i < 1000; i++)
        {
            Send(cluster[1], Two);
            Send(cluster[2], One);
            cluster.Run(TimeSpan.FromMilliseconds(10));
        }

        Assert.InRange(cluster.Recording.Count - 2000, 2 * 10, 2 * 25); // one in link_down instead of four
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(200)]
    [InlineData(300)]
    [InlineData(400)]
    [InlineData(500)]
    public void News_leaves_at_once_also_when_other_traffic_would_stand_in(int busyForMs)
    {
        using var cluster = Ring(3, 600);
        for (var i = 0; i < busyForMs; i++)
        {
            Send(cluster[1], Three);
            cluster.Run(TimeSpan.FromMilliseconds(1));
        }
        cluster.Drops = packet => (packet.From, packet.To) == (One, Two) || (packet.From, packet.To) == (Two, One);
        var busy = cluster.RunUntil(
            () =>
            {
                Send(cluster[1], Three);
                cluster.Run(TimeSpan.FromMilliseconds(1));
                return Last(cluster[1], Two).State == PeerState.Dead;
            },
            TimeSpan.FromSeconds(2));
        Assert.True(busy);

        for (var i = 0; i < 40; i++)
        {
            Send(cluster[1], Three);
            cluster.Run(TimeSpan.FromMilliseconds(1));
        }

        Assert.Equal(cluster.Table.All.Without(1), cluster[3].Rows.Last(row => row.Peer == One).Row);
    }

    internal static TestCluster Ring(int nodes, int linkDownMs, LinkOptions? options = null)
    {
        var cluster = new TestCluster(nodes, (options ?? TestCluster.Options()) with { LinkDown = TimeSpan.FromMilliseconds(linkDownMs) }).Settle();
        for (var position = 0; position < nodes; position++)
        {
            var neighbours = NodeSet.Of((position + 1) % nodes).With((position + nodes - 1) % nodes);
            cluster.Nodes[position].Links.SetNeighbours(cluster.Now, neighbours, cluster.Nodes[position]);
        }
        cluster.Run(TimeSpan.FromSeconds(10));
        return cluster;
    }

    internal static void Send(TestNode node, NodeId to)
    {
        node.Links.SendTo(node.Now, to, [1, 2, 3], node);
        node.Links.Flush(node);
    }

    private static IEnumerable<TestNode> Survivors(TestCluster cluster) => cluster.Nodes.Where(node => node.IsRunning);

    private static (PeerState State, PeerReason Reason) Last(TestNode node, NodeId peer)
    {
        var last = node.Changes.LastOrDefault(change => change.Peer == peer);
        return (last.State, last.Reason);
    }

    private static Packet Capture(TestCluster cluster, Action send)
    {
        Packet? captured = null;
        var drops = cluster.Drops;
        cluster.Drops = packet =>
        {
            captured = packet;
            return true;
        };
        send();
        cluster.Drops = drops;
        return captured ?? throw new InvalidOperationException("nothing was sent");
    }
}
