using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using Xunit;

namespace Membership.Client.Tests;

public sealed class TelemetryTests
{
    [Fact]
    public async Task Messages_calls_and_sessions_are_measured_under_their_names()
    {
        var seen = new ConcurrentDictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == ClientTelemetry.Name) self.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => seen.AddOrUpdate(instrument.Name, value, (_, sum) => sum + value));
        listener.SetMeasurementEventCallback<double>((instrument, _, _, _) => seen.AddOrUpdate(instrument.Name, 1, (_, count) => count + 1));
        listener.Start();

        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        await using var group = await client.JoinAsync("measured");
        await group.SendAsync(Encoding.UTF8.GetBytes("a"));
        await GroupReading.ReadAsync(group, 2, TimeSpan.FromSeconds(20));
        await client.GetStatusAsync();

        string[] expected =
        [
            "membership.client.call.duration", "membership.client.connected", "membership.client.queue", "membership.message.delivered",
            "membership.message.delivery.duration", "membership.message.sent",
        ];
        Assert.Subset(seen.Keys.ToHashSet(), expected.ToHashSet());
    }

    [Fact]
    public async Task Calls_and_joins_are_spans_with_their_outcome()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == ClientTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Groups.Closed = "traced-closed";
        await using var client = daemon.Client();

        await using var group = await client.JoinAsync("traced");
        await Assert.ThrowsAsync<MembershipException>(() => client.JoinAsync("traced-closed"));

        Assert.Contains(spans, span => span.OperationName == "membership join" && (string?)span.GetTagItem("membership.group") == "traced" && (string?)span.GetTagItem("outcome") == "ok");
        var failed = Assert.Single(spans, span => (string?)span.GetTagItem("membership.group") == "traced-closed");
        Assert.Equal(("invalid", ActivityStatusCode.Error), ((string?)failed.GetTagItem("outcome"), failed.Status));
    }
}
