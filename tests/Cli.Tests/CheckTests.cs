using Membership.Cli.Checks;
using Membership.Cli.Errors;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>check and doctor: one judgement with its exit code, in the form each reader wants.</summary>
public sealed class CheckTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private static FakeDaemon Daemon(GetStatusResponse status, ulong votes = 3, bool quorate = true, bool present = true)
    {
        var daemon = new FakeDaemon { Status = status };
        daemon.Verdicts.Add(new Quorum
        {
            Quorate = quorate,
            Votes = votes,
            VotesNeeded = 2,
            VotesExpected = 3,
            Reason = "so it is",
            Members = { new QuorumMember { Node = 1, Name = "n1", Votes = 1, Present = true }, new QuorumMember { Node = 2, Name = "n2", Votes = 1, Present = present } },
        });
        return daemon;
    }

    private static Task<MbrRun> Run(FakeDaemon daemon, string line) => MbrRun.Of(FakeConnector.To(daemon), line.Split(' '));

    [Theory]
    [InlineData(3, true, true, "", 0, "QUORUM OK - quorate, 3 of 3 votes, need 2: so it is | quorate=1 votes=3 needed=2 expected=3 spare=1 missing=0")]
    [InlineData(2, true, true, "", 7, "QUORUM WARNING - quorate, 2 of 3 votes")]
    [InlineData(3, true, false, "", 7, "; missing: n2 | quorate=1")]
    [InlineData(1, false, true, "", 2, "QUORUM CRITICAL - not quorate, 1 of 3 votes")]
    [InlineData(2, true, true, " --warn 0", 0, "QUORUM OK")]
    [InlineData(2, true, true, " --crit 1", 2, "QUORUM CRITICAL - quorate")]
    public async Task Quorum_is_judged_by_the_votes_that_can_be_spared(int votes, bool quorate, bool present, string more, int exitCode, string expected)
    {
        var run = await Run(Daemon(Clusters.Healthy(), (ulong)votes, quorate, present), "check quorum" + more);

        Assert.Equal(exitCode, run.ExitCode);
        Assert.Contains(expected, run.Output, StringComparison.Ordinal);
        Assert.Single(run.Output.TrimEnd().Split('\n'));
    }

    [Theory]
    [InlineData(2000, 0, true, 0, "EXCLUSIVE OK - exclusive: nobody outside this view may act for another ")]
    [InlineData(2000, 300, true, 2, "EXCLUSIVE CRITICAL - not exclusive for another 0.3s: who was in an earlier view may not know yet that it is over: so it is | exclusive=0 quorate=1 for_ms=")]
    [InlineData(0, 0, true, 2, "EXCLUSIVE CRITICAL - not exclusive: what this daemon knows of its ring has run out")]
    [InlineData(0, 0, false, 2, "EXCLUSIVE CRITICAL - not exclusive: there is no quorum: so it is | exclusive=0 quorate=0 for_ms=0 in_ms=0")]
    public async Task Exclusive_is_0_only_while_nobody_else_may_act_and_never_a_warning(long forMs, long inMs, bool quorate, int exitCode, string expected)
    {
        var daemon = Daemon(Clusters.Healthy(), votes: 2, quorate, present: false);
        (daemon.Verdicts[0].QuorateUntilNs, daemon.Verdicts[0].ExclusiveFromNs) = quorate ? (9, 8) : (0, 0);
        (daemon.Verdicts[0].QuorateForMs, daemon.Verdicts[0].ExclusiveInMs) = (forMs, inMs);

        var run = await Run(daemon, "check quorum --exclusive");
        var json = await Run(daemon, "check quorum --exclusive --json");
        var prometheus = await Run(daemon, "check quorum --exclusive --format prometheus");

        Assert.Equal((exitCode, exitCode, exitCode), (run.ExitCode, json.ExitCode, prometheus.ExitCode));
        Assert.StartsWith(expected, run.Output, StringComparison.Ordinal);
        Assert.Equal(exitCode == 0 ? 1 : 0, json.Json.GetProperty("values").GetProperty("exclusive").GetInt32());
        Assert.Contains($"membership_exclusive {(exitCode == 0 ? 1 : 0)}\n", prometheus.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exclusive_and_a_threshold_exclude_each_other()
    {
        Assert.Equal(64, (await Run(Daemon(Clusters.Healthy()), "check quorum --exclusive --warn 1")).ExitCode);
    }

    [Fact]
    public void What_the_answer_took_is_not_counted_as_left()
    {
        var quorum = new Quorum { Quorate = true, QuorateUntilNs = 9, ExclusiveFromNs = 8, QuorateForMs = 500 };

        Assert.Equal(CheckState.Ok, ClusterChecks.Exclusive(quorum, TimeSpan.FromMilliseconds(499)).State);
        Assert.Equal(CheckState.Critical, ClusterChecks.Exclusive(quorum, TimeSpan.FromMilliseconds(500)).State);
    }

    [Fact]
    public async Task Links_are_judged_by_how_many_are_not_up_and_whether_a_peer_has_none()
    {
        var down = Clusters.Healthy();
        down.Nodes[0].Links[1].State = LinkState.OneWay;

        var healthy = await Run(Daemon(Clusters.Healthy()), "check links");
        var warning = await Run(Daemon(down), "check links");
        var tolerated = await Run(Daemon(down), "check links --warn 2");
        var counted = await Run(Daemon(down), "check links --crit 1");
        var lost = await Run(Daemon(Clusters.Degraded()), "check links");

        Assert.Equal((0, 7, 0, 2, 2), (healthy.ExitCode, warning.ExitCode, tolerated.ExitCode, counted.ExitCode, lost.ExitCode));
        Assert.Equal("LINKS OK - 8 of 8 links up | up=8 down=0 peers_without_link=0 loss_max=0\n", healthy.Output);
        Assert.Equal("LINKS WARNING - 7 of 8 links up; not up: n1/B | up=7 down=1 peers_without_link=0 loss_max=0\n", warning.Output);
        Assert.Equal("LINKS CRITICAL - 5 of 8 links up; not up: n3/A n3/B n4/B; without any link: n3 | up=5 down=3 peers_without_link=1 loss_max=1\n", lost.Output);
    }

    [Fact]
    public async Task Json_has_state_exit_and_figures()
    {
        var run = await Run(Daemon(Clusters.Degraded()), "check links --json");
        var format = await Run(Daemon(Clusters.Degraded()), "check links --format json");

        Assert.Equal(2, run.ExitCode);
        Assert.Equal("critical", run.Json.GetProperty("state").GetString());
        Assert.Equal(2, run.Json.GetProperty("exit").GetInt32());
        Assert.Equal(3, run.Json.GetProperty("values").GetProperty("down").GetInt32());
        Assert.Equal(run.Output, format.Output);
    }

    [Fact]
    public async Task Prometheus_text_has_one_help_and_type_for_each_family_and_escaped_labels()
    {
        var daemon = Daemon(Clusters.Healthy());
        daemon.Status!.Nodes[0].Name = "a\"\\\n\e";

        var quorum = await Run(daemon, "check quorum --format prometheus");
        var links = await Run(daemon, "check links --format prometheus");

        Assert.StartsWith("""
            # HELP membership_check_state State of a check: 0 ok, 1 warning, 2 critical.
            # TYPE membership_check_state gauge
            membership_check_state{check="quorum"} 0
            # HELP membership_quorate 1 when this side may act.
            # TYPE membership_quorate gauge
            membership_quorate 1
            # HELP membership_quorum_votes Votes by kind.
            # TYPE membership_quorum_votes gauge
            membership_quorum_votes{kind="present"} 3
            membership_quorum_votes{kind="needed"} 2
            """, quorum.Output, StringComparison.Ordinal);
        var types = links.Output.Split('\n').Where(static line => line.StartsWith("# TYPE", StringComparison.Ordinal)).ToList();
        Assert.Equal(types.Distinct(), types);
        Assert.All(links.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(static line => line[0] != '#'),
            static line => Assert.Matches("""^membership_[a-z_]+(\{([a-z]+="([^"\\]|\\[n"\\])*",?)+\})? [0-9.]+$""", line));
    }

    [Theory]
    [InlineData("check quorum")]
    [InlineData("check links")]
    public async Task Without_an_answer_the_state_is_unknown_and_says_so_on_standard_output(string line)
    {
        var run = await MbrRun.Of(new FakeConnector(), line.Split(' '));
        var json = await MbrRun.Of(new FakeConnector(), [.. line.Split(' '), "--json"]);

        Assert.Equal((3, 3), (run.ExitCode, json.ExitCode));
        Assert.Matches("^(QUORUM|LINKS) UNKNOWN - MB1201 cannot reach the daemon", run.Output);
        Assert.Empty(json.Output);
    }

    [Theory]
    [InlineData("check quorum --warn -1")]
    [InlineData("check links --crit many")]
    [InlineData("check links --format xml")]
    public async Task A_wrong_threshold_or_format_is_exit_64(string line)
    {
        Assert.Equal(64, (await Run(Daemon(Clusters.Healthy()), line)).ExitCode);
    }

    [Fact]
    public async Task A_hostile_name_cannot_add_figures_or_lines()
    {
        var daemon = Daemon(Clusters.Degraded());
        daemon.Status!.Nodes[2].Name = "x | up=9\ny\e[2J";

        var run = await Run(daemon, "check links");

        Assert.Single(run.Output.TrimEnd().Split('\n'));
        Assert.Single(run.Output, '|');
        Assert.DoesNotContain('\e', run.Output);
    }

    private async Task<MbrRun> Doctor(FakeConnector daemons, string configuration, params string[] more)
    {
        await File.WriteAllTextAsync(_scratch["membership.yaml"], configuration);
        Directory.CreateDirectory(_scratch["state"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return await MbrRun.With(
            new MbrSetup(daemons) { Environment = { ["MBR_DAEMON"] = SourceTree.Daemon }, Time = TimeProvider.System },
            ["doctor", "--config", _scratch["membership.yaml"], "--state-dir", _scratch["state"], .. more]);
    }

    private static string Configuration(string address) => $$"""
        cluster: web
        key_file: web.key
        nodes:
          - { name: n1, id: 1, links: ["{{address}}"] }
          - { name: n2, id: 2, links: ["192.0.2.2:5405"] }
          - { name: n3, id: 3, links: ["192.0.2.3:5405"] }

        """;

    [Fact]
    public async Task The_doctor_works_without_a_daemon_and_says_what_to_do()
    {
        await MbrRun.Of(new FakeConnector(), "key", "generate", "--out", _scratch["web.key"]);

        var run = await Doctor(new FakeConnector(), Configuration("127.0.0.1:5999"), "--node", "n1", "--json");

        var findings = run.Json.GetProperty("findings").EnumerateArray().ToDictionary(static each => each.GetProperty("check").GetString()!, static each => each);
        Assert.Equal(2, run.ExitCode); // no daemon
        Assert.Equal("ok", findings["configuration"].GetProperty("state").GetString());
        Assert.Equal("ok", findings["key"].GetProperty("state").GetString());
        Assert.Equal("link A 127.0.0.1:5999 is free", findings["port"].GetProperty("text").GetString());
        Assert.Equal("ok", findings["state"].GetProperty("state").GetString());
        Assert.Equal("critical", findings["daemon"].GetProperty("state").GetString());
        Assert.Contains("systemctl start membershipd", findings["daemon"].GetProperty("fix").GetString(), StringComparison.Ordinal);
        Assert.True(findings.ContainsKey("clock") && findings.ContainsKey("stalls"));
    }

    [Fact]
    public async Task The_doctor_names_mistakes_of_configuration_key_ports_and_state()
    {
        await MbrRun.Of(new FakeConnector(), "key", "generate", "--out", _scratch["web.key"]);
        File.SetUnixFileMode(_scratch["web.key"], (UnixFileMode)0b110_100_100);
        var open = await Doctor(new FakeConnector(), Configuration("127.0.0.1:5999"), "--node", "n1");
        File.SetUnixFileMode(_scratch["web.key"], (UnixFileMode)0b110_000_000);
        File.SetUnixFileMode(_scratch["state"], (UnixFileMode)0b111_101_101);
        var foreign = await Doctor(new FakeConnector(), Configuration("192.0.2.1:5405"), "--node", "n1");
        var typo = await Doctor(new FakeConnector(), Configuration("127.0.0.1:5999") + "quorom: {}\n", "--node", "n1");
        using var taken = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Dgram, System.Net.Sockets.ProtocolType.Udp);
        taken.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        var busy = await Doctor(new FakeConnector(), Configuration(taken.LocalEndPoint!.ToString()!), "--node", "n1");
        var missing = await Doctor(new FakeConnector(), Configuration("127.0.0.1:5999"), "--config", _scratch["none.yaml"]);

        Assert.Contains("chmod 0600", open.Output, StringComparison.Ordinal);
        Assert.Contains("this machine does not have the address", foreign.Output, StringComparison.Ordinal);
        Assert.Contains("chmod 0700", foreign.Output, StringComparison.Ordinal);
        Assert.Contains("quorom", typo.Output, StringComparison.Ordinal);
        Assert.Contains("is taken by another program", busy.Output, StringComparison.Ordinal);
        Assert.Equal(64, missing.ExitCode); // given twice
        Assert.All((MbrRun[])[open, foreign, typo, busy], static run => Assert.Equal(2, run.ExitCode));
    }

    private static Finding Find(GetStatusResponse status, string check) => ClusterFindings.Of(status).Single(finding => finding.Check == check);

    [Fact]
    public void A_healthy_cluster_has_no_finding()
    {
        Assert.All(ClusterFindings.Of(new GetStatusResponse(Clusters.Healthy()) { Dropped = { ["bad_tag"] = 0 } }), static finding => Assert.Equal((CheckState.Ok, ""), (finding.State, finding.Fix)));
    }

    [Fact]
    public void Missing_nodes_small_paths_other_versions_keys_and_digests_are_warnings()
    {
        var status = Clusters.Degraded();
        status.Nodes[0].Links[0].DatagramBytes = 1200;
        status.Nodes[0].Version = "0.0.9";
        status.Dropped["unknown_key"] = 4;
        status.Dropped["configuration_differs"] = 2;
        status.FaultInjection = true;

        Assert.All((string[])["nodes", "links", "mtu", "versions", "keys", "digests", "faults"], check => Assert.Equal(CheckState.Warning, Find(status, check).State));
        Assert.Contains("n1/A 1200 B", Find(status, "mtu").Text, StringComparison.Ordinal);
        Assert.Contains("n3 (for 14s)", Find(status, "nodes").Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_differs_from_what_runs_is_told()
    {
        var mistake = ClusterFindings.Drift(new ReloadResponse { Mistakes = { new ConfigurationMistake { Line = 3, Message = "bad" } } });
        var restart = ClusterFindings.Drift(new ReloadResponse { Differences = { new ConfigurationDifference { What = "timing.token", NeedsRestart = true } } });

        Assert.Equal(CheckState.Critical, mistake.State);
        Assert.Equal(CheckState.Warning, restart.State);
        Assert.Contains("restart", restart.Fix, StringComparison.Ordinal);
        Assert.Equal(CheckState.Ok, ClusterFindings.Drift(new ReloadResponse()).State);
    }

    [Fact]
    public void The_doctor_tells_the_votes_once()
    {
        var verdict = new Quorum { Quorate = true, Votes = 3, VotesNeeded = 2, VotesExpected = 3, Reason = "3 of 3 votes, need 2" };
        var unexplained = new Quorum(verdict) { Reason = "", Quorate = false };

        Assert.Equal("3 of 3 votes, need 2", ClusterFindings.Quorum(verdict).Text);
        Assert.Equal("not quorate: 3 of 3 votes, need 2", ClusterFindings.Quorum(unexplained).Text);
    }

    [Fact]
    public void A_late_timer_is_a_warning_when_it_nears_the_link_timeout()
    {
        Assert.Equal(CheckState.Ok, MachineFindings.Stalls(TimeSpan.FromMilliseconds(149), 600).State);
        Assert.Equal(CheckState.Warning, MachineFindings.Stalls(TimeSpan.FromMilliseconds(150), 600).State);
        Assert.Equal(CheckState.Warning, MachineFindings.Stalls(TimeSpan.FromMilliseconds(150), 0).State);
    }

    [Fact]
    public async Task The_doctor_asks_a_running_daemon_for_all_the_rest()
    {
        await MbrRun.Of(new FakeConnector(), "key", "generate", "--out", _scratch["web.key"]);
        var daemon = Daemon(Clusters.Healthy());

        var run = await Doctor(FakeConnector.To(daemon), Configuration("127.0.0.1:5999"), "--socket", "/run/membership/api.sock", "--json");

        var checks = run.Json.GetProperty("findings").EnumerateArray().Select(static each => each.GetProperty("check").GetString()).ToList();
        Assert.Subset(checks.ToHashSet()!, new HashSet<string> { "daemon", "nodes", "links", "mtu", "versions", "keys", "digests", "quorum", "drift" });
        Assert.Equal(new ReloadRequest { Apply = false }, Assert.Single(daemon.Requests));
    }

    [Fact]
    public async Task What_the_doctor_may_not_ask_is_skipped_and_not_an_error()
    {
        var daemon = Daemon(Clusters.Healthy());
        daemon.Verdicts.Clear();
        daemon.Status!.Dropped.Clear();
        var run = await Doctor(FakeConnector.To(daemon), Configuration("127.0.0.1:5999"), "--socket", "/run/membership/api.sock", "--timeout", "300ms");

        Assert.Contains("? skipped  quorum        MB1206", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("broken  ", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_states_never_hide_an_error_behind_the_catalogue()
    {
        Assert.All(Enum.GetValues<CheckState>(), static state => Assert.NotEmpty(CheckResult.WordOf(state)));
        Assert.Equal(7, ExitCode.Degraded);
        Assert.Equal(ErrorCatalogue.All.Select(static entry => entry.ExitCode).Distinct().Except(ExitCode.All.Select(static code => code.Code)), []);
    }
}
