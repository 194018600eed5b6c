using System.Globalization;
using Grpc.Core;

namespace Membership.Daemon.Services;

/// <summary>Counts open streams of one kind and refuses those beyond a limit.</summary>
internal sealed class StreamGate(int max, string what)
{
    private int _count;

    /// <summary>Streams open now.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Counts one more until the result is disposed.</summary>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED: the limit is reached.</exception>
    public IDisposable Enter()
    {
        if (Interlocked.Increment(ref _count) <= max) return new Entered(this);
        Interlocked.Decrement(ref _count);
        throw new RpcException(new Status(StatusCode.ResourceExhausted, string.Create(CultureInfo.InvariantCulture, $"{what} {max} streams already, the limit. Close one of them.")));
    }

    private sealed class Entered(StreamGate gate) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0) Interlocked.Decrement(ref gate._count);
        }
    }
}
