using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Membership.Cpg;
using Membership.Daemon.Telemetry;
using Membership.Links;
using Membership.Totem;

namespace Membership.Daemon.Tests.Telemetry;

/// <summary>The table of metrics and its two forms.</summary>
public sealed partial class MetricTests
{
    // Fixed for dashboards: what this version of the daemon can know, under the names promised for it.
    private static readonly (string Name, MetricKind Kind, string Unit)[] Promised =
    [
        ("membership.members", MetricKind.Gauge, "{node}"),
        ("membership.view.changes", MetricKind.Counter, "{change}"),
        ("membership.view.duration", MetricKind.Histogram, "s"),
        ("membership.quorate", MetricKind.Gauge, ""),
        ("membership.quorum.votes", MetricKind.Gauge, "{vote}"),
        ("membership.ring.rotation.duration", MetricKind.Histogram, "s"),
        ("membership.ring.token.losses", MetricKind.Counter, "{loss}"),
        ("membership.ring.hold.duration", MetricKind.Histogram, "s"),
        ("membership.message.sent", MetricKind.Counter, "{message}"),
        ("membership.message.delivered", MetricKind.Counter, "{message}"),
        ("membership.message.delivery.duration", MetricKind.Histogram, "s"),
        ("membership.message.retransmits", MetricKind.Counter, "{message}"),
        ("membership.packet.io", MetricKind.Counter, "By"),
        ("membership.packet.dropped", MetricKind.Counter, "{packet}"),
        ("membership.link.up", MetricKind.Gauge, ""),
        ("membership.link.rtt", MetricKind.Histogram, "s"),
        ("membership.flow.backlog", MetricKind.UpDown, "{message}"),
        ("membership.group.count", MetricKind.Gauge, "{group}"),
        ("membership.group.members", MetricKind.Gauge, "{member}"),
        ("membership.client.connected", MetricKind.UpDown, "{client}"),
        ("membership.client.queue", MetricKind.UpDown, "By"),
        ("membership.client.disconnects", MetricKind.Counter, "{client}"),
        ("membership.process.stall", MetricKind.Histogram, "s"),
        ("membership.health.score", MetricKind.Gauge, ""),
        ("membership.key.age", MetricKind.Gauge, "s"),
        ("membership.auth.denied", MetricKind.Counter, "{call}"),
        ("membership.audit.dropped", MetricKind.Counter, "{line}"),
        ("membership.disk.errors", MetricKind.Counter, "{error}"),
        ("membership.certificate.left", MetricKind.Gauge, "s"),
        ("membership.quorum.malformed", MetricKind.Counter, "{message}"),
        ("rpc.server.call.duration", MetricKind.Histogram, "s"),
        ("rpc.server.call.active", MetricKind.UpDown, "{call}"),
    ];

    [Fact]
    public void Every_promised_metric_is_there_under_its_name_kind_and_unit()
    {
        Assert.All(Promised, promised => Assert.Contains(MetricTable.All, metric => (metric.Name, metric.Kind, metric.Unit) == promised));
        Assert.Equal(MetricTable.All.Count, MetricTable.All.Select(PrometheusText.NameOf).Distinct().Count());
        Assert.All(MetricTable.All, metric => Assert.Matches("^[a-z]+(\\.[a-z_]+)+$", metric.Name));
    }

    [Fact]
    public async Task Every_value_on_the_page_stands_below_its_help_and_type()
    {
        await using var node = await OneNode.StartAsync(nodes: 3);

        var (_, page) = await node.GetAsync("metrics");

        var described = new HashSet<string>();
        foreach (var line in page.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (Type().Match(line) is { Success: true } type) Assert.True(described.Add(type.Groups["name"].Value), line);
            else if (!line.StartsWith("# HELP ", StringComparison.Ordinal))
                Assert.Contains(Suffix().Replace(Value().Match(line).Groups["name"].Value, ""), described.Select(name => Suffix().Replace(name, "")));
        }
        Assert.Contains("membership_packet_io_bytes_total", described);
        Assert.Contains("membership_groups", described);
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("a\"b", "a\\\"b")]
    [InlineData("a\\b", "a\\\\b")]
    [InlineData("a\nb", "a\\nb")]
    [InlineData("\"} 1\nfake{x=\"", "\\\"} 1\\nfake{x=\\\"")]
    public void A_label_cannot_leave_its_quotes(string value, string escaped)
    {
        Assert.Equal(escaped, PrometheusText.Escape(value));
    }

