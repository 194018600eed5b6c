using System.Runtime.CompilerServices;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.V1;

namespace Membership.Cli.Groups;

/// <summary>A session that has joined one group, as a stream of messages and receipts.</summary>
internal sealed class GroupMulticast : IMulticast
{
    /// <summary>The only group of the session.</summary>
    public const uint Handle = 1;

    private readonly IGroupSession _session;
    private readonly string _socket;
    private readonly CancellationTokenSource _stop;
    private readonly IAsyncEnumerator<GroupResponse> _events;
    private Task? _reading;

    private GroupMulticast(IDaemon daemon, CancellationToken cancellationToken)
    {
        _socket = daemon.Socket;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _session = daemon.Groups.Open(_stop.Token);
        _events = _session.EventsAsync(_stop.Token).GetAsyncEnumerator(_stop.Token);
    }

    /// <summary>Opens a session and joins; both within the time limit.</summary>
    public static async Task<GroupMulticast> OpenAsync(CommandContext context, IDaemon daemon, string group, CancellationToken cancellationToken)
    {
        var multicast = new GroupMulticast(daemon, cancellationToken);
        try
        {
            await context.WithinTimeoutAsync("joining the group", token => multicast.JoinAsync(group, token), cancellationToken);
            return multicast;
        }
        catch
        {
            await multicast.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public Task SendAsync(MulticastRequest request, CancellationToken cancellationToken)
    {
        var send = new SendToGroup { Handle = Handle, Level = request.Level };
        send.Payloads.AddRange(request.Payloads);
        return _session.SendAsync(new GroupRequest { Send = send }, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task CompleteAsync()
    {
        await _session.SendAsync(new GroupRequest { Leave = new LeaveGroup { Handle = Handle } }, _stop.Token);
        await _session.CompleteAsync();
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<MulticastResponse> ReceiptsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await MoveAsync())
        {
            var answer = new MulticastResponse();
            foreach (var item in _events.Current.Events)
            {
                if (item.EventCase == GroupEvent.EventOneofCase.Receipts)
                    answer.Receipts.AddRange(item.Receipts.Receipts);
                else if (item.EventCase == GroupEvent.EventOneofCase.Cut)
                    throw new CliException(ErrorCatalogue.GroupCutOff, ("detail", item.Cut.Reason));
            }
            if (answer.Receipts.Count > 0)
                yield return answer;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_reading is not null) // an enumerator may only be disposed of between two moves; why this one ended is known already
            await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _events.DisposeAsync();
        await _session.DisposeAsync();
        _stop.Dispose();
    }

    // The window is without limit: what others send is read and thrown away as fast as it comes.
    private async Task<bool> JoinAsync(string group, CancellationToken cancellationToken)
    {
        await _session.SendAsync(new GroupRequest { Open = new OpenSession { Name = "mbr group send", WindowBytes = uint.MaxValue } }, cancellationToken);
        await _session.SendAsync(new GroupRequest { Join = new JoinGroup { Handle = Handle, Group = group, WithoutOwn = true } }, cancellationToken);
        while (await MoveAsync())
        {
            foreach (var item in _events.Current.Events)
            {
                if (item.EventCase == GroupEvent.EventOneofCase.Refused)
                    throw new CliException(ErrorCatalogue.GroupRefused, ("group", group), ("detail", $"{item.Refused.Message.TrimEnd('.')} ({item.Refused.Reason})"));
                if (item.EventCase == GroupEvent.EventOneofCase.Membership && item.Membership.Handle == Handle)
                    return true;
            }
        }
        throw new CliException(ErrorCatalogue.StreamEnded, ("socket", _socket));
    }

    private async Task<bool> MoveAsync()
    {
        var move = _events.MoveNextAsync().AsTask();
        _reading = move;
        return await move;
    }
}
