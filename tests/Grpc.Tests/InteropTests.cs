using System.Text;
using Grpc.Core;
using Grpc.Net.Client;
using Membership.Grpc.Server;
using Membership.Grpc.Server.Services;
using Xunit;

namespace Membership.Grpc.Tests;

/// <summary>Against implementations nobody here wrote.</summary>
public sealed class InteropTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [ForeignFact(Foreign.Grpcio)]
    public Task Grpcio_calls_this_server_over_a_unix_socket() =>
        RunAsync(Foreign.Grpcio, server => ["client.py", $"unix:{server.SocketPath}"], PythonCases);

    [ForeignFact(Foreign.Grpcio)]
    public Task Grpcio_calls_this_server_over_tcp() =>
        RunAsync(Foreign.Grpcio, server => ["client.py", server.TcpAddress.Authority], PythonCases);

    [ForeignFact(Foreign.Grpcio)]
    public Task Grpcio_calls_this_server_over_mutual_tls() =>
        RunAsync(Foreign.Grpcio, server => ["client.py", server.TlsAddress.Authority, .. Files(server)], PythonCases);

    [ForeignFact(Foreign.GrpcJs)]
    public Task Grpc_js_calls_this_server_over_a_unix_socket() =>
        RunAsync(Foreign.GrpcJs, server => ["client.cjs", $"unix:{server.SocketPath}", ForeignCases.Protos], NodeCases);

    [ForeignFact(Foreign.GrpcJs)]
    public Task Grpc_js_calls_this_server_over_tcp() =>
        RunAsync(Foreign.GrpcJs, server => ["client.cjs", server.TcpAddress.Authority, ForeignCases.Protos], NodeCases);

    [ForeignFact(Foreign.GrpcJs)]
    public Task Grpc_js_calls_this_server_over_mutual_tls() =>
        RunAsync(Foreign.GrpcJs, server => ["client.cjs", server.TlsAddress.Authority, ForeignCases.Protos, .. Files(server)], NodeCases);

    [ForeignFact(Foreign.Grpcio)]
    public async Task Grpcio_without_a_certificate_does_not_get_past_the_handshake()
    {
        await using var server = await ProbeServer.StartAsync();

        using var client = ForeignProgram.Start(Foreign.Grpcio, "client.py", server.TlsAddress.Authority, server.ClientFiles.Authorities);
        client.StandardInput.Close();
        string said = await client.StandardError.ReadToEndAsync().WaitAsync(Patience);
        await client.WaitForExitAsync().WaitAsync(Patience);

        Assert.NotEqual(0, client.ExitCode);
        Assert.Contains("UNAVAILABLE", said, StringComparison.Ordinal);
        Assert.Null(server.Service.LastContext);
    }

    [ForeignFact(Foreign.Grpcio)]
    public async Task This_client_calls_a_grpcio_server()
    {
        using var server = ForeignProgram.Start(Foreign.Grpcio, "server.py");
        string? port = await server.StandardOutput.ReadLineAsync().WaitAsync(Patience);
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{port}");
        var invoker = channel.CreateCallInvoker();

        using var unary = invoker.AsyncUnaryCall(Method("Unary", MethodType.Unary), null, new CallOptions(new Metadata { { "echo-b-bin", [0, 255] } }), "hällo");
        Assert.Equal("hällo", await unary.ResponseAsync.WaitAsync(Patience));
        Assert.Equal([0, 255], unary.GetTrailers().GetValueBytes("echo-b-bin"));

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await invoker.AsyncUnaryCall(Method("Unary", MethodType.Unary), null, default, "fail"));
        Assert.Equal((StatusCode.FailedPrecondition, "größer\n漢字 50%"), (failure.StatusCode, failure.Status.Detail));
        Assert.Equal([1, 250], failure.Trailers.GetValueBytes(ProbeService.DetailsKey));

        using var produce = invoker.AsyncServerStreamingCall(Method("Produce", MethodType.ServerStreaming), null, default, "");
        int received = 0;
        var aborted = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            await foreach (string _ in produce.ResponseStream.ReadAllAsync()) received++;
        });
        Assert.Equal((2000, StatusCode.Aborted, "no more"), (received, aborted.StatusCode, aborted.Status.Detail));

        using var collect = invoker.AsyncClientStreamingCall(Method("Collect", MethodType.ClientStreaming), null, default);
        for (int number = 0; number < 1000; number++) await collect.RequestStream.WriteAsync("x");
        await collect.RequestStream.CompleteAsync();
        Assert.Equal("1000", await collect.ResponseAsync.WaitAsync(Patience));

        var missing = await Assert.ThrowsAsync<RpcException>(async () => await invoker.AsyncUnaryCall(Method("Nothing", MethodType.Unary), null, default, ""));
        Assert.Equal(StatusCode.Unimplemented, missing.StatusCode);

        server.StandardInput.Close();
        await server.WaitForExitAsync().WaitAsync(Patience);
    }

    private const int PythonCases = 20;
    private const int NodeCases = 13;

    private static string[] Files(ProbeServer server) => [server.ClientFiles.Authorities, server.ClientFiles.Certificate, server.ClientFiles.Key];

    private static Method<string, string> Method(string name, MethodType type)
    {
        var marshaller = Marshallers.Create(Encoding.UTF8.GetBytes, Encoding.UTF8.GetString);
        return new Method<string, string>(type, "foreign.Probe", name, marshaller, marshaller);
    }

    private static async Task RunAsync(Foreign foreign, Func<ProbeServer, string[]> command, int cases)
    {
        var health = new HealthService();
        health.Set(HealthNames.Live, true);
        await using var server = await ProbeServer.StartAsync(map: endpoints =>
        {
            endpoints.MapGrpcService(health);
            endpoints.MapGrpcReflection(Membership.Grpc.Tests.Protos.ProbeReflection.Descriptor.Services);
        });
        string[] words = command(server);
        await ForeignCases.PassAsync(cases, foreign, words[0], words[1..]);
    }
}
