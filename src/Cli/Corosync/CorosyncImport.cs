using System.Globalization;
using Membership.Cli.Commands;

namespace Membership.Cli.Corosync;

/// <summary>What the operator says beside the file.</summary>
/// <param name="Cluster">Name of the cluster; null: that of the file.</param>
/// <param name="Nodes">The nodes, where the file has no nodelist; else empty.</param>
/// <param name="Addresses">Addresses of the host names in the file, all that were found.</param>
internal sealed record ImportChoices(
    string? Cluster, IReadOnlyList<NodeEntry> Nodes, IReadOnlyDictionary<string, IReadOnlyList<System.Net.IPAddress>> Addresses);

/// <summary>Turns a corosync.conf into a configuration. Each line without a counterpart gets a note; security never becomes weaker, because there is no weaker one.</summary>
/// <remarks>Keys and defaults: corosync.conf(5), votequorum(5). A pure function of its inputs.</remarks>
internal sealed partial class CorosyncImport
{
    private const int TokenDefaultMs = 3000;
    private const int TokenCoefficientMs = 650;
    private const int TokenMinMs = 50;
    private const int TokenMaxMs = 60_000;
    private const int ConsensusMaxMs = 120_000;
    private const int PriorityMax = 255;

    private readonly CorosyncSection _root;
    private readonly ImportChoices _choices;
    private readonly List<ImportNote> _notes;

    private CorosyncImport(CorosyncSection root, ImportChoices choices, List<ImportNote> notes)
    {
        _root = root;
        _choices = choices;
        _notes = notes;
    }

    /// <summary>The configuration, or null with at least one mistake among <paramref name="notes"/>.</summary>
    public static ImportedConfiguration? Run(CorosyncSection root, ImportChoices choices, List<ImportNote> notes)
    {
        if (notes.Exists(static note => note.IsMistake))
            return null;
        var configuration = new CorosyncImport(root, choices, notes).Translate();
        notes.Sort(static (left, right) => left.Line.CompareTo(right.Line));
        return notes.Exists(static note => note.IsMistake) ? null : configuration;
    }

    /// <summary>The host names in the node list, which have to be looked up.</summary>
    public static IReadOnlyList<string> HostNames(CorosyncSection root) =>
    [
        .. root.All().Where(static section => section.Path == NodePath).SelectMany(static section => section.Entries)
            .Where(static entry => LinkNumber(entry.Key) is not null && ParseAddress(entry.Value) is null && IsName(entry.Value))
            .Select(static entry => entry.Value).Distinct(StringComparer.Ordinal),
    ];

    private ImportedConfiguration Translate()
    {
        var interfaces = ReadInterfaces();
        var nodes = ReadNodes(interfaces, out var links);
        var (token, consensus) = ReadTiming(nodes.Count);
        var configuration = new ImportedConfiguration
        {
            Cluster = ReadCluster(),
            TokenMs = token,
            ConsensusMs = consensus,
            LinkPolicy = ReadLinkPolicy(),
            LinkPriorities = ReadPriorities(interfaces, links),
            Quorum = ReadQuorum(nodes),
            Nodes = nodes,
        };
        NoteTheRest();
        return configuration;
    }

    private string ReadCluster()
    {
        const string Fallback = "cluster";
        var entry = Take("totem", "cluster_name");
        if (_choices.Cluster is { } chosen)
            return chosen;
        if (entry is not null && IsName(entry.Value))
            return entry.Value;
        Note(entry?.Line ?? 0, $"totem.cluster_name: {(entry is null ? "there is none" : "it is not 1 to 63 letters, digits, . _ -")}; the cluster is called \"{Fallback}\" (choose with --cluster NAME)");
        return Fallback;
    }

