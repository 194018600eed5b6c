using System.Globalization;
using Grpc.Core;
using Membership.Grpc.Errors;

namespace Membership.Daemon.Services;

/// <summary>Counts open streams of one kind, refuses those beyond a limit, and can be waited for to empty.</summary>
internal sealed class StreamGate(int max, string what)
{
    private readonly TaskCompletionSource _emptied = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _count;
    private long _gone;
    private long _cut;
    private string? _closed;

    /// <summary>Streams open now.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Streams that have ended since the start and were not cut off.</summary>
    public long Gone => Volatile.Read(ref _gone);

    /// <summary>Streams that have ended since the start because they were cut off.</summary>
    public long Cut => Volatile.Read(ref _cut);

    /// <summary>Counts one more until the result is disposed; then it is one that is gone or one that was cut off.</summary>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED: the limit is reached. UNAVAILABLE: the gate is closed.</exception>
    public OpenStream Enter()
    {
        var count = Interlocked.Increment(ref _count);
        var closed = Volatile.Read(ref _closed);
        if (count <= max && closed is null) return new OpenStream(this);
        Leave();
        if (closed is not null) throw ApiErrors.Leaving(closed);
        var limit = max.ToString(CultureInfo.InvariantCulture);
        throw RichError.Of(StatusCode.ResourceExhausted, "STREAMS_LIMIT", $"{what} {limit} streams already, the limit. Close one of them.", ("limit", limit)).ToException();
    }

    /// <summary>Refuses new streams from now on; the task ends with the last open one.</summary>
    /// <param name="why">What those who still come are told.</param>
    public Task CloseAsync(string why)
    {
        Interlocked.Exchange(ref _closed, why);   // before the count is looked at, while an entering stream counts before it looks here: one side sees the other
        if (Count == 0) _emptied.TrySetResult();
        return _emptied.Task;
    }

    private void Leave()
    {
        // Looked at once more after it is known to be closed: who entered between the two was let in.
        if (Interlocked.Decrement(ref _count) == 0 && Volatile.Read(ref _closed) is not null && Count == 0) _emptied.TrySetResult();
    }

    /// <summary>One stream that was let in.</summary>
    public sealed class OpenStream(StreamGate gate) : IDisposable
    {
        private int _left;
        private bool _isCut;

        /// <summary>Its client did not read and is cut off: it counts as that once it has ended. By whoever disposes it.</summary>
        public void CutOff() => _isCut = true;

        /// <summary>It has ended.</summary>
        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) != 0) return;
            Interlocked.Increment(ref (_isCut ? ref gate._cut : ref gate._gone));
            gate.Leave();
        }
    }
}
