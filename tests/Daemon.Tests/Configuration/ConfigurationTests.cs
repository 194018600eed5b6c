using System.Text;
using Membership.Daemon.Configuration;
using Membership.Links;
using Membership.Quorum;

namespace Membership.Daemon.Tests.Configuration;

public sealed class ConfigurationTests
{
    private const string Example = """
        cluster: web
        key_file: web.key                 # relative to this file
        timing: lan
        quorum: { mode: majority, wait_for_all: false }
        nodes:
          - { name: n1, id: 1, links: ["10.0.0.1:5405", "192.168.1.1:5405"], votes: 1 }
          - { name: n3, id: 3, links: ["10.0.0.3:5405", "192.168.1.3:5405"] }
          - { name: n2, id: 2, links: ["10.0.0.2:5405", "192.168.1.2:5405"] }
        api: { socket: /run/membership/api.sock, tcp: "10.0.0.0/24:7801", page: "127.0.0.1:7800" }
        resources:
          - { name: web-ip, type: ip, address: 10.0.0.100/24, interface: eth0, prefer: [n1, n2], failback: never }
        """;

    [Fact]
    public void The_example_of_the_manual_is_read_with_the_defaults_it_leaves_out()
    {
        var configuration = Good(Example);

        Assert.Equal("web", configuration.Cluster);
        Assert.Equal("/etc/membership/web.key", configuration.KeyFile);
        Assert.Equal([1, 2, 3], configuration.Nodes.Select(n => (int)n.Id.Value));
        Assert.All(configuration.Nodes, n => Assert.Equal(1UL, n.Votes));
        Assert.Equal(TimeSpan.FromMilliseconds(1200), configuration.Timing.Consensus);
        Assert.Equal(2, configuration.LinkOptions(new NodeId(1), []).LinkCount);
        Assert.Equal("/run/membership/api.sock", configuration.Api.Socket);
    }

    [Fact]
    public void What_this_version_does_not_serve_is_a_warning_and_no_mistake()
    {
        var result = Read(Example);

        Assert.Empty(result.Mistakes);
        Assert.Equal(["resources"], result.Warnings.Select(w => w.Path));
        Assert.All(result.Warnings, w => Assert.True(w.Line > 0 && w.Column > 0));
    }

    [Fact]
    public void Scalars_are_read_by_the_type_of_their_field()
    {
        var configuration = Good(With("  - { name: no, id: 1, links: [10.0.0.1:5405] }\n  - { name: 1.10, id: 2, links: [10.0.0.2:5405] }"));

        Assert.Equal(["no", "1.10"], configuration.Nodes.Select(n => n.Name));
    }

    [Fact]
    public void Json_is_read_even_when_it_is_indented_with_tabs()
    {
        var configuration = Good("{\n\t\"cluster\":\"web\",\n\t\"key_file\":\"k\",\n\t\"nodes\":[{\"name\":\"n1\",\"id\":1,\"links\":[\"[fd00::1]:5405\"]}]}");

        Assert.Equal("[fd00::1]:5405", configuration.Nodes[0].Links[0].ToString());
    }

    [Fact]
    public void The_profiles_keep_the_relations_that_custom_timing_must_keep()
    {
        foreach (var timing in new[] { TimingConfiguration.Fast, TimingConfiguration.Lan, TimingConfiguration.Wan })
        {
            Assert.True(timing.Consensus >= timing.Token * 1.2, timing.Profile);
            Assert.True(timing.LinkDown <= timing.Token * 0.75, timing.Profile);
        }
    }

    [Fact]
    public void Custom_timing_fills_in_what_is_left_out_from_token()
    {
        var timing = Good("timing: { token: 500ms }\n" + With(Node)).Timing;

        Assert.Equal(("custom", 600.0, 300.0), (timing.Profile, timing.Consensus.TotalMilliseconds, timing.LinkDown.TotalMilliseconds));
    }

