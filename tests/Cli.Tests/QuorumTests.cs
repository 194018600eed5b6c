using System.Text.Json;
using Membership.Cli.Errors;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>Who may act and why, what an operator changes about it, and how a node is stopped.</summary>
public sealed class QuorumTests
{
    private static Quorum Verdict(bool quorate, ulong revision = 1) => new()
    {
        Quorate = quorate,
        Votes = quorate ? 2UL : 1UL,
        VotesNeeded = 2,
        VotesExpected = 3,
        Reason = quorate ? "2 of 3 votes, need 2; n3 is missing" : "1 of 3 votes, need 2; n2 and n3 are missing",
        Mode = "majority",
        View = Clusters.View(1, quorate ? [1, 2] : [1]),
        Members =
        {
            new QuorumMember { Node = 1, Name = "n1", Votes = 1, Present = true },
            new QuorumMember { Node = 2, Name = "n2", Votes = 1, Present = quorate },
            new QuorumMember { Node = 3, Name = "n3", Votes = 1 },
        },
        Epoch = 7,
        Revision = revision,
        TNs = 5,
    };

    private static FakeDaemon Daemon(params Quorum[] verdicts)
    {
        var daemon = new FakeDaemon { Status = Clusters.Healthy() };
        daemon.Verdicts.AddRange(verdicts);
        return daemon;
    }

    private static Task<MbrRun> Run(FakeDaemon daemon, params string[] arguments) => MbrRun.Of(FakeConnector.To(daemon), arguments);

    [Fact]
    public async Task Status_says_who_is_there_and_why_that_suffices()
    {
        var run = await Run(Daemon(Verdict(true)), "quorum", "status");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal("""
             ● QUORATE   2/3 votes (need 2)   mode majority   view 42 (1.2a.9f3c51d0)   epoch 7
             │ 2 of 3 votes, need 2; n3 is missing

             NODE  ID  VOTES  PRESENT
             n1    1   1      yes
             n2    2   1      yes
             n3    3   1      no

            """, run.Output);
    }

    [Theory]
    [InlineData(2100, 0, "exclusive: nobody outside this view may act for another 2.1s, renewed while the ring runs")]
    [InlineData(2100, 1300, "not exclusive for another 1.3s: who was in an earlier view may not know yet that it is over")]
    [InlineData(0, 0, "not exclusive: what this daemon knows of its ring has run out, others may have gone on without it")]
    public async Task Status_says_whether_nobody_else_may_act(long forMs, long inMs, string expected)
    {
        var verdict = Verdict(true);
        (verdict.QuorateUntilNs, verdict.ExclusiveFromNs, verdict.QuorateForMs, verdict.ExclusiveInMs) = (9, 8, forMs, inMs);

        var run = await Run(Daemon(verdict), "quorum", "status");
        var json = await Run(Daemon(verdict), "quorum", "status", "--json");

        Assert.Contains($"\n │ {expected}\n", run.Output, StringComparison.Ordinal);
        Assert.Equal(forMs, json.Json.GetProperty("quorate_for_ms").GetInt64());
        Assert.Equal((9, 8), (json.Json.GetProperty("quorate_until_ns").GetInt64(), json.Json.GetProperty("exclusive_from_ns").GetInt64()));
    }

