using System.Runtime.CompilerServices;
using Google.Protobuf;
using Grpc.Core;
using Membership.Daemon;
using Membership.Exploration.Hosts.Steering;
using Proto = Membership.V1;

namespace Membership.Exploration.Hosts.Daemons;

/// <summary>A client that speaks the protocol of sessions word by word, and holds its daemon to what that promises.</summary>
/// <remarks>
/// Checked of every session: events come in the order of their positions; of a membership nothing comes before its join or after its leave; a message is given
/// once; receipts come in the order of sending and not beyond what was sent; never more event bytes are under way than the window, but for the event that fills it.
/// </remarks>
internal sealed class SessionClient
{
    private readonly World _world;
    private readonly HostedNode _node;
    private readonly string _name;
    private readonly MemoryCall _call;
    private readonly IClientStreamWriter<Proto.GroupRequest> _requests;
    private readonly IAsyncStreamReader<Proto.GroupResponse> _responses;
    private readonly BatchSignal _progress = new();
    private readonly SortedDictionary<uint, Membership> _memberships = [];
    private readonly HashSet<(ulong Seq, uint Index, ulong View)> _places = [];
    private long _underWay;
    private uint _session;
    private int _own;
    private int _failed;
    private ulong _position;
    private ulong _counter;

    private SessionClient(HostedNode node, World world, string name, uint window, int buffer)
    {
        (_world, _node, _name, Window) = (world, node, name, window);
        _call = new MemoryCall(world, buffer, node.Killed.Token) { Written = OnWritten };
        (_requests, _responses) = (_call, _call);
        Serving = _call.ServeAsync($"session of {name}", node.Groups.Session);
        Reading = world.Spawn(name, ReadAsync);
        world.Shows(() => (uint)Receipts.Count | ((ulong)(uint)Events.Count << 16) | ((ulong)(uint)Sent << 32) | ((ulong)(uint)Members << 48) | (Ended is null ? 0 : 1UL << 56) | (IsCut ? 1UL << 57 : 0));
    }

    /// <summary>The daemon's side of the call.</summary>
    public Task Serving { get; }

    /// <summary>The client's side; ends with the stream.</summary>
    public Task Reading { get; }

    /// <summary>Bytes.</summary>
    public uint Window { get; }

    /// <summary>Does it give credit for what it reads?</summary>
    public bool GivesCredit { get; set; } = true;

    /// <summary>Does it read at all?</summary>
    public bool IsReading { get; private set; } = true;

    /// <summary>It was told that the session is open.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Its stream has ended.</summary>
    public Status? Ended { get; private set; }

    /// <summary>It was cut off.</summary>
    public bool IsCut { get; private set; }

    /// <summary>Messages handed to the daemon.</summary>
    public int Sent { get; private set; }

    /// <summary>Receipts that came.</summary>
    public List<Proto.Receipt> Receipts { get; } = [];

    /// <summary>Requests that were refused.</summary>
    public List<Proto.GroupRefused> Refusals { get; } = [];

    /// <summary>Every event with a place in the order.</summary>
    public List<Proto.GroupEvent> Events { get; } = [];

    /// <summary>Messages that came, by the counter of their daemon.</summary>
    public IEnumerable<Proto.GroupMessage> Messages => Events.Where(happened => happened.Message is not null).Select(happened => happened.Message);

    /// <summary>Members of its group as it was told last; 0 before that.</summary>
    public int Members => Events.LastOrDefault(happened => happened.Membership is not null)?.Membership.Members.Count ?? 0;

    /// <summary>Opens a session.</summary>
    public static SessionClient Open(World world, HostedNode node, string name, uint window = uint.MaxValue, int buffer = 4)
    {
        var client = new SessionClient(node, world, name, window, buffer);
        client.Ask(new Proto.GroupRequest { Open = new Proto.OpenSession { Name = "test", WindowBytes = window } });
        return client;
    }

    /// <summary>Is this session a member of the group of a handle, as far as it was told?</summary>
    public bool IsIn(uint handle = 1) => _memberships.TryGetValue(handle, out var membership) && membership is { HasJoined: true, HasLeft: false };

    /// <summary>Joins.</summary>
    public void Join(string group, uint handle = 1)
    {
        _memberships[handle] = new Membership();
        Ask(new Proto.GroupRequest { Join = new Proto.JoinGroup { Handle = handle, Group = group } });
    }

    /// <summary>Leaves.</summary>
    public void Leave(uint handle = 1) => Ask(new Proto.GroupRequest { Leave = new Proto.LeaveGroup { Handle = handle } });

    /// <summary>Sends messages in one request.</summary>
    public void Send(int messages, int bytes = 8, uint handle = 1)
    {
        var send = new Proto.GroupRequest { Send = new Proto.SendToGroup { Handle = handle } };
        for (var i = 0; i < messages; i++) send.Send.Payloads.Add(ByteString.CopyFrom([.. Enumerable.Repeat((byte)(Sent + i), bytes)]));
        if (_call.Status is not null) return;
        Sent += messages;
        Ask(send);
    }

    /// <summary>Sends one message that says its number.</summary>
    public void SendNumbered(byte number, uint handle = 1)
    {
        if (_call.Status is not null) return;
        Sent++;
        Ask(new Proto.GroupRequest { Send = new Proto.SendToGroup { Handle = handle, Payloads = { ByteString.CopyFrom(number) } } });
    }

    /// <summary>Sends a message and waits for it: what was ordered before has come then.</summary>
    public async Task CatchUpAsync()
    {
        Send(1);
        var ownUpToThis = Sent;   // those sent before it come before it, delivered or failed
        await UntilAsync(() => _own + _failed >= ownUpToThis);
    }

