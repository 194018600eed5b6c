using Grpc.Core;
using Membership.Grpc.Wire;

namespace Grpc.Net.Client;

/// <summary>Writes the requests of a streaming call, flushed when nothing more is ready or each 32 kB.</summary>
#pragma warning disable CA1001 // CompleteAsync gives the buffers back; a call that is given up leaves them to the collector.
internal sealed class RequestStreamWriter<TRequest, TResponse> : IClientStreamWriter<TRequest>
#pragma warning restore CA1001
    where TRequest : class
    where TResponse : class
{
    private readonly ClientCall<TRequest, TResponse> _call;
    private readonly StreamingRequestContent _content;
    private readonly PooledBuffer _buffer = new();
    private readonly FrameWriter<TRequest> _frames;
    private readonly bool _compress;
    private int _writing;
    private bool _completed;

    public RequestStreamWriter(
        ClientCall<TRequest, TResponse> call, StreamingRequestContent content, Marshaller<TRequest> marshaller, int? maxMessageBytes, bool compress)
    {
        _call = call;
        _content = content;
        _frames = new FrameWriter<TRequest>(marshaller, _buffer, maxMessageBytes);
        _compress = compress;
    }

    public WriteOptions? WriteOptions { get; set; }

    public Task WriteAsync(TRequest message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(TRequest message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (Interlocked.Exchange(ref _writing, 1) != 0) throw new InvalidOperationException("The write before this one has not completed. Await it first.");
        try
        {
            if (_completed) throw new InvalidOperationException("The requests were completed; no further one can be written.");
            if (_call.IsEnded) throw _call.WriteFailure(null);
            cancellationToken.ThrowIfCancellationRequested();

            var flags = WriteOptions?.Flags ?? default;
            _frames.Write(message, _compress && !flags.HasFlag(WriteFlags.NoCompress));
            if (flags.HasFlag(WriteFlags.BufferHint) && _buffer.Length < Frame.FlushThresholdBytes) return;

            // Cancelling a write half-way leaves a torn message, so it cancels the call.
            await using var registration = cancellationToken.UnsafeRegister(static state => ((ClientCall<TRequest, TResponse>)state!).Cancel(), _call)
                .ConfigureAwait(false);
            await FlushAsync().ConfigureAwait(false);
        }
        finally
        {
            Volatile.Write(ref _writing, 0);
        }
    }

    public async Task CompleteAsync()
    {
        if (Interlocked.Exchange(ref _writing, 1) != 0) throw new InvalidOperationException("A write has not completed. Await it first.");
        try
        {
            if (_completed) return;
            _completed = true;
            if (_call.IsEnded) return;
            if (_buffer.Length > 0) await FlushAsync().ConfigureAwait(false);   // with nothing left to send, a server that takes no more is no failure
            _content.Complete();
        }
        finally
        {
            _buffer.Dispose();
            _frames.Dispose();
            Volatile.Write(ref _writing, 0);
        }
    }

    private async Task FlushAsync()
    {
        try
        {
            var stream = await _content.Stream.ConfigureAwait(false);
            await stream.WriteAsync(_buffer.Written, _call.CancellationToken).ConfigureAwait(false);
            await stream.FlushAsync(_call.CancellationToken).ConfigureAwait(false);
            _buffer.Clear();
        }
        catch (Exception failure)
        {
            throw _call.WriteFailure(failure);
        }
    }
}
