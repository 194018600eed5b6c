using Google.Protobuf;
using Membership.Cpg;
using Membership.Links;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Testing;

/// <summary>One client's session at a node. Under the world's lock.</summary>
internal sealed class TestSession(TestNode node, Action<Proto.GroupEvent> write)
{
    /// <summary>Longest virtual time that a join, leave or message is given to be ordered.</summary>
    private static readonly TimeSpan OrderLimit = TimeSpan.FromSeconds(30);

    /// <summary>Moved on after each request: enough for what this node has delivered to be delivered everywhere in a whole ring.</summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromMilliseconds(5);

    private const ulong MessageBytesMax = 16 << 20;
    private readonly List<Membership> _memberships = [];
    private readonly Queue<PendingReceipt> _sent = new();

    /// <summary>Given by the node.</summary>
    public uint Number { get; set; }

    public void Handle(Proto.GroupRequest request)
    {
        HandleOne(request);
        if (request.RequestCase is not Proto.GroupRequest.RequestOneofCase.Credit) node.World.Run(Aftermath);
    }

    private void HandleOne(Proto.GroupRequest request)
    {
        switch (request.RequestCase)
        {
            case Proto.GroupRequest.RequestOneofCase.Open: Open(); break;
            case Proto.GroupRequest.RequestOneofCase.Join: Join(request.Join); break;
            case Proto.GroupRequest.RequestOneofCase.Leave: Leave(request.Leave); break;
            case Proto.GroupRequest.RequestOneofCase.Send: Send(request.Send); break;
            default: break;   // credit: memory is not what a unit test runs out of
        }
    }

    public void OnChanged(GroupChange change)
    {
        foreach (var membership in _memberships.Where(own => own.Group == change.Group).ToList())
        {
            if (change.Joined.Any(IsSelf)) membership.IsIn = true;
            if (!membership.IsIn) continue;
            Write(new Proto.GroupEvent
            {
                Membership = new Proto.GroupMembership
                {
                    Handle = membership.Handle,
                    Group = change.Group,
                    View = new Proto.View { Id = change.View.ToString(), Number = change.View.Ring.Sequence },
                    Members = { change.Members.Select(Convert.Member) },
                    Joined = { change.Joined.Select(Convert.Member) },
                    Left = { change.Left.Select(Convert.Member) },
                    Reason = Convert.Reason(change.Reason),
                    Change = change.Change,
                },
            });
            if (change.Left.Any(IsSelf)) _memberships.Remove(membership);
        }
    }

    public void OnMessage(in GroupDelivery message, ByteString payload)
    {
        foreach (var membership in _memberships)
        {
            if (!membership.IsIn || membership.Group != message.Group || (membership.WithoutOwn && IsSelf(message.Sender))) continue;
            Write(new Proto.GroupEvent
            {
                Message = new Proto.GroupMessage
                {
                    Handle = membership.Handle,
                    Sender = Convert.Member(message.Sender),
                    Counter = message.Order.Counter,
                    Level = message.Order.Level == DeliveryLevel.Safe ? Proto.DeliveryLevel.Safe : Proto.DeliveryLevel.Agreed,
                    Payload = payload,
                    RingId = message.Order.Ring.ToString(),
                    Seq = message.Order.Seq.Value,
                    Index = (uint)message.Order.Index,
                    Size = (uint)payload.Length,
                    ViewNumber = message.View.Ring.Sequence,
                },
            });
        }
    }

    private void Open()
    {
        node.Open(this);
        var self = new Proto.GroupMember { Node = node.Id.Value, Pid = Number, Session = Number };
        write(new Proto.GroupEvent { Opened = new Proto.SessionOpened { Self = self, Boot = node.BootText, MessageBytesMax = MessageBytesMax } });
    }

    private void Join(Proto.JoinGroup join)
    {
        // In the daemon's order.
        if (GroupName.Check(join.Group) is { } why) Refuse(join.Handle, GroupRefusal.BadName, why);
        else if (_memberships.Find(own => own.Handle == join.Handle) is { } other) Refuse(join.Handle, GroupRefusal.HandleInUse, GroupRefusal.HandleSentence(join.Handle, other.Group));
        else if (_memberships.Count >= GroupRefusal.SessionGroupsMax) Refuse(join.Handle, GroupRefusal.GroupsLimit, GroupRefusal.GroupsLimitSentence);
        else JoinNew(join);
    }

