using Grpc.Core;
using Membership.V1;

namespace Membership.Client;

/// <summary>The one stream of a client that carries all its groups: comes back after a loss and joins them again.</summary>
/// <remarks>The stream is opened with the first group. What it says is handed out by <see cref="GroupConnection"/>; what is lost with it is told here.</remarks>
internal sealed class GroupSession(GroupService.GroupServiceClient service, MembershipClientOptions options, Func<Random> random) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<uint, ProcessGroup> _groups = [];
    private readonly Outbox _outbox = new(options);
    private readonly ReadWindow _window = new(options.GroupWindowBytes);
    private readonly CancellationTokenSource _closing = new(Timeout.InfiniteTimeSpan, options.TimeProvider);
    private Task _running = Task.CompletedTask;
    private GroupConnection? _connection;
    private uint _lastHandle;
    private ulong _messageBytesMax = ulong.MaxValue;
    private bool _isClosed;
    private bool _wasOpen;   // this and the next ones: of the running loop alone
    private string _boot = "";
    private ulong _position;
    private bool _callbackThrew;

    public int OnTheirWay => _outbox.AcceptedCount;

    public long BytesUnread => _window.Unread;

    public async Task<ProcessGroup> JoinAsync(string name, GroupOptions group, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var joining = Register(name, group);
        var patience = options.ConnectFor == Timeout.InfiniteTimeSpan ? options.ConnectFor : options.ConnectFor + options.CallTimeout;
        try
        {
            await joining.Joined.WaitAsync(patience, options.TimeProvider, cancellationToken).ConfigureAwait(false);
            return joining;
        }
        catch (TimeoutException slow)
        {
            await joining.DisposeAsync().ConfigureAwait(false);
            throw new MembershipException(MembershipReason.TimedOut, $"Joining {name}: no answer within {patience.TotalMilliseconds} ms.", slow);
        }
        catch
        {
            await joining.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Takes a message of a group. Throws a definite <see cref="GroupSendException"/> when it cannot be sent.</summary>
    public void Send(ProcessGroup group, PendingSend send)
    {
        lock (_gate)
        {
            if (group.Failure is { } ended) throw new GroupSendException(ended.Reason, false, $"{ended.Message} The message was not sent.", ended);
            ObjectDisposedException.ThrowIf(group.Stage is GroupStage.Leaving or GroupStage.Ended, group);
            if ((ulong)send.Payload.Length > _messageBytesMax)
            {
                throw new GroupSendException(
                    MembershipReason.LimitReached, false, $"Sending to {group.Name}: the message has {send.Payload.Length} bytes, the daemon takes {_messageBytesMax}. It was not sent.");
            }
            _outbox.Add(send);
            _connection?.Wake();
        }
    }

    /// <summary>True: the message was not sent and will not be.</summary>
    public bool Withdraw(PendingSend send)
    {
        bool unsent = _outbox.TryWithdraw(send);
        send.Fail(new GroupSendException(MembershipReason.TimedOut, !unsent, "Sending: nobody waits for the message any more."));
        return unsent;
    }

    public void OnRead(long cost, int connection)
    {
        if (cost == 0 || !_window.OnRead(cost, connection)) return;
        lock (_gate) _connection?.Wake();
    }

    /// <summary>True: the daemon was asked to, and <see cref="ProcessGroup.Left"/> will complete.</summary>
    public bool BeginLeave(ProcessGroup group)
    {
        lock (_gate)
        {
            bool isIn = group.Stage is GroupStage.Joined or GroupStage.Joining && _connection is { IsOpen: true };
            if (!isIn) return false;
            group.Stage = GroupStage.Leaving;
            _connection!.Control(new GroupRequest { Leave = new LeaveGroup { Handle = group.Handle } });
            return true;
        }
    }

    /// <summary>An event of a group, in the order of the stream.</summary>
    public void Give(uint handle, GroupUpdate update, long cost, int connection)
    {
        lock (_gate)
        {
            if (_groups.TryGetValue(handle, out var group)) group.OnUpdate(update, cost, connection);
            else OnRead(cost, connection);   // left meanwhile
        }
    }

    /// <summary>The daemon does not let this client into the group.</summary>
    public void Refuse(uint handle, MembershipReason reason, GroupRefused refused)
    {
        lock (_gate)
        {
            if (_groups.TryGetValue(handle, out var group)) group.End(new MembershipException(reason, $"Group {group.Name}: {refused.Message}") { Word = refused.Reason });
        }
    }

    public void Forget(ProcessGroup group)
    {
        lock (_gate) _groups.Remove(group.Handle);
    }

    /// <summary>Leaves all groups and ends the stream, within twice <see cref="MembershipClientOptions.CallTimeout"/> or so.</summary>
    public async ValueTask DisposeAsync()
    {
        ProcessGroup[] groups;
        lock (_gate)
        {
            if (_isClosed) return;
            _isClosed = true;
            groups = [.. _groups.Values];
        }
        await Task.WhenAll(groups.Select(group => group.DisposeAsync().AsTask())).ConfigureAwait(false);
        bool isOpen;
        lock (_gate)
        {
            isOpen = _connection is { IsOpen: true };
            _connection?.Complete();
        }
        if (isOpen) _closing.CancelAfter(options.CallTimeout);
        else await _closing.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _closing.Dispose();
    }

    private ProcessGroup Register(string name, GroupOptions group)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, typeof(MembershipClient));
            if (_groups.Values.Any(other => other.Name == name && other.Stage is not GroupStage.Ended))
                throw new MembershipException(MembershipReason.NotPossibleNow, $"Joining {name}: this client is in that group already, or its leaving is not complete.");
            var joining = new ProcessGroup(this, ++_lastHandle, name, group, options);
            _groups.Add(joining.Handle, joining);
            if (_running.IsCompleted) _running = RunAsync();
            else if (_connection is { IsOpen: true } open) open.Control(new GroupRequest { Join = joining.JoinRequest() });
            return joining;
        }
    }

    /// <summary>One connection after the other, until no group needs one or it is of no use.</summary>
    private async Task RunAsync()
    {
        await Task.Yield();   // the caller holds the lock
        _callbackThrew = false;
        var reconnect = new Reconnect(options, random());
        long started = options.TimeProvider.GetTimestamp();
        while (true)
        {
            var failure = await ServeConnectionAsync(reconnect).ConfigureAwait(false);
            if (_wasOpen) ClientTelemetry.Lost(failure.Reason);
            var retry = failure.Reason is MembershipReason.CutOff ? MembershipReason.Unavailable : failure.Reason;
            var pause = _closing.IsCancellationRequested || _callbackThrew ? null : reconnect.OnFailed(options.TimeProvider.GetElapsedTime(started), retry);
            if (!Interrupt(failure, isFinal: pause is null) || pause is not { } wait) return;
            if (Tell(new ConnectionState(false, failure, wait)) is { } untold)
            {
                Interrupt(untold, isFinal: true);
                return;
            }
            try
            {
                await Task.Delay(wait, options.TimeProvider, _closing.Token).ConfigureAwait(false);
                await _window.WaitForRoomAsync().WaitAsync(_closing.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                Interrupt(failure, isFinal: true);
                return;
            }
        }
    }

    /// <summary>Returns why the connection ended.</summary>
    private async Task<MembershipException> ServeConnectionAsync(Reconnect reconnect)
    {
        _wasOpen = false;
        var connection = new GroupConnection(this, service, options, _outbox, _window);
        try
        {
            lock (_gate) _connection = connection;
            var opened = await connection.OpenAsync(_closing.Token).ConfigureAwait(false);
            _boot = opened.Boot;
            reconnect.OnConnected();
            if (Tell(new ConnectionState(true, null, TimeSpan.Zero)) is { } untold) return untold;
            lock (_gate)
            {
                _messageBytesMax = opened.MessageBytesMax == 0 ? ulong.MaxValue : opened.MessageBytesMax;
                _outbox.OnOpened(opened.SendWindow);
                foreach (var group in _groups.Values.Where(group => group.Stage is GroupStage.Joining or GroupStage.Interrupted))
                    connection.Control(new GroupRequest { Join = group.JoinRequest() });
                connection.Start();
            }
            _wasOpen = true;
            ClientTelemetry.Opened();
            return await connection.ReadAsync(_closing.Token).ConfigureAwait(false);
        }
        catch (RpcException broken)
        {
            return MembershipException.From(broken, "Groups");
        }
        catch (MembershipException failure)
        {
            return failure;
        }
        catch (Exception broken)
        {
            // Whatever it was, groups that nobody serves must not look alive.
            return new MembershipException(MembershipReason.Internal, $"Groups: {broken.Message}", broken);
        }
        finally
        {
            lock (_gate) _connection = null;
            _position = connection.Position;
            await connection.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Tells the program. Not null: its callback threw; a program that cannot be told must not believe in its groups, so this loop ends them.</summary>
    private MembershipException? Tell(ConnectionState state)
    {
        try
        {
            options.ConnectionChanged?.Invoke(state);
            return null;
        }
        catch (Exception thrown)
        {
            _callbackThrew = true;
            return new MembershipException(MembershipReason.Internal, $"Groups: {nameof(MembershipClientOptions.ConnectionChanged)} threw: {thrown.Message}", thrown);
        }
    }

    /// <summary>Tells everybody that the connection is lost. False: nobody needs another one.</summary>
    private bool Interrupt(MembershipException cause, bool isFinal)
    {
        lock (_gate)
        {
            foreach (var group in _groups.Values)
            {
                if (isFinal) group.End(cause);
                else group.OnInterrupted(new GroupUpdate.Interrupted(cause) { StreamPosition = _position, Boot = _boot });
            }
            _outbox.FailAll(cause);
            bool isNeeded = !isFinal && !_isClosed && _groups.Values.Any(static group => group.Stage is not GroupStage.Ended);
            if (!isNeeded) _running = Task.CompletedTask;   // the next group begins anew
            return isNeeded;
        }
    }
}
