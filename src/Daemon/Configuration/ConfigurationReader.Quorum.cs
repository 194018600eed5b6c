using System.Globalization;
using Membership.Links;
using Membership.Quorum;

namespace Membership.Daemon.Configuration;

/// <content>How quorum is decided, and the witness.</content>
internal sealed partial class ConfigurationReader
{
    private const int HeuristicsMax = 16;

    private static readonly TimeSpan WitnessTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan HeuristicsTimeout = TimeSpan.FromSeconds(5);

    private QuorumConfiguration ReadQuorum(MapBinder file, List<NodeConfiguration> nodes)
    {
        const string Remedy = "Write for example quorum: { mode: majority }, or delete the line.";
        var map = file.Map("quorum", Remedy, "mode", "wait_for_all", "last_man_standing_window", "tie_breaker", "allow_downscale", "expected_votes", "expected_votes_tracking", "witness");
        if (map is null)
        {
            if (nodes.Count > 0 && file.Find("quorum") is null) WarnOfDefault(file, nodes);
            return QuorumConfiguration.Default;
        }

        var before = _mistakes.Mistakes.Count;
        var mode = map.Choice("mode", QuorumMode.Majority, ("majority", QuorumMode.Majority), ("two-node", QuorumMode.TwoNode), ("last-man-standing", QuorumMode.LastManStanding));
        var (tieBreaker, tieBreakerNodes) = ReadTieBreaker(map, nodes);
        var quorum = new QuorumConfiguration(
            mode,
            map.Flag("wait_for_all", mode == QuorumMode.TwoNode),
            map.Duration("last_man_standing_window", TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1), QuorumConfiguration.Default.LastManStandingWindow),
            tieBreaker,
            tieBreakerNodes,
            map.Flag("allow_downscale", false),
            map.Find("expected_votes") is null ? null : (ulong?)map.Number("expected_votes", 1, (long)(VotesMax * NodeTable.Max), 1),
            map.Flag("expected_votes_tracking", false),
            ReadWitness(map, nodes));
        if (_mistakes.Mistakes.Count > before || nodes.All(node => node.Votes == 0)) return QuorumConfiguration.Default;
        CheckQuorum(map, quorum.Options(nodes[0].Id, nodes));
        return quorum;
    }

    private void WarnOfDefault(MapBinder file, List<NodeConfiguration> nodes)
    {
        foreach (var (key, warning) in QuorumValidator.Warnings(QuorumConfiguration.Default.Options(nodes[0].Id, nodes)))
            _mistakes.Warn(file.At("nodes"), key, warning);
    }

    /// <summary>What contradicts itself, at the place of the key it is about.</summary>
    private void CheckQuorum(MapBinder map, QuorumOptions options)
    {
        foreach (var (key, mistake) in QuorumValidator.Check(options)) _mistakes.Add(PlaceOf(map, key), key, mistake);
        foreach (var (key, warning) in QuorumValidator.Warnings(options)) _mistakes.Warn(PlaceOf(map, key), key, warning);
    }

    private static YamlNode PlaceOf(MapBinder map, string key)
    {
        var words = key.Split('.');
        var place = map.At(words.Length > 1 ? words[1] : "");
        if (words.Length < 3 || place is not YamlMap below) return place;
        return below.Entries.FirstOrDefault(entry => entry.Key.Text == words[2])?.Value ?? below;
    }

    private (TieBreakerKind Kind, IReadOnlyList<NodeId> Nodes) ReadTieBreaker(MapBinder map, List<NodeConfiguration> nodes)
    {
        if (map.Find("tie_breaker") is not YamlList list)
            return (map.Choice("tie_breaker", TieBreakerKind.None, ("none", TieBreakerKind.None), ("lowest", TieBreakerKind.Lowest), ("highest", TieBreakerKind.Highest)), []);
        List<NodeId> chosen = [];
        for (var i = 0; i < list.Items.Count; i++)
        {
            var path = $"{map.PathOf("tie_breaker")}[{i}]";
            if (map.Scalar(list.Items[i], path, "the name of a node", "Write a name from nodes.") is not { } name) continue;
            if (nodes.Find(n => n.Name == name) is not { } node) _mistakes.Add(list.Items[i], path, $"is {Printable.Value(name)}, not a node. Write a name from nodes.");
            else if (chosen.Contains(node.Id)) _mistakes.Add(list.Items[i], path, $"is {name}, already in the list. Delete one of them.");
            else chosen.Add(node.Id);
        }
        if (list.Items.Count == 0) map.Add("tie_breaker", "is an empty list, not names of nodes. Write for example [n1, n3], or lowest.");
        return (TieBreakerKind.List, chosen);
    }

    private WitnessConfiguration? ReadWitness(MapBinder quorum, List<NodeConfiguration> nodes)
    {
        const string Remedy = "Write for example witness: { address: \"witness.example:5403\", algorithm: ffsplit, ca_file: ca.pem, certificate_file: node.pem, key_file: node.key }.";
        var map = quorum.Map("witness", Remedy, "address", "algorithm", "votes", "ca_file", "certificate_file", "key_file", "timeout", "heuristics", "heuristics_timeout", "tie_breaker");
        if (map is null) return null;
        map.Require("address", "Write where the witness listens, like \"192.0.2.7:5403\".");
        map.Require("algorithm", "Write ffsplit for an even number of nodes, lms where a single node may go on.");
        var (host, port) = ReadWitnessAddress(map);
        var algorithm = map.Choice("algorithm", WitnessAlgorithm.FiftyFiftySplit, ("ffsplit", WitnessAlgorithm.FiftyFiftySplit), ("lms", WitnessAlgorithm.LastManStanding));
        var sum = nodes.Aggregate(0UL, (all, node) => all + node.Votes);
        var votes = algorithm == WitnessAlgorithm.LastManStanding && sum > 1 ? sum - 1 : 1;
        var (tieBreaker, tieBreakerNodes) = ReadTieBreaker(map, nodes);
        return new WitnessConfiguration(
            host,
            port,
            algorithm,
            (ulong)map.Number("votes", 1, (long)(VotesMax * NodeTable.Max), (long)votes),
            ReadWitnessFile(map, "ca_file", "the certificates that sign those of witness and nodes"),
            ReadWitnessFile(map, "certificate_file", "this node's certificate"),
            ReadWitnessFile(map, "key_file", "the private key of this node's certificate"),
            map.Duration("timeout", TimeSpan.FromMilliseconds(500), TimeSpan.FromMinutes(5), WitnessTimeout),
            ReadHeuristics(map),
            map.Duration("heuristics_timeout", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(2), HeuristicsTimeout),
            tieBreaker,
            tieBreakerNodes);
    }

    private static (string Host, int Port) ReadWitnessAddress(MapBinder map)
    {
        const string Form = "a name or address and a port";
        const string Remedy = "Write it like \"witness.example:5403\", \"192.0.2.7:5403\" or \"[2001:db8::7]:5403\".";
        if (map.Text("address", Form, Remedy) is not { } text) return ("", 0);
        var colon = text.LastIndexOf(':');
        var host = colon > 0 ? text[..colon] : "";
        var isLiteral = Units.TryEndPoint(text, out var endPoint);
        var isName = host.Length is > 0 and <= 253 && char.IsAsciiLetterOrDigit(host[0]) && host.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-');
        if ((isLiteral || isName) && ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port != 0)
            return (isLiteral ? endPoint.Address.ToString() : host, port);
        map.Add("address", $"is {Printable.Value(text)}, not {Form}. {Remedy}");
        return ("", 0);
    }

    private string ReadWitnessFile(MapBinder map, string key, string what)
    {
        var remedy = $"Name the PEM file with {what}, relative to this file.";
        if (map.Require(key, remedy) is null || map.Text(key, "the name of a file", remedy) is not { } text) return "";
        if (text.Length == 0) map.Add(key, $"is \"\", not the name of a file. {remedy}");
        return Path.GetFullPath(text, _directory);
    }

    private List<IReadOnlyList<string>> ReadHeuristics(MapBinder map)
    {
        const string Form = "a command with its arguments";
        const string Remedy = "Write for example heuristics: [\"/usr/bin/ping -c 1 192.0.2.1\"]; the program by its absolute path, no shell.";
        var items = map.List("heuristics", Remedy);
        if (items.Count > HeuristicsMax) map.Add("heuristics", $"is a list of {items.Count}, above {HeuristicsMax} commands. Put several checks into one script.");
        List<IReadOnlyList<string>> commands = [];
        for (var i = 0; i < items.Count; i++)
        {
            var path = $"{map.PathOf("heuristics")}[{i}]";
            if (map.Scalar(items[i], path, Form, Remedy) is not { } text) continue;
            var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0 || !Path.IsPathRooted(words[0])) _mistakes.Add(items[i], path, $"is {Printable.Value(text)}, not {Form}. {Remedy}");
            else commands.Add(words);
        }
        return commands;
    }
}
