using System.Globalization;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Status;

/// <summary>What happens to a cluster, as lines in the order seen here: views, and verdicts of quorum where the daemon offers them.</summary>
internal sealed class StatusEvents : IAsyncDisposable
{
    private readonly CommandContext _context;
    private readonly string _socket;
    private readonly WatchStream<View> _views;
    private readonly WatchStream<Quorum> _verdicts;
    private Task<View?> _view;
    private Task<Quorum?>? _verdict;

    /// <summary>Begins both watches.</summary>
    public StatusEvents(CommandContext context, IDaemon daemon, CancellationToken cancellationToken)
    {
        _context = context;
        _socket = daemon.Socket;
        _views = new WatchStream<View>(context, null, token => daemon.WatchViewsAsync(0, token), cancellationToken);
        _verdicts = new WatchStream<Quorum>(context, null, token => daemon.Quorum.WatchAsync(0, token), cancellationToken);
        _view = _views.NextAsync();
        _verdict = _verdicts.NextAsync();
    }

    /// <summary>The next line.</summary>
    public async Task<string> NextAsync()
    {
        while (true)
        {
            if (_verdict is not null && await Task.WhenAny(_view, _verdict) == _verdict)
            {
                if (await VerdictAsync(_verdict) is { } verdict)
                    return verdict;
                continue;
            }
            var view = await _view ?? throw new CliException(ErrorCatalogue.StreamEnded, ("socket", _socket));
            _view = _views.NextAsync();
            return Line(ViewText.Line(view));
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _views.DisposeAsync();
        await _verdicts.DisposeAsync();
    }

    // A daemon without the service, or one that ends it: the views alone tell enough.
    private async Task<string?> VerdictAsync(Task<Quorum?> pending)
    {
        _verdict = null;
        try
        {
            if (await pending is not { } verdict)
                return null;
            _verdict = _verdicts.NextAsync();
            return Line($"quorum {QuorumText.Line(verdict)}");
        }
        catch (CliException unknown) when (unknown.Entry == ErrorCatalogue.NotOffered)
        {
            return null;
        }
    }

    private string Line(string text) =>
        Escape.ForTerminal($"{_context.Host.Time.GetLocalNow().ToString("HH:mm:ss", CultureInfo.InvariantCulture)}  {text}");
}
