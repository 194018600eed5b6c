using System.Threading.Channels;
using Grpc.Core;
using Membership.V1;

namespace Membership.Client;

/// <summary>One stream to one life of the daemon: writes what is ready, hands out what comes. Fails once, for all groups.</summary>
internal sealed class GroupConnection(
    GroupSession session, GroupService.GroupServiceClient service, MembershipClientOptions options, Outbox outbox, ReadWindow window) : IAsyncDisposable
{
    private static readonly WriteOptions MoreFollows = new(WriteFlags.BufferHint);

    private readonly AsyncDuplexStreamingCall<GroupRequest, GroupResponse> _call = service.Session(cancellationToken: CancellationToken.None);
    private readonly Channel<GroupRequest> _control = Channel.CreateUnbounded<GroupRequest>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Channel<bool> _wakes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private Task _writing = Task.CompletedTask;
    private Member _self;
    private int _number;
    private string _ringId = "";

    /// <summary>The daemon has opened the session: groups may be joined and left on it. Guarded by the session's lock.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Of the last event handed out. The daemon's stream is one for all groups.</summary>
    public ulong Position { get; private set; }

    /// <summary>Something may be ready to be written.</summary>
    public void Wake() => _wakes.Writer.TryWrite(true);

    /// <summary>Writes a join or leave, before messages that are ready. At most two for each group are under way.</summary>
    public void Control(GroupRequest request)
    {
        _control.Writer.TryWrite(request);
        Wake();
    }

    /// <summary>Nothing more will be written; the daemon then ends the stream.</summary>
    public void Complete() => _wakes.Writer.TryComplete();

    /// <summary>Opens the session. Nothing else is written before <see cref="Start"/>.</summary>
    public async Task<SessionOpened> OpenAsync(CancellationToken cancellationToken)
    {
        uint windowBytes = window.Open();
        _number = window.Connection;
        try
        {
            var open = new OpenSession { Name = options.ProgramName, WindowBytes = windowBytes };
            await _call.RequestStream.WriteAsync(new GroupRequest { Open = open }, CancellationToken.None)
                .WaitAsync(options.CallTimeout, options.TimeProvider, cancellationToken).ConfigureAwait(false);
            bool isThere = await _call.ResponseStream.MoveNext(CancellationToken.None)
                .WaitAsync(options.CallTimeout, options.TimeProvider, cancellationToken).ConfigureAwait(false);
            if (!isThere) throw Ended();
        }
        catch (TimeoutException slow)
        {
            throw new MembershipException(
                MembershipReason.TimedOut, $"Groups: the daemon did not open a session within {options.CallTimeout.TotalMilliseconds} ms.", slow);
        }
        catch (OperationCanceledException)
        {
            throw new MembershipException(MembershipReason.Unavailable, "Groups: the client is being closed.");
        }

        var first = _call.ResponseStream.Current;
        if (first.Events is not [{ EventCase: GroupEvent.EventOneofCase.Opened } opening, ..])
            throw new MembershipException(MembershipReason.Internal, "Groups: the daemon's first word was not that the session is open.");
        _self = Member.From(opening.Opened.Self);
        foreach (var later in first.Events.Skip(1)) Hand(later);
        return opening.Opened;
    }

    /// <summary>Begins to write. The joins must be asked for before, so that no message overtakes them. Called under the session's lock.</summary>
    public void Start()
    {
        IsOpen = true;
        _writing = Task.Run(WriteAsync);
        Wake();
    }

    /// <summary>Hands out what comes until the stream ends; returns or throws why it did.</summary>
    public async Task<MembershipException> ReadAsync(CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(static call => ((IDisposable)call!).Dispose(), _call).ConfigureAwait(false);
        while (await _call.ResponseStream.MoveNext(CancellationToken.None).ConfigureAwait(false))
        {
            foreach (var groupEvent in _call.ResponseStream.Current.Events)
            {
                if (Hand(groupEvent) is { } end) return end;
            }
        }
        return Ended();
    }

    public async ValueTask DisposeAsync()
    {
        _wakes.Writer.TryComplete();
        _call.Dispose();
        await _writing.ConfigureAwait(false);
    }

    private static MembershipException Ended() => new(MembershipReason.Unavailable, "Groups: the daemon ended the session.");

    private async Task WriteAsync()
    {
        try
        {
            do
            {
                for (var request = Next(); request is not null;)
                {
                    var next = Next();
                    _call.RequestStream.WriteOptions = next is null ? WriteOptions.Default : MoreFollows;
                    await _call.RequestStream.WriteAsync(request).ConfigureAwait(false);
                    request = next;
                }
            }
            while (await WaitForWakeAsync().ConfigureAwait(false));
            await _call.RequestStream.CompleteAsync().ConfigureAwait(false);
        }
        catch (RpcException)
        {
            // The reader gets the status of the call and tells everybody.
        }
    }

    private async ValueTask<bool> WaitForWakeAsync()
    {
        if (!await _wakes.Reader.WaitToReadAsync().ConfigureAwait(false)) return false;
        _wakes.Reader.TryRead(out _);
        return true;
    }

    private GroupRequest? Next()
    {
        ulong credit = window.TakeCredit();
        if (credit > 0) return new GroupRequest { Credit = new Credit { Bytes = credit } };
        if (_control.Reader.TryRead(out var control)) return control;
        return outbox.NextRequest() is { } send ? new GroupRequest { Send = send } : null;
    }

    /// <summary>Gives an event to whom it concerns. Not null: it is the last, and why.</summary>
    private MembershipException? Hand(GroupEvent groupEvent)
    {
        switch (groupEvent.EventCase)
        {
            case GroupEvent.EventOneofCase.Membership:
                Give(groupEvent.Membership.Handle, groupEvent, GroupEvents.Changed(groupEvent, _self));
                return null;
            case GroupEvent.EventOneofCase.Message:
                ClientTelemetry.Delivered(groupEvent.Message.Level);
                Give(groupEvent.Message.Handle, groupEvent, Delivered(groupEvent));
                return null;
            case GroupEvent.EventOneofCase.Receipts:
                if (!groupEvent.Receipts.Receipts.All(outbox.Confirm))
                    return new MembershipException(MembershipReason.Internal, "Groups: the daemon gave a receipt for a message that was not sent.");
                Wake();   // there may be room for more
                return null;
            case GroupEvent.EventOneofCase.Refused:
                return OnRefused(groupEvent.Refused);
            case GroupEvent.EventOneofCase.Cut:
                return new MembershipException(MembershipReason.CutOff, $"Groups: the daemon cut this client off: {groupEvent.Cut.Reason}");
            default:
                return null;   // of a newer daemon
        }
    }

    private void Give(uint handle, GroupEvent groupEvent, GroupUpdate update)
    {
        Position = groupEvent.Position;
        long cost = EventCost.Of(groupEvent);
        window.OnReceived(cost);
        session.Give(handle, update, cost, _number);
    }

    // A daemon that is going away takes no joins; another life of it will.
    private MembershipException? OnRefused(GroupRefused refused)
    {
        var reason = ServerWords.ReasonOf(refused.Reason) ?? MembershipReason.NotPossibleNow;
        if (reason is MembershipReason.Unavailable) return new MembershipException(reason, $"Groups: {refused.Message}") { Word = refused.Reason };
        session.Refuse(refused.Handle, reason, refused);
        return null;
    }

    private GroupUpdate.Message Delivered(GroupEvent groupEvent)
    {
        if (groupEvent.Message.RingId.Length > 0) _ringId = groupEvent.Message.RingId;
        return GroupEvents.Delivered(groupEvent, _ringId);
    }
}

/// <summary>What an event takes of the window a client has opened: both ends count alike.</summary>
internal static class EventCost
{
    /// <summary>Bytes of the event as it travels.</summary>
    public static long Of(GroupEvent groupEvent) => groupEvent.CalculateSize();
}
