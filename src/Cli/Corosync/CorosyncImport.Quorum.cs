using System.Globalization;

namespace Membership.Cli.Corosync;

/// <content>What decides by votes. Contradictions that corosync refuses or silently resolves are resolved here with a note.</content>
internal sealed partial class CorosyncImport
{
    private const int WindowMinMs = 100;
    private const int WindowMaxMs = 3_600_000;

    private List<(string Key, string Value)> ReadQuorum(List<ImportedNode> nodes)
    {
        if (Take("quorum", "provider") is { } provider && provider.Value != "corosync_votequorum")
            Note(provider.Line, "quorum.provider: quorum is always there, and decides by votes");
        var sum = nodes.Aggregate(0UL, static (all, node) => all + node.Votes);
        var witness = ReadWitness(nodes, sum);
        var hasWitness = witness is not null;
        var tieBreaker = ReadTieBreaker(nodes, hasWitness);
        var isTwoNode = ReadTwoNode(nodes, hasWitness || tieBreaker is not null);
        var isLastMan = ReadLastMan(hasWitness, isTwoNode, out var window);

        var quorum = new List<(string Key, string Value)> { ("mode", isTwoNode ? "two-node" : isLastMan ? "last-man-standing" : "majority") };
        if (Take("quorum", "wait_for_all") is { } waits)
            quorum.Add(("wait_for_all", Number(waits, "quorum.wait_for_all", 0, 1, 0) == 1 ? "true" : "false"));
        if (window is not null)
            quorum.Add(("last_man_standing_window", window));
        if (tieBreaker is not null)
            quorum.Add(("tie_breaker", tieBreaker));
        var obstacle = hasWitness ? "the witness" : isTwoNode ? "two_node" : isLastMan ? "last_man_standing" : null;
        var downscale = ReadSwitch("allow_downscale", obstacle);
        if (downscale)
            quorum.Add(("allow_downscale", "true"));
        if (ReadExpectedVotes(sum, obstacle) is { } expected)
            quorum.Add(("expected_votes", expected.ToString(CultureInfo.InvariantCulture)));
        if (ReadSwitch("expected_votes_tracking", hasWitness ? null : obstacle ?? (downscale ? "allow_downscale" : null)))
            quorum.Add(("expected_votes_tracking", "true"));
        if (witness is not null)
            quorum.Add(("witness", witness));
        return quorum;
    }

    private bool ReadTwoNode(List<ImportedNode> nodes, bool isDecidedOtherwise)
    {
        if (Take("quorum", "two_node") is not { } entry || Number(entry, "quorum.two_node", 0, 1, 0) == 0)
            return false;
        if (isDecidedOtherwise)
            Note(entry.Line, "quorum.two_node: auto_tie_breaker or the device decides between two halves, and switches it off in corosync too");
        else if (nodes.Count != 2)
            Note(entry.Line, $"quorum.two_node: there are {nodes.Count} nodes, and a majority decides");
        else if (nodes[0].Votes != nodes[1].Votes)
            Note(entry.Line, "quorum.two_node: the votes of the nodes differ, and a majority decides");
        else
            return true;
        return false;
    }

    private bool ReadLastMan(bool hasWitness, bool isTwoNode, out string? window)
    {
        var (entry, length) = (Take("quorum", "last_man_standing"), Take("quorum", "last_man_standing_window"));
        var isOn = entry is not null && Number(entry, "quorum.last_man_standing", 0, 1, 0) == 1;
        window = null;
        if (isOn && (hasWitness || isTwoNode))
        {
            Note(entry!.Line, $"quorum.last_man_standing: {(hasWitness ? "the device" : "two_node")} decides about the last ones"); // isOn
            isOn = false;
        }
        if (length is null)
            return isOn;
        var asked = Number(length, "quorum.last_man_standing_window", 1, int.MaxValue, 10_000);
        if (isOn)
            window = $"{Math.Clamp(asked, WindowMinMs, WindowMaxMs)}ms";
        else
            Note(length.Line, "quorum.last_man_standing_window: last_man_standing is off");
        return isOn;
    }

    private bool ReadSwitch(string key, string? obstacle)
    {
        if (Take("quorum", key) is not { } entry || Number(entry, $"quorum.{key}", 0, 1, 0) == 0)
            return false;
        if (obstacle is null)
            return true;
        Note(entry.Line, $"quorum.{key}: it contradicts {obstacle}, which is kept");
        return false;
    }

    private string? ReadTieBreaker(List<ImportedNode> nodes, bool hasWitness)
    {
        var (isOn, entry) = (IsOn("quorum", "auto_tie_breaker"), Take("quorum", "auto_tie_breaker_node"));
        if (isOn && !hasWitness)
            return TieBreaker(nodes, entry, "quorum.auto_tie_breaker_node");
        if (isOn)
            Note(0, "quorum.auto_tie_breaker: the device decides between two halves");
        if (entry is not null)
            Note(entry.Line, "quorum.auto_tie_breaker_node: auto_tie_breaker is off");
        return null;
    }

    // lowest, highest, or the ids of nodes by preference.
    private string TieBreaker(List<ImportedNode> nodes, CorosyncEntry? entry, string path)
    {
        if (entry is null || entry.Value is "lowest")
            return "lowest";
        if (entry.Value is "highest")
            return "highest";
        var names = new List<string>();
        foreach (var word in entry.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var node = int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? nodes.Find(each => each.Id == id) : null;
            if (node is null)
                Mistake(entry.Line, $"{path} is neither lowest, highest nor a list of node ids of this file");
            else if (!names.Contains($"\"{node.Name}\""))
                names.Add($"\"{node.Name}\"");
        }
        return names.Count > 0 ? $"[{string.Join(", ", names)}]" : "lowest";
    }

    private ulong? ReadExpectedVotes(ulong sum, string? obstacle)
    {
        if (Take("quorum", "expected_votes") is not { } entry)
            return null;
        var expected = (ulong)Number(entry, "quorum.expected_votes", 1, VotesMax * NodesMax, 1);
        if (expected == sum && obstacle is null)
            return null; // as without the line
        var why = obstacle is not null ? $"they follow from the nodes and {obstacle}"
            : expected < sum ? $"{expected} is below the {sum} votes of the nodes, which count instead: two halves could both have quorum"
            : expected >= sum * 2 ? $"with {expected} expected the {sum} votes of all nodes would never be quorum; they count instead"
            : null;
        if (why is null)
            return expected;
        Note(entry.Line, $"quorum.expected_votes: {why}");
        return null;
    }
}
