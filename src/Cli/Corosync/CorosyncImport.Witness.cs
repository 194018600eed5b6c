using System.Globalization;
using System.Text.Json;
using Membership.Cli.Text;

namespace Membership.Cli.Corosync;

/// <content>The quorum device becomes the witness.</content>
internal sealed partial class CorosyncImport
{
    private const int WitnessPort = 5403;
    private const int HeuristicsMax = 16;
    private const int HostLengthMax = 253;

    // The section as one line of YAML, or null where there is no device that can become one.
    private string? ReadWitness(List<ImportedNode> nodes, ulong sum)
    {
        if (Take("quorum.device", "model") is not { } model)
            return null;
        if (model.Value != "net")
        {
            Note(model.Line, "quorum.device.model: only net has a counterpart, the witness");
            return null;
        }
        if (sum < 2)
        {
            Note(model.Line, $"quorum.device: the nodes have {sum} votes together, so that there is nothing for a witness to decide; left out");
            return null;
        }
        var (host, port) = (Take("quorum.device.net", "host"), Take("quorum.device.net", "port"));
        if (host is null || host.Value.Length > HostLengthMax || !IsHost(host.Value))
        {
            Mistake(host?.Line ?? model.Line, "quorum.device.net.host is not the name or address of the witness");
            return null;
        }
        var number = Number(port, "quorum.device.net.port", 1, ushort.MaxValue, WitnessPort);
        var algorithm = ReadAlgorithm(model);
        var items = new List<string>
        {
            $"address: \"{(host.Value.Contains(':', StringComparison.Ordinal) ? $"[{host.Value}]" : host.Value)}:{number}\"",
            $"algorithm: {algorithm}",
        };
        if (ReadWitnessVotes(algorithm, sum) is { } votes)
            items.Add($"votes: {votes}");
        items.Add("ca_file: \"ca.pem\"");
        items.Add("certificate_file: \"node.pem\"");
        items.Add("key_file: \"node.key\"");
        AddMilliseconds(items, "timeout", Take("quorum.device", "timeout"), "quorum.device.timeout", 500, 300_000);
        AddHeuristics(items);
        if (Take("quorum.device.net", "tie_breaker") is { } tieBreaker)
            items.Add($"tie_breaker: {TieBreaker(nodes, tieBreaker, "quorum.device.net.tie_breaker")}");
        Note(host.Line, "quorum.device.net.host: the witness is another program (membershipd --witness), and needs certificates: ca.pem, node.pem and node.key beside the configuration");
        return $"{{ {string.Join(", ", items)} }}";
    }

    private string ReadAlgorithm(CorosyncEntry model)
    {
        var entry = Take("quorum.device.net", "algorithm");
        if (entry?.Value is "ffsplit" or "lms")
            return entry.Value;
        if (entry?.Value is "2nodelms")
        {
            Note(entry.Line, "quorum.device.net.algorithm: 2nodelms is lms with two nodes");
            return "lms";
        }
        Mistake(entry?.Line ?? model.Line, "quorum.device.net.algorithm is neither ffsplit nor lms");
        return "ffsplit";
    }

    private long? ReadWitnessVotes(string algorithm, ulong sum)
    {
        if (Take("quorum.device", "votes") is not { } entry)
            return null;
        var votes = Number(entry, "quorum.device.votes", 1, VotesMax, 1);
        if (algorithm == "lms" && (ulong)votes < sum)
            return votes;
        if (algorithm == "lms" || votes != 1)
            Note(entry.Line, algorithm == "lms"
                ? $"quorum.device.votes: {votes} are as many as all nodes have; the default, one less, applies"
                : "quorum.device.votes: with ffsplit the witness has 1 vote, just what an even half lacks");
        return null;
    }

    private void AddHeuristics(List<string> items)
    {
        const string Section = "quorum.device.heuristics";
        var mode = Take(Section, "mode");
        var timeout = Take(Section, "timeout");
        var entries = _root.All().Where(static section => section.Path == Section).SelectMany(static section => section.Entries)
            .Where(static entry => entry.Key.StartsWith("exec_", StringComparison.Ordinal)).ToList();
        if (mode?.Value is not ("on" or "sync"))
            return;
        var commands = new List<string>();
        foreach (var entry in entries)
        {
            entry.IsUsed = true;
            if (!entry.Value.StartsWith('/'))
                Note(entry.Line, $"{Section}.{entry.Key}: its program has no absolute path; left out");
            else if (commands.Count == HeuristicsMax)
                Note(entry.Line, $"{Section}.{entry.Key}: there are more than {HeuristicsMax}; left out");
            else
                commands.Add($"\"{JsonEncodedText.Encode(entry.Value, JsonText.Options.Encoder)}\"");
        }
        if (commands.Count == 0)
            return;
        items.Add($"heuristics: [{string.Join(", ", commands)}]");
        AddMilliseconds(items, "heuristics_timeout", timeout, Section + ".timeout", 100, 120_000);
    }

    private void AddMilliseconds(List<string> items, string key, CorosyncEntry? entry, string path, int minimum, int maximum)
    {
        if (entry is null)
            return;
        var asked = Number(entry, path, 1, int.MaxValue, minimum);
        var applied = Math.Clamp(asked, minimum, maximum);
        if (applied != asked)
            Note(entry.Line, string.Create(CultureInfo.InvariantCulture, $"{path}: {applied}ms instead of {asked}ms, because it is {minimum}ms to {maximum}ms"));
        items.Add(string.Create(CultureInfo.InvariantCulture, $"{key}: {applied}ms"));
    }

    private static bool IsHost(string text) => ParseAddress(text) is not null
        || (text.Length > 0 && char.IsAsciiLetterOrDigit(text[0]) && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-'));
}
