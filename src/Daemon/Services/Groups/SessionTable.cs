using System.Collections.Concurrent;

namespace Membership.Daemon.Services.Groups;

/// <summary>The sessions under way; looks after those whose clients do not read. Any thread.</summary>
internal sealed class SessionTable
{
    /// <summary>How often it is looked; with <see cref="GroupSession.StallMax"/> a client is cut off within 5 s.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<uint, GroupSession> _sessions = new();
    private uint _lastId;

    /// <summary>Bytes not given to clients yet, all sessions together.</summary>
    public long UnreadBytes => _sessions.Sum(static pair => pair.Value.UnreadBytes);

    /// <summary>A number no session of this boot has had.</summary>
    public uint NextId() => Interlocked.Increment(ref _lastId);

    /// <summary>Looks after a session until the result is disposed.</summary>
    public IDisposable Add(GroupSession session)
    {
        _sessions[session.Id] = session;
        return new Listed(this, session);
    }

    /// <summary>Cuts off the sessions whose clients do not read, until cancelled.</summary>
    public async Task WatchStallsAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Pace, time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                foreach (var (_, session) in _sessions) session.CheckStall();
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private sealed class Listed(SessionTable table, GroupSession session) : IDisposable
    {
        public void Dispose()
        {
            table._sessions.TryRemove(session.Id, out _);
        }
    }
}
