namespace Membership.Daemon.Services;

/// <summary>What is remembered of the clients that were cut off because they did not read. One for all services; any thread.</summary>
internal sealed class ClientCuts(TimeProvider time)
{
    private readonly Lock _gate = new();
    private long? _last;

    /// <summary>Since the last one; null: there was none.</summary>
    public TimeSpan? Since
    {
        get
        {
            lock (_gate) return _last is { } last ? time.GetElapsedTime(last) : null;
        }
    }

    /// <summary>The client of this stream is cut off now.</summary>
    public void Add(StreamGate.OpenStream open)
    {
        open.CutOff();
        lock (_gate) _last = time.GetTimestamp();
    }
}
