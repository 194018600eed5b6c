using System.Runtime.CompilerServices;
using Grpc.Core;
using Grpc.Net.Client;
using Membership.V1;

namespace Membership.Cli.Daemons;

/// <summary>A daemon behind a gRPC channel.</summary>
/// <param name="channel">Owned; closed with this object.</param>
/// <param name="socket">Where it was reached.</param>
/// <param name="processId">Who is behind the socket.</param>
internal sealed partial class GrpcDaemon(GrpcChannel channel, string socket, int? processId) : IDaemon
{
    private readonly MembershipService.MembershipServiceClient _client = new(channel);
    private readonly CallInvoker _invoker = channel.CreateCallInvoker();
    private volatile bool _hasAnswered;

    /// <inheritdoc/>
    public string Socket => socket;

    /// <inheritdoc/>
    public int? ProcessId => processId;

    /// <inheritdoc/>
    public Task<GetStatusResponse> GetStatusAsync(CancellationToken cancellationToken) =>
        AnswerAsync(_client.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<View> WatchViewsAsync(
        ulong afterRevision, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var call = _client.WatchViews(new WatchViewsRequest { AfterRevision = afterRevision }, cancellationToken: cancellationToken);
        await foreach (var response in ReadAsync(call.ResponseStream, cancellationToken))
            if (response.View is { } view) // absent in the first response of a daemon that has none newer
                yield return view;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<SubscribeResponse> SubscribeAsync(
        SubscribeRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var call = _client.Subscribe(request, cancellationToken: cancellationToken);
        await foreach (var response in ReadAsync(call.ResponseStream, cancellationToken))
            yield return response;
    }

    /// <inheritdoc/>
    public IMulticast Multicast(CancellationToken cancellationToken) =>
        new GrpcMulticast(this, _client.Multicast(cancellationToken: cancellationToken));

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        channel.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<T> AnswerAsync<T>(AsyncUnaryCall<T> call, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await call;
            _hasAnswered = true;
            return answer;
        }
        catch (RpcException failure)
        {
            throw Translate(failure, cancellationToken);
        }
    }

    private async IAsyncEnumerable<T> ReadAsync<T>(
        IAsyncStreamReader<T> reader, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await MoveAsync(reader, cancellationToken))
            yield return reader.Current;
    }

    // The call was made with the token; a read needs none of its own.
    private async Task<bool> MoveAsync<T>(IAsyncStreamReader<T> reader, CancellationToken cancellationToken)
    {
        try
        {
            var more = await reader.MoveNext(CancellationToken.None);
            _hasAnswered = true;
            return more;
        }
        catch (RpcException failure)
        {
            throw Translate(failure, cancellationToken);
        }
    }

    private Exception Translate(RpcException failure, CancellationToken cancellationToken) =>
        failure.StatusCode == StatusCode.Cancelled && cancellationToken.IsCancellationRequested
            ? new OperationCanceledException(failure.Message, failure, cancellationToken)
            : RpcErrors.Translate(failure, socket, _hasAnswered);

    private async Task WriteAsync<T>(IClientStreamWriter<T> stream, T request, CancellationToken cancellationToken)
    {
        try
        {
            await stream.WriteAsync(request, cancellationToken);
        }
        catch (RpcException failure)
        {
            throw Translate(failure, cancellationToken);
        }
    }

    private async Task CompleteAsync<T>(IClientStreamWriter<T> stream)
    {
        try
        {
            await stream.CompleteAsync();
        }
        catch (RpcException failure)
        {
            throw Translate(failure, CancellationToken.None);
        }
    }

    private sealed class GrpcMulticast(
        GrpcDaemon daemon, AsyncDuplexStreamingCall<MulticastRequest, MulticastResponse> call) : IMulticast
    {
        public Task SendAsync(MulticastRequest request, CancellationToken cancellationToken) =>
            daemon.WriteAsync(call.RequestStream, request, cancellationToken);

        public Task CompleteAsync() => daemon.CompleteAsync(call.RequestStream);

        public IAsyncEnumerable<MulticastResponse> ReceiptsAsync(CancellationToken cancellationToken) =>
            daemon.ReadAsync(call.ResponseStream, cancellationToken);

        public ValueTask DisposeAsync()
        {
            call.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