    // corosync adds the coefficient for each node beyond two, and so do we: the cluster shall not become more nervous by moving.
    private (long? Token, long? Consensus) ReadTiming(int nodes)
    {
        var (token, coefficient, consensus) = (Take("totem", "token"), Take("totem", "token_coefficient"), Take("totem", "consensus"));
        if (token is null && coefficient is null && consensus is null)
            return (null, null);
        var perNode = Number(coefficient, "totem.token_coefficient", 0, TokenMaxMs, TokenCoefficientMs);
        var configured = Number(token, "totem.token", 1, int.MaxValue, TokenDefaultMs);
        var effective = Math.Clamp(configured + (Math.Max(0, nodes - 2) * perNode), TokenMinMs, TokenMaxMs);
        Note((token ?? coefficient ?? consensus)!.Line, // one of them is there
            $"totem.token: {effective}ms, which is {configured}ms and {perNode}ms for each node beyond two, within {TokenMinMs}ms to {TokenMaxMs}ms; timing: lan would notice failures sooner");
        if (consensus is null)
            return (effective, null);
        var asked = Number(consensus, "totem.consensus", 1, int.MaxValue, effective * 6 / 5);
        var least = ((effective * 6) + 4) / 5;
        var applied = Math.Clamp(asked, least, ConsensusMaxMs);
        if (applied != asked)
            Note(consensus.Line, $"totem.consensus: {applied}ms instead of {asked}ms, because it is at least 1.2 x token and at most {ConsensusMaxMs}ms");
        return (effective, applied);
    }

    private string? ReadLinkPolicy()
    {
        if (Take("totem", "link_mode") is not { } mode)
            return null;
        if (mode.Value is "passive" or "active")
            return mode.Value;
        if (mode.Value == "rr")
            return "round-robin";
        Note(mode.Line, "totem.link_mode: neither passive, active nor rr; passive, the default, applies");
        return null;
    }

    private List<int> ReadPriorities(Dictionary<int, CorosyncSection> interfaces, IReadOnlyList<int> links)
    {
        var entries = links.Select(link => interfaces.TryGetValue(link, out var section) ? Take(section, "knet_link_priority") : null).ToList();
        return entries.TrueForAll(static entry => entry is null)
            ? []
            : [.. entries.Select(static entry => entry).Select(entry => (int)Number(entry, "totem.interface.knet_link_priority", 0, PriorityMax, 1))];
    }

    // Every line that nothing was made of is told, with what is there instead.
    private void NoteTheRest()
    {
        foreach (var section in _root.All())
            foreach (var entry in section.Entries.Where(static entry => !entry.IsUsed))
            {
                var path = section.Path.Length == 0 ? entry.Key : $"{section.Path}.{entry.Key}";
                Note(entry.Line, $"{path}: {CorosyncKeys.ReasonOf(path)}");
            }
    }

    // The last line counts, as in corosync.
    private CorosyncEntry? Take(string section, string key) => TakeLast(_root.All().Where(each => each.Path == section), key);

    private CorosyncEntry? Take(CorosyncSection section, string key) => TakeLast([section], key);

    private CorosyncEntry? TakeLast(IEnumerable<CorosyncSection> sections, string key)
    {
        CorosyncEntry? last = null;
        foreach (var entry in sections.SelectMany(static section => section.Entries).Where(entry => entry.Key == key).OrderBy(static entry => entry.Line))
        {
            if (last is not null)
                Note(last.Line, $"{key}: line {entry.Line} says it again, and the last one counts");
            entry.IsUsed = true;
            last = entry;
        }
        return last;
    }

    private bool IsOn(string section, string key) => Take(section, key) is { } entry && Number(entry, $"{section}.{key}", 0, 1, 0) == 1;

    private long Number(CorosyncEntry? entry, string path, long minimum, long maximum, long fallback)
    {
        if (entry is null)
            return fallback;
        if (long.TryParse(entry.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= minimum && number <= maximum)
            return number;
        Mistake(entry.Line, $"{path} is not a number from {minimum} to {maximum}");
        return fallback;
    }

    private static bool IsName(string text) => ConfigInitCommand.IsName(text);

    private void Note(int line, string text) => _notes.Add(new ImportNote(line, false, text));

    private void Mistake(int line, string text) => _notes.Add(new ImportNote(line, true, text));
}
