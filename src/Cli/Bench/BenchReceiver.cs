using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.V1;

namespace Membership.Cli.Bench;

/// <summary>When a benchmark measures, on the machine's monotonic clock.</summary>
internal sealed class MeasuredWindow
{
    private long _fromNs = long.MaxValue;
    private long _untilNs = long.MaxValue;

    /// <summary>Measures from now on.</summary>
    public void Open() => Volatile.Write(ref _fromNs, BenchStamp.NowNs());

    /// <summary>Measures no more.</summary>
    public void Close() => Volatile.Write(ref _untilNs, BenchStamp.NowNs());

    /// <summary>True when that moment is measured.</summary>
    public bool Contains(long ns) => ns >= Volatile.Read(ref _fromNs) && ns < Volatile.Read(ref _untilNs);

    /// <summary>Its length, seconds.</summary>
    public double Seconds => (Volatile.Read(ref _untilNs) - Volatile.Read(ref _fromNs)) / 1e9;
}

/// <summary>Listens to the ring of one daemon.</summary>
/// <param name="daemon">The daemon listened to.</param>
/// <param name="run">The run of this process; its messages are waited for at the end.</param>
/// <param name="index">Which sender of this process sends through the same daemon.</param>
/// <param name="window">When to measure.</param>
internal sealed class BenchReceiver(IDaemon daemon, uint run, ushort index, MeasuredWindow window)
{
    private readonly BenchTally _tally = new(daemon.Socket, run, index, window);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private uint _settled;   // of the response at hand: one above the last own message
    private bool _hasView;

    /// <summary>Completes with the first view.</summary>
    public Task Ready => _ready.Task;

    /// <summary>What was read.</summary>
    public BenchTally Tally => _tally;

    /// <summary>Regular views after the first.</summary>
    public int ViewChanges { get; private set; }

    /// <summary>Times the daemon cut this reader off because it was too slow; what it missed is not measured.</summary>
    public int Cuts { get; private set; }

    /// <summary>Sends through the same daemon; null: nobody of this process. Set before it sends.</summary>
    public BenchSender? Sender { get; set; }

    /// <summary>Listens until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await ListenAsync(cancellationToken))
            {
                // What was missed is gone: the order is checked anew from here on, and nobody waits for messages that may be among it.
                Cuts++;
                _tally.Gap();
                Sender?.Settle(Sender.Sent);
            }
            throw new CliException(ErrorCatalogue.StreamEnded, ("socket", daemon.Socket));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // the benchmark is over
        }
        catch (Exception failure)
        {
            _ready.TrySetException(failure);
            throw;
        }
    }

    // True when this reader was cut off.
    private async Task<bool> ListenAsync(CancellationToken cancellationToken)
    {
        _hasView = false;
        await foreach (var response in daemon.SubscribeAsync(new SubscribeRequest(), cancellationToken))
        {
            var nowNs = BenchStamp.NowNs();
            _settled = 0;
            foreach (var item in response.Events)
            {
                if (item.EventCase == RingEvent.EventOneofCase.Cut)
                    return true;
                Take(item, nowNs);
            }
            if (_settled > 0)
                Sender?.Settle(_settled);
        }
        return false;
    }

    private void Take(RingEvent item, long nowNs)
    {
        switch (item.EventCase)
        {
            case RingEvent.EventOneofCase.View:
                if (_hasView && !item.View.Transitional)
                    ViewChanges++;
                _hasView = true;
                _ready.TrySetResult();
                break;
            case RingEvent.EventOneofCase.Message:
                if (BenchStamp.TryRead(item.Message.Payload.Span, out var stamp))
                    _settled = Math.Max(_settled, _tally.Take(stamp, item.Message.Payload.Length, nowNs));
                break;
        }
    }
}