    [Fact]
    public async Task Messages_are_counted_and_timed_by_their_level()
    {
        await using var node = await OneNode.StartAsync();
        var sink = new Sink(3);
        Assert.True(node.Host.TrySubmit("a"u8.ToArray(), DeliveryLevel.Agreed, 0, sink, 1));
        Assert.True(node.Host.TrySubmit("b"u8.ToArray(), DeliveryLevel.Agreed, 0, sink, 2));
        Assert.True(node.Host.TrySubmit("c"u8.ToArray(), DeliveryLevel.Safe, 0, sink, 3));
        await sink.AllTaken.WaitAsync(TimeSpan.FromSeconds(30));

        var page = "";
        for (var look = 0; look < 1000 && !page.Contains("delivered_total{delivery=\"safe\"} 1", StringComparison.Ordinal); look++) page = (await node.GetAsync("metrics")).Text;

        Assert.Contains("\nmembership_message_sent_total{delivery=\"agreed\"} 2\n", page, StringComparison.Ordinal);
        Assert.Contains("\nmembership_message_delivered_total{delivery=\"agreed\"} 2\n", page, StringComparison.Ordinal);
        Assert.Contains("\nmembership_message_delivery_duration_seconds_count{delivery=\"agreed\"} 2\n", page, StringComparison.Ordinal);
        Assert.Contains("\nmembership_message_delivery_duration_seconds_count{delivery=\"safe\"} 1\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_meter_has_every_metric_and_its_histograms_the_exact_counts_and_sums()
    {
        await using var node = await OneNode.StartAsync();
        var histogram = new DurationHistogram();
        foreach (var nanoseconds in (long[])[40_000, 60_000, 70_000, 3_000_000, 20_000_000_000]) histogram.Add(nanoseconds);
        Metric metric = new("test.duration", MetricKind.Histogram, "s", "For the test.", _ => [Sample.Of(histogram.Read())]);
        using var bridge = new MeterBridge([metric, .. MetricTable.All], node.Source);
        List<double> recorded = [];
        HashSet<string> seen = [];
        using var listener = new MeterListener { InstrumentPublished = (instrument, listening) => listening.EnableMeasurementEvents(instrument) };
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) =>
        {
            lock (seen) seen.Add(instrument.Name);
            if (instrument.Name == "test.duration") lock (recorded) recorded.Add(value);
        });
        listener.SetMeasurementEventCallback<long>((instrument, _, _, _) =>
        {
            lock (seen) seen.Add(instrument.Name);
        });
        listener.Start();

        var snapshot = await node.Source.TakeAsync(CancellationToken.None);
        bridge.Feed(snapshot!);   // the ring thread answers
        histogram.Add(80_000);
        bridge.Feed(snapshot!);
        listener.RecordObservableInstruments();

        Assert.Equal([40e-6, 65e-6, 65e-6, 3e-3, 20, 80e-6], recorded.Select(value => Math.Round(value, 9)));
        Assert.Empty(MetricTable.All.Where(m => m is { IsOfRuntime: false, Kind: not MetricKind.Histogram } && m.Read(snapshot!).Any()).Select(m => m.Name).Except(seen));
    }

    [Fact]
    public void A_duration_falls_into_the_first_bucket_whose_edge_it_does_not_exceed()
    {
        var histogram = new DurationHistogram();
        histogram.Add(-1);
        histogram.Add(50_000);
        histogram.Add(50_001);
        histogram.Add(TimeSpan.FromSeconds(11));

        var counts = histogram.Read();

        Assert.Equal(2, counts.Counts[0]);
        Assert.Equal(1, counts.Counts[1]);
        Assert.Equal(1, counts.Counts[^1]);
        Assert.Equal(4, counts.Count);
        Assert.Equal(11_000_100_001, counts.Sum);
    }

