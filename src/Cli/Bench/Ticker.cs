namespace Membership.Cli.Bench;

/// <summary>Wakes a paced sender once a millisecond, by a thread of its own.</summary>
/// <remarks>The runtime's timers look at a clock that moves every 4 ms on most kernels: that would be measured as latency.</remarks>
internal sealed class Ticker : IDisposable
{
    private const int TickMs = 1;

    private readonly SemaphoreSlim _tick = new(0);
    private readonly Thread _thread;
    private volatile bool _hasEnded;

    public Ticker()
    {
        _thread = new Thread(Run) { Name = "bench ticker", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Waits for the next tick, or takes one that nobody waited for.</summary>
    public Task NextAsync(CancellationToken cancellationToken) => _tick.WaitAsync(cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        _hasEnded = true;
        _thread.Join();
        _tick.Dispose();
    }

    private void Run()
    {
        while (!_hasEnded)
        {
            Thread.Sleep(TickMs);
            if (_tick.CurrentCount == 0) _tick.Release();
        }
    }
}
