using System.Text;
using Membership.Cli.Corosync;
using Membership.Daemon.Configuration;
using Membership.Daemon.Witness.Server;
using Membership.Fuzz.Engine;

namespace Membership.Fuzz.Targets;

/// <summary>What the targets of the YAML files share.</summary>
internal static class Yaml
{
    public static IReadOnlyList<string> Reasons { get; } =
    [
        "read", "mistakes in values", "not valid YAML", "not UTF-8", "a control character", "a tab", "empty", "a second document", "anchors, aliases, tags or too deep", "no map",
    ];

    public static IReadOnlyList<byte[]> Words { get; } = [.. new[]
    {
        "cluster", "key_file", "timing", "link_policy", "link_priorities", "datagram_max", "ring", "quorum", "nodes", "api", "telemetry", "resources", "name", "id", "links", "votes", "mode",
        "majority", "wait_for_all", "socket", "tcp", "tls", "roles", "page", "token", "consensus", "link_down", "listen", "ca", "certificate", "key", "clusters", "algorithm", "any", "true", "false",
        "null", "~", "250ms", "1s", "64KiB", "0", "-1", "1e9", "99999999999999999999", "0x10", "\"\"", "[]", "{}", ": ", "- ", "\n", "\n  ", "&a ", "*a", "!!str ", "%YAML 1.2\n", "\n---\n", "|\n", ">\n", "? ",
        "<<: ", "10.0.0.1:5405", "[fd00::1]:5405", "10.0.0.0/24:7801", "user:alice", "cert:*", "others", "\ufeff", "\u0085", "\u2028",
    }.Select(Encoding.UTF8.GetBytes)];

    /// <summary>The reason of the first mistake.</summary>
    public static int ReasonOf(IReadOnlyList<Mistake> mistakes)
    {
        if (mistakes.Count == 0) return 0;
        if (mistakes.Any(mistake => mistake.Text.Contains("is not allowed in a configuration", StringComparison.Ordinal) || mistake.Text.Contains("nested deeper", StringComparison.Ordinal))) return 8;
        var text = mistakes[0].Text;
        if (text.StartsWith("not valid YAML", StringComparison.Ordinal)) return 2;
        if (text.Contains("is not UTF-8", StringComparison.Ordinal)) return 3;
        if (text.StartsWith("control character", StringComparison.Ordinal)) return 4;
        if (text.StartsWith("a tab", StringComparison.Ordinal)) return 5;
        if (text.StartsWith("the file is empty", StringComparison.Ordinal)) return 6;
        if (text.StartsWith("a second document", StringComparison.Ordinal)) return 7;
        return text.Contains("not a map", StringComparison.Ordinal) && mistakes[0].Path.Length == 0 ? 9 : 1;
    }

    /// <summary>Every mistake is one line with a place and a remedy.</summary>
    public static void Check(IReadOnlyList<Mistake> mistakes)
    {
        foreach (var mistake in mistakes)
        {
            var line = mistake.ToString();
            if (line.AsSpan().ContainsAnyInRange('\0', '\u001f') && !line.Contains("\n  (umask", StringComparison.Ordinal)) throw new BrokenPromiseException("a mistake would spoil a terminal");
        }
    }

    public static Seed Text(string name, string text) => new(name, Encoding.UTF8.GetBytes(text));
}

/// <summary>A YAML file of ours: what was read, or all that is wrong with it.</summary>
internal abstract class YamlTarget : Target
{
    public override IReadOnlyList<string> Reasons => Yaml.Reasons;

    public override bool IsText => true;

    // YamlDotNet makes an object for each token, the tree one for each node, and each mistake is a sentence (at most 100).
    public override long AllocationMax(int length) => (700L * length) + (400 * 1024);

    public override int RateMin => 0;

    public override IReadOnlyList<byte[]> Words => Yaml.Words;

    public override int Run(ReadOnlySpan<byte> input)
    {
        var isRead = Read(input, out var mistakes);
        Yaml.Check(mistakes);
        if (isRead != (mistakes.Count == 0)) throw new BrokenPromiseException(isRead ? "a configuration and mistakes" : "neither a configuration nor a mistake");
        return Yaml.ReasonOf(mistakes);
    }