    [Theory]
    [InlineData("timing: { token: 1000ms }\n", "timing: { token: 1s }\n")]
    [InlineData("# a comment\n", "\n\n")]
    [InlineData("api: { socket: /a }\n", "api: { socket: /b }\n")]
    public void The_digest_is_taken_over_values_and_not_over_their_spelling(string one, string other) =>
        Assert.Equal(Good(one + With(Node)).Digest, Good(other + With(Node)).Digest);

    [Theory]
    [InlineData("timing: fast\n")]
    [InlineData("link_policy: active\n")]
    [InlineData("ring: { message_max: 1MiB }\n")]
    [InlineData("quorum: { wait_for_all: true }\n")]
    [InlineData("quorum: { tie_breaker: lowest }\n")]
    [InlineData("quorum: { tie_breaker: [n1] }\n")]
    [InlineData("quorum: { last_man_standing_window: 1s }\n")]
    [InlineData("quorum: { expected_votes_tracking: true }\n")]
    public void The_digest_changes_with_what_must_be_equal_on_all_nodes(string more) =>
        Assert.NotEqual(Good(With(Node)).Digest, Good(more + With(Node)).Digest);

    [Fact]
    public void A_node_that_is_not_in_the_file_is_told_the_name_it_may_have_meant()
    {
        var result = ConfigurationReader.Read("m.yaml", Encoding.UTF8.GetBytes(Example), "n4");

        var mistake = Assert.Single(result.Mistakes);
        Assert.Equal("m.yaml:6:3: nodes has no node n4, the name of this node, only n1, n3, n2. Add it, or start with --node n1.", mistake.ToString());
    }

