using Google.Protobuf;
using Grpc.Core;
using Membership.Grpc.Server;
using Membership.Grpc.Tests.Protos;
using Xunit;

namespace Membership.Grpc.Tests;

/// <summary>The four kinds of calls and how they end, over a Unix socket and over TCP.</summary>
public sealed class CallTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(Transport.Unix)]
    [InlineData(Transport.Tcp)]
    public async Task Unary_call_gives_reply_and_trailers(Transport transport)
    {
        await using var server = await ProbeServer.StartAsync();
        var headers = new Metadata { { "echo-text", "plain value" }, { "echo-bytes-bin", [0, 1, 254, 255] } };

        using var call = server.Client(transport).UnaryAsync(new Order { Text = "hällo" }, headers);
        var reply = await call;

        Assert.Equal("hällo", reply.Text);
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        Assert.Equal("plain value", call.GetTrailers().GetValue("echo-text"));
        Assert.Equal([0, 1, 254, 255], call.GetTrailers().GetValueBytes("echo-bytes-bin"));
    }

    [Fact]
    public async Task Blocking_unary_call_gives_its_reply()
    {
        await using var server = await ProbeServer.StartAsync();

        Assert.Equal("x", server.Client().Unary(new Order { Text = "x" }).Text);
    }

    [Theory]
    [InlineData(Transport.Unix)]
    [InlineData(Transport.Tcp)]
    public async Task Error_carries_code_text_of_any_language_and_details(Transport transport)
    {
        await using var server = await ProbeServer.StartAsync();
        const string Detail = "50 % größer\nals erlaubt — 漢字 🚦";
        var order = new Order { Status = (uint)StatusCode.FailedPrecondition, Detail = Detail, Details = ByteString.CopyFrom(1, 2, 250) };

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await server.Client(transport).UnaryAsync(order));

        Assert.Equal(StatusCode.FailedPrecondition, failure.StatusCode);
        Assert.Equal(Detail, failure.Status.Detail);
        Assert.Equal([1, 2, 250], failure.Trailers.GetValueBytes(ProbeService.DetailsKey));
    }

    [Fact]
    public async Task Unexpected_exception_is_named_but_its_message_stays_inside()
    {
        await using var server = await ProbeServer.StartAsync();

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await server.Client().UnaryAsync(new Order { Text = "throw" }));

        Assert.Equal(StatusCode.Unknown, failure.StatusCode);
        Assert.Contains(nameof(InvalidOperationException), failure.Status.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", failure.Status.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Transport.Unix)]
    [InlineData(Transport.Tcp)]
    public async Task Messages_of_many_megabytes_pass_within_the_limits(Transport transport)
    {
        await using var server = await ProbeServer.StartAsync(new GrpcServerOptions { MaxReceiveBytes = 17 << 20 });
        var order = new Order { Payload = ByteString.CopyFrom(new byte[16 << 20]), ReplyBytes = 12 << 20 };

        var reply = await server.Client(transport, maxReceiveBytes: 17 << 20).UnaryAsync(order);

        Assert.Equal(16UL << 20, reply.Count);
        Assert.Equal(12 << 20, reply.Payload.Length);
    }

    [Fact]
    public async Task Request_over_the_default_limit_is_refused_by_the_server()
    {
        await using var server = await ProbeServer.StartAsync();
        var order = new Order { Payload = ByteString.CopyFrom(new byte[(4 << 20) + 1]) };

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await server.Client().UnaryAsync(order));

        Assert.Equal(StatusCode.ResourceExhausted, failure.StatusCode);
    }

    [Fact]
    public async Task Reply_over_the_limit_is_refused_by_the_client()
    {
        await using var server = await ProbeServer.StartAsync();

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await server.Client().UnaryAsync(new Order { ReplyBytes = 5 << 20 }));

        Assert.Equal(StatusCode.ResourceExhausted, failure.StatusCode);
    }

    [Fact]
    public async Task Deadline_ends_the_call_on_both_sides()
    {
        await using var server = await ProbeServer.StartAsync();

        var failure = await Assert.ThrowsAsync<RpcException>(
            async () => await server.Client().UnaryAsync(new Order { Wait = true }, deadline: DateTime.UtcNow.AddMilliseconds(200)));

        Assert.Equal(StatusCode.DeadlineExceeded, failure.StatusCode);
        await server.Service.Cancelled.WaitAsync(Patience);
    }

    [Fact]
    public async Task Cancel_ends_the_call_on_both_sides()
    {
        await using var server = await ProbeServer.StartAsync();
        using var cancel = new CancellationTokenSource();

        var call = server.Client().UnaryAsync(new Order { Wait = true }, cancellationToken: cancel.Token);
        await server.Service.WaitReached.Task.WaitAsync(Patience);
        await cancel.CancelAsync();

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await call);
        Assert.Equal(StatusCode.Cancelled, failure.StatusCode);
        await server.Service.Cancelled.WaitAsync(Patience);
    }

    [Theory]
    [InlineData(Transport.Unix)]
    [InlineData(Transport.Tcp)]
    public async Task Server_stream_gives_every_message_in_order(Transport transport)
    {
        await using var server = await ProbeServer.StartAsync();
        using var call = server.Client(transport).Produce(new Order { Count = 20_000, ReplyBytes = 50 });

        ulong expected = 0;
        await foreach (var reply in call.ResponseStream.ReadAllAsync()) Assert.Equal(++expected, reply.Count);

        Assert.Equal(20_000UL, expected);
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Error_inside_a_server_stream_follows_the_messages_before_it()
    {
        await using var server = await ProbeServer.StartAsync();
        using var call = server.Client().Produce(new Order { Count = 3, Status = (uint)StatusCode.Aborted, Detail = "no more" });

        int received = 0;
        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            await foreach (var _ in call.ResponseStream.ReadAllAsync()) received++;
        });

        Assert.Equal(3, received);
        Assert.Equal(StatusCode.Aborted, failure.StatusCode);
        Assert.Equal("no more", failure.Status.Detail);
    }

    [Fact]
    public async Task Disposing_a_server_stream_cancels_it_on_the_server()
    {
        await using var server = await ProbeServer.StartAsync();
        var call = server.Client().Produce(new Order { Count = 1, Wait = true });
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));

        call.Dispose();

        await server.Service.Cancelled.WaitAsync(Patience);
        Assert.Equal(StatusCode.Cancelled, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Client_stream_delivers_every_message_also_when_they_wait_for_each_other()
    {
        await using var server = await ProbeServer.StartAsync();
        using var call = server.Client().Collect();

        for (int number = 1; number <= 5_000; number++)
        {
            call.RequestStream.WriteOptions = new WriteOptions(number % 100 == 0 ? default : WriteFlags.BufferHint);
            await call.RequestStream.WriteAsync(new Order { Text = "message" });
        }
        await call.RequestStream.CompleteAsync();

        Assert.Equal(5_000UL, (await call).Count);
    }

    [Fact]
    public async Task Early_error_reaches_a_client_that_still_sends()
    {
        await using var server = await ProbeServer.StartAsync();
        using var call = server.Client().Collect();
        var order = new Order { Count = 10, Status = (uint)StatusCode.OutOfRange, Detail = "enough", Payload = ByteString.CopyFrom(new byte[1000]) };

        var writes = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (true) await call.RequestStream.WriteAsync(order).WaitAsync(Patience);
        });
        var failure = await Assert.ThrowsAsync<RpcException>(async () => await call);

        Assert.Equal(StatusCode.OutOfRange, failure.StatusCode);
        Assert.Equal("enough", failure.Status.Detail);
        Assert.True(writes.StatusCode is StatusCode.OutOfRange or StatusCode.Unavailable, writes.Message);
    }

    [Theory]
    [InlineData(Transport.Unix)]
    [InlineData(Transport.Tcp)]
    public async Task Duplex_stream_answers_each_message_while_the_next_is_not_yet_sent(Transport transport)
    {
        await using var server = await ProbeServer.StartAsync();
        using var call = server.Client(transport).Talk();
        await call.ResponseHeadersAsync.WaitAsync(Patience);

        for (int number = 0; number < 200; number++)
        {
            await call.RequestStream.WriteAsync(new Order { Text = $"{number}" });
            Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience));
            Assert.Equal($"{number}", call.ResponseStream.Current.Text);
        }
        await call.RequestStream.CompleteAsync();

        Assert.False(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience));
    }

    [Fact]
    public async Task Unknown_method_and_unknown_service_are_unimplemented()
    {
        await using var server = await ProbeServer.StartAsync();
        var marshaller = Marshallers.Create(bytes => bytes, (byte[] bytes) => bytes);
        var unknown = new Method<byte[], byte[]>(MethodType.Unary, "no.such.Service", "Method.with.dots", marshaller, marshaller);
        var invoker = server.Channel(Transport.Unix).CreateCallInvoker();

        var missing = await Assert.ThrowsAsync<RpcException>(async () => await server.Client().MissingAsync(new Order()));
        var nowhere = await Assert.ThrowsAsync<RpcException>(async () => await invoker.AsyncUnaryCall(unknown, null, default, [1]));

        Assert.Equal(StatusCode.Unimplemented, missing.StatusCode);
        Assert.Equal(StatusCode.Unimplemented, nowhere.StatusCode);
        Assert.Contains("no.such.Service", nowhere.Status.Detail, StringComparison.Ordinal);
    }
}
