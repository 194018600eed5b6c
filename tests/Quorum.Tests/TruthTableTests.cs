using Membership.Links;
using Xunit.Abstractions;

namespace Membership.Quorum.Tests;

/// <summary>Every valid configuration of up to seven nodes, every way to fall apart: never two quorate sides, except where <see cref="MayHaveTwo"/> says so in words.</summary>
public sealed class TruthTableTests(ITestOutputHelper output)
{
    private const int NodesMax = 7;

    /// <summary>Two partitions after each other multiply; the rule does not depend on the number of nodes beyond this.</summary>
    private const int NodesMaxTwice = 5;

    /// <summary>The exceptions, all of them.</summary>
    private static string? MayHaveTwo(QuorumOptions options) => options.Mode switch
    {
        QuorumMode.TwoNode => "two-node: each of the two nodes is quorate alone; fencing has to keep one of them from acting",
        _ => null,
    };

    [Fact]
    public void Nodes_that_were_together_and_fall_apart_never_have_two_quorate_sides()
    {
        var questions = 0L;
        foreach (var options in Configurations(NodesMax))
        {
            var record = Known(options, QuorumTerms.Configured, Nodes(options));
            foreach (var sides in Partitions(options.Voters.Count))
                questions += CheckSides(options, sides, _ => record, waits: false, fresh: false);
        }

        output.WriteLine($"{questions} questions");
        Assert.True(questions > 100_000);
    }

    [Fact]
    public void Nodes_that_start_apart_never_have_two_quorate_sides()
    {
        foreach (var options in Configurations(NodesMax))
        {
            foreach (var sides in Partitions(options.Voters.Count))
                CheckSides(options, sides, _ => QuorumRecord.Empty, waits: true, fresh: true);
        }
    }

    [Fact]
    public void A_side_that_went_over_to_other_terms_and_falls_apart_again_is_never_joined_by_a_second_quorate_side()
    {
        var questions = 0L;
        foreach (var options in Configurations(NodesMaxTwice).Where(options => options.IsDynamic))
        {
            var all = Known(options, QuorumTerms.Configured, Nodes(options));
            foreach (var first in Partitions(options.Voters.Count))
            {
                foreach (var primary in first.Where(side => Ask(options, side, _ => all, false, false, false).IsQuorate))
                {
                    // The primary gave up, or saw leave, all others; each of its members knows, nobody else does.
                    var changed = Known(options, new QuorumTerms(1, [], Others(options, primary), 0, []), primary);
                    foreach (var second in Partitions(options.Voters.Count))
                        questions += CheckSides(options, second, node => primary.Contains(node) ? changed : all, waits: false, fresh: false);
                }
            }
        }

        output.WriteLine($"{questions} questions");
        Assert.True(questions > 10_000);
    }

    [Fact]
    public void While_a_change_is_known_to_some_only_there_are_never_two_quorate_sides()
    {
        foreach (var options in Configurations(NodesMaxTwice).Where(options => options.IsDynamic && options.Voters[0].Votes <= NodesMaxTwice))
        {
            var all = Known(options, QuorumTerms.Configured, Nodes(options));
            foreach (var first in Partitions(options.Voters.Count))
            {
                foreach (var primary in first.Where(side => Ask(options, side, _ => all, false, false, false).IsQuorate))
                {
                    // Committed at the first member only; all of the primary have it pending, as the agreement demands.
                    var terms = Known(options, new QuorumTerms(1, [], Others(options, primary), 0, []), primary).Terms;
                    var pending = all with { Pending = [terms] };
                    var committed = all with { Terms = terms };
                    foreach (var second in Partitions(options.Voters.Count))
                        CheckSides(options, second, node => node == primary[0] ? committed : primary.Contains(node) ? pending : all, waits: false, fresh: false);
                }
            }
        }
    }

