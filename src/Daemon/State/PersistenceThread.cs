using System.Collections.Concurrent;

namespace Membership.Daemon.State;

/// <summary>Does the writing that must not hold up the ring thread, in order, on a thread of its own.</summary>
internal sealed class PersistenceThread : IDisposable
{
    /// <summary>Requests waiting at most. The ring has one under way at a time, so a full queue is a broken ring.</summary>
    private const int Capacity = 8;

    private readonly BlockingCollection<(ulong UpTo, IReservationSink Sink)> _requests = new(Capacity);
    private readonly Action<ulong> _write;
    private readonly Thread _thread;

    public PersistenceThread(Action<ulong> write)
    {
        _write = write;
        _thread = new Thread(Run) { Name = "persistence", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Queues a request without waiting.</summary>
    /// <exception cref="InvalidOperationException">The queue is full or closed.</exception>
    public void Request(ulong upTo, IReservationSink sink)
    {
        if (!_requests.TryAdd((upTo, sink))) throw new InvalidOperationException($"more than {Capacity} reservations are under way");
    }

    /// <summary>Finishes what is queued, then ends.</summary>
    public void Dispose()
    {
        _requests.CompleteAdding();
        _thread.Join();
        _requests.Dispose();
    }

    private void Run()
    {
        foreach (var (upTo, sink) in _requests.GetConsumingEnumerable())
        {
            try
            {
                _write(upTo);
                sink.Reserved(upTo);
            }
            catch (StateException failure)
            {
                sink.ReservationFailed(failure.Message);
            }
        }
    }
}
