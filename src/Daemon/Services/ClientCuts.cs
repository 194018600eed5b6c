using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Services;

/// <summary>The clients that were cut off because they did not read: when the last one was, and a line in the log for each. One for all services; any thread.</summary>
/// <remarks>Clients that come back only to be cut off again cannot fill the log: see <see cref="LineFolding"/>.</remarks>
internal sealed class ClientCuts(ILogger logger, TimeProvider time)
{
    /// <summary>More groups of one client are counted, not named.</summary>
    public const int GroupsNamedMax = 8;

    /// <summary>Why a reader is cut off that the writer of its log has overtaken.</summary>
    public const string Overtaken = "the reader was too slow: what it should read next is overwritten.";

    /// <summary>Why a client is cut off that takes nothing.</summary>
    /// <param name="what">What it did: <c>did not read</c>.</param>
    /// <param name="time">For so long.</param>
    public static string Stalled(string what, TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"the client {what} for {time.TotalSeconds} s while events waited for it.");

    private static readonly TimeSpan FlushPace = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly LineFolding _folding = new(time);
    private long? _last;

    /// <summary>Since the last one; null: there was none.</summary>
    public TimeSpan? Since
    {
        get
        {
            lock (_gate) return _last is { } last ? time.GetElapsedTime(last) : null;
        }
    }

    /// <summary>A client is cut off now.</summary>
    /// <param name="open">Its stream.</param>
    /// <param name="who">The client.</param>
    /// <param name="what">What it loses: <c>its watch of group g</c>.</param>
    /// <param name="why">One sentence.</param>
    /// <param name="then">What the client has to do to go on: another one, without its full stop.</param>
    public void Add(StreamGate.OpenStream open, string who, string what, string why, string then)
    {
        open.CutOff();
        lock (_gate)
        {
            _last = time.GetTimestamp();
            if (_folding.Admit($"{who} from {what}")) Log.ClientCut(logger, who, what, why, then);
        }
    }

    /// <summary>Groups as the log names them: sorted, the first of them.</summary>
    public static string Name(IReadOnlyCollection<string> groups)
    {
        if (groups.Count == 0) return "no group";
        var named = string.Join(", ", groups.Order(StringComparer.Ordinal).Take(GroupsNamedMax).Select(static group => Configuration.Printable.Text(group)));
        return groups.Count <= GroupsNamedMax ? named : $"{named} and {groups.Count - GroupsNamedMax} more";
    }

    /// <summary>Tells what was folded when it is due, and the rest when it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(FlushPace, time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken)) TellFolded(static folding => folding.Due());
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
        TellFolded(static folding => folding.All());
    }

    private void TellFolded(Func<LineFolding, IReadOnlyList<LineFolding.Folded>> take)
    {
        lock (_gate)
        {
            foreach (var line in take(_folding)) Log.ClientCutAgain(logger, line.What, line.Count, line.Seconds);
            var lost = _folding.TakeLost();
            if (lost > 0) Log.ClientCutsLeftOut(logger, lost, LineFolding.LinesPerSecondMax);
        }
    }
}
