using Grpc.Core;
using Membership.Grpc.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Membership.Grpc.Server.Kestrel;

/// <summary>Makes one endpoint of each method of a service.</summary>
internal sealed class EndpointBinder(IEndpointRouteBuilder endpoints, ServerInvoker invoker, GrpcServerOptions options) : ServiceBinderBase
{
    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler) =>
        Map(method, async (call, requests, replies) =>
        {
            var request = await ReadOnlyRequestAsync(call, requests).ConfigureAwait(false);
            var reply = await Bound(method, handler)(request, call).ConfigureAwait(false);
            WriteOnlyReply(call, replies, reply);
        });

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler) =>
        Map(method, async (call, requests, replies) =>
        {
            var reply = await Bound(method, handler)(new RequestReader<TRequest>(call, requests), call).ConfigureAwait(false);
            WriteOnlyReply(call, replies, reply);
        });

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler) =>
        Map(method, async (call, requests, replies) =>
        {
            var request = await ReadOnlyRequestAsync(call, requests).ConfigureAwait(false);
            await Bound(method, handler)(request, new ReplyWriter<TResponse>(call, replies), call).ConfigureAwait(false);
        });

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler) =>
        Map(method, (call, requests, replies) =>
            Bound(method, handler)(new RequestReader<TRequest>(call, requests), new ReplyWriter<TResponse>(call, replies), call));

    private void Map<TRequest, TResponse>(
        Method<TRequest, TResponse> method, Func<HttpServerCall, FrameReader<TRequest>, FrameWriter<TResponse>, Task> handle)
        where TRequest : class
        where TResponse : class
    {
        RequestDelegate serve = http => invoker.InvokeAsync(http, method, options, handle);
        endpoints.MapPost(method.FullName, serve).WithDisplayName($"gRPC {method.FullName}");
    }

    private static THandler Bound<THandler>(IMethod method, THandler? handler)
        where THandler : Delegate =>
        handler ?? throw new InvalidOperationException($"{method.FullName} was bound without a service.");

    private async Task<TRequest> ReadOnlyRequestAsync<TRequest>(HttpServerCall call, FrameReader<TRequest> requests)
        where TRequest : class
    {
        var request = await requests.ReadAsync(call.CancellationToken).ConfigureAwait(false)
            ?? throw new RpcException(new Status(StatusCode.Internal, "The call holds no request."));
        if (await requests.ReadAsync(call.CancellationToken).ConfigureAwait(false) is not null)
        {
            throw new RpcException(new Status(StatusCode.Internal, "The call holds a second request; this method takes one."));
        }
        options.RequestRead?.Invoke(call, request);
        return request;
    }

    private static void WriteOnlyReply<TResponse>(HttpServerCall call, FrameWriter<TResponse> replies, TResponse? reply)
        where TResponse : class
    {
        if (reply is null) throw new RpcException(new Status(StatusCode.Cancelled, "The service gave no reply."));
        // With a status of its own the reply is not sent: a call has either.
        if (call.Status.StatusCode != StatusCode.OK || call.IsExpired) return;
        bool plain = call.WriteOptions?.Flags.HasFlag(WriteFlags.NoCompress) ?? false;
        replies.Write(reply, call.ReplyIsGzip && !plain);
    }
}
