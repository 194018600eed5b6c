using System.Globalization;

namespace Membership.Quorum;

/// <summary>Names contradictory quorum settings before they take effect.</summary>
public static class QuorumValidator
{
    /// <summary>All mistakes of the settings, one sentence each with the remedy; empty when they can be used. <c>Key</c> is the path in the configuration, for example <c>quorum.mode</c>.</summary>
    public static IReadOnlyList<(string Key, string Mistake)> Check(QuorumOptions options)
    {
        List<(string, string)> mistakes = [];
        if (options.Voters.Any(voter => voter.Votes > QuorumOptions.VotesMax) || options.WitnessVotes > QuorumOptions.VotesMax)
        {
            mistakes.Add(("quorum", $"has more than {QuorumOptions.VotesMax} votes for one node or the witness. Write smaller votes; only their proportion matters."));
            return mistakes;
        }

        CheckMode(options, mistakes);
        CheckExpected(options, mistakes);
        CheckWitness(options, mistakes);
        return mistakes;
    }

    /// <summary>What is allowed but deserves a word: a tie-breaker with an odd number of votes, two nodes without a witness, ...</summary>
    public static IReadOnlyList<(string Key, string Warning)> Warnings(QuorumOptions options)
    {
        List<(string, string)> warnings = [];
        var sum = Sum(options);
        var isTwoNode = options.Mode == QuorumMode.TwoNode;
        if (isTwoNode && !options.WaitForAll)
            warnings.Add(("quorum.wait_for_all", "is false in mode two-node: a node that starts alone is quorate at once, also while the other one runs behind a cut cable. Delete the line (default true)."));
        if (isTwoNode)
            warnings.Add(("quorum.mode", "is two-node: when the cable between the nodes is cut both are quorate, and only fencing keeps them from acting at once. A witness with algorithm ffsplit avoids that."));
        if (!isTwoNode && options.Voters.Count == 2 && options.Witness == WitnessAlgorithm.None && options.TieBreaker == TieBreakerKind.None)
            warnings.Add(("quorum", "is the majority of two nodes: the loss of either one is the loss of quorum. Add a witness with algorithm ffsplit, a third node, or see mode: two-node."));
        if (options.TieBreaker != TieBreakerKind.None && sum % 2 == 1 && options.Mode != QuorumMode.LastManStanding && !options.AllowDownscale)
            warnings.Add(("quorum.tie_breaker", string.Create(CultureInfo.InvariantCulture, $"is never asked: {sum} votes do not split evenly. Delete the line.")));
        if (options.Mode == QuorumMode.LastManStanding && !options.WaitForAll)
            warnings.Add(("quorum.mode", "is last-man-standing without wait_for_all: nodes that lost their state directories could form a second quorate side. Write wait_for_all: true."));
        if (options.Witness == WitnessAlgorithm.FiftyFiftySplit && sum % 2 == 1)
            warnings.Add(("quorum.witness.algorithm", string.Create(CultureInfo.InvariantCulture, $"is ffsplit, but {sum} votes do not split evenly: the witness adds one more that has to be reached. Use it with an even number, or write lms.")));
        return warnings;
    }

    private static void CheckMode(QuorumOptions options, List<(string, string)> mistakes)
    {
        var isTwoNode = options.Mode == QuorumMode.TwoNode;
        if (isTwoNode && options.Voters.Count != 2)
            mistakes.Add(("quorum.mode", $"is two-node, but there are {options.Voters.Count} nodes. Write majority, or configure exactly two nodes."));
        if (isTwoNode && options.Voters.Count == 2 && (options.Voters[0].Votes != options.Voters[1].Votes || options.Voters[0].Votes == 0))
            mistakes.Add(("quorum.mode", "is two-node, but the nodes' votes are not equal and above 0. Delete the votes lines (default 1)."));
        if (isTwoNode && options.TieBreaker != TieBreakerKind.None)
            mistakes.Add(("quorum.tie_breaker", "stands beside mode two-node, where either half goes on. Delete one of them: with mode majority a tie-breaker lets one chosen half go on."));
        if (isTwoNode && (options.AllowDownscale || options.ExpectedVotes is not null || options.TrackExpectedVotes))
            mistakes.Add(("quorum.mode", "is two-node, where expected votes mean nothing. Delete allow_downscale, expected_votes and expected_votes_tracking, or write majority."));
        if (options.Mode == QuorumMode.LastManStanding && options.AllowDownscale)
            mistakes.Add(("quorum.allow_downscale", "stands beside mode last-man-standing, which lowers the expected votes after every loss anyway. Delete the line."));
        if (options.TieBreaker == TieBreakerKind.List && options.TieBreakerNodes.Any(node => options.Voters.All(voter => voter.Node != node)))
            mistakes.Add(("quorum.tie_breaker", "names a node that is not configured. Write names from nodes."));
        if (options.Mode == QuorumMode.LastManStanding && options.LastManStandingWindow <= TimeSpan.Zero)
            mistakes.Add(("quorum.last_man_standing_window", "is not above 0. Delete the line (default 10s)."));
    }