    [Fact]
    public async Task One_of_two_nodes_alone_is_told_that_the_other_may_be_quorate_too()
    {
        var verdict = Verdict(true);
        verdict.Flags.Add("two-node");

        var run = await Run(Daemon(verdict), "quorum", "status");

        Assert.Contains("not exclusive at any time", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_without_quorum_exits_2_and_says_what_to_do()
    {
        var verdict = Verdict(false);
        verdict.Flags.Add("wait-for-all");
        verdict.Synchronizing = true;
        verdict.Witness = new WitnessState { Address = "192.0.2.9:5403", Algorithm = "ffsplit", Votes = 1, Reason = "connection refused" };

        var run = await Run(Daemon(verdict), "quorum", "status");

        Assert.Equal(2, run.ExitCode);
        Assert.StartsWith("""
             ✖ NOT QUORATE   1/3 votes (need 2)   mode majority   view 42 (1.2a.9f3c51d0)   epoch 7
             │ 1 of 3 votes, need 2; n2 and n3 are missing
             │ the reports of the members of this view are still under way.
             │ in force: wait-for-all
             │ witness 192.0.2.9:5403 (ffsplit, 1 vote) no session: connection refused
             └ next: mbr status · mbr link matrix · mbr quorum cancel-wait-for-all, but only when the missing nodes are certainly down

            """, run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_has_every_field_in_snake_case()
    {
        var verdict = Verdict(false);
        verdict.Flags.Add("two-node");
        verdict.Witness = new WitnessState { Address = "w:1", Algorithm = "lms", Votes = 2, Connected = true, Granted = true, Epoch = 3, LeaseMs = 900, Reason = "granted" };

        var run = await Run(Daemon(verdict), "quorum", "status", "--json");

        Assert.Equal(2, run.ExitCode);
        Assert.Equal(
            """
            {"quorate":false,"votes":1,"needed":2,"expected":3,"reason":"1 of 3 votes, need 2; n2 and n3 are missing","mode":"majority","flags":["two-node"],"view":{"number":42,"ring_id":"1.2a.9f3c51d0"},"members":[{"id":1,"name":"n1","votes":1,"present":true},{"id":2,"name":"n2","votes":1,"present":false},{"id":3,"name":"n3","votes":1,"present":false}],"epoch":7,"synchronizing":false,"witness":{"address":"w:1","algorithm":"lms","votes":2,"connected":true,"granted":true,"epoch":3,"lease_ms":900,"reason":"granted"},"revision":1,"t_ns":5,"quorate_until_ns":0,"exclusive_from_ns":0,"quorate_for_ms":0,"exclusive_in_ms":0}

            """, run.Output);
    }

    [Fact]
    public async Task Before_the_first_view_there_is_none_and_no_witness_without_one()
    {
        var verdict = Verdict(false);
        verdict.View = null;

        var text = await Run(Daemon(verdict), "quorum", "status");
        var run = await Run(Daemon(verdict), "quorum", "status", "--json");

        Assert.Contains("no view yet", text.Output, StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Null, run.Json.GetProperty("view").ValueKind);
        Assert.Equal(JsonValueKind.Null, run.Json.GetProperty("witness").ValueKind);
    }

    [Fact]
    public async Task Watch_writes_each_verdict_and_exits_by_the_last_one()
    {
        var lost = await Run(Daemon(Verdict(true), Verdict(false, 2)), "quorum", "watch", "--count", "2", "--json");
        var kept = await Run(Daemon(Verdict(false), Verdict(true, 2)), "quorum", "watch", "--count", "2");

        Assert.Equal((2, 0), (lost.ExitCode, kept.ExitCode));
        Assert.Equal([true, false], lost.JsonLines.Select(static line => line.GetProperty("quorate").GetBoolean()));
        Assert.All(lost.JsonLines, static line => Assert.Equal("quorum", line.GetProperty("event").GetString()));
        Assert.EndsWith("12:03:07.000  QUORATE 2/3 votes (need 2): 2 of 3 votes, need 2; n3 is missing\n", kept.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_ends_with_the_operator_or_with_an_error_when_the_daemon_ends_it()
    {
        using var interrupt = new CancellationTokenSource();
        var daemon = Daemon(Verdict(true));
        daemon.OnStreamIdle = interrupt.Cancel;
        var interrupted = await MbrRun.With(new MbrSetup(FakeConnector.To(daemon)) { Cancellation = interrupt.Token }, "quorum", "watch");
        var ended = Daemon(Verdict(true));
        ended.StreamsEnd = true;

        Assert.Equal(0, interrupted.ExitCode);
        Assert.Contains("MB1503", (await Run(ended, "quorum", "watch")).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("n2")]
    [InlineData("2")]
    public async Task Votes_are_set_by_name_or_id(string node)
    {
        var daemon = Daemon(Verdict(true));

        var run = await Run(daemon, "quorum", "set-votes", node, "3", "--json");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(new SetVotesRequest { Node = 2, Votes = 3 }, Assert.Single(daemon.Requests));
        Assert.Equal("""{"id":2,"name":"n2","votes":3,"expected":6}""" + "\n", run.Output);
    }

    [Fact]
    public async Task An_unknown_node_is_exit_4_and_changes_nothing()
    {
        var daemon = Daemon(Verdict(true));

        var run = await Run(daemon, "quorum", "set-votes", "n\e9", "3");

        Assert.Equal(4, run.ExitCode);
        Assert.StartsWith("MB1013 there is no node n\\x1b9; there are n1, n2, n3\n", run.Error, StringComparison.Ordinal);
        Assert.Empty(daemon.Requests);
    }

    [Fact]
    public async Task Expected_votes_are_set_and_waiting_is_ended()
    {
        var daemon = Daemon(Verdict(true));

        var expected = await Run(daemon, "quorum", "set-expected", "5");
        var cancelled = await Run(daemon, "quorum", "cancel-wait-for-all", "--json");

        Assert.Equal("5 votes are expected now, 3 are needed\n", expected.Output);
        Assert.Equal("""{"cancelled":true}""" + "\n", cancelled.Output);
        Assert.Equal([new SetExpectedVotesRequest { Votes = 5 }, new CancelWaitForAllRequest()], daemon.Requests);
    }

    [Theory]
    [InlineData("quorum set-expected 0")]
    [InlineData("quorum set-expected 64000001")]
    [InlineData("quorum set-expected many")]
    [InlineData("quorum set-votes n1 1000001")]
    [InlineData("quorum set-votes n1 -1")]
    [InlineData("quorum set-votes n1")]
    [InlineData("quorum watch --count -1")]
    [InlineData("node stop --wait soon")]
    public async Task A_wrong_value_is_exit_64_and_changes_nothing(string line)
    {
        var daemon = Daemon(Verdict(true));

        Assert.Equal(64, (await Run(daemon, line.Split(' '))).ExitCode);
        Assert.Empty(daemon.Requests);
    }

    [Theory]
    [InlineData("quorum status")]
    [InlineData("quorum watch")]
    [InlineData("quorum set-expected 3")]
    [InlineData("quorum set-votes n1 1")]
    [InlineData("quorum cancel-wait-for-all")]
    [InlineData("group list")]
    [InlineData("group members g")]
    [InlineData("group watch g --json")]
    [InlineData("group send g --count 1")]
    [InlineData("node stop")]
    public async Task A_missing_a_refusing_and_a_silent_daemon_have_their_exit_codes(string line)
    {
        var arguments = line.Split(' ');
        var refusing = Daemon();
        refusing.Failure = new CliException(ErrorCatalogue.Refused, ("detail", "you have the role read, admin is needed"));

        var missing = await MbrRun.Of(new FakeConnector(), arguments);
        var refused = await Run(refusing, arguments);
        var silent = await MbrRun.Of(new SilentConnector(), [.. arguments, "--timeout", "50ms"]);

        Assert.Equal((3, 5, 6), (missing.ExitCode, refused.ExitCode, silent.ExitCode));
        Assert.Contains("MB1206", silent.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hostile_verdict_cannot_drive_the_terminal()
    {
        var verdict = Verdict(false);
        verdict.Reason = verdict.Mode = verdict.Members[0].Name = "a\e[2J\u202eb\n";
        verdict.Flags.Add("c\e[2J");
        verdict.Witness = new WitnessState { Address = "d\e[2J", Reason = "e\r" };

        foreach (var line in (string[])["quorum status", "quorum watch --count 1", "quorum status --json"])
        {
            var run = await Run(Daemon(verdict), line.Split(' '));

            Assert.DoesNotContain(run.Output, static character => (char.IsControl(character) && character != '\n'));
            Assert.Contains("a\\", run.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Node_stop_waits_until_nobody_answers_there_any_more()
    {
        var daemon = Daemon();
        daemon.Status!.NodeName = "n2";
        daemon.OnLeave = () => daemon.Failure = new CliException(ErrorCatalogue.ConnectionRefused, ("socket", "s"));

        var run = await Run(daemon, "node", "stop", "n2", "--json");

        Assert.Equal("", run.Error);
        Assert.Equal("""{"id":2,"name":"n2","stopped":true}""" + "\n", run.Output);
        Assert.Equal(new LeaveRequest(), Assert.Single(daemon.Requests));
    }

    [Fact]
    public async Task Node_stop_of_another_node_waits_until_the_view_is_without_it()
    {
        var here = Daemon();
        here.Views.AddRange([Clusters.View(1, [1, 2, 3]), Clusters.View(2, [1, 2], transitional: true, left: [3]), Clusters.View(3, [1, 2])]);
        var there = Daemon();
        (there.Status!.Node, there.Status.NodeName) = (3, "n3");
        there.OnLeave = () => there.Failure = new CliException(ErrorCatalogue.ConnectionRefused, ("socket", "s"));

        var run = await MbrRun.Of(FakeConnector.To(here).Add("/n3.sock", there), "node", "stop", "n3", "--at", "/n3.sock");

        Assert.Equal("n3 has left the cluster and ended\n", run.Output);
        Assert.Empty(here.Requests);
        Assert.Single(there.Requests);
    }

    [Fact]
    public async Task Node_stop_refuses_another_node_than_the_one_asked()
    {
        var daemon = Daemon();

        var run = await Run(daemon, "node", "stop", "n3");

        Assert.Equal(64, run.ExitCode);
        Assert.Contains("MB1015 the daemon at /run/membership/api.sock is that of n2, not of n3", run.Error, StringComparison.Ordinal);
        Assert.Empty(daemon.Requests);
    }

    [Fact]
    public async Task Node_stop_of_a_daemon_that_stays_is_exit_6_and_a_restarted_one_is_gone()
    {
        var stays = Daemon();
        var restarts = Daemon();
        restarts.OnLeave = () => restarts.Status = new GetStatusResponse(restarts.Status) { Boot = "another" };

        var stayed = await MbrRun.With(new MbrSetup(FakeConnector.To(stays)) { Time = TimeProvider.System }, "node", "stop", "--wait", "50ms");

        Assert.Equal(6, stayed.ExitCode);
        Assert.Contains("MB1308 n2 was asked to leave and is still there after 50ms", stayed.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await Run(restarts, "node", "stop")).ExitCode);
    }
}
