using System.Collections.Concurrent;

namespace Membership.Daemon.Services.Groups;

/// <summary>The sessions and watches under way; looks after those whose clients do not read. Any thread.</summary>
internal sealed class ClientTable
{
    /// <summary>How often it is looked; with <see cref="GroupSession.StallMax"/> a client is cut off within 5 s.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<IStallable, bool> _streams = new();
    private uint _lastId;

    /// <summary>Bytes not given to clients yet, all together.</summary>
    public long UnreadBytes => _streams.Sum(static pair => pair.Key.UnreadBytes);

    /// <summary>A number no session of this boot has had.</summary>
    public uint NextId() => Interlocked.Increment(ref _lastId);

    /// <summary>Looks after a session or watch until the result is disposed.</summary>
    public IDisposable Add(IStallable stream)
    {
        _streams[stream] = true;
        return new Listed(this, stream);
    }

    /// <summary>Cuts off those whose clients do not read, until cancelled.</summary>
    public async Task WatchStallsAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Pace, time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                foreach (var (stream, _) in _streams) stream.CheckStall();
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private sealed class Listed(ClientTable table, IStallable stream) : IDisposable
    {
        public void Dispose()
        {
            table._streams.TryRemove(stream, out _);
        }
    }
}
