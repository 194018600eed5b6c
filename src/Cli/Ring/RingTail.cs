using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.V1;

namespace Membership.Cli.Ring;

/// <summary>Reads the raw ring and writes each event as a line.</summary>
/// <param name="context">The command it runs in.</param>
/// <param name="daemon">The daemon to read from.</param>
/// <param name="count">Stop after that many messages; 0 never.</param>
internal sealed class RingTail(CommandContext context, IDaemon daemon, long count)
{
    private readonly LineBuffer _lines = new(context.Host.Output);
    private long _messages;

    /// <summary>Runs until the count is reached, the operator interrupts, or the daemon ends the stream.</summary>
    public async Task<int> RunAsync(SubscribeRequest request, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var stream = daemon.SubscribeAsync(request, stop.Token).GetAsyncEnumerator(stop.Token);
        var writer = new RingEventLines(_lines, context.Json);
        var first = request.AfterPosition == 0; // the current view, which every daemon gives at once
        Task<bool>? move = null;
        try
        {
            while (true)
            {
                move = stream.MoveNextAsync().AsTask();
                if (!move.IsCompleted)
                    await _lines.FlushAsync(cancellationToken);
                var more = first
                    ? await context.WithinTimeoutAsync("waiting for the current view", _ => move, cancellationToken)
                    : await move;
                first = false;
                if (!more)
                    throw new CliException(ErrorCatalogue.StreamEnded, ("socket", daemon.Socket));
                if (await WriteAsync(writer, stream.Current, cancellationToken))
                    return ExitCode.Ok;
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return ExitCode.Ok; // the operator ended it
        }
        finally
        {
            await _lines.FlushAsync(CancellationToken.None);
            await stop.CancelAsync();
            if (move is not null) // an enumerator may only be disposed of between two moves; why this one ended is known already
                await ((Task)move).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // True when the count is reached.
    private async ValueTask<bool> WriteAsync(RingEventLines writer, SubscribeResponse response, CancellationToken cancellationToken)
    {
        foreach (var item in response.Events)
        {
            switch (item.EventCase)
            {
                case RingEvent.EventOneofCase.View:
                    writer.View(item.View);
                    break;
                case RingEvent.EventOneofCase.Message:
                    writer.Message(item.Message, item.TNs);
                    if (++_messages == count)
                        return true;
                    break;
                case RingEvent.EventOneofCase.Cut:
                    writer.Cut(item.Cut);
                    throw new CliException(ErrorCatalogue.CutOff, ("detail", item.Cut.Reason), ("resume", item.Cut.Resume));
                default:
                    throw new CliException(ErrorCatalogue.BadAnswer, ("socket", daemon.Socket), ("detail", "an event of an unknown kind"));
            }
            if (_lines.IsFull)
                await _lines.FlushAsync(cancellationToken);
        }
        return false;
    }
}
