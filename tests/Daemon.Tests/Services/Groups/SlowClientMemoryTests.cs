using System.Net.Sockets;
using Google.Protobuf;
using Grpc.Net.Client;
using Xunit.Abstractions;

namespace Membership.Daemon.Tests.Services.Groups;

/// <summary>What clients that do not read cost the daemon, measured in the whole process: nothing else may run in it meanwhile.</summary>
[Collection(AloneCollection.Name)]
public sealed class SlowClientMemoryTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_hundred_clients_that_do_not_read_cost_less_than_sixty_four_mebibytes()
    {
        const int Deaf = 100, Messages = 30_000;
        await using var daemons = await TestDaemons.StartAsync(1);
        await using var good = await TestSession.OpenAsync(daemons[0]);
        await good.JoinAsync("g");
        await good.UntilMembersAsync(1);
        await SendAllAsync(good, Messages);   // the log is full before it is measured
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var sessions = new List<TestSession>();
        for (var i = 0; i < Deaf; i++)
        {
            sessions.Add(await TestSession.OpenAsync(daemons[0], window: uint.MaxValue, channel: Narrow(daemons[0].Socket)));
            await sessions[^1].JoinAsync("g");
        }
        await good.UntilMembersAsync(Deaf + 1);

        await SendAllAsync(good, Messages);

        var more = GC.GetTotalMemory(forceFullCollection: true) - before;
        output.WriteLine($"{more / 1048576.0:F1} MiB more with {Deaf} clients, the clients' own buffers in this process included");
        Assert.InRange(more, long.MinValue, 64L * 1024 * 1024);
        foreach (var session in sessions) await session.DisposeAsync();
    }

    // Buffers as little as HTTP/2 allows, since the client's memory is counted here as well.
    private static GrpcChannel Narrow(string path) => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        DisposeHttpClient = true,
        HttpHandler = new SocketsHttpHandler
        {
            InitialHttp2StreamWindowSize = 64 * 1024,
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        },
    });

    private static async Task SendAllAsync(TestSession session, int count)
    {
        for (var sent = 0; sent < count; sent += 500)
        {
            await session.SendAsync(Enumerable.Range(0, 500).Select(_ => ByteString.CopyFrom(new byte[1024])));
            for (var got = 0; got < 500; got++) await session.NextMessageAsync();
        }
    }
}
