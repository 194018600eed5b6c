using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Reflection.V1;
using Membership.Grpc.Server;
using Membership.Grpc.Server.Services;
using Membership.Grpc.Tests.Protos;
using Xunit;

namespace Membership.Grpc.Tests;

public sealed class StandardServicesTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Health_is_told_by_name_and_unknown_names_are_not_found()
    {
        var health = new HealthService();
        health.Set(HealthNames.Live, true);
        health.Set(HealthNames.Ready, false);
        await using var server = await ProbeServer.StartAsync(map: endpoints => endpoints.MapGrpcService(health));
        var client = new Health.HealthClient(server.Channel(Transport.Unix));

        var live = await client.CheckAsync(new HealthCheckRequest { Service = HealthNames.Live });
        var ready = await client.CheckAsync(new HealthCheckRequest { Service = HealthNames.Ready });
        var unknown = await Assert.ThrowsAsync<RpcException>(async () => await client.CheckAsync(new HealthCheckRequest { Service = "x" }));

        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, live.Status);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, ready.Status);
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
    }

    [Fact]
    public async Task Health_watch_tells_the_status_now_and_every_change()
    {
        var health = new HealthService();
        await using var server = await ProbeServer.StartAsync(map: endpoints => endpoints.MapGrpcService(health));
        using var watch = new Health.HealthClient(server.Channel(Transport.Unix)).Watch(new HealthCheckRequest { Service = HealthNames.Ring });

        Assert.Equal(HealthCheckResponse.Types.ServingStatus.ServiceUnknown, await NextAsync());
        health.Set(HealthNames.Ring, false);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, await NextAsync());
        health.Set(HealthNames.Ring, true);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await NextAsync());

        async Task<HealthCheckResponse.Types.ServingStatus> NextAsync()
        {
            Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience));
            return watch.ResponseStream.Current.Status;
        }
    }

    [Fact]
    public async Task Reflection_lists_services_and_gives_files_by_name_and_symbol()
    {
        await using var server = await ProbeServer.StartAsync(map: endpoints => endpoints.MapGrpcReflection(ProbeReflection.Descriptor.Services));
        using var call = new ServerReflection.ServerReflectionClient(server.Channel(Transport.Unix)).ServerReflectionInfo();

        var list = await AskAsync(new ServerReflectionRequest { ListServices = "" });
        var bySymbol = await AskAsync(new ServerReflectionRequest { FileContainingSymbol = "membership.grpc.tests.Probe.Unary" });
        var byFile = await AskAsync(new ServerReflectionRequest { FileByFilename = "probe.proto" });
        var missing = await AskAsync(new ServerReflectionRequest { FileContainingSymbol = "no.such.Thing" });
        await call.RequestStream.CompleteAsync();

        Assert.Equal(
            ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", "membership.grpc.tests.Probe"],
            list.ListServicesResponse.Service.Select(service => service.Name));
        var file = FileDescriptorProto.Parser.ParseFrom(bySymbol.FileDescriptorResponse.FileDescriptorProto[0]);
        Assert.Equal("probe.proto", file.Name);
        Assert.Equal(bySymbol.FileDescriptorResponse, byFile.FileDescriptorResponse);
        Assert.Equal((int)StatusCode.NotFound, missing.ErrorResponse.ErrorCode);
        Assert.False(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience));

        async Task<ServerReflectionResponse> AskAsync(ServerReflectionRequest request)
        {
            await call.RequestStream.WriteAsync(request);
            Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience));
            return call.ResponseStream.Current;
        }
    }
}