    [Fact]
    public void A_view_has_one_cause()
    {
        var self = new NodeId(1);
        var metrics = new RingMetrics(self);
        ViewMember one = new(self, 1), two = new(new NodeId(2), 2), three = new(new NodeId(3), 3), twoAgain = new(new NodeId(2), 22);
        var now = new Instant(0);
        void Install(ViewMember[] members, params ViewMember[] joined) => metrics.ViewInstalled(
            new View(ViewId.Regular(new RingId(self, 1, 1)), members, null, joined, []), now += TimeSpan.FromSeconds(1));
        Install([one], one);
        Install([one, two], two);
        Install([one, twoAgain], twoAgain);
        Install([one, twoAgain, three], three);
        metrics.Fact(new Membership.Node.NodeFact.Peer(three.Node, default, PeerState.Dead, PeerReason.Left), now);
        Install([one, twoAgain]);
        Install([one, twoAgain]);
        Install([one, twoAgain, three, new(new NodeId(4), 4)], three, new ViewMember(new NodeId(4), 4));

        var views = metrics.Read(now, []).Views;

        Assert.Equal(2, views[(int)ViewCause.Join]);
        Assert.Equal(1, views[(int)ViewCause.Crash]);
        Assert.Equal(1, views[(int)ViewCause.Leave]);
        Assert.Equal(1, views[(int)ViewCause.Config]);
        Assert.Equal(1, views[(int)ViewCause.Merge]);
    }

    [Fact]
    public void Stalls_raise_the_health_score_and_time_lowers_it()
    {
        var metrics = new RingMetrics(new NodeId(1));
        var now = new Instant(0);
        for (var stall = 0; stall < 10; stall++) metrics.Fact(new Membership.Node.NodeFact.Ring(new TotemFact.Stalled(TimeSpan.FromMilliseconds(300), false)), now);

        Assert.Equal(RingMetrics.HealthScoreMax, metrics.Read(now, []).HealthScore);
        Assert.Equal(RingMetrics.HealthScoreMax - 2, metrics.Read(now + TimeSpan.FromSeconds(61), []).HealthScore);
        Assert.Equal(0, metrics.Read(now + TimeSpan.FromHours(1), []).HealthScore);
        Assert.Equal(10, metrics.Read(now, []).Stall.Count);
    }

    [Fact]
    public void Groups_are_counted_and_only_those_asked_for_by_name()
    {
        var metrics = new RingMetrics(new NodeId(1));
        GroupMember a = new(new NodeId(1), 1, 1), b = new(new NodeId(2), 2, 1);
        void Change(string group, GroupMember[] members, GroupMember[] joined, GroupMember[] left) =>
            metrics.GroupChanged(new GroupChange(group, default, members, joined, left, GroupReason.Join, 1));
        Change("x", [a], [a], []);
        Change("x", [a, b], [b], []);
        Change("y", [a], [a], []);
        Change("z", [a], [a], []);
        Change("z", [], [], [a]);
        Assert.Equal((2, 1), (metrics.GroupsOf(new NodeId(1)), metrics.GroupsOf(new NodeId(2))));
        GroupMember c = new(new NodeId(2), 3, 2);
        Change("x", [a, b, c], [c], []);
        Change("x", [a, c], [], [b]);
        Assert.Equal(1, metrics.GroupsOf(new NodeId(2)));
        Change("x", [a], [], [c]);
        Assert.Equal((2, 0), (metrics.GroupsOf(new NodeId(1)), metrics.GroupsOf(new NodeId(2))));
        Change("x", [a, b], [b], []);

        var reading = metrics.Read(default, ["x", "none"]);

        Assert.Equal((2, 3L), (reading.Groups, reading.GroupMembers));
        Assert.Equal([("x", 2), ("none", 0)], reading.GroupsShown);
    }

    [GeneratedRegex("^# TYPE (?<name>\\S+) (counter|gauge|histogram)$")]
    private static partial Regex Type();

    [GeneratedRegex("^(?<name>[a-z_]+)(\\{[^ ]*\\})? \\S+$")]
    private static partial Regex Value();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex Suffix();

    private sealed class Sink(int count) : Membership.Daemon.Ring.ISubmitSink
    {
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _left = count;

        public Task AllTaken => _all.Task;

        public void Submitted(ulong tag, SendResult result)
        {
            if (--_left == 0) _all.SetResult();
        }
    }
}