    [Fact]
    public void A_file_above_one_mebibyte_is_refused_unread()
    {
        var result = ConfigurationReader.Read("m.yaml", new byte[YamlReader.FileBytesMax + 1], null);

        Assert.Contains("above the limit of 1048576", Assert.Single(result.Mistakes).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_byte_that_is_not_utf8_is_named_with_its_place()
    {
        var result = ConfigurationReader.Read("m.yaml", [.. "cluster: web\nkey_file: "u8, 0xff, (byte)'\n'], null);

        Assert.Equal("m.yaml:2:11: byte 0xff is not UTF-8. Save the file as UTF-8.", Assert.Single(result.Mistakes).ToString());
    }

    [Fact]
    public void Deep_nesting_ends_early_with_one_mistake()
    {
        var result = Read("a: " + new string('[', 200_000));

        Assert.Contains("nested deeper than 16", Assert.Single(result.Mistakes).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void More_than_a_hundred_mistakes_are_counted_and_not_listed()
    {
        var result = Read(string.Concat(Enumerable.Range(0, 300).Select(i => $"zz{i}: 1\n")));

        Assert.Equal(MistakeList.Max + 1, result.Mistakes.Count);
        Assert.Contains("more mistakes are not listed", result.Mistakes[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_of_any_kind_are_refused_and_never_throw()
    {
        var random = new Random(20);
        var good = Encoding.UTF8.GetBytes(Example);
        for (var run = 0; run < 3000; run++)
        {
            var bytes = (byte[])good.Clone();
            for (var change = random.Next(1, 6); change > 0; change--) bytes[random.Next(bytes.Length)] = Hostile[random.Next(Hostile.Length)];
            var length = random.Next(2) == 0 ? bytes.Length : random.Next(bytes.Length);

            var result = ConfigurationReader.Read("m.yaml", bytes.AsSpan(0, length), "n1");

            Assert.True(result.Configuration is null == result.Mistakes.Count > 0, $"seed 20, run {run}");
        }
    }

    [Fact]
    public void Effective_values_name_the_derived_timers()
    {
        var text = EffectiveConfiguration.Text(Good(Example));

        Assert.Contains("derived.token_retransmit = 200ms\n", text, StringComparison.Ordinal);
        Assert.Contains("derived.heartbeat_neighbours = 150ms\n", text, StringComparison.Ordinal);
        Assert.Contains("derived.detection_worst_case = 2200ms\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_whole_quorum_section_reaches_the_core_and_the_effective_values()
    {
        var nodes = string.Concat(Enumerable.Range(1, 4).Select(i => $"  - {{ name: n{i}, id: {i}, links: [\"10.0.0.{i}:5405\"] }}\n"));
        const string Quorum = """
            quorum:
              wait_for_all: true
              last_man_standing_window: 20s
              expected_votes: 5
              expected_votes_tracking: true
              witness:
                address: "[2001:db8::7]:5403"
                algorithm: ffsplit
                ca_file: ca.pem
                certificate_file: /etc/n1.pem
                key_file: n1.key
                timeout: 3s
                heuristics: ["/usr/bin/ping -c 1 10.0.0.254"]
                tie_breaker: [n3, n1]

            """;

        var configuration = Good(Quorum + With(nodes));

        var options = configuration.QuorumOptions(new NodeId(2));
        Assert.Equal((true, 5UL, true, WitnessAlgorithm.FiftyFiftySplit, 1UL), (options.WaitForAll, options.ExpectedVotes, options.TrackExpectedVotes, options.Witness, options.WitnessVotes));
        var witness = configuration.Quorum.Witness!;
        Assert.Equal(("2001:db8::7", 5403, TimeSpan.FromSeconds(3), "/etc/membership/ca.pem", "/etc/n1.pem"), (witness.Host, witness.Port, witness.Timeout, witness.CaFile, witness.CertificateFile));
        Assert.Equal(["/usr/bin/ping", "-c", "1", "10.0.0.254"], Assert.Single(witness.HeuristicsCommands));
        Assert.Equal([new NodeId(3), new NodeId(1)], witness.TieBreakerNodes);
        var text = EffectiveConfiguration.Text(configuration);
        Assert.Contains("quorum.expected_votes = 6\n", text, StringComparison.Ordinal);
        Assert.Contains("quorum.votes_needed = 4\n", text, StringComparison.Ordinal);
        Assert.Contains("quorum.witness.address = [2001:db8::7]:5403\n", text, StringComparison.Ordinal);
        Assert.Contains("quorum.witness.tie_breaker = n3,n1\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_node_mode_waits_for_all_unless_told_otherwise()
    {
        var two = Node + "  - { name: n2, id: 2, links: [\"10.0.0.2:5405\"] }\n";

        Assert.True(Good("quorum: { mode: two-node }\n" + With(two)).Quorum.WaitForAll);
        Assert.False(Good("quorum: { mode: two-node, wait_for_all: false }\n" + With(two)).Quorum.WaitForAll);
        Assert.False(Good("quorum: { mode: majority }\n" + With(two)).Quorum.WaitForAll);
    }

    [Fact]
    public void Two_nodes_without_a_quorum_section_are_warned_about()
    {
        var two = Node + "  - { name: n2, id: 2, links: [\"10.0.0.2:5405\"] }\n";

        var warning = Assert.Single(Read(With(two)).Warnings);

        Assert.Contains("the loss of either one is the loss of quorum", warning.Text, StringComparison.Ordinal);
        Assert.Equal(4, warning.Line);
    }

    private static readonly byte[] Hostile = [.. " \t\n:{}[]\"'#&*!|>-,?%@`a1\\\0\u007f"u8];

    private const string Node = "  - { name: n1, id: 1, links: [\"10.0.0.1:5405\"] }\n";

    private static string With(string nodes) => $"cluster: web\nkey_file: k\nnodes:\n{nodes}\n";

    private static ConfigurationResult Read(string text) => ConfigurationReader.Read("/etc/membership/membership.yaml", Encoding.UTF8.GetBytes(text), null);

    private static ClusterConfiguration Good(string text)
    {
        var result = Read(text);
        Assert.Empty(result.Mistakes.Select(m => m.ToString()));
        return Assert.IsType<ClusterConfiguration>(result.Configuration);
    }
}
