using Grpc.Core;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.Cli.Ring;
using Membership.Grpc.Errors;
using Membership.V1;

namespace Membership.Cli.Groups;

/// <summary>Reads the events of a group and writes each as a line.</summary>
/// <param name="context">The command it runs in.</param>
/// <param name="daemon">The daemon to read from.</param>
/// <param name="count">Stop after that many messages; 0 never.</param>
internal sealed class GroupTail(CommandContext context, IDaemon daemon, long count)
{
    // How a daemon ends the call of a watch that it cut off and that did not take the notice.
    private const string CutWord = "WATCH_CUT";

    private readonly LineBuffer _lines = new(context.Host.Output);
    private long _messages;
    private ulong _position;   // of the last event written, or the one begun after
    private string _boot = "";

    /// <summary>Runs until the count is reached, the operator interrupts, or the daemon ends the stream.</summary>
    public async Task<int> RunAsync(WatchGroupRequest request, IReadOnlyDictionary<uint, string> names, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var stream = daemon.Groups.WatchAsync(request, stop.Token).GetAsyncEnumerator(stop.Token);
        var writer = new GroupEventLines(_lines, context.Json, request.Group, names);
        var isFirst = true; // which every daemon gives at once
        _position = request.AfterPosition;
        Task<bool>? move = null;
        try
        {
            while (true)
            {
                move = stream.MoveNextAsync().AsTask();
                if (!move.IsCompleted)
                    await _lines.FlushAsync(cancellationToken);
                var more = isFirst
                    ? await context.WithinTimeoutAsync("waiting for the watch to begin", _ => move, cancellationToken)
                    : await move;
                if (!more)
                    throw new CliException(ErrorCatalogue.StreamEnded, ("socket", daemon.Socket));
                if (stream.Current.Boot.Length > 0)
                    _boot = stream.Current.Boot;
                else if (isFirst && request.AfterPosition > 0) // it would leave out what came since
                    throw new CliException(ErrorCatalogue.NotOffered, ("detail", "a watch of a group that goes on after a position"));
                isFirst = false;
                if (await WriteAsync(writer, stream.Current, cancellationToken))
                    return ExitCode.Ok;
            }
        }
        catch (CliException ended) when (ended.InnerException is RpcException status && RichError.From(status) is { Reason: CutWord })
        {
            throw CutOff(writer, new Cut { Resume = _position, Reason = status.Status.Detail }); // the notice itself did not come through
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
    private async ValueTask<bool> WriteAsync(GroupEventLines writer, WatchGroupResponse response, CancellationToken cancellationToken)
    {
        var hash = 0;
        foreach (var item in response.Events)
        {
            if (item.Position > 0)
                _position = item.Position;
            switch (item.EventCase)
            {
                case GroupEvent.EventOneofCase.Membership:
                    writer.Membership(item.Membership, item.TNs);
                    break;
                case GroupEvent.EventOneofCase.Message:
                    writer.Message(item.Message, hash < response.Sha256.Count ? response.Sha256[hash++].Span : [], item.TNs);
                    if (++_messages == count)
                        return true;
                    break;
                case GroupEvent.EventOneofCase.Cut:
                    throw CutOff(writer, item.Cut);
                default:
                    throw new CliException(ErrorCatalogue.BadAnswer, ("socket", daemon.Socket), ("detail", $"a group event of the kind {item.EventCase}"));
            }
            if (_lines.IsFull)
                await _lines.FlushAsync(cancellationToken);
        }
        return false;
    }

    private CliException CutOff(GroupEventLines writer, Cut cut)
    {
        writer.Cut(cut, _boot);
        return new CliException(ErrorCatalogue.GroupCutOff, ("detail", cut.Reason), ("resume", cut.Resume), ("boot", _boot.Length > 0 ? $" --boot {_boot}" : ""));
    }
}
