namespace Membership.Cli.Status;

/// <summary>Items of a daemon's watch, one at a time; the first, where the daemon has to give it at once, within the time limit.</summary>
internal sealed class WatchStream<T> : IAsyncDisposable where T : class
{
    private readonly CommandContext _context;
    private readonly string? _waitingFor;
    private readonly CancellationTokenSource _stop;
    private readonly IAsyncEnumerator<T> _items;
    private bool _isFirst = true;
    private Task<T?>? _pending;

    /// <summary>Opens the stream.</summary>
    /// <param name="context">The command it runs in.</param>
    /// <param name="waitingFor">What the first item is, for the error when it does not come; null: it may take any time.</param>
    /// <param name="open">Begins to watch.</param>
    /// <param name="cancellationToken">Ends the stream.</param>
    public WatchStream(CommandContext context, string? waitingFor, Func<CancellationToken, IAsyncEnumerable<T>> open, CancellationToken cancellationToken)
    {
        _context = context;
        _waitingFor = waitingFor;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _items = open(_stop.Token).GetAsyncEnumerator(_stop.Token);
    }

    /// <summary>The next item, or null when the daemon ended the stream.</summary>
    public Task<T?> NextAsync()
    {
        var move = MoveAsync();
        _pending = move;
        if (!_isFirst || _waitingFor is null)
            return move;
        _isFirst = false;
        return _context.WithinTimeoutAsync(_waitingFor, _ => move, _stop.Token);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_pending is not null) // an enumerator may only be disposed of between two moves; why this one ended is known already
            await ((Task)_pending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _items.DisposeAsync();
        _stop.Dispose();
    }

    private async Task<T?> MoveAsync() => await _items.MoveNextAsync() ? _items.Current : null;
}
