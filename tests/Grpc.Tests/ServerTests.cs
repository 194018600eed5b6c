using System.Net.Sockets;
using System.Security;
using Google.Protobuf;
using Grpc.Core;
using Membership.Grpc.Server;
using Membership.Grpc.Tests.Protos;
using Membership.Grpc.Unix;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;

namespace Membership.Grpc.Tests;

/// <summary>What a server owes its operator: limits, authorisation, sockets, an orderly stop.</summary>
public sealed class ServerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static readonly Metadata GzipWish = new() { { "grpc-internal-encoding-request", "gzip" } };

    [Theory]
    [InlineData(Transport.Unix)]
    [InlineData(Transport.Tcp)]
    public async Task Gzip_works_in_both_directions(Transport transport)
    {
        await using var server = await ProbeServer.StartAsync(new GrpcServerOptions { CompressReplies = true });
        var order = new Order { Text = "zipped", Payload = ByteString.CopyFrom(new byte[3 << 20]), ReplyBytes = 2 << 20 };

        var reply = await server.Client(transport).UnaryAsync(order, GzipWish);

        Assert.Equal(3UL << 20, reply.Count);
        Assert.Equal(2 << 20, reply.Payload.Length);
        Assert.Equal("zipped", reply.Text);
    }

    [Fact]
    public async Task Small_request_that_inflates_beyond_the_limit_is_refused()
    {
        await using var server = await ProbeServer.StartAsync();
        var order = new Order { Payload = ByteString.CopyFrom(new byte[64 << 20]) };

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await server.Client().UnaryAsync(order, GzipWish));

        Assert.Equal(StatusCode.ResourceExhausted, failure.StatusCode);
        Assert.Contains("inflates", failure.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reply_that_inflates_beyond_the_limit_is_refused_by_the_client()
    {
        await using var server = await ProbeServer.StartAsync(new GrpcServerOptions { CompressReplies = true });

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await server.Client().UnaryAsync(new Order { ReplyBytes = 64 << 20 }));

        Assert.Equal(StatusCode.ResourceExhausted, failure.StatusCode);
        Assert.Contains("inflates", failure.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stopping_ends_streams_with_unavailable_and_lets_single_replies_finish()
    {
        await using var server = await ProbeServer.StartAsync();
        using var stream = server.Client().Produce(new Order { Count = 1, Wait = true });
        Assert.True(await stream.ResponseStream.MoveNext(CancellationToken.None));
        using var talk = server.Client().Talk();
        await talk.ResponseHeadersAsync.WaitAsync(Patience);

        await server.Server.StopAsync(CancellationToken.None).WaitAsync(Patience);

        var streamEnd = await Assert.ThrowsAsync<RpcException>(() => stream.ResponseStream.MoveNext(CancellationToken.None));
        var talkEnd = await Assert.ThrowsAsync<RpcException>(() => talk.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(StatusCode.Unavailable, streamEnd.StatusCode);
        Assert.Equal(StatusCode.Unavailable, talkEnd.StatusCode);
        Assert.Contains("being stopped", streamEnd.Status.Detail, StringComparison.Ordinal);
        var later = await Assert.ThrowsAsync<RpcException>(async () => await server.Client().UnaryAsync(new Order()));
        Assert.Equal(StatusCode.Unavailable, later.StatusCode);
    }

    [Fact]
    public async Task Authorisation_is_asked_before_the_handler_and_knows_the_peer()
    {
        UnixPeer? asked = null;
        Status? Refuse(ServerCallContext context)
        {
            asked = context.GetUnixPeer();
            Assert.Equal(UnixPeer.OwnUserId.ToString(System.Globalization.CultureInfo.InvariantCulture), context.AuthContext.PeerIdentity.Single().Value);
            return new Status(StatusCode.PermissionDenied, "only operators");
        }
        await using var server = await ProbeServer.StartAsync(new GrpcServerOptions { Authorize = Refuse });

        var unary = await Assert.ThrowsAsync<RpcException>(async () => await server.Client().UnaryAsync(new Order()));
        using var stream = server.Client().Produce(new Order { Count = 3 });
        var streaming = await Assert.ThrowsAsync<RpcException>(() => stream.ResponseStream.MoveNext(CancellationToken.None));

        Assert.Equal(StatusCode.PermissionDenied, unary.StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, streaming.StatusCode);
        Assert.Equal("only operators", unary.Status.Detail);
        Assert.Null(server.Service.LastContext);
        Assert.Equal(Environment.ProcessId, asked!.Value.ProcessId);
        Assert.Equal(UnixPeer.OwnUserId, asked.Value.UserId);
    }

    [Fact]
    public async Task Peer_of_a_tcp_call_has_no_user()
    {
        await using var server = await ProbeServer.StartAsync();

        await server.Client(Transport.Tcp).UnaryAsync(new Order());

        Assert.Null(server.Service.LastContext!.GetUnixPeer());
    }

    [Fact]
    public async Task Streams_of_an_ended_call_can_no_longer_be_used()
    {
        await using var server = await ProbeServer.StartAsync();
        using var call = server.Client().Produce(new Order { Count = 1 });
        await foreach (var _ in call.ResponseStream.ReadAllAsync()) continue;

        await Assert.ThrowsAsync<InvalidOperationException>(() => server.Service.LastWriter!.WriteAsync(new Reply()));
    }

    [Fact]
    public async Task Handler_that_ends_late_and_well_after_its_deadline_has_missed_it()
    {
        await using var server = await ProbeServer.StartAsync();
        var order = new Order { Wait = true, IgnoreCancel = true };

        var failure = await Assert.ThrowsAsync<RpcException>(
            async () => await server.Client().UnaryAsync(order, deadline: DateTime.UtcNow.AddMilliseconds(100)));

        Assert.Equal(StatusCode.DeadlineExceeded, failure.StatusCode);
        Assert.Equal("again", (await server.Client().UnaryAsync(new Order { Text = "again" })).Text);
    }

    [Fact]
    public async Task Thousand_cancelled_calls_leave_the_connection_usable()
    {
        await using var server = await ProbeServer.StartAsync();
        var client = server.Client();

        for (int number = 0; number < 1000; number++)
        {
            using var call = client.Produce(new Order { Count = 1, Wait = true });
            await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience);
        }

        Assert.Equal("still here", (await client.UnaryAsync(new Order { Text = "still here" })).Text);
    }

    [Fact]
    public void Kestrel_lets_streams_be_silent_and_long()
    {
        var kestrel = new KestrelServerOptions();

        kestrel.ConfigureForGrpc();

        Assert.Null(kestrel.Limits.MinRequestBodyDataRate);
        Assert.Null(kestrel.Limits.MinResponseDataRate);
        Assert.Null(kestrel.Limits.MaxRequestBodySize);
    }

    /// <summary>With Kestrel's default the connection dies after 5.3 s of silence; the number is real time and cannot be made shorter.</summary>
    [Fact]
    public async Task Client_stream_may_be_silent_for_longer_than_kestrels_patience()
    {
        await using var server = await ProbeServer.StartAsync();
        using var call = server.Client().Collect();
        await call.RequestStream.WriteAsync(new Order());

        await Task.Delay(TimeSpan.FromSeconds(6.5));
        await call.RequestStream.WriteAsync(new Order());
        await call.RequestStream.CompleteAsync();

        Assert.Equal(2UL, (await call.ResponseAsync.WaitAsync(Patience)).Count);
    }

    [Fact]
    public async Task Socket_has_its_mode_and_replaces_one_that_nobody_listens_on()
    {
        string directory = Directory.CreateTempSubdirectory("grpc-").FullName;
        string path = Path.Combine(directory, "api.sock");
        // Bound, but without a listener: what a dead server leaves behind. (Disposing it would remove the file.)
        using var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        dead.Bind(new UnixDomainSocketEndPoint(path));

        await using (var server = await GrpcServer.StartAsync(Settings(path), _ => { }, CancellationToken.None))
        {
            Assert.Equal("0600", Convert.ToString((int)File.GetUnixFileMode(path), 8).PadLeft(4, '0'));
            await Assert.ThrowsAsync<IOException>(() => GrpcServer.StartAsync(Settings(path), _ => { }, CancellationToken.None));
        }
        dead.Dispose();
        Directory.Delete(directory, recursive: true);

        static GrpcServerSettings Settings(string path) =>
            new() { SocketPath = path, SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
    }

    [Fact]
    public void Client_talks_to_root_to_itself_and_to_whom_it_was_told_to_trust()
    {
        uint stranger = UnixPeer.OwnUserId + 4711;

        UnixChannel.CheckServer("/s", new UnixPeer(1, 0, 0), []);
        UnixChannel.CheckServer("/s", new UnixPeer(1, UnixPeer.OwnUserId, 0), []);
        UnixChannel.CheckServer("/s", new UnixPeer(1, stranger, 0), [stranger]);

        Assert.Contains($"User {stranger}", Assert.Throws<SecurityException>(() => UnixChannel.CheckServer("/s", new UnixPeer(1, stranger, 0), [])).Message, StringComparison.Ordinal);
        Assert.Throws<SecurityException>(() => UnixChannel.CheckServer("/s", null, []));
    }

    [Fact]
    public async Task Absent_server_is_unavailable_and_named()
    {
        using var channel = UnixChannel.Open("/nonexistent/api.sock");

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await new Probe.ProbeClient(channel).UnaryAsync(new Order()));

        Assert.Equal(StatusCode.Unavailable, failure.StatusCode);
    }
}