    [Fact]
    public void With_a_majority_exactly_the_side_with_more_than_half_of_the_votes_is_quorate()
    {
        foreach (var options in Configurations(NodesMax).Where(IsPlain))
        {
            var record = Known(options, QuorumTerms.Configured, Nodes(options));
            var sum = options.Voters.Aggregate(0UL, (all, voter) => all + voter.Votes);
            foreach (var side in Partitions(options.Voters.Count).SelectMany(sides => sides))
            {
                var votes = options.Voters.Where(voter => side.Contains(voter.Node)).Aggregate(0UL, (all, voter) => all + voter.Votes);
                var verdict = Ask(options, side, _ => record, false, false, false);
                Assert.Equal((votes > sum / 2, votes, sum), (verdict.IsQuorate, verdict.Votes, verdict.Expected));
            }
        }
    }

    [Fact]
    public void An_even_split_is_decided_by_the_lowest_highest_or_first_listed_node_of_the_last_primary_view()
    {
        foreach (var options in Configurations(NodesMax).Where(options => options.TieBreaker != TieBreakerKind.None))
        {
            var record = Known(options, QuorumTerms.Configured, Nodes(options));
            var decider = options.TieBreaker switch
            {
                TieBreakerKind.Lowest => options.Voters[0].Node,
                TieBreakerKind.Highest => options.Voters[^1].Node,
                _ => options.TieBreakerNodes[0],
            };
            foreach (var side in Partitions(options.Voters.Count).SelectMany(sides => sides))
            {
                var verdict = Ask(options, side, _ => record, false, false, false);
                if (verdict.Votes * 2 == verdict.Expected) Assert.Equal(side.Contains(decider), verdict.IsQuorate);
            }
        }
    }

    [Fact]
    public void The_side_that_the_witness_chose_goes_on()
    {
        foreach (var options in Configurations(NodesMax).Where(options => options is { Witness: WitnessAlgorithm.LastManStanding, ExpectedVotes: null }))
        {
            var record = Known(options, QuorumTerms.Configured, Nodes(options));
            foreach (var voter in options.Voters.Where(voter => voter.Votes > 0))
            {
                Assert.True(Ask(options, [voter.Node], _ => record, false, false, true).IsQuorate);
                Assert.Equal(options.Voters.Count == 1, Ask(options, [voter.Node], _ => record, false, false, false).IsQuorate);
                if (options.Voters.Any(other => other.Votes > 1)) break;
            }
        }
    }

    private static long CheckSides(QuorumOptions options, IReadOnlyList<NodeId[]> sides, Func<NodeId, QuorumRecord> knows, bool waits, bool fresh)
    {
        // The witness, which is one, may have chosen any one side, or none.
        for (var chosen = -1; chosen < (options.Witness == WitnessAlgorithm.None ? 0 : sides.Count); chosen++)
        {
            var quorate = 0;
            for (var i = 0; i < sides.Count; i++)
            {
                if (Ask(options, sides[i], knows, waits, fresh, i == chosen).IsQuorate) quorate++;
            }

            if (quorate > 1 && MayHaveTwo(options) is null)
                Assert.Fail($"{quorate} quorate sides: {Show(options)} sides {string.Join(" | ", sides.Select(side => string.Join(',', side)))} witness with {chosen}");
        }

        return sides.Count;
    }

    private static QuorumVerdict Ask(QuorumOptions options, NodeId[] side, Func<NodeId, QuorumRecord> knows, bool waits, bool fresh, bool witness)
    {
        var record = QuorumReport.Merge([.. side.Select(node => new QuorumReport(false, false, fresh, knows(node)))]);
        var present = side.Select(node => new PresentNode(node, waits && options.WaitForAll, false, fresh)).ToList();
        return QuorumRule.Decide(new QuorumQuestion(options, record, present, witness));
    }

    private static QuorumRecord Known(QuorumOptions options, QuorumTerms terms, NodeId[] primary)
    {
        if (options.TieBreaker != TieBreakerKind.None) terms = terms with { Counter = terms.Counter + 1, Last = primary };
        return new QuorumRecord(1, primary, terms, [], 0);
    }

    private static NodeId[] Nodes(QuorumOptions options) => [.. options.Voters.Select(voter => voter.Node)];

    private static NodeId[] Others(QuorumOptions options, NodeId[] side) => [.. Nodes(options).Except(side)];

