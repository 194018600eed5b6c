using Grpc.Core;
using Grpc.Health.V1;
using Membership.Daemon.Telemetry;
using Membership.Grpc.Server;
using Membership.Grpc.Unix;

namespace Membership.Daemon.Tests.Telemetry;

/// <summary>The health service over a real socket.</summary>
public sealed class HealthApiTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Each_check_has_its_name_and_a_watch_tells_changes()
    {
        await using var node = await OneNode.StartAsync(nodes: 3);
        await using var server = await ServeAsync(node, new HealthApi(node.Source, TimeProvider.System));
        using var channel = UnixChannel.Open(SocketOf(node));
        var client = new Health.HealthClient(channel);
        async Task<HealthCheckResponse.Types.ServingStatus> StatusOf(string name) => (await client.CheckAsync(new HealthCheckRequest { Service = name })).Status;

        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await StatusOf(""));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await StatusOf("livez"));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, await StatusOf("quorum"));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, await StatusOf("links"));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await StatusOf("disk"));
        var unknown = await Assert.ThrowsAsync<RpcException>(() => StatusOf("nonsense"));
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);

        using var watch = client.Watch(new HealthCheckRequest { Service = "livez" });
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, watch.ResponseStream.Current.Status);
        await node.Host.Freeze(TimeSpan.FromSeconds(4), CancellationToken.None);
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, watch.ResponseStream.Current.Status);
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, watch.ResponseStream.Current.Status);
    }

    [Fact]
    public async Task A_watch_of_a_check_that_does_not_exist_is_told_so_once_and_never_looks()
    {
        await using var node = await OneNode.StartAsync();
        var time = new NoTimers();
        await using var server = await ServeAsync(node, new HealthApi(node.Source, time));
        using var channel = UnixChannel.Open(SocketOf(node));

        using var watch = new Health.HealthClient(channel).Watch(new HealthCheckRequest { Service = "nonsense" });

        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.ServiceUnknown, watch.ResponseStream.Current.Status);
        Assert.False(watch.ResponseStream.MoveNext(CancellationToken.None).IsCompleted);
        Assert.Equal(0, time.Periodic);
    }

    [Fact]
    public async Task Watches_beyond_the_limit_are_refused_and_one_that_ends_makes_room()
    {
        await using var node = await OneNode.StartAsync();
        var api = new HealthApi(node.Source, TimeProvider.System);
        await using var server = await ServeAsync(node, api);
        using var channel = UnixChannel.Open(SocketOf(node));
        var client = new Health.HealthClient(channel);
        var watches = new List<AsyncServerStreamingCall<HealthCheckResponse>>();
        async Task<AsyncServerStreamingCall<HealthCheckResponse>> WatchAsync()
        {
            var watch = client.Watch(new HealthCheckRequest { Service = "nonsense" });
            Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));
            return watch;
        }

        while (watches.Count < HealthApi.WatchesMax) watches.Add(await WatchAsync());
        var refused = await Assert.ThrowsAsync<RpcException>(WatchAsync);
        watches[0].Dispose();
        using var limit = new CancellationTokenSource(Limit);
        while (api.WatchCount == HealthApi.WatchesMax) await Task.Delay(5, limit.Token);
        watches.Add(await WatchAsync());

        Assert.Equal(StatusCode.ResourceExhausted, refused.StatusCode);
        Assert.Contains("256 streams already, the limit", refused.Status.Detail, StringComparison.Ordinal);
        foreach (var watch in watches) watch.Dispose();
    }

    private static string SocketOf(OneNode node) => Path.Combine(Path.GetDirectoryName(node.Configuration.File)!, "api.sock");   // the file is in a directory

    private static Task<GrpcServer> ServeAsync(OneNode node, HealthApi api) =>
        GrpcServer.StartAsync(new GrpcServerSettings { SocketPath = SocketOf(node) }, map => map.MapGrpcService(api), CancellationToken.None);

    /// <summary>Counts the timers that would tick.</summary>
    private sealed class NoTimers : TimeProvider
    {
        private int _periodic;

        public int Periodic => Volatile.Read(ref _periodic);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (period != Timeout.InfiniteTimeSpan) Interlocked.Increment(ref _periodic);
            return System.CreateTimer(callback, state, dueTime, period);
        }
    }
}
