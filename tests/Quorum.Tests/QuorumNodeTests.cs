using Membership.Links;
using Membership.Totem;

namespace Membership.Quorum.Tests;

/// <summary>What one cluster of quorum nodes does, step by step.</summary>
public sealed class QuorumNodeTests
{
    private static readonly NodeId One = new(1);
    private static readonly NodeId Two = new(2);
    private static readonly NodeId Three = new(3);

    private static HistoryWorld World(int nodes, Func<QuorumOptions, QuorumOptions>? change = null)
    {
        var voters = Enumerable.Range(1, nodes).Select(i => new Voter(new NodeId((ushort)i), 1)).ToList();
        var world = new HistoryWorld(1, nodes, self => (change ?? (o => o))(new QuorumOptions { Self = self, Voters = voters }));
        foreach (var node in world.Nodes) world.Start(node);
        return world;
    }

    private static void Views(HistoryWorld world, params int[][] sides)
    {
        world.Split([.. sides.Select(side => side.Select(id => world.Nodes[id - 1]).ToArray())]);
        world.Quiesce();
    }

    private static QuorumState State(HistoryWorld world, int node) => world.Nodes[node - 1].Core!.State;

    private static string? Ask(HistoryWorld world, int node, QuorumChange change)
    {
        world.Nodes[node - 1].Change(change);
        world.Quiesce();
        return world.Nodes[node - 1].Done[(ulong)world.Nodes[node - 1].Asked];
    }

    [Fact]
    public void The_reason_says_which_votes_count_and_who_is_missing()
    {
        var world = World(5);

        Views(world, [1, 2, 3], [4, 5]);

        Assert.Equal("3 of 5 votes, need 3; nodes 4 and 5 are missing", State(world, 1).Reason);
        Assert.Equal("2 of 5 votes, need 3; nodes 1, 2 and 3 are missing", State(world, 4).Reason);
        Assert.Equal((true, false), (State(world, 3).IsQuorate, State(world, 5).IsQuorate));
    }

    [Fact]
    public void A_view_that_only_lost_members_is_decided_at_once_without_a_message()
    {
        var world = World(5);
        Views(world, [1, 2, 3, 4, 5]);
        world.Split([[.. world.Nodes.Take(3)], [.. world.Nodes.Skip(3)]]);

        foreach (var node in world.Nodes) node.Install();

        Assert.All(world.Nodes, node => Assert.False(node.Core!.State.IsSynchronizing));
        Assert.All(world.Nodes, node => Assert.Equal(node.Id.Value <= 3, node.Core!.State.IsQuorate));
        Assert.All(world.Nodes, node => Assert.Empty(node.Log!.Messages));
    }

    [Fact]
    public void Loss_is_told_at_once_and_gain_waits_for_all_reports()
    {
        var world = World(5);
        Views(world, [1, 2, 3], [4], [5]);

        // Node 1 leaves its majority and meets node 4: two of five votes. Node 5 meets 2 and 3.
        world.Split([[world.Nodes[0], world.Nodes[3]], [world.Nodes[1], world.Nodes[2], world.Nodes[4]]]);
        foreach (var node in world.Nodes) node.Install();

        Assert.False(State(world, 1).IsQuorate);
        Assert.True(State(world, 1).IsSynchronizing);
        Assert.True(State(world, 2).IsQuorate, "three of five: what it was stays until the reports are complete");
        Assert.False(State(world, 5).IsQuorate);
        world.Quiesce();
        Assert.Equal((false, true, true), (State(world, 1).IsQuorate, State(world, 2).IsQuorate, State(world, 5).IsQuorate));
    }

    [Fact]
    public void Votes_of_two_hundred_need_more_than_half_of_six_hundred()
    {
        var world = World(3, o => o with { Voters = [new(One, 200), new(Two, 200), new(Three, 200)] });

        Views(world, [1], [2, 3]);

        Assert.Equal((false, 200UL, 301UL, 600UL), (State(world, 1).IsQuorate, State(world, 1).Votes, State(world, 1).Needed, State(world, 1).Expected));
        Assert.True(State(world, 2).IsQuorate);
    }

    [Fact]
    public void Wait_for_all_holds_after_a_start_until_all_were_there_once()
    {
        var world = World(3, o => o with { WaitForAll = true });

        Views(world, [1, 2], [3]);
        Assert.False(State(world, 1).IsQuorate);
        Assert.Contains("waiting for all", State(world, 1).Reason, StringComparison.Ordinal);

        Views(world, [1, 2, 3]);
        Assert.True(State(world, 1).IsQuorate);
        Views(world, [1, 2], [3]);
        Assert.True(State(world, 1).IsQuorate);
    }

