namespace Membership.Client;

/// <summary>Counts the bytes of events that came and were not read yet, and what of it the daemon may be given credit for. Holds no connection.</summary>
/// <remarks>
/// Safe for several threads. Events of a lost connection still take room until they are read, but earn no credit: a new connection
/// opens with the room that is left.
/// </remarks>
internal sealed class ReadWindow(long bytes)
{
    /// <summary>A new connection is not opened while more than this part of the window is unread.</summary>
    private const double UnreadMaxToOpen = 0.75;

    /// <summary>Credit below this part of the window waits until all is read or more is consumed.</summary>
    private const int CreditParts = 16;

    private readonly Lock _gate = new();
    private TaskCompletionSource? _roomy;
    private int _connection;
    private long _unread;
    private long _due;

    /// <summary>Bytes that came and were not read yet, of all connections.</summary>
    public long Unread
    {
        get
        {
            lock (_gate) return _unread;
        }
    }

    /// <summary>Which connection events come from now.</summary>
    public int Connection
    {
        get
        {
            lock (_gate) return _connection;
        }
    }

    /// <summary>Begins a connection; returns the window it is to ask for, bytes.</summary>
    public uint Open()
    {
        lock (_gate)
        {
            _connection++;
            _due = 0;
            return (uint)(bytes - Math.Min(_unread, (long)(bytes * UnreadMaxToOpen)));
        }
    }

    /// <summary>Completes when enough was read for a new connection.</summary>
    public Task WaitForRoomAsync()
    {
        lock (_gate)
        {
            if (HasRoomToOpen) return Task.CompletedTask;
            _roomy ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _roomy.Task;
        }
    }

    /// <summary>An event came and waits to be read.</summary>
    public void OnReceived(long cost)
    {
        lock (_gate) _unread += cost;
        ClientTelemetry.Queued(cost);
    }

    /// <summary>An event that came on this connection was read. True: there is enough credit now to tell the daemon.</summary>
    public bool OnRead(long cost, int connection)
    {
        ClientTelemetry.Queued(-cost);
        lock (_gate)
        {
            _unread -= cost;
            if (_roomy is not null && HasRoomToOpen)
            {
                _roomy.TrySetResult();
                _roomy = null;
            }
            if (connection != _connection) return false;
            _due += cost;
            return _due >= bytes / CreditParts || _unread == 0;
        }
    }

    /// <summary>The credit the daemon is to be given now; 0: none.</summary>
    public ulong TakeCredit()
    {
        lock (_gate)
        {
            if (_due < bytes / CreditParts && _unread > 0) return 0;
            long due = _due;
            _due = 0;
            return (ulong)due;
        }
    }

    private bool HasRoomToOpen => _unread <= bytes * UnreadMaxToOpen;
}