    /// <summary>Gives credit.</summary>
    public void Credit(long bytes)
    {
        _underWay -= bytes;
        Ask(new Proto.GroupRequest { Credit = new Proto.Credit { Bytes = (ulong)bytes } });
    }

    /// <summary>Reads nothing any more.</summary>
    public void StopReading() => IsReading = false;

    /// <summary>Says that no request follows.</summary>
    public void Complete() => _ = _requests.CompleteAsync();

    /// <summary>Is gone, as a process that died.</summary>
    public void Vanish()
    {
        _call.Vanish();
        _progress.Raise();
    }

    /// <summary>Waits until something holds of what it was told; a stream that ends before fails the iteration.</summary>
    public async Task UntilAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        await UntilOrEndAsync(condition);
        _world.Check(condition(), $"the stream of {_name} ended with {Ended} before this held: {what}");
    }

    /// <summary>Waits until something holds of what it was told, or the stream has ended, as it may.</summary>
    public async Task UntilOrEndAsync(Func<bool> condition)
    {
        while (true)
        {
            var armed = _progress.Arm();
            if (condition() || Ended is not null) return;
            await armed;
        }
    }

    private void Ask(Proto.GroupRequest request)
    {
        if (_call.Status is null) _ = _requests.WriteAsync(request);
    }

    private async Task ReadAsync()
    {
        try
        {
            while (await NextAsync())
            {
                long bytes = 0;
                foreach (var happened in _responses.Current.Events)
                {
                    OnEvent(happened);
                    if (happened.Position > 0) bytes += happened.CalculateSize();
                }

                if (GivesCredit && bytes > 0) Credit(bytes);
                _progress.Raise();
            }

            Ended = Status.DefaultSuccess;
        }
        catch (RpcException ended)
        {
            Ended = ended.Status;
            _world.Check(ended.StatusCode is not (StatusCode.Unknown or StatusCode.Internal), $"a session ends with a reason, not with {ended.Status}");
        }
        finally
        {
            _progress.Raise();
        }
    }

    private async Task<bool> NextAsync()
    {
        while (true)
        {
            var armed = _progress.Arm();
            if (IsReading || _call.Status is not null) break;
            await armed;
        }

        return await _responses.MoveNext(CancellationToken.None);
    }

    // As the daemon hands it over: what it believes to be allowed.
    private void OnWritten(Proto.GroupResponse response)
    {
        foreach (var happened in response.Events)
        {
            if (happened.Position == 0) continue;
            _world.Check(_underWay < Window, $"no event goes under way while the window of {Window} bytes is full");
            _underWay += happened.CalculateSize();
        }
    }

    private void OnEvent(Proto.GroupEvent happened)
    {
        _world.Check(!IsCut, "nothing follows a cut");
        if (happened.Position > 0)
        {
            _world.Check(happened.Position > _position, "events come in the order of their positions");
            _position = happened.Position;
            Events.Add(happened);
        }

        switch (happened.EventCase)
        {
            case Proto.GroupEvent.EventOneofCase.Opened:
                IsOpen = true;
                _session = happened.Opened.Self.Session;
                break;
            case Proto.GroupEvent.EventOneofCase.Refused:
                Refusals.Add(happened.Refused);
                break;
            case Proto.GroupEvent.EventOneofCase.Cut:
                IsCut = true;
                break;
            case Proto.GroupEvent.EventOneofCase.Receipts:
                foreach (var receipt in happened.Receipts.Receipts) OnReceipt(receipt);
                break;
            case Proto.GroupEvent.EventOneofCase.Membership:
                OnMembership(happened.Membership);
                break;
            case Proto.GroupEvent.EventOneofCase.Message:
                OnMessage(happened.Message);
                break;
            default:
                _world.Check(false, $"a session was told {happened.EventCase}");
                break;
        }
    }

    private void OnReceipt(Proto.Receipt receipt)
    {
        Receipts.Add(receipt);
        if (receipt.Failure.Length > 0) _failed++;
        _world.Check(Receipts.Count <= Sent, "there are no more receipts than messages");
        _world.Check(receipt.Failure.Length > 0 || receipt.Seq > 0, "a receipt names a place in the order or says why there is none");
        if (receipt.Counter == 0) return;
        _world.Check(receipt.Counter > _counter, "receipts come in the order of sending");
        _counter = receipt.Counter;
    }

    private void OnMembership(Proto.GroupMembership change)
    {
        if (!_memberships.TryGetValue(change.Handle, out var membership))
        {
            _world.Check(false, "events come for handles of this session only");
            return;
        }

        _world.Check(!membership.HasLeft, "nothing follows the leave of a membership");
        if (!membership.HasJoined) _world.Check(change.Joined.Any(IsSelf), "the first event of a membership is its own join");
        membership.HasJoined = true;
        if (change.Left.Any(IsSelf)) membership.HasLeft = true;
    }

    private bool IsSelf(Proto.GroupMember member) => member.Node == _node.Services.Self.Value && member.Session == _session;

    private void OnMessage(Proto.GroupMessage message)
    {
        var isIn = IsIn(message.Handle);
        _world.Check(isIn, "a message comes between the join and the leave of its membership");
        var place = (message.Seq, message.Index, message.ViewNumber);
        _world.Check(_places.Add(place), "a message is given once");
        _world.Check(message.Payload.Span.IndexOfAnyExcept(message.Payload.Span[0]) < 0, "a payload comes as it was sent");
        if (IsSelf(message.Sender)) _own++;
    }

    private sealed class Membership
    {
        public bool HasJoined { get; set; }

        public bool HasLeft { get; set; }
    }
}
