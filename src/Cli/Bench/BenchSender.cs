using Google.Protobuf;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.V1;

namespace Membership.Cli.Bench;

/// <summary>Sends stamped messages through one daemon, with a bound on those whose delivery its own subscription has not shown yet.</summary>
/// <remarks>A receipt alone would let the sender outrun its own reader, which the daemon then cuts off; waiting for the own delivery keeps both in step.</remarks>
internal sealed class BenchSender : IAsyncDisposable
{
    private readonly CommandContext _context;
    private readonly BenchOptions _options;
    private readonly uint _run;
    private readonly ushort _index;
    private readonly IMulticast _stream;
    private readonly SendWindow _window;
    private readonly CancellationTokenSource _abort;
    private readonly Task _receipts;
    private long _answered;

    /// <summary>Opens the stream for sending.</summary>
    public BenchSender(CommandContext context, BenchOptions options, IDaemon daemon, uint run, ushort index, CancellationToken cancellationToken)
    {
        _context = context;
        _options = options;
        _run = run;
        _index = index;
        _window = new SendWindow(options);
        _abort = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _stream = daemon.Multicast(_abort.Token);
        _receipts = ReadReceiptsAsync(_abort.Token);
    }

    /// <summary>Messages sent so far.</summary>
    public uint Sent => _window.Sent;

    /// <summary>Messages that the daemon said would never be delivered.</summary>
    public long Failed { get; private set; }

    /// <summary>The first reason among them.</summary>
    public string FirstFailure { get; private set; } = "";

    /// <summary>Sends until <paramref name="stop"/> fires.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        _window.Begin();
        try
        {
            while (!stop.IsCancellationRequested)
                await SendAsync(await _window.NextAsync(stop), isAfterIdle: false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // the measured time is over
        }
    }

    /// <summary>See <see cref="SendWindow.Settle"/>.</summary>
    public void Settle(uint upTo) => _window.Settle(upTo);

    /// <summary>Sends one message now and waits for its delivery.</summary>
    public async Task SendOneAsync(CancellationToken cancellationToken)
    {
        await _window.OneAsync(cancellationToken);
        await SendAsync(1, isAfterIdle: true);
        await _context.WithinTimeoutAsync("waiting for the delivery of a message", async token =>
        {
            await _window.AllSettledAsync(token);
            return true;
        }, cancellationToken);
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
        _window.Dispose();
        _abort.Dispose();
    }

    private async Task SendAsync(int count, bool isAfterIdle)
    {
        var request = new MulticastRequest { Level = _options.Level };
        var first = _window.Sent;
        for (var index = 0; index < count; index++)
        {
            var payload = new byte[_options.Size];
            var sentNs = isAfterIdle ? BenchStamp.NowNs() : _window.StampNs((uint)index);
            new BenchStamp(_run, _index, first + (uint)index, isAfterIdle, sentNs).Write(payload);
            request.Payloads.Add(UnsafeByteOperations.UnsafeWrap(payload)); // made for this message alone
        }
        _window.Take(count);
        await _stream.SendAsync(request, _abort.Token);
    }

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