    /// <summary>True when there is a configuration.</summary>
    protected abstract bool Read(ReadOnlySpan<byte> input, out IReadOnlyList<Mistake> mistakes);
}

/// <summary>The configuration of a cluster.</summary>
internal sealed class ConfigurationTarget : YamlTarget
{
    public override string Name => "configuration/membership";

    public override int Weight => 4;

    public override IEnumerable<Seed> Seeds()
    {
        const string Example = """
            cluster: web
            key_file: web.key
            timing: lan
            quorum: { mode: majority, wait_for_all: false }
            nodes:
              - { name: n1, id: 1, links: ["10.0.0.1:5405", "192.168.1.1:5405"], votes: 1 }
              - { name: n2, id: 2, links: ["10.0.0.2:5405", "192.168.1.2:5405"] }
            api: { socket: /run/membership/api.sock, page: "127.0.0.1:7800" }

            """;
        yield return Yaml.Text("example", Example);
        yield return Yaml.Text("timing", Example.Replace("timing: lan", "timing: { token: 1s, consensus: 1200ms, link_down: 600ms }", StringComparison.Ordinal));
        yield return Yaml.Text("ring", Example + "ring: { post_token: 64KiB, window: 1MiB }\nlink_priorities: [2, 1]\nlink_policy: active\n");
        yield return Yaml.Text("roles", Example.Replace("page:", "roles: { read: [others], app: [\"user:1000\", \"group:ops\"] }, page:", StringComparison.Ordinal));
        yield return Yaml.Text("json", "{\"cluster\":\"web\",\"key_file\":\"k\",\"nodes\":[{\"name\":\"n1\",\"id\":1,\"links\":[\"[fd00::1]:5405\"]}]}");
        yield return Yaml.Text("anchor", "cluster: &a web\nkey_file: *a\n");
        yield return Yaml.Text("tag", "cluster: !!str web\n");
        yield return Yaml.Text("two-documents", Example + "---\ncluster: other\n");
        yield return Yaml.Text("unclosed", "cluster: [web\n");
        yield return Yaml.Text("list", "- a\n- b\n");
        yield return Yaml.Text("deep", string.Concat(Enumerable.Repeat("[", 40)));
        yield return Yaml.Text("tab", "cluster: web\n\tkey_file: k\n");
        yield return new Seed("not-utf8", [.. "cluster: "u8, 0xff, 0xfe]);
        yield return new Seed("control", [.. "cluster: "u8, 7, (byte)'\n']);
        yield return Yaml.Text("nothing", "# nothing\n");
    }

    protected override bool Read(ReadOnlySpan<byte> input, out IReadOnlyList<Mistake> mistakes)
    {
        var result = ConfigurationReader.Read("membership.yaml", input, null);
        mistakes = result.Mistakes;
        return result.Configuration is not null;
    }
}

/// <summary>The configuration of a witness.</summary>
internal sealed class WitnessConfigurationTarget : YamlTarget
{
    public override string Name => "configuration/witness";

    public override int LengthMax => 512;

    public override int Weight => 2;

    public override IEnumerable<Seed> Seeds()
    {
        yield return Yaml.Text("any", "listen: \"0.0.0.0:7802\"\ntls: { ca: ca.pem, certificate: witness.pem, key: witness.key }\nclusters: any\n");
        yield return Yaml.Text("list", "listen: \"[::]:7802\"\ntls: { ca: ca.pem, certificate: witness.pem, key: witness.key }\nclusters: [{ name: web, algorithm: ffsplit }, { name: db }]\n");
        yield return Yaml.Text("anchor", "listen: &a \"0.0.0.0:7802\"\n");
        yield return Yaml.Text("two-documents", "listen: \"0.0.0.0:7802\"\ntls: { ca: a, certificate: b, key: c }\nclusters: any\n---\nmore: 1\n");
        yield return Yaml.Text("unclosed", "tls: { ca: a\n");
        yield return Yaml.Text("scalar", "listen\n");
        yield return Yaml.Text("tab", "listen: x\n\ttls: y\n");
        yield return new Seed("not-utf8", [.. "listen: "u8, 0xff]);
        yield return new Seed("control", [.. "listen: "u8, 7]);
        yield return Yaml.Text("nothing", "#\n");
    }

