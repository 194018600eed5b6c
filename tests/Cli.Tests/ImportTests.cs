using System.Text;
using Membership.Cli.Corosync;
using Membership.Cli.Text;

namespace Membership.Cli.Tests;

/// <summary>What becomes of a corosync.conf: a configuration the daemon accepts, and a word about every line that has no counterpart.</summary>
public sealed class ImportTests : IDisposable
{
    private const string Three = """
        totem {
            version: 2
            cluster_name: web
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
            node {
                ring0_addr: 10.0.0.3
                name: c
                nodeid: 3
            }
        }

        """;

    private readonly Scratch _scratch = new();

    public static TheoryData<string> Samples => [.. Directory.GetFiles(Path.Combine(SourceTree.Root, "tests/Cli.Tests/corosync"), "*.conf").Select(static file => Path.GetFileName(file))];

    public void Dispose() => _scratch.Dispose();

    private static Task<MbrRun> Run(params string[] arguments) => MbrRun.With(
        new MbrSetup(new FakeConnector()) { Environment = { ["MBR_DAEMON"] = SourceTree.Daemon }, Time = TimeProvider.System }, arguments);

    private async Task<MbrRun> Import(string text, params string[] more)
    {
        await File.WriteAllTextAsync(_scratch["corosync.conf"], text);
        return await Run(["config", "import", _scratch["corosync.conf"], .. more]);
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public async Task Every_sample_becomes_a_configuration_that_the_daemon_accepts(string sample)
    {
        var file = Path.Combine(SourceTree.Root, "tests/Cli.Tests/corosync", sample);
        string[] nodes = sample == "multicast-old.conf" ? ["--nodes", "n1=192.168.1.11,n2=192.168.1.12,n3=192.168.1.13"] : [];

        var run = await Run(["config", "import", file, "--out", _scratch.Folder, .. nodes]);
        var check = await Run("config", "check", _scratch["membership.yaml"]);

        Assert.True(run.ExitCode == 0, run.Error);
        Assert.True(check.ExitCode == 0, check.Output + check.Error);
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public async Task Every_line_has_a_counterpart_or_a_note_with_its_number(string sample)
    {
        var bytes = await File.ReadAllBytesAsync(Path.Combine(SourceTree.Root, "tests/Cli.Tests/corosync", sample));
        var notes = new List<ImportNote>();
        var root = CorosyncFile.Read(bytes, notes);

        CorosyncImport.Run(root, new ImportChoices(null, [new Commands.NodeEntry("n1", ["10.0.0.1:5405"])], new Dictionary<string, IReadOnlyList<System.Net.IPAddress>>()), notes);

        Assert.All(root.All().SelectMany(static section => section.Entries), entry => Assert.True(entry.IsUsed || notes.Exists(note => note.Line == entry.Line), $"line {entry.Line}"));
    }

    [Fact]
    public async Task The_configuration_goes_to_standard_output_and_the_notes_beside_it()
    {
        var run = await Import(Three + "quorum {\n  provider: corosync_votequorum\n  wait_for_all: 1\n}\nlogging {\n  debug: on\n}\n");

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("\ncluster: \"web\"\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("\ntiming: lan\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("\nquorum: { mode: majority, wait_for_all: true }\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("""
            nodes:
              - { name: "a", id: 1, links: ["10.0.0.1:5405"] }
              - { name: "b", id: 2, links: ["10.0.0.2:5405"] }
              - { name: "c", id: 3, links: ["10.0.0.3:5405"] }

            """, run.Output, StringComparison.Ordinal);
        Assert.Contains($"{_scratch["corosync.conf"]}:2: totem.version: ", run.Error, StringComparison.Ordinal);
        Assert.Contains($"{_scratch["corosync.conf"]}:27: logging.debug: the log goes to standard error", run.Error, StringComparison.Ordinal);
        Assert.Contains("\n# line 27: logging.debug: ", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_has_configuration_files_and_notes()
    {
        var run = await Import(Three, "--out", _scratch["new"], "--json");
        Assert.Equal(74, run.ExitCode); // the folder is not made: a typing error would hide the key

        Directory.CreateDirectory(_scratch["new"]);
        run = await Import(Three, "--out", _scratch["new"], "--json");

        Assert.Equal(3, run.Json.GetProperty("nodes").GetInt32());
        Assert.Equal(await File.ReadAllTextAsync(_scratch["new/membership.yaml"]), run.Json.GetProperty("configuration").GetString());
        Assert.Equal([_scratch["new/membership.yaml"], _scratch["new/web.key"]], run.Json.GetProperty("files").EnumerateArray().Select(static file => file.GetString()));
        Assert.Equal(2, run.Json.GetProperty("notes")[0].GetProperty("line").GetInt32());
        Assert.Equal(NewFile.Secret, File.GetUnixFileMode(_scratch["new/web.key"]));
    }

    [Fact]
    public async Task An_existing_file_is_not_overwritten()
    {
        await File.WriteAllTextAsync(_scratch["membership.yaml"], "precious");

        var run = await Import(Three, "--out", _scratch.Folder);

        Assert.Equal(74, run.ExitCode);
        Assert.Equal("precious", await File.ReadAllTextAsync(_scratch["membership.yaml"]));
        Assert.False(File.Exists(_scratch["web.key"]));
    }

    [Fact]
    public async Task The_key_of_corosync_is_neither_taken_over_nor_shown()
    {
        var run = await Import(Three.Replace("version: 2", "key: c2VjcmV0c2VjcmV0", StringComparison.Ordinal), "--json");

        Assert.Equal(0, run.ExitCode);
        Assert.DoesNotContain("c2VjcmV0", run.Output + run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("token: 3000", "timing: { token: 3650ms }")]
    [InlineData("token_coefficient: 0", "timing: { token: 3000ms }")]
    [InlineData("token: 1000\n  token_coefficient: 0\n  consensus: 1000", "timing: { token: 1000ms, consensus: 1200ms }")]
    [InlineData("token: 999999", "timing: { token: 60000ms }")]
    [InlineData("link_mode: rr", "link_policy: round-robin")]
    [InlineData("link_mode: active", "link_policy: active")]
    [InlineData("}\nquorum {\n  last_man_standing: 1\n  allow_downscale: 1", "mode: last-man-standing }")]
    [InlineData("}\nquorum {\n  last_man_standing: 1\n  last_man_standing_window: 20000", "last_man_standing_window: 20000ms")]
    [InlineData("}\nquorum {\n  allow_downscale: 1", "mode: majority, allow_downscale: true")]
    [InlineData("}\nquorum {\n  expected_votes_tracking: 1", "mode: majority, expected_votes_tracking: true")]
    [InlineData("}\nquorum {\ndevice {\nmodel: net\nnet {\nhost: q.example\nalgorithm: lms\ntie_breaker: 2\n}\n}", "witness: { address: \"q.example:5403\", algorithm: lms, ca_file: \"ca.pem\", certificate_file: \"node.pem\", key_file: \"node.key\", tie_breaker: [\"b\"] }")]
    [InlineData("}\nquorum {\n  auto_tie_breaker: 1", "tie_breaker: lowest")]
    [InlineData("}\nquorum {\n  auto_tie_breaker: 1\n  auto_tie_breaker_node: 3 2", "tie_breaker: [\"c\", \"b\"]")]
    [InlineData("}\nquorum {\n  expected_votes: 5", "expected_votes: 5")]
    [InlineData("interface {\n linknumber: 0\n mcastport: 6000\n }\n", "links: [\"10.0.0.1:6000\"]")]
    public async Task What_has_a_counterpart_is_taken_over(string lines, string expected)
    {
        var run = await Import(Three.Replace("version: 2", lines, StringComparison.Ordinal), "--cluster", "other");

        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Contains(expected, run.Output, StringComparison.Ordinal);
        Assert.Contains("\ncluster: \"other\"\n", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("crypto_cipher: none", "AES-256-GCM")]
    [InlineData("transport: udp", "UDP unicast")]
    [InlineData("secauth: off", "AES-256-GCM")]
    [InlineData("tokem: 1000", "nothing was made of it|derived from timing")]
    [InlineData("}\nquorum {\n  two_node: 1", "there are 3 nodes, and a majority decides")]
    [InlineData("}\nquorum {\n  expected_votes: 6", "would never be quorum")]
    [InlineData("}\nquorum {\n  last_man_standing: 1\n  expected_votes_tracking: 1", "it contradicts last_man_standing")]
    [InlineData("}\nquorum {\n  expected_votes: 1", "two halves could both have quorum")]
    public async Task What_has_none_is_told_with_its_line(string line, string reason)
    {
        var run = await Import(Three.Replace("version: 2", line, StringComparison.Ordinal));

        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Matches($"corosync.conf:[2345]: .*({reason})", run.Error);
    }

    [Theory]
    [InlineData("ring0_addr: 10.0.0.1", "ring0_addr: 10.0.0.2", ":11: mistake: nodelist.node: 10.0.0.2:5405 is the address of another node already")]
    [InlineData("ring0_addr: 10.0.0.1", "ring0_addr: 0.0.0.0", ":7: mistake: nodelist.node.ring0_addr is 0.0.0.0, the address of every interface")]
    [InlineData("ring0_addr: 10.0.0.1", "ring0_addr: fe80::1", "link-local")]
    [InlineData("ring0_addr: 10.0.0.1", "ring0_addr: fd00::1", "one is IPv4 and one IPv6")]
    [InlineData("ring0_addr: 10.0.0.1", "ring0_addr: no such host", ":7: mistake: nodelist.node.ring0_addr is neither an address nor a host name")]
    [InlineData("ring0_addr: 10.0.0.1", "ring0_addr: localhost", "give it with --address localhost=ADDRESS")]
    [InlineData("ring0_addr: 10.0.0.1", "ring1_addr: 10.0.0.1", "there is no link that every node has an address on")]
    [InlineData("nodeid: 2", "nodeid: 1", ":14: mistake: nodelist.node.nodeid: 1 is the id of another node already")]
    [InlineData("name: b", "name: a", "is called a too")]
    [InlineData("nodeid: 2", "quorum_votes: many", "quorum_votes is not a number from 0 to 1000000")]
    [InlineData("version: 2", "}\nquorum {\ndevice {\nmodel: net\nnet {\nhost: h\n}\n}", "quorum.device.net.algorithm is neither ffsplit nor lms")]
    [InlineData("version: 2", "}\nquorum {\ndevice {\nmodel: net\n}", "quorum.device.net.host is not the name or address of the witness")]
    [InlineData("nodelist {", "nodelist", "is neither a section")]
    [InlineData("version: 2", "version", ":2: mistake: is neither a section, nor")]
    [InlineData("version: 2", "version: 2 }", "is never closed|closes a section|")]
    public async Task A_mistake_is_exit_65_with_its_line(string replaced, string by, string problem)
    {
        var run = await Import(Three.Replace(replaced, by, StringComparison.Ordinal));

        if (problem.EndsWith('|')) // taken as a value, as corosync does
        {
            Assert.Equal(0, run.ExitCode);
            return;
        }
        Assert.Equal(65, run.ExitCode);
        Assert.Contains(problem, run.Error, StringComparison.Ordinal);
        Assert.Contains("MB1606", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task Host_names_become_the_addresses_given_and_names_of_nodes()
    {
        var text = Three.Replace("ring0_addr: 10.0.0.1", "ring0_addr: alpha.internal.example", StringComparison.Ordinal).Replace("name: a\n", "\n", StringComparison.Ordinal);

        var run = await Import(text, "--address", "alpha.internal.example=10.9.9.9");

        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Contains("{ name: \"alpha.internal.example\", id: 1, links: [\"10.9.9.9:5405\"] }", run.Output, StringComparison.Ordinal);
        Assert.Contains("names are not looked up later", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_nodelist_the_nodes_have_to_be_named()
    {
        const string Old = "totem {\n version: 2\n interface {\n ringnumber: 0\n bindnetaddr: 10.0.0.0\n mcastaddr: 226.94.1.1\n }\n}\n";

        var refused = await Import(Old);
        var named = await Import(Old, "--nodes", "n1=10.0.0.1,n2=10.0.0.2", "--cluster", "old");

        Assert.Equal(65, refused.ExitCode);
        Assert.Contains("name them with --nodes", refused.Error, StringComparison.Ordinal);
        Assert.Equal(0, named.ExitCode);
        Assert.Contains(":5: totem.interface.bindnetaddr: each node's own addresses are in nodes", named.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--cluster", "a b", 64)]
    [InlineData("--cluster", "a\n", 64)]
    [InlineData("--address", "alpha", 64)]
    [InlineData("--nodes", "n1", 64)]
    public async Task Wrong_choices_are_usage_errors(string option, string value, int exitCode)
    {
        Assert.Equal(exitCode, (await Import(Three, option, value)).ExitCode);
    }

    [Fact]
    public async Task A_file_that_is_missing_or_huge_is_exit_74()
    {
        await File.WriteAllBytesAsync(_scratch["huge"], new byte[CorosyncFile.BytesMax + 1]);

        Assert.Equal(74, (await Run("config", "import", _scratch["none"])).ExitCode);
        Assert.Equal(74, (await Run("config", "import", _scratch["huge"])).ExitCode);
    }

    [Fact]
    public async Task Hostile_text_cannot_drive_the_terminal_or_leave_its_comment()
    {
        var run = await Import(Three.Replace("version: 2", "evil\e[2J\u2028cluster: x", StringComparison.Ordinal));

        Assert.Equal(0, run.ExitCode);
        Assert.DoesNotContain(run.Output + run.Error, static character => (char.IsControl(character) && character != '\n') || character == '\u2028');
    }

    [Fact]
    public async Task No_bytes_make_it_throw_and_what_it_makes_the_daemon_accepts()
    {
        const int Seed = 20261121;
        const int Rounds = 4000;
        const int Checked = 12;
        var random = new Random(Seed);
        var samples = Directory.GetFiles(Path.Combine(SourceTree.Root, "tests/Cli.Tests/corosync"), "*.conf").Order(StringComparer.Ordinal).Select(File.ReadAllBytes).ToList();
        var lines = samples.SelectMany(static sample => Encoding.UTF8.GetString(sample).Split('\n')).ToList();
        var (made, good) = (0, new List<string>());
        for (var round = 0; round < Rounds; round++)
        {
            var bytes = Mutate(samples[random.Next(samples.Count)], lines, random);
            var notes = new List<ImportNote>();
            var root = CorosyncFile.Read(bytes, notes);
            var configuration = CorosyncImport.Run(root, new ImportChoices(null, [], new Dictionary<string, IReadOnlyList<System.Net.IPAddress>>()), notes);

            Assert.Equal(configuration is null, notes.Exists(static note => note.IsMistake));
            Assert.All(notes, note => Assert.InRange(note.Line, 0, bytes.Count(static each => each == '\n') + 1));
            if (configuration is null)
                continue;
            made++;
            if (made % 40 == 0 && good.Count < Checked)
                good.Add(configuration.Render(notes));
        }

        Assert.InRange(made, 100, Rounds - 100); // both outcomes are well covered
        foreach (var text in good)
        {
            await File.WriteAllTextAsync(_scratch["fuzzed.yaml"], text);
            var check = await Run("config", "check", _scratch["fuzzed.yaml"]);
            Assert.True(check.ExitCode == 0, $"seed {Seed}\n{check.Error}\n{text}");
        }
    }

    private static byte[] Mutate(byte[] sample, List<string> lines, Random random)
    {
        var text = Encoding.UTF8.GetString(sample).Split('\n').ToList();
        for (var change = random.Next(1, 5); change > 0; change--)
        {
            var at = random.Next(text.Count);
            switch (random.Next(5))
            {
                case 0: text.RemoveAt(at); break;
                case 1: text.Insert(at, lines[random.Next(lines.Count)]); break;
                case 2: text[at] = text[at].Replace('1', (char)('0' + random.Next(10))); break;
                case 3: text.Insert(at, text[random.Next(text.Count)]); break;
                default: text[at] = text[at].Length == 0 ? "{" : text[at][..random.Next(text[at].Length)]; break;
            }
            if (text.Count == 0) text.Add("");
        }
        var bytes = Encoding.UTF8.GetBytes(string.Join('\n', text));
        for (var noise = random.Next(8) == 0 ? random.Next(1, 20) : 0; noise > 0 && bytes.Length > 0; noise--)
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        return bytes;
    }
}
