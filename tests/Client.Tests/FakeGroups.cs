using System.Threading.Channels;
using Google.Protobuf;
using Grpc.Core;
using Membership.Grpc;
using Membership.V1;

namespace Membership.Client.Tests;

/// <summary>Groups of one daemon: sessions join and send, everybody gets everything in one order, and nobody more than its credit allows.</summary>
internal sealed partial class FakeGroups(string boot) : GroupService.GroupServiceBase
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, List<(Session Session, uint Handle)>> _groups = new(StringComparer.Ordinal);
    private readonly List<Session> _sessions = [];
    private uint _lastSession;
    private ulong _seq;
    private ulong _change;

    /// <summary>Receipts and messages are held back until this is set.</summary>
    public TaskCompletionSource? Hold { get; set; }

    /// <summary>A message with this text gets a receipt that says why not.</summary>
    public string? Refuse { get; set; }

    /// <summary>A group of this name lets nobody in.</summary>
    public string? Closed { get; set; }

    public ulong SendWindow { get; set; } = 1000;

    public ulong MessageBytesMax { get; set; } = 16 << 20;

    public int SendRequests { get; private set; }

    public int Messages { get; private set; }

    public int SessionsOpened { get; private set; }

    public uint WindowBytes { get; private set; }

    /// <summary>The most that any session ever had under way without credit.</summary>
    public long UnderWayMax { get; private set; }

    public long UnderWay
    {
        get
        {
            lock (_gate) return _sessions.Sum(session => session.UnderWay);
        }
    }

    public int MembersOf(string group)
    {
        lock (_gate) return _groups.TryGetValue(group, out var members) ? members.Count : 0;
    }

    /// <summary>Cuts every session off, as for a client that does not read.</summary>
    public void CutAll()
    {
        lock (_gate)
        {
            foreach (var session in _sessions) session.Cut();
        }
    }

    public override Task<ListGroupsResponse> ListGroups(ListGroupsRequest request, ServerCallContext context)
    {
        lock (_gate)
        {
            var later = _groups.Where(group => group.Value.Count > 0 && string.CompareOrdinal(group.Key, request.After) > 0).ToList();
            var response = new ListGroupsResponse { More = later.Count > 2 };
            foreach (var (name, members) in later.Take(2))
                response.Groups.Add(new Group { Name = name, MemberCount = (uint)members.Count, Members = { members.Select(member => member.Session.Self) } });
            return Task.FromResult(response);
        }
    }

    public override async Task Session(IAsyncStreamReader<GroupRequest> requestStream, IServerStreamWriter<GroupResponse> responseStream, ServerCallContext context)
    {
        var session = new Session();
        Task? writing = null;
        try
        {
            await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
            {
                if (request.RequestCase is GroupRequest.RequestOneofCase.Send && Hold is { } hold) await hold.Task.WaitAsync(context.CancellationToken);
                lock (_gate) Handle(session, request);
                if (request.RequestCase is GroupRequest.RequestOneofCase.Open) writing = responseStream.WriteAllAsync(session.Out.Reader, context.CancellationToken);
                if (session.IsCut) break;
            }
        }
        catch (OperationCanceledException)
        {
            // The connection ended, or the daemon goes.
        }
        finally
        {
            lock (_gate) End(session);
        }
        session.Out.Writer.TryComplete();
        if (writing is not null) await writing;
    }

    private void Handle(Session session, GroupRequest request)
    {
        switch (request.RequestCase)
        {
            case GroupRequest.RequestOneofCase.Open:
                Open(session, request.Open);
                break;
            case GroupRequest.RequestOneofCase.Join:
                Join(session, request.Join);
                break;
            case GroupRequest.RequestOneofCase.Leave:
                if (session.Groups.Remove(request.Leave.Handle, out string? left)) Leave(session, request.Leave.Handle, left, GroupReason.Leave);
                break;
            case GroupRequest.RequestOneofCase.Send:
                SendRequests++;
                foreach (var payload in request.Send.Payloads) Send(session, request.Send, payload);
                break;
            case GroupRequest.RequestOneofCase.Credit:
                session.GiveCredit((long)request.Credit.Bytes);
                break;
            default:
                throw new RpcException(new Status(StatusCode.InvalidArgument, "empty request"));
        }
    }

    private void Open(Session session, OpenSession open)
    {
        SessionsOpened++;
        WindowBytes = open.WindowBytes;
        session.Window = open.WindowBytes;
        session.Self = new GroupMember { Node = 1, Pid = 77, Session = ++_lastSession };
        session.Noted = underWay => UnderWayMax = Math.Max(UnderWayMax, underWay);
        _sessions.Add(session);
        session.Write(new GroupEvent { Opened = new SessionOpened { Self = session.Self, Boot = boot, MessageBytesMax = MessageBytesMax, SendWindow = SendWindow } });
    }

    private void Join(Session session, JoinGroup join)
    {
        if (join.Group == Closed)
        {
            session.Write(new GroupEvent { Refused = new GroupRefused { Handle = join.Handle, Reason = "GROUP_NAME", Message = "nobody may join it" } });
            return;
        }
        if (!_groups.TryGetValue(join.Group, out var members)) _groups[join.Group] = members = [];
        members.Add((session, join.Handle));
        session.Groups[join.Handle] = join.Group;
        session.WithoutOwn[join.Handle] = join.WithoutOwn;
        Tell(join.Group, joined: session.Self, left: null, GroupReason.Join);
    }

    private void Leave(Session session, uint handle, string group, GroupReason reason)
    {
        // It sees its own leaving, unless its session is gone.
        if (reason is GroupReason.Leave) Tell(group, joined: null, left: session.Self, reason);
        _groups[group].Remove((session, handle));
        if (reason is not GroupReason.Leave) Tell(group, joined: null, left: session.Self, reason);
    }

    private void End(Session session)
    {
        _sessions.Remove(session);
        foreach (var (handle, group) in session.Groups) Leave(session, handle, group, GroupReason.ProcessDown);
        session.Groups.Clear();
    }

    private void Tell(string group, GroupMember? joined, GroupMember? left, GroupReason reason)
    {
        _change++;
        foreach (var (session, handle) in _groups[group])
        {
            var membership = new GroupMembership { Handle = handle, Group = group, View = new View { Id = $"1.1.{boot[..8]}", Number = 1 }, Reason = reason, Change = _change };
            membership.Members.AddRange(_groups[group].Select(member => member.Session.Self).Where(member => !member.Equals(left)).OrderBy(member => member.Session));
            if (joined is not null) membership.Joined.Add(joined);
            if (left is not null) membership.Left.Add(left);
            session.Queue(new GroupEvent { Position = _change, Membership = membership });
        }
    }

    private void Send(Session session, SendToGroup send, ByteString payload)
    {
        if (!session.Groups.TryGetValue(send.Handle, out string? group) || (Refuse is not null && payload.ToStringUtf8() == Refuse))
        {
            session.Write(new GroupEvent { Receipts = new SendReceipts { Receipts = { new Receipt { Failure = "the message is not wanted" } } } });
            return;
        }
        Messages++;
        _seq++;
        foreach (var (member, handle) in _groups[group])
        {
            if (member == session && session.WithoutOwn[handle]) continue;
            var message = new GroupMessage
            {
                Handle = handle,
                Sender = session.Self,
                Counter = _seq,
                Level = send.Level,
                Payload = payload,
                RingId = member.IsFirstMessage ? $"1.1.{boot[..8]}" : "",
                Seq = _seq,
                ViewNumber = 1,
            };
            member.IsFirstMessage = false;
            member.Queue(new GroupEvent { Position = _seq, Message = message });
        }
        session.Write(new GroupEvent { Receipts = new SendReceipts { Receipts = { new Receipt { Counter = _seq, RingId = $"1.1.{boot[..8]}", Seq = _seq } } } });
    }
}

