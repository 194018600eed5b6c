using Membership.Cli.Daemons;
using Membership.V1;

namespace Membership.Cli.Status;

/// <summary>Views of a daemon, one at a time; the first, which every daemon has to give at once, within the time limit.</summary>
internal sealed class ViewStream : IAsyncDisposable
{
    private readonly CommandContext _context;
    private readonly CancellationTokenSource _stop;
    private readonly IAsyncEnumerator<View> _views;
    private bool _isFirst = true;
    private Task<View?>? _pending;

    /// <summary>Opens the stream behind a revision; 0 begins with the current view.</summary>
    public ViewStream(CommandContext context, IDaemon daemon, ulong afterRevision, CancellationToken cancellationToken)
    {
        _context = context;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _views = daemon.WatchViewsAsync(afterRevision, _stop.Token).GetAsyncEnumerator(_stop.Token);
    }

    /// <summary>The next view, or null when the daemon ended the stream.</summary>
    public Task<View?> NextAsync()
    {
        var move = MoveAsync();
        _pending = move;
        if (!_isFirst)
            return move;
        _isFirst = false;
        return _context.WithinTimeoutAsync("waiting for the current view", _ => move, _stop.Token);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_pending is not null) // an enumerator may only be disposed of between two moves; why this one ended is known already
            await ((Task)_pending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _views.DisposeAsync();
        _stop.Dispose();
    }

    private async Task<View?> MoveAsync() => await _views.MoveNextAsync() ? _views.Current : null;
}
