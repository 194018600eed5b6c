using Google.Protobuf;
using Grpc.Core;
using Membership.Grpc.Tests.Protos;

namespace Membership.Grpc.Tests;

internal sealed class ProbeService : Probe.ProbeBase
{
    public const string DetailsKey = "grpc-status-details-bin";

    private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when the server has cancelled a call that waited.</summary>
    public Task Cancelled => _cancelled.Task;

    public TaskCompletionSource WaitReached { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ServerCallContext? LastContext { get; private set; }

    public IServerStreamWriter<Reply>? LastWriter { get; private set; }

    public override async Task<Reply> Unary(Order request, ServerCallContext context)
    {
        LastContext = context;
        foreach (var entry in context.RequestHeaders.Where(entry => entry.Key.StartsWith("echo-", StringComparison.Ordinal)))
        {
            context.ResponseTrailers.Add(entry);
        }
        await EndAsync(request, context);
        return new Reply { Text = request.Text, Payload = Payload(request), Count = (ulong)request.Payload.Length };
    }

    public override async Task<Reply> Collect(IAsyncStreamReader<Order> requestStream, ServerCallContext context)
    {
        ulong count = 0;
        await foreach (var order in requestStream.ReadAllAsync(context.CancellationToken))
        {
            count++;
            if (order.Count == count) await EndAsync(order, context);
        }
        return new Reply { Count = count };
    }

    public override async Task Produce(Order request, IServerStreamWriter<Reply> responseStream, ServerCallContext context)
    {
        LastWriter = responseStream;
        for (uint number = 1; number <= request.Count; number++)
        {
            responseStream.WriteOptions = new WriteOptions(number < request.Count ? WriteFlags.BufferHint : default);
            await responseStream.WriteAsync(new Reply { Count = number, Payload = Payload(request) });
        }
        await EndAsync(request, context);
    }

    public override async Task Talk(IAsyncStreamReader<Order> requestStream, IServerStreamWriter<Reply> responseStream, ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            var order = requestStream.Current;
            await responseStream.WriteAsync(new Reply { Text = order.Text, Payload = Payload(order) });
            await EndAsync(order, context);
        }
    }

    private static ByteString Payload(Order order) => ByteString.CopyFrom(new byte[order.ReplyBytes]);

    private async Task EndAsync(Order order, ServerCallContext context)
    {
        if (order.Wait)
        {
            WaitReached.TrySetResult();
            var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var registration = context.CancellationToken.Register(() =>
            {
                _cancelled.TrySetResult();
                cancelled.TrySetResult();
            });
            await cancelled.Task;
            if (!order.IgnoreCancel) context.CancellationToken.ThrowIfCancellationRequested();
        }
        if (order.Text == "throw") throw new InvalidOperationException("a secret of the service");
        if (order.Status == 0) return;

        var trailers = new Metadata();
        if (order.Details.Length > 0) trailers.Add(DetailsKey, order.Details.ToByteArray());
        throw new RpcException(new Status((StatusCode)order.Status, order.Detail), trailers);
    }
}