/// <summary>One client of <see cref="FakeGroups"/>; guarded by its lock.</summary>
internal sealed class Session
{
    private readonly Queue<GroupEvent> _waiting = new();

    public Channel<GroupResponse> Out { get; } = Channel.CreateUnbounded<GroupResponse>();

    public GroupMember Self { get; set; } = new();

    public SortedDictionary<uint, string> Groups { get; } = [];

    public Dictionary<uint, bool> WithoutOwn { get; } = [];

    public bool IsFirstMessage { get; set; } = true;

    public bool IsCut { get; private set; }

    public long Window { get; set; }

    public long UnderWay { get; private set; }

    public Action<long>? Noted { get; set; }

    public void Write(GroupEvent groupEvent) => Out.Writer.TryWrite(new GroupResponse { Events = { groupEvent } });

    public void Queue(GroupEvent groupEvent)
    {
        _waiting.Enqueue(groupEvent);
        Pump();
    }

    public void GiveCredit(long bytes)
    {
        UnderWay -= bytes;
        Pump();
    }

    public void Cut()
    {
        IsCut = true;
        Write(new GroupEvent { Cut = new Cut { Reason = "it did not read for 5 s" } });
        Out.Writer.TryComplete();
    }

    private void Pump()
    {
        while (_waiting.TryPeek(out var next) && (UnderWay == 0 || UnderWay + next.CalculateSize() <= Window))
        {
            UnderWay += next.CalculateSize();
            Noted?.Invoke(UnderWay);
            Write(_waiting.Dequeue());
        }
    }
}
