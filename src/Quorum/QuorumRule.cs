using System.Globalization;
using System.Text;
using Membership.Links;

namespace Membership.Quorum;

/// <summary>A member of a view as its report describes it.</summary>
/// <param name="WaitsForAll">Its wait-for-all is armed: since its start it has met neither all nodes nor a running primary.</param>
/// <param name="WasQuorate">It was quorate just before this view.</param>
/// <param name="IsFresh">It has no record of ever having been in a primary view: a first start, or a lost disk.</param>
public readonly record struct PresentNode(NodeId Node, bool WaitsForAll, bool WasQuorate, bool IsFresh);

/// <summary>Everything a verdict depends on.</summary>
/// <param name="Options">Settings; <see cref="QuorumOptions.Self"/> does not matter.</param>
/// <param name="Record">The newest of what the present members know.</param>
/// <param name="Present">Members of the view, ascending.</param>
/// <param name="IsWitnessGranted">A present member holds the witness's grant for this view.</param>
public sealed record QuorumQuestion(QuorumOptions Options, QuorumRecord Record, IReadOnlyList<PresentNode> Present, bool IsWitnessGranted);

/// <summary>The answer.</summary>
/// <param name="Votes">Present and counting, a granted witness included.</param>
/// <param name="Needed">For quorum.</param>
/// <param name="Expected">Of the whole cluster, the witness included.</param>
/// <param name="Reason">One sentence.</param>
/// <param name="Flags">Words that name what applies.</param>
public sealed record QuorumVerdict(bool IsQuorate, ulong Votes, ulong Needed, ulong Expected, string Reason, IReadOnlyList<string> Flags);

/// <summary>Decides whether the members of a view may act. Pure: the same question has the same answer on every node.</summary>
/// <remarks>
/// docs/operating/quorum.md says it for operators. A side must hold a majority (or the tie-breaker's half) of the votes that count under the terms in
/// force, and under all terms that were agreed to but may not be in force yet: so a change of terms cannot make two sides quorate (joint consensus).
/// </remarks>
public static class QuorumRule
{
    /// <summary>The verdict.</summary>
    public static QuorumVerdict Decide(QuorumQuestion question)
    {
        var verdict = Under(question, question.Record.Terms);
        if (!verdict.IsQuorate) return verdict;
        foreach (var pending in question.Record.Pending)
        {
            var other = Under(question, pending);
            if (!other.IsQuorate) return other with { Reason = $"{other.Reason}; this counts a change of votes that was under way when the members separated" };
        }

        return IsWaiting(question) ? Waiting(question, verdict) : verdict;
    }

    /// <summary>The verdict with every node present and no history: what a configuration comes to.</summary>
    public static QuorumVerdict Full(QuorumOptions options) => Decide(new QuorumQuestion(
        options, QuorumRecord.Empty, [.. options.Voters.Select(voter => new PresentNode(voter.Node, false, false, false))], options.Witness != WitnessAlgorithm.None));

    /// <summary>The expected votes under some terms, the witness not included.</summary>
    /// <remarks>Never below the votes that count, so that two halves cannot both have a majority.</remarks>
    public static ulong ExpectedUnder(QuorumOptions options, QuorumTerms terms, ulong highestExpected)
    {
        var sum = 0UL;
        foreach (var voter in options.Voters) sum += terms.VotesOf(voter);
        if (terms.Expected != 0) return Math.Max(terms.Expected, sum);
        var expected = Math.Max(options.ExpectedVotes ?? 0, sum);
        return options.TrackExpectedVotes ? Math.Max(highestExpected, expected) : expected;
    }

    private static QuorumVerdict Under(QuorumQuestion question, QuorumTerms terms)
    {
        var options = question.Options;
        var expected = ExpectedUnder(options, terms, question.Record.HighestExpected) + (options.Witness == WitnessAlgorithm.None ? 0 : options.WitnessVotes);
        var votes = question.IsWitnessGranted ? options.WitnessVotes : 0;
        var ignoresFresh = IgnoresFresh(question);
        foreach (var voter in options.Voters)
        {
            if (TryFind(question.Present, voter.Node, out var present) && !(ignoresFresh && present.IsFresh)) votes += terms.VotesOf(voter);
        }

        var needed = options.Mode == QuorumMode.TwoNode ? 1 : (expected / 2) + 1;
        var isTie = options.TieBreaker != TieBreakerKind.None && votes < needed && expected % 2 == 0 && votes == expected / 2;
        var decider = isTie ? Decider(options, terms.Last) : null;
        var isTieWon = decider is { } node && TryFind(question.Present, node, out var deciding) && !(ignoresFresh && deciding.IsFresh);
        var flags = Flags(question, terms);
        if (isTieWon) flags.Add("tie-broken");
        var reason = Reason(question, terms, votes, expected, needed, ignoresFresh);
        if (isTie) Append(reason, decider, isTieWon);
        return new QuorumVerdict(votes >= needed || isTieWon, votes, needed, expected, reason.ToString(), flags);
    }