    [Fact]
    public void After_losing_quorum_a_survivor_and_a_restarted_node_go_on_though_the_third_is_still_missing()
    {
        var world = World(3, o => o with { WaitForAll = true });
        Views(world, [1, 2, 3]);
        world.Stop(world.Nodes[1], losesDisk: false);
        world.Stop(world.Nodes[2], losesDisk: false);
        Views(world, [1]);
        Assert.False(State(world, 1).IsQuorate);

        world.Start(world.Nodes[1]);
        Views(world, [1, 2]);

        Assert.True(State(world, 1).IsQuorate);
        Assert.True(State(world, 2).IsQuorate);
    }

    [Fact]
    public void Two_survivors_that_were_split_and_met_again_are_quorate_with_a_node_still_dead()
    {
        var world = World(3, o => o with { WaitForAll = true });
        Views(world, [1, 2, 3]);
        Views(world, [1, 2], [3]);
        Views(world, [1], [2], [3]);
        Views(world, [1, 2], [3]);

        Assert.True(State(world, 1).IsQuorate);
    }

    [Fact]
    public void An_operator_can_waive_waiting_for_all()
    {
        var world = World(3, o => o with { WaitForAll = true });
        Views(world, [1, 2], [3]);

        Assert.Null(Ask(world, 2, new QuorumChange.CancelWaitForAll()));

        Assert.True(State(world, 1).IsQuorate);
        Assert.False(State(world, 3).IsQuorate);
    }

    [Fact]
    public void In_two_node_mode_one_goes_on_alone_and_a_restarted_one_waits()
    {
        var world = World(2, o => o with { Mode = QuorumMode.TwoNode, WaitForAll = true });
        world.ChecksUniqueness = false; // the exception of docs/operating/quorum.md
        Views(world, [1, 2]);
        world.Stop(world.Nodes[0], losesDisk: false);
        Views(world, [2]);
        Assert.True(State(world, 2).IsQuorate);

        world.Start(world.Nodes[0]);
        Views(world, [1], [2]);

        Assert.Equal((false, true), (State(world, 1).IsQuorate, State(world, 2).IsQuorate));
    }

    [Fact]
    public void Last_man_standing_walks_down_to_two_window_by_window()
    {
        var world = World(5, o => o with { Mode = QuorumMode.LastManStanding });
        Views(world, [1, 2, 3, 4, 5]);
        Views(world, [1, 2, 3], [4, 5]);
        Assert.Equal(3UL, State(world, 1).Expected);
        Views(world, [1, 2], [3], [4, 5]);

        Assert.Equal((true, 2UL, 2UL), (State(world, 1).IsQuorate, State(world, 1).Needed, State(world, 1).Expected));
        Views(world, [1], [2], [3, 4, 5]);
        Assert.All(world.Nodes, node => Assert.False(node.Core!.State.IsQuorate));
        Views(world, [1, 2, 3, 4, 5]);
        Assert.Equal((true, 5UL), (State(world, 5).IsQuorate, State(world, 5).Expected));
    }

    [Fact]
    public void Last_man_standing_gives_nobody_up_before_its_window_has_passed()
    {
        var world = World(5, o => o with { Mode = QuorumMode.LastManStanding, LastManStandingWindow = TimeSpan.FromSeconds(90) });
        Views(world, [1, 2, 3, 4, 5]);

        Views(world, [1, 2, 3], [4, 5]);
        Assert.Equal(5UL, State(world, 1).Expected);   // 60 s have passed

        world.Quiesce();
        Assert.Equal(3UL, State(world, 1).Expected);   // 120 s
    }

