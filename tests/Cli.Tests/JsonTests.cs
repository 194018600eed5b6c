using System.Text.Json;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>JSON output: documented fields with documented types, for every reading command.</summary>
public sealed class JsonTests
{
    private static Task<MbrRun> Run(GetStatusResponse status, params string[] arguments) =>
        MbrRun.Of(FakeConnector.To(new FakeDaemon { Status = status, Views = { Clusters.View(1, [1, 2]) }, StreamsEnd = true }), arguments);

    [Fact]
    public async Task Status_has_the_documented_shape()
    {
        var run = await Run(Clusters.Degraded(), "status", "--json");

        var json = run.Json;
        Assert.Equal(0, run.ExitCode);
        Assert.Equal("web", json.GetProperty("cluster").GetString());
        Assert.Equal("degraded", json.GetProperty("state").GetString());
        Assert.Equal(2, json.GetProperty("node").GetProperty("id").GetInt32());
        Assert.Equal("n2", json.GetProperty("node").GetProperty("name").GetString());
        var view = json.GetProperty("view");
        Assert.Equal(42, view.GetProperty("number").GetInt64());
        Assert.Equal("1.2a.9f3c51d0", view.GetProperty("ring_id").GetString());
        Assert.Equal([1, 2, 4, 5], view.GetProperty("members").EnumerateArray().Select(static member => member.GetInt32()));
        Assert.Equal(14_000, view.GetProperty("since_ms").GetInt64());
        var quorum = json.GetProperty("quorum");
        Assert.True(quorum.GetProperty("quorate").GetBoolean());
        Assert.Equal(4, quorum.GetProperty("votes").GetInt64());
        Assert.Equal(3, quorum.GetProperty("needed").GetInt64());
        Assert.Equal(5, quorum.GetProperty("expected").GetInt64());
        Assert.Equal("4 of 5 votes, need 3", quorum.GetProperty("reason").GetString());
        Assert.Equal(JsonValueKind.Array, json.GetProperty("resources").ValueKind);
        Assert.Equal(12345, json.GetProperty("counters").GetProperty("tokens_received").GetInt64());
    }

    [Fact]
    public async Task Status_has_a_row_for_every_configured_node_the_unreachable_ones_too()
    {
        var run = await Run(Clusters.Degraded(), "--json");

        var nodes = run.Json.GetProperty("nodes").EnumerateArray().ToList();
        Assert.Equal([1, 2, 3, 4, 5], nodes.Select(static node => node.GetProperty("id").GetInt32()));
        Assert.Equal(["member", "member", "unreachable", "member", "member"], nodes.Select(static node => node.GetProperty("state").GetString()));
        Assert.All(nodes, static node =>
        {
            Assert.Equal(1, node.GetProperty("votes").GetInt64());
            Assert.Equal("0.1.0", node.GetProperty("version").GetString());
        });
        var link = nodes[3].GetProperty("links")[1];
        Assert.Equal("B", link.GetProperty("name").GetString());
        Assert.Equal("down", link.GetProperty("state").GetString());
        Assert.Equal(JsonValueKind.Number, link.GetProperty("rtt_us").ValueKind);
    }

    [Fact]
    public async Task Status_without_a_view_says_null_and_exits_2()
    {
        var status = Clusters.NoQuorum();
        status.View = null;

        var run = await Run(status, "status", "--json");

        Assert.Equal(2, run.ExitCode);
        Assert.Equal(JsonValueKind.Null, run.Json.GetProperty("view").ValueKind);
        Assert.Equal("no-quorum", run.Json.GetProperty("state").GetString());
    }

    [Theory]
    [InlineData("node list", "nodes")]
    [InlineData("link list", "links")]
    [InlineData("link matrix", "rows")]
    [InlineData("view list", "views")]
    public async Task Every_list_is_one_object_with_a_named_array(string command, string array)
    {
        var run = await Run(Clusters.OneWay(), [.. command.Split(' '), "--json"]);

        Assert.Equal(0, run.ExitCode);
        Assert.NotEqual(0, run.Json.GetProperty(array).GetArrayLength());
    }

    [Fact]
    public async Task The_matrix_names_one_way_pairs()
    {
        var run = await Run(Clusters.OneWay(), "link", "matrix", "--json");

        var pairs = run.Json.GetProperty("one_way").EnumerateArray()
            .Select(static pair => (pair.GetProperty("deaf").GetInt32(), pair.GetProperty("unheard").GetInt32()));
        Assert.Equal([(1, 2), (3, 2)], pairs);
    }

    [Fact]
    public async Task Watch_writes_one_view_a_line_and_fails_when_the_daemon_ends_it()
    {
        var run = await Run(Clusters.Healthy(), "watch", "--json");

        Assert.Equal(1, run.ExitCode);
        var line = Assert.Single(run.JsonLines);
        Assert.Equal("view", line.GetProperty("event").GetString());
        Assert.Equal("regular", line.GetProperty("kind").GetString());
        Assert.Equal(1, line.GetProperty("revision").GetInt64());
        Assert.Equal("MB1503", JsonDocument.Parse(run.Error).RootElement.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task View_list_reads_as_many_views_as_asked_for_and_stops_at_the_current_one()
    {
        var daemon = new FakeDaemon { Status = Clusters.Healthy() };
        daemon.Status.View = Clusters.View(4, [1, 2]);
        daemon.Views.AddRange([Clusters.View(3, [1, 2], transitional: true, left: [3]), Clusters.View(4, [1, 2])]);

        var run = await MbrRun.Of(FakeConnector.To(daemon), "view", "list", "--json", "--count", "2");

        var views = run.Json.GetProperty("views").EnumerateArray().ToList();
        Assert.Equal(["transitional", "regular"], views.Select(static view => view.GetProperty("kind").GetString()));
        Assert.Equal(3, views[0].GetProperty("left")[0].GetProperty("node").GetInt32());
    }

    [Fact]
    public async Task A_hostile_name_stays_inside_its_json_string()
    {
        var status = Clusters.Healthy();
        status.Nodes[0].Name = "\"},\e[2J\n";

        foreach (var command in (string[])["status", "node list", "link list", "link matrix"])
        {
            var run = await Run(status, [.. command.Split(' '), "--json"]);

            Assert.Equal(JsonValueKind.Object, run.Json.ValueKind);
            Assert.DoesNotContain('\e', run.Output);
            Assert.Single(run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
    }

    [Fact]
    public async Task Status_watch_writes_one_status_for_each_view()
    {
        var daemon = new FakeDaemon { Status = Clusters.Healthy(), StreamsEnd = true };
        daemon.Views.AddRange([Clusters.View(1, [1]), Clusters.View(2, [1, 2])]);

        var json = await MbrRun.Of(FakeConnector.To(daemon), "status", "--watch", "--json");
        var text = await MbrRun.Of(FakeConnector.To(daemon), "status", "--watch");

        Assert.Equal(2, json.JsonLines.Count);
        Assert.Equal(1, json.ExitCode);
        Assert.Equal(2, text.Output.Split("HEALTHY").Length - 1);
        Assert.EndsWith(" 12:03:07  view 42 (1.2a.9f3c51d0) members n1\n 12:03:07  view 43 (1.2b.9f3c51d0) members n1 n2\n", text.Output, StringComparison.Ordinal);
    }
}
