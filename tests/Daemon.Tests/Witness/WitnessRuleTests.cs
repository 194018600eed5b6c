using Membership.Daemon.Witness.Rule;
using Membership.Links;
using Membership.Quorum;
using static Membership.Daemon.Tests.Witness.Reports;

namespace Membership.Daemon.Tests.Witness;

/// <summary>Who gets the votes: one test per sentence of docs/operating/two-node.md and of what older witnesses got wrong.</summary>
public class WitnessRuleTests
{
    private const WitnessAlgorithm Split = WitnessAlgorithm.FiftyFiftySplit;
    private const WitnessAlgorithm Last = WitnessAlgorithm.LastManStanding;

    [Fact]
    public void Of_two_halves_the_one_with_the_lowest_node_gets_the_votes()
    {
        var decision = WitnessRule.Decide(Picture(Split, All(4, 2, [11, 21], [31, 41])), At(10));

        Assert.Equal(RingOf(2, 11, 21), decision.Ring);
        Assert.Contains("nodes 1, 2: preferred to nodes 3, 4", decision.Why, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TieBreakerKind.Lowest, 0, 2)]
    [InlineData(TieBreakerKind.Highest, 0, 3)]
    [InlineData(TieBreakerKind.List, 4, 3)]
    [InlineData(TieBreakerKind.List, 2, 2)]
    [InlineData(TieBreakerKind.List, 9, 2)]
    public void The_tie_breaker_decides_between_equals(TieBreakerKind kind, ushort node, ulong winner)
    {
        var picture = Picture(Split, All(4, 2, [11, 21], [31, 41])) with { TieBreaker = new WitnessTieBreaker(kind, node == 0 ? [] : [new NodeId(node)]) };

        Assert.Equal(winner, WitnessRule.Decide(picture, At(10)).Ring?.Sequence);
    }

    [Fact]
    public void More_than_half_goes_before_everything_else_in_a_split()
    {
        var reports = All(4, 2, [11], [21, 31, 41]).Select(report => report.Node.Value == 1 ? report with { Heuristics = HeuristicsResult.Passed } : report with { Heuristics = HeuristicsResult.Failed });

        Assert.Equal(3UL, WitnessRule.Decide(Picture(Split, reports), At(10)).Ring?.Sequence);
    }

