using System.Collections.Concurrent;
using Membership.Quorum;

namespace Membership.Daemon.State;

/// <summary>Does the writing that must not hold up the ring thread, in order, on a thread of its own.</summary>
internal sealed class PersistenceThread : IDisposable
{
    /// <summary>Requests waiting at most. The ring has one reservation under way at a time, and of quorum's records one waits, so a full queue is a broken ring.</summary>
    private const int Capacity = 8;

    private readonly BlockingCollection<(ulong? UpTo, IReservationSink Sink)> _requests = new(Capacity);
    private readonly Action<ulong> _writeReservation;
    private readonly Action<QuorumRecord> _writeRecord;
    private readonly Action _failed;
    private readonly Thread _thread;
    private QuorumRecord? _newestRecord;

    /// <param name="writeReservation">Writes a reservation durably.</param>
    /// <param name="writeRecord">Writes quorum's record durably.</param>
    /// <param name="failed">Told of each write that failed, before its requester is.</param>
    public PersistenceThread(Action<ulong> writeReservation, Action<QuorumRecord> writeRecord, Action failed)
    {
        (_writeReservation, _writeRecord, _failed) = (writeReservation, writeRecord, failed);
        _thread = new Thread(Run) { Name = "persistence", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Queues a reservation without waiting.</summary>
    /// <exception cref="InvalidOperationException">The queue is full or closed.</exception>
    public void Request(ulong upTo, IReservationSink sink)
    {
        if (!_requests.TryAdd((upTo, sink))) throw new InvalidOperationException($"more than {Capacity} reservations are under way");
    }

    /// <summary>Queues quorum's record without waiting; it takes the place of one that still waits.</summary>
    /// <exception cref="InvalidOperationException">The queue is full or closed.</exception>
    public void Persist(QuorumRecord record, IReservationSink sink)
    {
        if (Interlocked.Exchange(ref _newestRecord, record) is not null) return;
        if (!_requests.TryAdd((null, sink))) throw new InvalidOperationException($"more than {Capacity} writes are under way");
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
                if (upTo is { } reserved)
                {
                    _writeReservation(reserved);
                    sink.Reserved(reserved);
                }
                else if (Interlocked.Exchange(ref _newestRecord, null) is { } record)
                {
                    _writeRecord(record);
                    sink.QuorumPersisted(record);
                }
            }
            catch (StateException failure)
            {
                _failed();
                sink.ReservationFailed(failure.Message);
            }
        }
    }
}
