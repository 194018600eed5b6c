using System.Net.Sockets;
using Grpc.Core;
using Membership.Cli.Daemons;
using Membership.Grpc.Server;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>The way over a real Unix socket and real gRPC: what works, and one distinct error for everything that does not.</summary>
public sealed class ServerTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private string Socket => _scratch["api.sock"];

    private Task<MbrRun> Run(params string[] arguments) =>
        MbrRun.With(new MbrSetup(new GrpcDaemonConnector(static _ => null)), [.. arguments, "--socket", Socket]);

    private Task<GrpcServer> Serve(MembershipService.MembershipServiceBase service) => GrpcServer.StartAsync(
        new GrpcServerSettings { SocketPath = Socket }, endpoints => endpoints.MapGrpcService(service), CancellationToken.None);

    [Fact]
    public async Task Status_comes_over_the_socket()
    {
        await using var server = await Serve(new Service { Status = Clusters.Healthy() });

        var run = await Run("status", "--json");

        Assert.Equal("", run.Error);
        Assert.Equal(0, run.ExitCode);
        Assert.Equal("healthy", run.Json.GetProperty("state").GetString());
    }

    [Fact]
    public async Task Messages_and_receipts_come_over_the_socket()
    {
        await using var server = await Serve(new Service { Status = Clusters.Healthy() });

        var send = await Run("ring", "send", "--json", "--count", "1000");
        var tail = await Run("ring", "tail", "--json", "--count", "2");

        Assert.Equal("", send.Error);
        Assert.Equal(Enumerable.Range(1, 1000), send.JsonLines.Select(static line => line.GetProperty("counter").GetInt32()));
        Assert.Equal("", tail.Error);
        Assert.Equal(["view", "message", "message"], tail.JsonLines.Select(static line => line.GetProperty("event").GetString()));
    }

    [Fact]
    public async Task A_missing_socket_is_MB1201()
    {
        await Fails(3, "MB1201", Socket);
    }

    [Fact]
    public async Task A_socket_without_a_listener_is_MB1202()
    {
        using var bound = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        bound.Bind(new UnixDomainSocketEndPoint(Socket)); // and never listens

        await Fails(3, "MB1202", "connection refused");
    }

    [Fact]
    public async Task An_ordinary_file_or_folder_is_MB1204()
    {
        await File.WriteAllTextAsync(Socket, "");

        await Fails(3, "MB1204", "an ordinary file");
        var run = await MbrRun.With(new MbrSetup(new GrpcDaemonConnector(static _ => null)), "status", "--socket", _scratch.Folder);
        Assert.Contains("a folder", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n")]
    [InlineData("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("")]
    public async Task Another_program_behind_the_socket_is_MB1205(string greeting)
    {
        using var listener = Listen();
        var serving = GreetAsync(listener, greeting);

        await Fails(3, "MB1205", "not a membership daemon");
        listener.Dispose();
        await serving;
    }

    [Fact]
    public async Task A_socket_that_accepts_and_stays_silent_is_MB1206()
    {
        using var listener = Listen();

        var run = await Run("status", "--timeout", "200ms");

        Assert.Equal(6, run.ExitCode);
        Assert.Contains("MB1206", run.Error, StringComparison.Ordinal);
        Assert.Contains("within 200ms", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_path_that_no_socket_can_have_is_MB1006()
    {
        var run = await MbrRun.With(new MbrSetup(new GrpcDaemonConnector(static _ => null)), "status", "--socket", "/" + new string('x', 108));

        Assert.Equal(64, run.ExitCode);
        Assert.Contains("MB1006", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_daemon_user_that_is_no_number_is_a_usage_error()
    {
        using var listener = Listen();

        var run = await MbrRun.With(
            new MbrSetup(new GrpcDaemonConnector(static name => name == "MBR_DAEMON_UID" ? "alice" : null)), "status", "--socket", Socket);

        Assert.Equal(64, run.ExitCode);
        Assert.Contains("MBR_DAEMON_UID", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(StatusCode.PermissionDenied, 5, "MB1301")]
    [InlineData(StatusCode.Unauthenticated, 5, "MB1301")]
    [InlineData(StatusCode.NotFound, 4, "MB1302")]
    [InlineData(StatusCode.Unimplemented, 1, "MB1303")]
    [InlineData(StatusCode.FailedPrecondition, 65, "MB1304")]
    [InlineData(StatusCode.ResourceExhausted, 75, "MB1305")]
    [InlineData(StatusCode.Internal, 1, "MB1306")]
    [InlineData(StatusCode.Unavailable, 3, "MB1208")]
    [InlineData(StatusCode.DeadlineExceeded, 6, "MB1206")]
    public async Task Each_gRPC_status_has_its_code_and_exit_code(StatusCode status, int exitCode, string code)
    {
        await using var server = await Serve(new Service { Failure = new RpcException(new global::Grpc.Core.Status(status, "because of the test")) });

        foreach (var command in (string[])["status", "ring tail", "watch", "ring send --count 1"])
        {
            var run = await Run([.. command.Split(' '), "--json"]);

            var error = System.Text.Json.JsonDocument.Parse(run.Error).RootElement.GetProperty("error");
            Assert.Equal(code, error.GetProperty("code").GetString());
            Assert.Equal(exitCode, error.GetProperty("exit").GetInt32());
            Assert.Equal(exitCode, run.ExitCode);
            Assert.Contains("because of the test", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }
    }

    private async Task Fails(int exitCode, string code, string text)
    {
        var run = await Run("status", "--timeout", "10s");

        Assert.StartsWith(code + " ", run.Error, StringComparison.Ordinal);
        Assert.Equal(exitCode, run.ExitCode);
        Assert.Contains(text, run.Error, StringComparison.Ordinal);
        Assert.Contains("\n  cause: ", run.Error, StringComparison.Ordinal);
        Assert.Contains("\n  fix: ", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    private Socket Listen()
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(Socket));
        listener.Listen();
        return listener;
    }

    private static async Task GreetAsync(Socket listener, string greeting)
    {
        try
        {
            while (true)
            {
                using var client = await listener.AcceptAsync();
                await client.SendAsync(System.Text.Encoding.ASCII.GetBytes(greeting));
                client.Shutdown(SocketShutdown.Send);
                while (await client.ReceiveAsync(new byte[1024]) > 0)
                {
                    // until the client gives up
                }
            }
        }
        catch (SocketException)
        {
            // the test is over
        }
        catch (ObjectDisposedException)
        {
            // the test is over
        }
    }

    private sealed class Service : MembershipService.MembershipServiceBase
    {
        public GetStatusResponse Status { get; init; } = new();

        public RpcException? Failure { get; init; }

        public override Task<GetStatusResponse> GetStatus(GetStatusRequest request, ServerCallContext context) =>
            Failure is null ? Task.FromResult(Status) : throw Failure;

        public override Task WatchViews(WatchViewsRequest request, IServerStreamWriter<WatchViewsResponse> responseStream, ServerCallContext context) =>
            throw Failure!;

        public override async Task Subscribe(SubscribeRequest request, IServerStreamWriter<SubscribeResponse> responseStream, ServerCallContext context)
        {
            if (Failure is not null)
                throw Failure;
            await responseStream.WriteAsync(new SubscribeResponse { Events = { new RingEvent { View = Clusters.View(1, [1]) } } }, context.CancellationToken);
            var message = new RingEvent { Message = new RingMessage { RingId = "r", Boot = "b", Seq = 1, Sender = 1 } };
            await responseStream.WriteAsync(new SubscribeResponse { Events = { message, message } }, context.CancellationToken);
        }

        public override async Task Multicast(
            IAsyncStreamReader<MulticastRequest> requestStream, IServerStreamWriter<MulticastResponse> responseStream, ServerCallContext context)
        {
            if (Failure is not null)
                throw Failure;
            ulong counter = 0;
            while (await requestStream.MoveNext(context.CancellationToken))
            {
                var response = new MulticastResponse();
                foreach (var _ in requestStream.Current.Payloads)
                    response.Receipts.Add(new Receipt { Counter = ++counter, RingId = "r", Seq = counter });
                await responseStream.WriteAsync(response, context.CancellationToken);
            }
        }
    }
}
