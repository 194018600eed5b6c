using System.Collections.Concurrent;
using System.Diagnostics;
using Grpc.Core;
using Membership.Daemon.State;
using Membership.Daemon.Telemetry;
using Membership.Daemon.Tests.Access;
using Membership.Daemon.Tests.State;
using Membership.Grpc.Server;
using Membership.Grpc.Unix;
using Membership.V1;
using Status = Grpc.Core.Status;

namespace Membership.Daemon.Tests.Telemetry;

/// <summary>Metrics of what happens around the ring: calls, certificates, the disk.</summary>
public sealed class CallMetricTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Calls_are_counted_and_timed_by_method_and_status_and_those_under_way_by_method()
    {
        await using var node = await OneNode.StartAsync();
        await using var server = await ServeAsync(node);
        using var channel = UnixChannel.Open(node.Path("api.sock"));
        var client = new MembershipService.MembershipServiceClient(channel);

        await client.GetStatusAsync(new GetStatusRequest());
        await client.GetStatusAsync(new GetStatusRequest());
        using var refused = client.Multicast();
        await Assert.ThrowsAsync<RpcException>(() => refused.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));
        using var watch = client.WatchViews(new WatchViewsRequest());
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));
        var (_, page) = await node.GetAsync("metrics");

        const string Service = "membership.v1.MembershipService";
        Assert.Contains($"\nrpc_server_call_duration_seconds_count{{method=\"{Service}/GetStatus\",status=\"OK\"}} 2\n", page, StringComparison.Ordinal);
        Assert.Contains($"\nrpc_server_call_duration_seconds_count{{method=\"{Service}/Multicast\",status=\"PERMISSION_DENIED\"}} 1\n", page, StringComparison.Ordinal);
        Assert.DoesNotContain($"duration_seconds_count{{method=\"{Service}/WatchViews\"", page, StringComparison.Ordinal);
        Assert.Contains($"\nrpc_server_call_active{{method=\"{Service}/WatchViews\"}} 1\n", page, StringComparison.Ordinal);
        Assert.Contains($"\nrpc_server_call_active{{method=\"{Service}/GetStatus\"}} 0\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_call_that_has_ended_is_a_span_below_that_of_the_client()
    {
        await using var node = await OneNode.StartAsync();
        await using var server = await ServeAsync(node);
        using var channel = UnixChannel.Open(node.Path("api.sock"));
        var client = new MembershipService.MembershipServiceClient(channel);
        var caller = new ActivityContext(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded);
        var spans = new BlockingCollection<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == MeterBridge.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                if (span.TraceId == caller.TraceId) spans.Add(span);   // other tests run beside this one
            },
        };
        ActivitySource.AddActivityListener(listener);
        Metadata headers = new() { { "traceparent", $"00-{caller.TraceId}-{caller.SpanId}-01" } };

        await client.GetStatusAsync(new GetStatusRequest(), headers);
        Assert.True(spans.TryTake(out var answered, Limit));
        using var refused = client.Multicast(headers);
        await Assert.ThrowsAsync<RpcException>(() => refused.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));
        Assert.True(spans.TryTake(out var denied, Limit));

        Assert.Equal(("membership.v1.MembershipService/GetStatus", ActivityKind.Server, caller.SpanId), (answered.DisplayName, answered.Kind, answered.ParentSpanId));
        Assert.Equal("rpc.system=grpc rpc.service=membership.v1.MembershipService rpc.method=GetStatus rpc.grpc.status_code=0", string.Join(' ', answered.TagObjects.Select(tag => $"{tag.Key}={tag.Value}")));
        Assert.InRange(answered.Duration, TimeSpan.FromTicks(1), Limit);
        Assert.Equal((int)StatusCode.PermissionDenied, denied.GetTagItem("rpc.grpc.status_code"));
        Assert.Equal(ActivityStatusCode.Unset, denied.Status);   // the caller's mistake
    }

    [Fact]
    public async Task A_cancelled_stream_is_counted_as_ended_and_no_longer_under_way()
    {
        var calls = new CallMetrics(TimeProvider.System);
        var directory = Directory.CreateTempSubdirectory("membership-calls-");
        var socket = Path.Combine(directory.FullName, "api.sock");
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var measured = calls.Measure(new GrpcServerOptions());
        var options = measured with
        {
            Ended = (context, status) =>
            {
                measured.Ended?.Invoke(context, status);
                ended.TrySetResult();
            },
        };
        await using (var server = await GrpcServer.StartAsync(new GrpcServerSettings { SocketPath = socket, Options = options }, map => map.MapGrpcService(new TestServices()), CancellationToken.None))
        {
            using var channel = UnixChannel.Open(socket);
            using var watch = new MembershipService.MembershipServiceClient(channel).WatchViews(new WatchViewsRequest());
            Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));
            watch.Dispose();
            await ended.Task.WaitAsync(Limit);
        }
        directory.Delete(true);

        Assert.Equal("CANCELLED", Assert.Single(calls.Read().Ended).Status);
        Assert.Equal(0, Assert.Single(calls.Read().Active).Count);
    }

    [Fact]
    public async Task A_failed_write_to_the_state_directory_is_counted_and_the_disk_is_unhealthy()
    {
        await using var node = await OneNode.StartAsync();
        using var state = StateDirectory.Open(node.Path("disk"), acceptNewIdentity: false);   // the node's own one stays whole
        state.WriteFailed = node.Counters.DiskError;
        var sink = new Sink();
        Directory.Delete(node.Path("disk"), recursive: true);

        state.Request(1_000_000, sink);
        await sink.Failed.WaitAsync(Limit);

        Assert.Contains("\nmembership_disk_errors_total 1\n", (await node.GetAsync("metrics")).Text, StringComparison.Ordinal);
        Assert.Contains("[-] disk: writing to the state directory failed lately", (await node.GetAsync("healthz?verbose")).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(30.0, true, "good for 30 days")]
    [InlineData(13.5, false, "ends in 13 days")]
    [InlineData(-1.0, false, "has ended: clients of other machines are refused")]
    [InlineData(null, true, "no certificate is used")]
    public async Task The_rest_of_the_certificates_time_is_measured_and_judged(double? days, bool isHealthy, string text)
    {
        await using var node = await OneNode.StartAsync();
        node.Counters.CertificateLeft = () => days is { } left ? TimeSpan.FromDays(left) + TimeSpan.FromSeconds(0.5) : null;

        var (_, page) = await node.GetAsync("metrics");
        var check = HealthChecks.Find(node.Source.Last, "keys_expiring");

        Assert.Equal(days is null, !page.Contains("\nmembership_certificate_left_seconds ", StringComparison.Ordinal));
        if (days is { } whole) Assert.Contains(FormattableString.Invariant($"\nmembership_certificate_left_seconds {(whole * 86400) + 0.5}\n"), page, StringComparison.Ordinal);
        Assert.Equal(isHealthy, check.IsHealthy);
        Assert.Contains(text, check.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Messages_about_quorum_that_broke_the_format_are_told()
    {
        await using var node = await OneNode.StartAsync();
        Assert.Contains("\nmembership_quorum_malformed_total 0\n", (await node.GetAsync("metrics")).Text, StringComparison.Ordinal);

        var snapshot = node.Source.Last!;   // taken for the page
        var metric = MetricTable.All.Single(metric => metric.Name == "membership.quorum.malformed");
        Assert.Equal(7, Assert.Single(metric.Read(snapshot with { Ring = snapshot.Ring with { QuorumMalformed = 7 } })).Value);
    }

    // Measured calls, of which nobody may make Multicast.
    private static Task<GrpcServer> ServeAsync(OneNode node)
    {
        var options = new GrpcServerOptions { Authorize = context => context.Method.EndsWith("/Multicast", StringComparison.Ordinal) ? new Status(StatusCode.PermissionDenied, "no") : null };
        return GrpcServer.StartAsync(
            new GrpcServerSettings { SocketPath = node.Path("api.sock"), Options = node.Counters.Calls.Measure(options) }, map => map.MapGrpcService(new TestServices()), CancellationToken.None);
    }
}
