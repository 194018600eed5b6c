using System.Globalization;
using System.Text;
using Grpc.Core;
using Membership.Cpg;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Grpc.Errors;
using Proto = Membership.V1;

namespace Membership.Daemon.Services.Groups;

/// <summary>What a client asks for, in its order.</summary>
internal sealed partial class GroupSession
{
    /// <summary>Longest name of a program, bytes of UTF-8.</summary>
    public const int ProgramNameBytesMax = 64;

    /// <summary>A client that has not opened its session this long after it called is cut off: until then it occupies a place and says nothing.</summary>
    public static readonly TimeSpan OpenMax = TimeSpan.FromSeconds(5);

    private readonly Dictionary<uint, Subscription> _handles = [];

    /// <summary>Reads requests until the client ends them.</summary>
    /// <exception cref="RpcException">The first request is not the right one or comes too late, or the node leaves.</exception>
    public async Task ReadAllAsync(IAsyncStreamReader<SessionRequest> requests, CancellationToken cancellationToken, CancellationToken leaving)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, leaving);
        try
        {
            if (!await FirstAsync(requests, either.Token)) return;
            await OpenAsync(requests.Current, either.Token);
            while (await requests.MoveNext(either.Token)) await HandleAsync(requests.Current, either.Token);
        }
        catch (Exception ends) when ((ends is OperationCanceledException && leaving.IsCancellationRequested) || ends is RingStoppedException)
        {
            throw ApiErrors.Leaving(ApiErrors.LeavingSentence);   // told after the receipts of everything that was taken
        }
        finally
        {
            _window.Complete();
        }
    }

    private async Task<bool> FirstAsync(IAsyncStreamReader<SessionRequest> requests, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(OpenMax, _services.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return await requests.MoveNext(either.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw RichError.Of(
                StatusCode.DeadlineExceeded,
                "NOT_OPENED_IN_TIME",
                $"the session was not opened within {OpenMax.TotalSeconds} s. Send OpenSession as soon as the call has begun.",
                ("limit_ms", OpenMax.TotalMilliseconds.ToString(CultureInfo.InvariantCulture))).ToException();
        }
    }

    private async ValueTask OpenAsync(SessionRequest first, CancellationToken cancellationToken)
    {
        first.Send?.Dispose();
        if (first.Message is not { RequestCase: Proto.GroupRequest.RequestOneofCase.Open } request)
            throw ApiErrors.Invalid("NOT_OPENED", $"the first request of a session is {first.Message?.RequestCase ?? Proto.GroupRequest.RequestOneofCase.Send}, not open. Send OpenSession first.");
        if (Encoding.UTF8.GetByteCount(request.Open.Name) > ProgramNameBytesMax)
            throw ApiErrors.Invalid("PROGRAM_NAME", $"the program's name is longer than {ProgramNameBytesMax} bytes. Give it a shorter one.");
        Name = Printable.Text(request.Open.Name, ProgramNameBytesMax);
        // All ones: the stream's own flow control is enough for the client.
        if (request.Open.WindowBytes == uint.MaxValue) Volatile.Write(ref _windowBytes, long.MaxValue);
        else if (request.Open.WindowBytes != 0) Volatile.Write(ref _windowBytes, request.Open.WindowBytes);
        await TellAsync(
            new Proto.GroupEvent
            {
                Opened = new Proto.SessionOpened
                {
                    Self = ProtoGroups.Member(new GroupMember(_services.Self, Pid, Id)),
                    Boot = ProtoViews.Boot(_services.Boot),
                    MessageBytesMax = (ulong)_services.MessageBytesMax,
                    SendWindow = ReceiptWindow.Capacity,
                },
            },
            cancellationToken);
    }

    private ValueTask HandleAsync(SessionRequest asked, CancellationToken cancellationToken)
    {
        if (asked.Send is { } send) return SendAsync(send, cancellationToken);
        var request = asked.Message!;   // one of the two is there
        switch (request.RequestCase)
        {
            case Proto.GroupRequest.RequestOneofCase.Send: return SendAsync(SendBatch.Of(request.Send), cancellationToken);
            case Proto.GroupRequest.RequestOneofCase.Credit: return CreditAsync(request.Credit);
            case Proto.GroupRequest.RequestOneofCase.Join: return JoinAsync(request.Join, cancellationToken);
            case Proto.GroupRequest.RequestOneofCase.Leave: return LeaveAsync(request.Leave, cancellationToken);
            case Proto.GroupRequest.RequestOneofCase.Open: return RefuseAsync(0, "ALREADY_OPEN", "the session is open already; OpenSession comes once.", cancellationToken);
            default: return RefuseAsync(0, "UNKNOWN_REQUEST", "this daemon does not know the request: the client is newer.", cancellationToken);
        }
    }

    private ValueTask CreditAsync(Proto.Credit credit)
    {
        // More than was sent is no credit for what comes later.
        var credited = _creditedBytes + (long)Math.Min(credit.Bytes, long.MaxValue / 2);
        Volatile.Write(ref _creditedBytes, Math.Min(credited, Volatile.Read(ref _sentBytes)));
        _signal.Raise();
        return ValueTask.CompletedTask;
    }

    private async ValueTask JoinAsync(Proto.JoinGroup join, CancellationToken cancellationToken)
    {
        ForgetEnded();
        var status = GroupStatus.Accepted;
        if (GroupName.Check(join.Group) is { } why) await RefuseAsync(join.Handle, GroupRefusal.BadName, why, cancellationToken);
        else if (_handles.TryGetValue(join.Handle, out var other)) await RefuseAsync(join.Handle, GroupRefusal.HandleInUse, GroupRefusal.HandleSentence(join.Handle, other.Name), cancellationToken);
        else if (_handles.Count >= GroupRefusal.SessionGroupsMax) await RefuseAsync(join.Handle, GroupRefusal.GroupsLimit, GroupRefusal.GroupsLimitSentence, cancellationToken);
        else
        {
            Subscription subscription;
            (status, subscription) = await _services.Host.ActAsync(loop => Join(loop, join), cancellationToken);
            if (status == GroupStatus.Accepted) _handles[join.Handle] = subscription;
            else await RefuseAsync(join.Handle, GroupRefusal.Word(status), GroupRefusal.Sentence(status), cancellationToken);
        }
    }

    // On the ring thread.
    private (GroupStatus Status, Subscription Subscription) Join(RingLoop loop, Proto.JoinGroup join)
    {
        if (_services.Hub.IsIn(Id, join.Group)) return (GroupStatus.AlreadyJoined, null!);   // not looked at without a membership
        var subscription = _services.Hub.Expect(Id, _reader, join.Group, join.Handle, join.WithoutOwn);
        var result = loop.JoinGroup(Id, Pid, join.Group);
        _services.Hub.Answered(Id, subscription, result);
        return (result.Status, subscription);
    }

    private async ValueTask LeaveAsync(Proto.LeaveGroup leave, CancellationToken cancellationToken)
    {
        var status = GroupStatus.NotJoined;
        if (MembershipOf(leave.Handle) is { } subscription)
        {
            subscription.IsLeaving = true;
            _services.Host.WakeForSubmits();
            await _window.AllAnsweredAsync(cancellationToken);   // what was sent before the leave goes before it
            status = await _services.Host.ActAsync(loop => loop.LeaveGroup(subscription.Slot), cancellationToken);
        }
        if (status != GroupStatus.Accepted) await RefuseAsync(leave.Handle, GroupRefusal.Word(status), GroupRefusal.Sentence(status), cancellationToken);
    }

    // The ring thread is woken once a request: woken by the first message it would send that one alone, ahead of the others.
    private async ValueTask SendAsync(SendBatch send, CancellationToken cancellationToken)
    {
        using var batch = send;
        var slot = MembershipOf(send.Handle)?.Slot ?? 0;
        try
        {
            while (send.TryNext(out var payload))
            {
                if (_window.IsFull) _services.Host.WakeForSubmits();   // room only comes from what lies there
                var tag = await _window.TakeAsync(cancellationToken, send.WithoutReceipts);
                if (slot == 0) _window.Refuse(tag, ReceiptTable.NotJoined, _services.Now);
                else if (payload.Length > _services.MessageBytesMax) _window.Refuse(tag, _services.Receipts.TooLarge, _services.Now);
                else
                {
                    await _window.WaitForRoomAsync(_services.Host, tag, payload.Length, cancellationToken);
                    if (!_services.Host.TryQueue(payload, send.Level, slot, send.HandOver(_window), tag)) await SubmitAsync(send, payload, slot, tag, cancellationToken);
                }
            }
        }
        finally
        {
            _services.Host.WakeForSubmits();
        }
        if (slot == 0) await RefuseAsync(send.Handle, GroupRefusal.Word(GroupStatus.NotJoined), GroupRefusal.Sentence(GroupStatus.NotJoined), cancellationToken);
    }

    private async ValueTask SubmitAsync(SendBatch send, ReadOnlyMemory<byte> payload, uint slot, ulong tag, CancellationToken cancellationToken)
    {
        try
        {
            await _services.Host.SubmitAsync(payload, send.Level, slot, send, tag, cancellationToken);
        }
        catch (Exception stopped) when (stopped is RingStoppedException or OperationCanceledException)
        {
            send.TakeBack();
            _window.Refuse(tag, ReceiptTable.NotSent, _services.Now);
            throw;
        }
    }

    private Subscription? MembershipOf(uint handle) =>
        _handles.TryGetValue(handle, out var subscription) && subscription is { IsLeaving: false, IsOver: false } ? subscription : null;

    private void ForgetEnded()
    {
        if (_handles.Count == 0) return;
        List<uint>? ended = null;
        foreach (var (handle, subscription) in _handles)
        {
            if (subscription.IsOver) (ended ??= []).Add(handle);
        }
        ended?.ForEach(handle => _handles.Remove(handle));
    }

    private ValueTask RefuseAsync(uint handle, string reason, string message, CancellationToken cancellationToken) =>
        TellAsync(new Proto.GroupEvent { Refused = new Proto.GroupRefused { Handle = handle, Reason = reason, Message = message } }, cancellationToken);

    private async ValueTask TellAsync(Proto.GroupEvent notice, CancellationToken cancellationToken)
    {
        notice.TNs = _services.Now;
        await _notices.Writer.WriteAsync(notice, cancellationToken);
        _signal.Raise();
    }
}