    /// <summary>A node that forgot what it once agreed to must not be counted where that could matter: it may have agreed to terms that nobody else here knows.</summary>
    private static bool IgnoresFresh(QuorumQuestion question) =>
        question.Options.IsDynamic && question.Present.Any(node => node.IsFresh) && !question.Present.All(node => node.IsFresh) && !AreAllPresent(question);

    private static bool AreAllPresent(QuorumQuestion question) => question.Options.Voters.All(voter => TryFind(question.Present, voter.Node, out _));

    /// <summary>Wait-for-all holds as long as every member here has just been started and somebody whose votes count was never seen.</summary>
    private static bool IsWaiting(QuorumQuestion question)
    {
        if (!question.Options.WaitForAll || !question.Present.All(node => node.WaitsForAll)) return false;
        var terms = question.Record.Terms;
        return question.Options.Voters.Any(voter => terms.VotesOf(voter) > 0 && !TryFind(question.Present, voter.Node, out _));
    }

    private static QuorumVerdict Waiting(QuorumQuestion question, QuorumVerdict verdict) => verdict with
    {
        IsQuorate = false,
        Reason = $"{verdict.Reason}; waiting for all: the daemons here have started and not yet seen every node, nor one that runs in a primary",
        Flags = [.. verdict.Flags, "waiting-for-all"],
    };

    /// <summary>The one node that decides an even split; null where none can.</summary>
    private static NodeId? Decider(QuorumOptions options, IReadOnlyList<NodeId> last)
    {
        if (last.Count == 0) return null;
        switch (options.TieBreaker)
        {
            case TieBreakerKind.Lowest: return last[0];
            case TieBreakerKind.Highest: return last[^1];
            default:
                foreach (var node in options.TieBreakerNodes)
                {
                    if (last.Contains(node)) return node;
                }

                return null;
        }
    }

    private static bool TryFind(IReadOnlyList<PresentNode> present, NodeId node, out PresentNode found)
    {
        foreach (var candidate in present)
        {
            if (candidate.Node != node) continue;
            found = candidate;
            return true;
        }

        found = default;
        return false;
    }

    private static List<string> Flags(QuorumQuestion question, QuorumTerms terms)
    {
        var options = question.Options;
        List<string> flags = [];
        if (options.Mode == QuorumMode.TwoNode) flags.Add("two-node");
        if (options.Mode == QuorumMode.LastManStanding) flags.Add("last-man-standing");
        if (options.WaitForAll) flags.Add("wait-for-all");
        if (options.TieBreaker != TieBreakerKind.None) flags.Add("tie-breaker");
        if (options.AllowDownscale) flags.Add("allow-downscale");
        if (options.TrackExpectedVotes) flags.Add("expected-votes-tracking");
        if (options.Witness != WitnessAlgorithm.None) flags.Add("witness");
        if (question.IsWitnessGranted) flags.Add("witness-granted");
        if (terms.Votes.Count > 0) flags.Add("votes-changed");
        if (terms.Expected != 0) flags.Add("expected-votes-changed");
        return flags;
    }

    private static StringBuilder Reason(QuorumQuestion question, QuorumTerms terms, ulong votes, ulong expected, ulong needed, bool ignoresFresh)
    {
        var options = question.Options;
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"{votes} of {expected} votes, need {needed}");
        Append(text, options.Voters.Where(voter => terms.VotesOf(voter) > 0 && !TryFind(question.Present, voter.Node, out _)), "missing");
        Append(text, options.Voters.Where(voter => terms.Out.Contains(voter.Node) && !TryFind(question.Present, voter.Node, out _)), "absent and not counted (left, or given up)");
        Append(text, options.Voters.Where(voter => terms.Out.Contains(voter.Node) && TryFind(question.Present, voter.Node, out _)), "here and not counted before the others take it in again");
        if (ignoresFresh)
        {
            var fresh = question.Present.Where(node => node.IsFresh).Select(node => new Voter(node.Node, 0));
            Append(text, fresh, "here and not counted for having no record of the cluster");
        }

        if (options.Witness == WitnessAlgorithm.None) return text;
        var what = question.IsWitnessGranted ? "are granted" : "are not granted";
        return text.Append(CultureInfo.InvariantCulture, $"; the witness's votes ({options.WitnessVotes}) {what}");
    }

    private static void Append(StringBuilder text, IEnumerable<Voter> voters, string what)
    {
        string[] nodes = [.. voters.Select(voter => voter.Node.ToString())];
        if (nodes.Length == 0) return;
        var names = nodes.Length == 1 ? $"node {nodes[0]} is" : $"nodes {string.Join(", ", nodes[..^1])} and {nodes[^1]} are";
        text.Append(CultureInfo.InvariantCulture, $"; {names} {what}");
    }

    private static void Append(StringBuilder text, NodeId? decider, bool isHere)
    {
        if (decider is not { } node) text.Append("; an even split, and the tie-breaker knows no node of an earlier primary view to decide it");
        else text.Append(CultureInfo.InvariantCulture, $"; an even split, decided by node {node}, which is {(isHere ? "here" : "missing")}");
    }
}