    private void JoinNew(Proto.JoinGroup join)
    {
        var membership = new Membership(join.Handle, join.Group, join.WithoutOwn);
        _memberships.Add(membership);
        var result = node.Core.JoinGroup(node.World.Now, Number, Number, join.Group, node);
        if (result.Status != GroupStatus.Accepted)
        {
            _memberships.Remove(membership);
            Refuse(join.Handle, result.Status);
            return;
        }
        membership.Slot = result.Slot;
        node.World.RunUntil(() => membership.IsIn || !node.IsUp, OrderLimit);
    }

    private void Leave(Proto.LeaveGroup leave)
    {
        var membership = _memberships.Find(own => own.Handle == leave.Handle);
        var status = membership is null ? GroupStatus.NotJoined : node.Core.LeaveGroup(node.World.Now, membership.Slot, node);
        if (status == GroupStatus.Accepted) node.World.RunUntil(() => !_memberships.Exists(own => own == membership) || !node.IsUp, OrderLimit);
        else Refuse(leave.Handle, status);
    }

    private void Send(Proto.SendToGroup send)
    {
        var level = send.Level == Proto.DeliveryLevel.Safe ? DeliveryLevel.Safe : DeliveryLevel.Agreed;
        uint slot = _memberships.Find(own => own.Handle == send.Handle)?.Slot ?? 0;
        foreach (var payload in send.Payloads)
        {
            var receipt = new PendingReceipt();
            _sent.Enqueue(receipt);
            var result = SendOne(slot, payload, level);
            if (result.Status == GroupStatus.Accepted) node.Expect(result.Counter, receipt);
            else receipt.Fail($"{GroupRefusal.Sentence(result.Status)} The message was not sent.");
        }
        if (node.IsUp) node.Core.OnSubmitted(node.World.Now, node);
        node.World.RunUntil(() => _sent.All(sent => sent.IsDone) || !node.IsUp, OrderLimit);
        WriteReceipts();
        if (slot == 0) Refuse(send.Handle, GroupStatus.NotJoined);
    }

    private SendResult SendOne(uint slot, ByteString payload, DeliveryLevel level)
    {
        while (true)
        {
            if (!node.IsUp) return new SendResult(GroupStatus.NotRunning, 0);
            var result = node.Core.SendToGroup(node.World.Now, slot, payload.Span, level, node);
            if (result.Status != GroupStatus.QueueFull) return result;
            node.Core.OnSubmitted(node.World.Now, node);
            node.World.Run(TimeSpan.FromMilliseconds(1));
        }
    }

    private void WriteReceipts()
    {
        var receipts = new Proto.SendReceipts();
        while (_sent.TryPeek(out var sent) && sent.IsDone) receipts.Receipts.Add(_sent.Dequeue().Receipt);
        if (receipts.Receipts.Count > 0) write(new Proto.GroupEvent { Receipts = receipts });
    }

    private void Refuse(uint handle, GroupStatus status) => Refuse(handle, GroupRefusal.Word(status), GroupRefusal.Sentence(status));

    private void Refuse(uint handle, string reason, string message) =>
        write(new Proto.GroupEvent { Refused = new Proto.GroupRefused { Handle = handle, Reason = reason, Message = message } });

    private void Write(Proto.GroupEvent happened)
    {
        happened.Position = node.GroupPosition;
        happened.TNs = node.World.Now.Nanoseconds;
        write(happened);
    }

    private bool IsSelf(GroupMember member) => member.Node == node.Id && member.Session == Number;

    private sealed class Membership(uint handle, string group, bool withoutOwn)
    {
        public uint Handle => handle;

        public string Group => group;

        public bool WithoutOwn => withoutOwn;

        public uint Slot { get; set; }

        public bool IsIn { get; set; }
    }
}

/// <summary>A message that was taken and whose place is not known yet.</summary>
internal sealed class PendingReceipt
{
    public Proto.Receipt Receipt { get; } = new();

    public bool IsDone { get; private set; }

    public void Deliver(in Delivery order, Instant now)
    {
        IsDone = true;
        (Receipt.Counter, Receipt.RingId, Receipt.Seq, Receipt.Index, Receipt.TNs) =
            (order.Counter, order.Ring.ToString(), order.Seq.Value, (uint)order.Index, now.Nanoseconds);
    }

    public void Fail(string why)
    {
        IsDone = true;
        Receipt.Failure = why;
    }
}
