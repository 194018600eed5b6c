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
        var socket = Path.Combine(Path.GetDirectoryName(node.Configuration.File)!, "api.sock");   // the file is in a directory
        await using var server = await GrpcServer.StartAsync(
            new GrpcServerSettings { SocketPath = socket }, map => map.MapGrpcService(new HealthApi(node.Source, TimeProvider.System)), CancellationToken.None);
        using var channel = UnixChannel.Open(socket);
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
}
