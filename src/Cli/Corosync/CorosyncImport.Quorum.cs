using System.Globalization;

namespace Membership.Cli.Corosync;

/// <content>What decides by votes.</content>
internal sealed partial class CorosyncImport
{
    private List<(string Key, string Value)> ReadQuorum(List<ImportedNode> nodes)
    {
        ReadProvider();
        var hasTieBreaker = IsOn("quorum", "auto_tie_breaker");
        var isTwoNode = ReadTwoNode(nodes, hasTieBreaker);
        var isLastMan = IsOn("quorum", "last_man_standing");
        var quorum = new List<(string Key, string Value)> { ("mode", isTwoNode ? "two-node" : isLastMan ? "last-man-standing" : "majority") };
        if (isTwoNode && isLastMan)
            Note(0, "quorum.last_man_standing: two_node comes first; with two nodes they mean the same");

        var waits = Take("quorum", "wait_for_all");
        if (waits is not null)
            quorum.Add(("wait_for_all", Number(waits, "quorum.wait_for_all", 0, 1, 0) == 1 ? "true" : "false"));
        if (ReadTieBreaker(nodes, hasTieBreaker) is { } tieBreaker)
            quorum.Add(("tie_breaker", tieBreaker));
        if (IsOn("quorum", "allow_downscale"))
            quorum.Add(("allow_downscale", "true"));
        if (ReadExpectedVotes(nodes) is { } expected)
            quorum.Add(("expected_votes", expected.ToString(CultureInfo.InvariantCulture)));
        return quorum;
    }

    private void ReadProvider()
    {
        if (Take("quorum", "provider") is { } provider && provider.Value != "corosync_votequorum")
            Note(provider.Line, "quorum.provider: quorum is always there, and decides by votes");
    }

    // With the tie-breaker on, corosync switches two_node off.
    private bool ReadTwoNode(List<ImportedNode> nodes, bool hasTieBreaker)
    {
        if (Take("quorum", "two_node") is not { } entry || Number(entry, "quorum.two_node", 0, 1, 0) == 0)
            return false;
        if (nodes.Count == 2 && !hasTieBreaker)
            return true;
        Note(entry.Line, hasTieBreaker
            ? "quorum.two_node: auto_tie_breaker switches it off, in corosync too"
            : $"quorum.two_node: there are {nodes.Count} nodes, and a majority decides");
        return false;
    }

    private string? ReadTieBreaker(List<ImportedNode> nodes, bool isOn)
    {
        var entry = Take("quorum", "auto_tie_breaker_node");
        if (!isOn)
        {
            if (entry is not null)
                Note(entry.Line, "quorum.auto_tie_breaker_node: auto_tie_breaker is off");
            return null;
        }
        if (entry is null || entry.Value is "lowest")
            return "lowest";
        if (entry.Value is "highest")
            return "highest";
        var names = new List<string>();
        foreach (var word in entry.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var node = int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? nodes.Find(each => each.Id == id) : null;
            if (node is null)
                Mistake(entry.Line, "quorum.auto_tie_breaker_node is neither lowest, highest nor a list of node ids of this file");
            else
                names.Add($"\"{node.Name}\"");
        }
        return names.Count > 0 ? $"[{string.Join(", ", names.Distinct())}]" : "lowest";
    }

    private ulong? ReadExpectedVotes(List<ImportedNode> nodes)
    {
        if (Take("quorum", "expected_votes") is not { } entry)
            return null;
        var expected = (ulong)Number(entry, "quorum.expected_votes", 1, VotesMax * NodesMax, 1);
        var sum = nodes.Aggregate(0UL, static (all, node) => all + node.Votes);
        if (expected == sum)
            return null;
        if (expected > sum)
            return expected;
        Note(entry.Line, $"quorum.expected_votes: {expected} is below the {sum} votes of the nodes, which count instead: two halves could both have quorum");
        return null;
    }
}