    [Fact]
    public void Less_than_half_never_gets_the_vote_of_a_split()
    {
        var decision = WitnessRule.Decide(Picture(Split, All(5, 2, [11, 21])), At(10));

        Assert.Null(decision.Ring);
        Assert.Contains("half", decision.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void Better_heuristics_win_before_the_holder_and_the_tie_breaker()
    {
        var reports = All(4, 2, [11, 21], [31, 41]).Select(report => report.Node.Value > 2 ? report with { Heuristics = HeuristicsResult.Passed } : report with { Heuristics = HeuristicsResult.Failed });
        var picture = Picture(Split, reports) with { Holder = Holder(RingOf(2, 11, 21), 11, 21) };

        Assert.Equal(3UL, WitnessRule.Decide(picture, At(10)).Ring?.Sequence);
    }

    [Fact]
    public void A_node_that_was_restarted_does_not_take_the_votes_from_the_one_that_ran_on()
    {
        // Node 1, the tie-breaker's choice, was started anew and is alone; node 2 was with its first start, and has just lost it.
        var reports = All(2, 8, [12], [21]).Select(report => report.Node.Value == 1 ? report with { WasQuorate = false } : report);
        var picture = Picture(Split, reports) with { Holder = Holder(RingOf(4, 11, 21), 11, 21) };

        var decision = WitnessRule.Decide(picture, At(10));

        Assert.Equal(RingOf(9, 21), decision.Ring);
        Assert.Contains("goes on from the view that had the votes", decision.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void A_restarted_node_that_asks_first_waits_until_the_other_has_reported()
    {
        var picture = Picture(Split, [Of(12, RingOf(8, 12), 2, 12), Of(21, RingOf(4, 11, 21), 2, 11, 21)]) with
        {
            Holder = Holder(RingOf(4, 11, 21), 11, 21),
            Outstanding = [Answer(21, RingOf(4, 11, 21), 12, 11, 21)],
        };

        var decision = WitnessRule.Decide(picture, At(1));

        Assert.True(decision.WaitsAll);
        Assert.Equal(At(2), decision.Recheck);
        Assert.Contains("node 2", decision.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void A_restarted_node_that_is_alone_gets_nothing_before_the_lease_of_the_old_ring_has_ended()
    {
        var picture = Picture(Split, [Of(12, RingOf(8, 12), 2, 12)]) with
        {
            Holder = Holder(RingOf(4, 11, 21), 11, 21),
            Outstanding = [Answer(21, RingOf(4, 11, 21), 12, 11, 21)],
        };

        var before = WitnessRule.Decide(picture, At(11.9));
        var after = WitnessRule.Decide(picture, At(12));

        Assert.Null(before.Ring);
        Assert.Equal((RingOf(8, 12), At(12)), (before.Waits, before.Recheck));
        Assert.Equal(RingOf(8, 12), after.Ring);
    }

    [Fact]
    public void Without_a_holder_the_latest_primary_view_counts()
    {
        var reports = All(2, 2, [11], [21]).Select(report => report.Node.Value == 2 ? report with { PrimaryEpoch = 8 } : report);

        Assert.Equal(3UL, WitnessRule.Decide(Picture(Split, reports), At(10)).Ring?.Sequence);
    }

    [Fact]
    public void The_half_that_more_nodes_speak_for_wins_before_the_tie_breaker()
    {
        var reports = All(4, 2, [11, 21], [31, 41]).Where(report => report.Node.Value != 2);

        Assert.Equal(3UL, WitnessRule.Decide(Picture(Split, reports), At(10)).Ring?.Sequence);
    }

    [Fact]
    public void A_survivor_of_the_ring_that_had_the_votes_need_not_wait_for_the_lease()
    {
        var picture = Picture(Split, All(2, 8, [21])) with
        {
            Holder = Holder(RingOf(4, 11, 21), 11, 21),
            Outstanding = [Answer(11, RingOf(4, 11, 21), 12, 11, 21)],
        };

        Assert.Equal(RingOf(8, 21), WitnessRule.Decide(picture, At(1)).Ring);
    }

    [Fact]
    public void Whoever_has_the_votes_keeps_them_while_others_change_their_views()
    {
        var picture = Picture(Split, [.. All(4, 8, [11, 21]), Of(31, RingOf(9, 31, 41), 4, 31, 41), Of(41, RingOf(7, 31, 41), 4, 31, 41)]) with
        {
            Holder = Holder(RingOf(8, 11, 21), 11, 21),
            TieBreaker = new WitnessTieBreaker(TieBreakerKind.Highest, []),
        };

        Assert.Equal(RingOf(8, 11, 21), WitnessRule.Decide(picture, At(0)).Ring);
    }

    [Fact]
    public void A_decision_waits_for_a_half_that_has_not_reported_its_new_view_but_not_for_ever()
    {
        var old = RingOf(4, 11, 21, 31, 41);
        var picture = Picture(Split, [.. All(4, 8, [31, 41]), Of(11, old, 4, 11, 21, 31, 41), Of(21, old, 4, 11, 21, 31, 41)]) with { Holder = Holder(old, 11, 21, 31, 41) };

        var early = WitnessRule.Decide(picture, At(1.9));
        var late = WitnessRule.Decide(picture, At(2));

        Assert.True(early.WaitsAll);
        Assert.Contains("nodes 1, 2", early.Why, StringComparison.Ordinal);
        Assert.Equal(RingOf(8, 31, 41), late.Ring);
    }

    [Fact]
    public void A_decision_waits_for_heuristics_that_run()
    {
        var reports = All(4, 2, [11, 21], [31, 41]).Select(report => report.Node.Value == 4 ? report with { Heuristics = HeuristicsResult.Running } : report);

        Assert.True(WitnessRule.Decide(Picture(Split, reports), At(1)).WaitsAll);
        Assert.Equal(2UL, WitnessRule.Decide(Picture(Split, reports), At(2)).Ring?.Sequence);
    }

    [Fact]
    public void The_last_node_that_reaches_the_witness_goes_on()
    {
        Assert.Equal(RingOf(2, 31), WitnessRule.Decide(Picture(Last, All(5, 2, [31])), At(10)).Ring);
    }

    [Fact]
    public void The_larger_part_wins_in_last_man_standing_before_the_tie_breaker()
    {
        Assert.Equal(3UL, WitnessRule.Decide(Picture(Last, All(5, 2, [11, 21], [31, 41, 51])), At(10)).Ring?.Sequence);
    }

    [Fact]
    public void Better_heuristics_win_in_last_man_standing_before_size()
    {
        var reports = All(5, 2, [11], [21, 31, 41, 51]).Select(report => report with { Heuristics = report.Node.Value == 1 ? HeuristicsResult.Passed : HeuristicsResult.Failed });

        Assert.Equal(2UL, WitnessRule.Decide(Picture(Last, reports), At(10)).Ring?.Sequence);
    }

    [Fact]
    public void A_larger_part_does_not_take_the_votes_from_a_smaller_one_that_has_them()
    {
        var picture = Picture(Last, All(5, 8, [11, 21], [32, 42, 52])) with { Holder = Holder(RingOf(8, 11, 21), 11, 21) };

        Assert.Equal(8UL, WitnessRule.Decide(picture, At(10)).Ring?.Sequence);
    }

    [Fact]
    public void A_ring_that_a_member_has_left_gets_nothing()
    {
        var picture = Picture(Last, [Of(11, RingOf(4, 11, 21), 3, 11, 21), Of(21, RingOf(6, 21, 31), 3, 21, 31), Of(31, RingOf(6, 21, 31), 3, 21, 31)]);

        Assert.Equal(RingOf(6, 21, 31), WitnessRule.Decide(picture, At(10)).Ring);
    }

    [Theory]
    [InlineData(Split)]
    [InlineData(Last)]
    public void However_the_nodes_are_parted_and_whoever_reaches_the_witness_exactly_one_part_gets_the_votes_or_none_may(WitnessAlgorithm algorithm)
    {
        for (var nodes = 2; nodes <= 6; nodes++)
        {
            foreach (var parts in Partitions(nodes))
            {
                for (var reached = 0; reached < 1 << nodes; reached++)
                {
                    var reports = All(nodes, 2, parts).Where(report => (reached >> (report.Node.Value - 1) & 1) == 1).ToArray();
                    var decision = WitnessRule.Decide(Picture(algorithm, reports), At(10));
                    var may = parts.Where(part => part.Any(member => reports.Any(report => report.Boot == (ulong)member)))
                        .Where(part => algorithm is Last || part.Length * 2 >= nodes).ToArray();

                    Assert.Equal(may.Length > 0, decision.Ring is not null);
                    if (decision.Ring is not { } ring) continue;
                    var winner = parts[(int)ring.Sequence - 2];
                    Assert.Contains(winner, may);
                    if (algorithm is Last) Assert.Equal(may.Max(part => part.Length), winner.Length);
                    else Assert.True(winner.Length * 2 > nodes || may.All(part => part.Length * 2 == nodes));
                }
            }
        }
    }

    /// <summary>Every way to part nodes 1 to n; members as in <see cref="Reports.RingOf"/>.</summary>
    private static IEnumerable<int[][]> Partitions(int nodes)
    {
        IEnumerable<List<List<int>>> Extend(List<List<int>> parts, int node)
        {
            if (node > nodes)
            {
                yield return parts;
                yield break;
            }

            for (var at = 0; at <= parts.Count; at++)
            {
                List<List<int>> next = [.. parts.Select(part => part.ToList())];
                if (at == parts.Count) next.Add([]);
                next[at].Add((node * 10) + 1);
                foreach (var whole in Extend(next, node + 1)) yield return whole;
            }
        }

        return Extend([], 1).Select(parts => parts.Select(part => part.ToArray()).ToArray());
    }
}
