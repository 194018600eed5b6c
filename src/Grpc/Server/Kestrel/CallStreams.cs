using System.IO.Pipelines;
using Grpc.Core;
using Membership.Grpc.Wire;

namespace Membership.Grpc.Server.Kestrel;

/// <summary>The requests of a call, for its handler.</summary>
internal sealed class RequestReader<T>(HttpServerCall call, FrameReader<T> frames) : IAsyncStreamReader<T>
    where T : class
{
    private T? _current;

    public T Current => _current ?? throw new InvalidOperationException("There is no current message: call MoveNext first.");

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        call.CheckNotEnded();
        if (!cancellationToken.CanBeCanceled || cancellationToken == call.CancellationToken)
        {
            _current = await frames.ReadAsync(call.CancellationToken).ConfigureAwait(false);
        }
        else
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(call.CancellationToken, cancellationToken);
            _current = await frames.ReadAsync(either.Token).ConfigureAwait(false);
        }
        return _current is not null;
    }
}

/// <summary>The replies of a call: flushed when nothing more is ready or each 32 kB. Waiting for the flush is the back-pressure.</summary>
internal sealed class ReplyWriter<T>(HttpServerCall call, FrameWriter<T> frames) : IServerStreamWriter<T>
    where T : class
{
    private int _writing;

    public WriteOptions? WriteOptions
    {
        get => call.WriteOptions;
        set => call.WriteOptions = value;
    }

    public Task WriteAsync(T message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (Interlocked.Exchange(ref _writing, 1) != 0) throw new InvalidOperationException("The write before this one has not completed. Await it first.");
        try
        {
            var output = call.Http.Response.BodyWriter;
            call.CancellationToken.ThrowIfCancellationRequested();
            cancellationToken.ThrowIfCancellationRequested();

            var flags = WriteOptions?.Flags ?? default;
            frames.Write(message, call.ReplyIsGzip && !flags.HasFlag(WriteFlags.NoCompress));
            if (flags.HasFlag(WriteFlags.BufferHint) && frames.Pending < Frame.FlushThresholdBytes) return;

            frames.TakePending();
            var flushed = await FlushAsync(output, cancellationToken).ConfigureAwait(false);
            if (flushed.IsCompleted || flushed.IsCanceled) throw new OperationCanceledException("The client takes no more replies.");
        }
        finally
        {
            Volatile.Write(ref _writing, 0);
        }
    }

    private async ValueTask<FlushResult> FlushAsync(PipeWriter output, CancellationToken cancellationToken)
    {
        if (!cancellationToken.CanBeCanceled || cancellationToken == call.CancellationToken)
        {
            return await output.FlushAsync(call.CancellationToken).ConfigureAwait(false);
        }
        using var either = CancellationTokenSource.CreateLinkedTokenSource(call.CancellationToken, cancellationToken);
        return await output.FlushAsync(either.Token).ConfigureAwait(false);
    }
}
