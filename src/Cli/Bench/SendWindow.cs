namespace Membership.Cli.Bench;

/// <summary>When a benchmark's sender may send: a bound on messages whose own delivery was not read yet, and a pace.</summary>
/// <remarks>
/// With a rate the stamp is the time at which a message should have left: a daemon that stalls cannot hide its stall by
/// slowing the sender down ("coordinated omission"). What falls due within a millisecond leaves together: a sender that waited for each message alone would
/// keep a processor busy that the daemons need.
/// </remarks>
internal sealed class SendWindow(BenchOptions options) : IDisposable
{
    /// <summary>Messages of one request.</summary>
    public const int BatchMax = 256;

    /// <summary>Payload bytes of one request, unless a single message is larger.</summary>
    public const int BatchBytesMax = 256 * 1024;

    private readonly Ticker? _ticker = options.Rate > 0 ? new Ticker() : null;
    private readonly SemaphoreSlim _room = new(options.Outstanding);
    private readonly Lock _settling = new();
    private readonly int _batchMax = Math.Clamp(BatchBytesMax / Math.Max(1, options.Size), 1, BatchMax);
    private long _startedNs;
    private uint _first;
    private uint _sent;
    private uint _settled;
    private bool _isCaughtUp;   // the last request took all that was due: the next one waits for a tick

    /// <summary>Messages sent so far: the number of the next one.</summary>
    public uint Sent => Volatile.Read(ref _sent);

    /// <summary>Counts time and messages of the load from now on.</summary>
    public void Begin() => (_startedNs, _first) = (BenchStamp.NowNs(), _sent);

    /// <summary>Waits until a message may leave; returns how many may by then.</summary>
    public async ValueTask<int> NextAsync(CancellationToken stop)
    {
        await _room.WaitAsync(stop);
        var batch = 1;
        if (options.Rate <= 0)
        {
            while (batch < _batchMax && _room.Wait(0, CancellationToken.None)) batch++;
            return batch;
        }
        await UntilDueAsync(stop);
        while (batch < _batchMax && DueNs((uint)batch) <= BenchStamp.NowNs() && _room.Wait(0, CancellationToken.None)) batch++;
        _isCaughtUp = batch < _batchMax;
        return batch;
    }

    /// <summary>Waits for room for one message, whatever the pace.</summary>
    public Task OneAsync(CancellationToken cancellationToken) => _room.WaitAsync(cancellationToken);

    /// <summary>The stamp of the message that is <paramref name="ahead"/> behind the next one.</summary>
    public long StampNs(uint ahead) => options.Rate > 0 ? DueNs(ahead) : BenchStamp.NowNs();

    /// <summary>So many more are about to be sent.</summary>
    public void Take(int count) => Volatile.Write(ref _sent, _sent + (uint)count);

    /// <summary>Messages with lower numbers are no longer outstanding: delivered, failed, or lost to a reader that was cut off.</summary>
    public void Settle(uint upTo)
    {
        lock (_settling)   // the reader settles deliveries, who reads receipts failures
        {
            if (upTo <= _settled) return;
            _room.Release((int)(upTo - _settled));
            _settled = upTo;
        }
    }

    /// <summary>Waits until nothing is outstanding: who holds all the room there is knows.</summary>
    public async Task AllSettledAsync(CancellationToken cancellationToken)
    {
        for (var held = 0; held < options.Outstanding; held++)
            await _room.WaitAsync(cancellationToken);
        _room.Release(options.Outstanding);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ticker?.Dispose();
        _room.Dispose();
    }

    private async ValueTask UntilDueAsync(CancellationToken stop)
    {
        try
        {
            while (_isCaughtUp || DueNs(0) > BenchStamp.NowNs())
            {
                await _ticker!.NextAsync(stop);   // not null: there is a rate
                _isCaughtUp = false;
            }
        }
        catch (OperationCanceledException)
        {
            _room.Release();   // nothing is sent in the room that was taken
            throw;
        }
    }

    private long DueNs(uint ahead) => _startedNs + (long)((_sent - _first + ahead) * 1e9 / options.Rate);
}