    [Fact]
    public void Nodes_given_up_do_not_become_a_second_side_with_one_that_comes_over_to_them()
    {
        var world = World(5, o => o with { Mode = QuorumMode.LastManStanding });
        Views(world, [1, 2, 3, 4, 5]);
        Views(world, [1, 2, 3], [4, 5]);

        Views(world, [1, 2], [3, 4, 5]);

        Assert.Equal((true, false), (State(world, 1).IsQuorate, State(world, 3).IsQuorate));
        Assert.Contains("nodes 4 and 5 are here and not counted", State(world, 3).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_change_counts_only_when_it_is_on_the_disk_of_every_member()
    {
        var world = World(3);
        Views(world, [1, 2, 3]);
        world.Nodes[0].Change(new QuorumChange.SetVotes(Three, 3));
        world.Nodes[0].Order();
        foreach (var node in world.Nodes) node.Deliver();

        foreach (var node in world.Nodes.Take(2)) node.EndWrite();
        Settle(world);
        Assert.All(world.Nodes, node => Assert.Equal(3UL, node.Core!.State.Expected));
        Assert.Empty(world.Nodes[0].Done);

        world.Nodes[2].EndWrite();
        Settle(world);
        Assert.All(world.Nodes, node => Assert.Equal(5UL, node.Core!.State.Expected));
        Assert.Null(world.Nodes[0].Done[1]);
    }

    /// <summary>Everything that is under way happens, but no disk ends a write.</summary>
    private static void Settle(HistoryWorld world)
    {
        for (var isBusy = true; isBusy;)
        {
            isBusy = false;
            foreach (var node in world.Nodes) isBusy |= node.Order() | node.Deliver();
        }
    }

    [Fact]
    public void A_node_that_forgot_what_it_agreed_to_does_not_make_a_second_side()
    {
        var world = World(5, o => o with { Mode = QuorumMode.LastManStanding });
        Views(world, [1, 2, 3, 4, 5]);
        Views(world, [1, 2, 3], [4, 5]);
        world.Stop(world.Nodes[2], losesDisk: true);
        world.Start(world.Nodes[2]);

        Views(world, [1, 2], [3, 4, 5]);

        Assert.Equal((true, false), (State(world, 1).IsQuorate, State(world, 4).IsQuorate));
        Assert.Contains("node 3 is here and not counted for having no record", State(world, 4).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Clean_leavers_lower_the_expected_votes_down_to_the_barrier()
    {
        var world = World(5, o => o with { AllowDownscale = true, ExpectedVotes = 3 });
        Views(world, [1, 2, 3, 4, 5]);
        foreach (var leaver in new[] { 5, 4, 3 })
        {
            world.Nodes[leaver - 1].SaidGoodbye = true;
            world.Stop(world.Nodes[leaver - 1], losesDisk: false);
            Views(world, [.. Enumerable.Range(1, leaver - 1)]);
            Assert.True(State(world, 1).IsQuorate, State(world, 1).Reason);
            Assert.Equal((ulong)Math.Max(leaver - 1, 3), State(world, 1).Expected);
        }
    }

    [Fact]
    public void A_crash_is_no_clean_leave()
    {
        var world = World(5, o => o with { AllowDownscale = true });
        Views(world, [1, 2, 3, 4, 5]);
        world.Stop(world.Nodes[4], losesDisk: false);

        Views(world, [1, 2, 3, 4]);

        Assert.Equal(5UL, State(world, 1).Expected);
    }

    [Fact]
    public void Votes_set_while_running_count_everywhere_and_after_a_restart()
    {
        var world = World(3);
        Views(world, [1, 2, 3]);

        Assert.Null(Ask(world, 2, new QuorumChange.SetVotes(Three, 3)));
        foreach (var node in world.Nodes) world.Stop(node, losesDisk: false);
        foreach (var node in world.Nodes) world.Start(node);
        Views(world, [1, 2], [3]);

        Assert.Equal((false, true, 5UL), (State(world, 1).IsQuorate, State(world, 3).IsQuorate, State(world, 3).Expected));
    }

    [Fact]
    public void Changes_that_would_do_harm_are_refused_with_a_sentence()
    {
        var world = World(5);
        Views(world, [1, 2, 3], [4, 5]);

        Assert.Contains("below the 3", Ask(world, 1, new QuorumChange.SetExpected(2)), StringComparison.Ordinal);
        Assert.Contains("cease to be quorate", Ask(world, 1, new QuorumChange.SetExpected(7)), StringComparison.Ordinal);
        Assert.Contains("cease to be quorate", Ask(world, 1, new QuorumChange.SetVotes(One, 0)), StringComparison.Ordinal);
        Assert.Contains("not configured", Ask(world, 1, new QuorumChange.SetVotes(new NodeId(9), 1)), StringComparison.Ordinal);
        Assert.Contains("more than", Ask(world, 1, new QuorumChange.SetVotes(One, ulong.MaxValue)), StringComparison.Ordinal);
        Assert.Contains("more than", Ask(world, 1, new QuorumChange.SetExpected(ulong.MaxValue)), StringComparison.Ordinal);
        Assert.Contains("where there is quorum", Ask(world, 4, new QuorumChange.SetVotes(One, 0)), StringComparison.Ordinal);
    }

    [Fact]
    public void An_operator_who_lowers_the_expected_votes_of_a_minority_takes_it_up_and_the_others_return_to_it()
    {
        var world = World(5);
        Views(world, [1, 2, 3, 4, 5]);
        foreach (var lost in world.Nodes.Skip(2)) world.Stop(lost, losesDisk: false);
        Views(world, [1, 2]);
        Assert.False(State(world, 1).IsQuorate);

        Assert.Null(Ask(world, 1, new QuorumChange.SetExpected(2)));
        Assert.Equal((true, 2UL), (State(world, 2).IsQuorate, State(world, 2).Expected));

        foreach (var lost in world.Nodes.Skip(2)) world.Start(lost);
        Views(world, [1, 2, 3, 4, 5]);
        Assert.Equal((true, 5UL, 3UL), (State(world, 5).IsQuorate, State(world, 5).Expected, State(world, 5).Needed));
        Views(world, [1, 2], [3, 4, 5]);
        Assert.Equal((false, true), (State(world, 1).IsQuorate, State(world, 3).IsQuorate));
    }

    [Fact]
    public void A_change_asked_for_with_quorum_overrides_nothing_once_quorum_is_lost()
    {
        var world = World(5);
        Views(world, [1, 2, 3, 4, 5]);
        world.Nodes[0].Change(new QuorumChange.SetExpected(5));
        Views(world, [1, 2], [3, 4, 5]);

        Assert.Contains("there is none now", world.Nodes[0].Done[1], StringComparison.Ordinal);
        Assert.False(State(world, 1).IsQuorate);
    }

    [Fact]
    public void Highest_expected_votes_are_remembered_across_restarts()
    {
        var world = World(3, o => o with { TrackExpectedVotes = true });
        Views(world, [1, 2, 3]);

        Assert.Equal(3UL, world.Nodes[0].Durable!.HighestExpected);
        var smaller = new QuorumOptions { Self = One, Voters = [new(One, 1)], TrackExpectedVotes = true };
        var verdict = QuorumRule.Decide(new QuorumQuestion(smaller, world.Nodes[0].Durable!, [new PresentNode(One, false, false, false)], false));
        Assert.Equal((false, 3UL), (verdict.IsQuorate, verdict.Expected));
    }

    [Fact]
    public void The_witness_counts_while_a_present_member_holds_its_grant_for_this_ring()
    {
        var world = World(2, o => o with { Witness = WitnessAlgorithm.FiftyFiftySplit, WitnessVotes = 1 });
        Views(world, [1], [2]);
        var (node, ring) = (world.Nodes[0], world.Nodes[0].Log!.Id);

        node.Core!.OnWitness(world.Now, new WitnessAnswer(RingId.None, true, 1, "of another ring"), node);
        world.Quiesce();
        Assert.False(State(world, 1).IsQuorate);
        node.Core.OnWitness(world.Now, new WitnessAnswer(ring, true, 2, "chosen"), node);
        world.Quiesce();
        Assert.Equal((true, true, 2UL), (State(world, 1).IsQuorate, State(world, 1).WitnessGranted, State(world, 1).Votes));
        node.Core.OnWitness(world.Now, null, node);
        world.Quiesce();
        Assert.False(State(world, 1).IsQuorate);
        Assert.Contains("witness's votes (1) are not granted", State(world, 1).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Malformed_messages_are_counted_and_change_nothing()
    {
        var world = World(1);
        Views(world, [1]);
        var (node, random) = (world.Nodes[0], new Random(7));
        var before = State(world, 1);
        var ring = node.Log!.Id;

        for (var i = 0; i < 20_000; i++)
        {
            var payload = new byte[random.Next(90)];
            random.NextBytes(payload);
            if (payload.Length > 0) payload[0] = (byte)random.Next(6);
            if (payload.Length > 2 && random.Next(2) == 0) BitConverter.TryWriteBytes(payload.AsSpan(1), ring.Representative.Value);
            node.Core!.OnMessage(world.Now, new Delivery(ring, new Seq(1), 0, One, 1, 0, DeliveryLevel.Agreed, 1), payload, node);
        }

        Assert.True(node.Core!.Malformed > 10_000);
        Assert.Equal(before.Reason, State(world, 1).Reason);
    }

    [Fact]
    public void A_record_survives_its_own_encoding_and_no_shorter_or_longer_one_is_taken()
    {
        var terms = new QuorumTerms(3, [new(One, 5), new(Three, 0)], [Two], 7, [One, Three]);
        var record = new QuorumRecord(9, [One, Two], terms, [terms with { Counter = 4, Out = [] }], 11);
        var bytes = record.Encode();

        Assert.Equal(bytes, QuorumRecord.Decode(bytes)!.Encode());
        for (var length = 0; length < bytes.Length; length++) Assert.Null(QuorumRecord.Decode(bytes.AsSpan(0, length)));
        Assert.Null(QuorumRecord.Decode([.. bytes, 0]));
    }
}
