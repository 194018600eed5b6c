using Google.Protobuf;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.V1;

namespace Membership.Cli.Bench;

/// <summary>Sends stamped messages through one daemon, with a bound on those whose delivery its own subscription has not shown yet.</summary>
/// <remarks>
/// A receipt alone would let the sender outrun its own reader, which the daemon then cuts off; waiting for the own delivery keeps both in step.
/// With a rate the stamp is the time at which the message should have left: a daemon that stalls cannot hide its stall by
/// slowing the sender down ("coordinated omission").
/// </remarks>
internal sealed class BenchSender : IAsyncDisposable
{
    /// <summary>Messages of one request.</summary>
    public const int BatchMax = 256;

    private readonly CommandContext _context;
    private readonly BenchOptions _options;
    private readonly uint _run;
    private readonly ushort _index;
    private readonly IMulticast _stream;
    private readonly SemaphoreSlim _room;
    private readonly CancellationTokenSource _abort;
    private readonly Task _receipts;
    private readonly Lock _settling = new();
    private uint _sent;
    private uint _settled;
    private long _answered;

    /// <summary>Opens the stream for sending.</summary>
    public BenchSender(CommandContext context, BenchOptions options, IDaemon daemon, uint run, ushort index, CancellationToken cancellationToken)
    {
        _context = context;
        _options = options;
        _run = run;
        _index = index;
        _room = new SemaphoreSlim(options.Outstanding);
        _abort = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _stream = daemon.Multicast(_abort.Token);
        _receipts = ReadReceiptsAsync(_abort.Token);
    }

    /// <summary>Messages sent so far.</summary>
    public uint Sent => Volatile.Read(ref _sent);

    /// <summary>Messages that the daemon said would never be delivered.</summary>
    public long Failed { get; private set; }

    /// <summary>The first reason among them.</summary>
    public string FirstFailure { get; private set; } = "";

    /// <summary>Sends until <paramref name="stop"/> fires.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var startedNs = BenchStamp.NowNs();
        var first = _sent;
        try
        {
            while (!stop.IsCancellationRequested)
            {
                await _room.WaitAsync(stop);
                var batch = 1;
                if (_options.Rate > 0)
                    batch = await PaceAsync(first, startedNs, stop);
                else
                    while (batch < BatchMax && _room.Wait(0, CancellationToken.None))
                        batch++;
                await SendAsync(batch, number => _options.Rate > 0 ? DueNs(startedNs, number - first) : BenchStamp.NowNs(), isAfterIdle: false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // the measured time is over
        }
    }

    /// <summary>Messages with lower numbers are no longer outstanding: delivered, failed, or lost to a reader that was cut off.</summary>
    public void Settle(uint upTo)
    {
        lock (_settling)   // the reader settles deliveries, the task with the receipts failures
        {
            if (upTo <= _settled)
                return;
            _room.Release((int)(upTo - _settled));
            _settled = upTo;
        }
    }

    /// <summary>Sends one message now and waits for its delivery.</summary>
    public async Task SendOneAsync(CancellationToken cancellationToken)
    {
        await _room.WaitAsync(cancellationToken);
        await SendAsync(1, static _ => BenchStamp.NowNs(), isAfterIdle: true);
        await AnsweredAsync(cancellationToken);
    }

    /// <summary>Ends the stream and waits for the receipts of everything sent.</summary>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        await _stream.CompleteAsync();
        await _context.WithinTimeoutAsync("waiting for the last receipts", async token =>
        {
            await _receipts.WaitAsync(token);
            return true;
        }, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _abort.CancelAsync();
        await _receipts.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // CompleteAsync has thrown what matters
        await _stream.DisposeAsync();
        _room.Dispose();
        _abort.Dispose();
    }

    // Waits until the next message is due, and returns how many are due by then and have room.
    private async Task<int> PaceAsync(uint first, long startedNs, CancellationToken stop)
    {
        var waitNs = DueNs(startedNs, _sent - first) - BenchStamp.NowNs();
        if (waitNs > 0)
            await Task.Delay(TimeSpan.FromMicroseconds(Math.Max(1, waitNs / 1000)), TimeProvider.System, stop);
        var batch = 1;
        while (batch < BatchMax && DueNs(startedNs, _sent - first + (uint)batch) <= BenchStamp.NowNs() && _room.Wait(0, CancellationToken.None))
            batch++;
        return batch;
    }

    private long DueNs(long startedNs, uint number) => startedNs + (long)(number * 1e9 / _options.Rate);

    private async Task SendAsync(int count, Func<uint, long> sentNs, bool isAfterIdle)
    {
        var request = new MulticastRequest { Level = _options.Level };
        for (var index = 0; index < count; index++)
        {
            var payload = new byte[_options.Size];
            var number = _sent + (uint)index;
            new BenchStamp(_run, _index, number, isAfterIdle, sentNs(number)).Write(payload);
            request.Payloads.Add(UnsafeByteOperations.UnsafeWrap(payload)); // made for this message alone
        }
        Volatile.Write(ref _sent, _sent + (uint)count);
        await _stream.SendAsync(request, _abort.Token);
    }

    // Who holds all the room there is knows that nothing is outstanding.
    private async Task AnsweredAsync(CancellationToken cancellationToken) =>
        await _context.WithinTimeoutAsync("waiting for the delivery of a message", async token =>
        {
            for (var held = 0; held < _options.Outstanding; held++)
                await _room.WaitAsync(token);
            _room.Release(_options.Outstanding);
            return true;
        }, cancellationToken);

    private async Task ReadReceiptsAsync(CancellationToken cancellationToken)
    {
        await foreach (var response in _stream.ReceiptsAsync(cancellationToken))
        {
            foreach (var receipt in response.Receipts)
            {
                Volatile.Write(ref _answered, _answered + 1);
                if (receipt.Failure.Length == 0)
                    continue;
                if (Failed++ == 0)
                    FirstFailure = receipt.Failure;
                Settle((uint)_answered);   // receipts come in order; this message will not be delivered
            }
        }
        if (Volatile.Read(ref _answered) < Sent)
            throw new CliException(ErrorCatalogue.StreamEnded, ("socket", _context.Socket));
    }
}