    private static void CheckExpected(QuorumOptions options, List<(string, string)> mistakes)
    {
        var sum = Sum(options);
        if (sum == 0) mistakes.Add(("quorum", "has no votes at all, so that there is never quorum. Give at least one node votes: 1."));
        var tracksFalling = options.TrackExpectedVotes && (options.AllowDownscale || options.Mode == QuorumMode.LastManStanding);
        if (tracksFalling)
            mistakes.Add(("quorum.expected_votes_tracking", "keeps the expected votes at their highest, while allow_downscale or last-man-standing lowers them. Delete one of them."));
        if (options.ExpectedVotes is not { } expected) return;
        if (options.Mode == QuorumMode.LastManStanding)
            mistakes.Add(("quorum.expected_votes", "stands beside mode last-man-standing, which lowers the expected votes to those left. Delete the line."));
        if (expected > QuorumOptions.ExpectedMax)
            mistakes.Add(("quorum.expected_votes", $"is {expected}, above {QuorumOptions.ExpectedMax}. Write a smaller number."));
        else if (expected < sum && !options.AllowDownscale)
            mistakes.Add(("quorum.expected_votes", $"is {expected}, below the {sum} votes of the nodes: two halves could both have quorum. Raise it, or delete the line (default {sum})."));
        else if (QuorumRule.Full(options) is { IsQuorate: false } full && options.Mode != QuorumMode.TwoNode)
            mistakes.Add(("quorum.expected_votes", $"is {expected}: with all nodes there are {full.Votes} votes, and {full.Needed} are needed, so that there is never quorum. Lower it, or delete the line (default {sum})."));
    }

    private static void CheckWitness(QuorumOptions options, List<(string, string)> mistakes)
    {
        if (options.Witness == WitnessAlgorithm.None) return;
        var beside = new[]
        {
            (options.Mode == QuorumMode.TwoNode, "mode two-node, where either half goes on without asking. Write mode: majority"),
            (options.Mode == QuorumMode.LastManStanding, "mode last-man-standing; the witness's algorithm lms does that without its waiting. Write mode: majority"),
            (options.TieBreaker != TieBreakerKind.None, "a tie_breaker, so that an even split would be decided twice. Delete quorum.tie_breaker; the witness has its own"),
            (options.AllowDownscale, "allow_downscale, so that the votes of the witness would come to outweigh the nodes'. Delete allow_downscale"),
        };
        foreach (var (applies, what) in beside)
        {
            if (applies) mistakes.Add(("quorum.witness", $"stands beside {what}."));
        }

        var sum = Sum(options);
        if (options.WitnessVotes == 0) mistakes.Add(("quorum.witness.votes", "is 0, so that the witness decides nothing. Delete the line."));
        else if (options.Witness == WitnessAlgorithm.FiftyFiftySplit && options.WitnessVotes != 1)
            mistakes.Add(("quorum.witness.votes", $"is {options.WitnessVotes}; with algorithm ffsplit the witness has 1 vote, just what an even half lacks. Delete the line."));
        else if (options.WitnessVotes > sum)
            mistakes.Add(("quorum.witness.votes", $"is {options.WitnessVotes}, above the {sum} votes of all nodes: the witness alone would be quorum. Delete the line."));
        else if (options.WitnessVotes == sum)
            mistakes.Add(("quorum.witness.votes", $"is {options.WitnessVotes}, as many as all nodes have: without the witness there would never be quorum. Delete the line."));
    }

    private static ulong Sum(QuorumOptions options) => options.Voters.Aggregate(0UL, (sum, voter) => sum + voter.Votes);
}