    private static bool IsPlain(QuorumOptions options) => options is
    {
        Mode: QuorumMode.Majority, TieBreaker: TieBreakerKind.None, Witness: WitnessAlgorithm.None, ExpectedVotes: null
    };

    private static string Show(QuorumOptions o) =>
        $"{o.Mode} votes {string.Join(',', o.Voters.Select(v => v.Votes))} wait {o.WaitForAll} tie {o.TieBreaker} downscale {o.AllowDownscale} expected {o.ExpectedVotes} witness {o.Witness} {o.WitnessVotes}";

    /// <summary>Every combination that the validator lets through.</summary>
    internal static IEnumerable<QuorumOptions> Configurations(int nodesMax)
    {
        (bool Waits, bool Downscale, bool Raised)[] rests = [(false, false, false), (true, false, false), (false, true, false), (true, true, false), (false, false, true)];
        return
            from nodes in Enumerable.Range(1, nodesMax)
            from votes in VoteSets(nodes)
            from mode in Enum.GetValues<QuorumMode>()
            from tie in Enum.GetValues<TieBreakerKind>()
            from witness in Enum.GetValues<WitnessAlgorithm>()
            from rest in rests
            let options = Configuration(votes, mode, tie, witness, rest)
            where QuorumValidator.Check(options).Count == 0
            select options;
    }

    private static QuorumOptions Configuration(
        ulong[] votes, QuorumMode mode, TieBreakerKind tie, WitnessAlgorithm witness, (bool Waits, bool Downscale, bool Raised) rest)
    {
        var sum = votes.Aggregate(0UL, (all, one) => all + one);
        Voter[] voters = [.. votes.Select((vote, i) => new Voter(new NodeId((ushort)(i + 1)), vote))];
        return new QuorumOptions
        {
            Self = new NodeId(1),
            Voters = voters,
            Mode = mode,
            WaitForAll = rest.Waits,
            TieBreaker = tie,
            TieBreakerNodes = tie == TieBreakerKind.List ? [.. voters.Select(voter => voter.Node).Where(node => node.Value % 2 == votes.Length % 2).Reverse()] : [],
            AllowDownscale = rest.Downscale,
            ExpectedVotes = rest.Raised ? sum + 1 : null,
            Witness = witness,
            WitnessVotes = witness switch { WitnessAlgorithm.None => 0UL, WitnessAlgorithm.FiftyFiftySplit => 1UL, _ => Math.Max(sum, 2) - 1 },
        };
    }

    private static IEnumerable<ulong[]> VoteSets(int nodes)
    {
        yield return [.. Enumerable.Repeat(1UL, nodes)];
        if (nodes < 2) yield break;
        yield return [.. Enumerable.Range(0, nodes).Select(i => (ulong)(i % 3))];
        yield return [.. Enumerable.Range(0, nodes).Select(i => i == 0 ? (ulong)nodes : 1UL)];
        yield return [.. Enumerable.Repeat(200UL, nodes)];
        yield return [.. Enumerable.Repeat(QuorumOptions.VotesMax, nodes)];
    }

    private static readonly Dictionary<int, List<NodeId[][]>> AllPartitions = [];

    /// <summary>Every way in which nodes 1 to <paramref name="nodes"/> fall apart into sides.</summary>
    private static List<NodeId[][]> Partitions(int nodes)
    {
        lock (AllPartitions)
        {
            if (AllPartitions.TryGetValue(nodes, out var known)) return known;
            List<NodeId[][]> all = [];
            Grow(1, []);
            return AllPartitions[nodes] = all;

            void Grow(int next, List<List<NodeId>> sides)
            {
                if (next > nodes)
                {
                    all.Add([.. sides.Select(side => side.ToArray())]);
                    return;
                }

                for (var i = 0; i < sides.Count; i++)
                {
                    sides[i].Add(new NodeId((ushort)next));
                    Grow(next + 1, sides);
                    sides[i].RemoveAt(sides[i].Count - 1);
                }

                sides.Add([new NodeId((ushort)next)]);
                Grow(next + 1, sides);
                sides.RemoveAt(sides.Count - 1);
            }
        }
    }
}