    protected override bool Read(ReadOnlySpan<byte> input, out IReadOnlyList<Mistake> mistakes)
    {
        var list = new MistakeList("witness.yaml");
        var configuration = WitnessServerConfiguration.Read("witness.yaml", input, list);
        mistakes = list.Mistakes;
        return configuration is not null;
    }
}

/// <summary>A corosync.conf, and the configuration made from it, which must be one.</summary>
internal sealed class CorosyncTarget : Target
{
    private static readonly ImportChoices Choices = new(null, [], new Dictionary<string, IReadOnlyList<System.Net.IPAddress>>());

    public override string Name => "import/corosync";

    public override IReadOnlyList<string> Reasons { get; } = ["imported", "no corosync.conf", "a corosync.conf that makes no configuration"];

    public override bool IsText => true;

    // Lines, words and notes are strings; at most 20 mistakes are told, but each line without a counterpart gets a note.
    public override long AllocationMax(int length) => (400L * length) + (1024 * 1024);

    public override int RateMin => 0;

    public override int Weight => 3;

    public override IReadOnlyList<byte[]> Words { get; } = [.. new[]
    {
        "totem {\n", "nodelist {\n", "node {\n", "quorum {\n", "device {\n", "interface {\n", "net {\n", "}\n", "\n", ": ", "version: 2\n", "cluster_name: ", "token: ", "consensus: ", "token_coefficient: ", "link_mode: ", "passive", "rr",
        "ring0_addr: ", "ring1_addr: ", "nodeid: ", "name: ", "quorum_votes: ", "provider: corosync_votequorum\n", "two_node: 1\n", "wait_for_all: 1\n", "expected_votes: ", "last_man_standing: 1\n", "auto_tie_breaker: 1\n",
        "auto_tie_breaker_node: ", "allow_downscale: 1\n", "model: net\n", "host: ", "algorithm: ffsplit\n", "knet_link_priority: ", "linknumber: ", "bindnetaddr: ", "mcastport: ", "10.0.0.1", "fd00::1", "0", "1", "4294967296", "-1", "#",
    }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<Seed> Seeds()
    {
        const string Example = """
            totem {
                version: 2
                cluster_name: web
                transport: knet
                token: 3000
            }
            quorum {
                provider: corosync_votequorum
            }
            nodelist {
                node {
                    ring0_addr: 10.0.0.1
                    name: a
                    nodeid: 1
                }
                node {
                    ring0_addr: 10.0.0.2
                    name: b
                    nodeid: 2
                }
            }

            """;
        yield return Yaml.Text("example", Example);
        yield return Yaml.Text("two-node", Example.Replace("corosync_votequorum", "corosync_votequorum\n    two_node: 1", StringComparison.Ordinal));
        yield return Yaml.Text("device", Example.Replace("corosync_votequorum\n", "corosync_votequorum\n    device {\n        model: net\n        net {\n            host: 10.0.0.9\n            algorithm: ffsplit\n        }\n    }\n", StringComparison.Ordinal));
        yield return Yaml.Text("interfaces", Example.Replace("    token: 3000\n", "    interface {\n        linknumber: 0\n        knet_link_priority: 2\n        mcastport: 5500\n    }\n    link_mode: rr\n", StringComparison.Ordinal));
        yield return Yaml.Text("unclosed", "totem {\n  version: 2\n");
        yield return Yaml.Text("text", "this is no configuration\n");
        yield return Yaml.Text("no-nodes", "totem {\n  version: 2\n}\n");
        yield return Yaml.Text("twice", Example.Replace("nodeid: 2", "nodeid: 1", StringComparison.Ordinal));
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        var notes = new List<ImportNote>();
        var root = CorosyncFile.Read(input, notes);
        if (notes.Exists(note => note.IsMistake)) return 1;
        _ = CorosyncImport.HostNames(root);
        if (CorosyncImport.Run(root, Choices, notes) is not { } imported) return notes.Exists(note => note.IsMistake) ? 2 : throw new BrokenPromiseException("no configuration and no mistake");
        var text = imported.Render(notes);
        var read = ConfigurationReader.Read("membership.yaml", Encoding.UTF8.GetBytes(text), null);
        return read.Mistakes.Count == 0 ? 0 : throw new BrokenPromiseException($"what was imported is no configuration: {read.Mistakes[0].Path} {read.Mistakes[0].Text}");
    }
}
