using System.Text;
using Membership.Totem;

namespace Membership.Cpg;

/// <summary>All groups as this node knows them: every node keeps the whole list. Single-threaded; no I/O.</summary>
/// <remarks>
/// Inputs: requests of this node's sessions, views and ordered messages of the groups' service. What a session asks for becomes true where the
/// order has it, so that every member does the same at the same place. How views and groups go together: CpgNode.Views.cs.
/// </remarks>
public sealed partial class CpgNode
{
    private readonly CpgOptions _options;
    private readonly GroupTable _table;
    private readonly LocalMemberships _local;
    private readonly JoinLists _lists = new();
    private readonly MessageBuffer _waiting = new();
    private readonly Dictionary<string, int> _watched = [];
    private ViewId _view;
    private ViewMember _self;
    private int _ownParts;      // of own join lists, not ordered yet
    private bool _owesList;     // the view in force waits for this node's list, which is not written yet

    public CpgNode(CpgOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MessageBytesMax, CpgOptions.MessageBytesMin, nameof(options));
        _options = options;
        _table = new GroupTable(options.Self);
        _local = new LocalMemberships(Math.Min(options.LocalMembershipsMax, CpgOptions.MembershipsPerNodeMax));
    }

    /// <summary>Counters since the start.</summary>
    public CpgCounters Counters { get; } = new();

    /// <summary>A view has begun and the join lists of its members are not all in: messages and changes of its groups wait.</summary>
    public bool IsSynchronising => _lists.IsActive;

    /// <summary>Names with members, ascending by bytes.</summary>
    public IEnumerable<string> Groups => _table.Groups().Where(group => group.Members.Length > 0).Select(group => group.Name);

    /// <summary>Members of a group, ascending; empty when there is none.</summary>
    public IReadOnlyList<GroupMember> MembersOf(string group) => _table.MembersOf(group);

    /// <summary>A session of this node asks to join; it is a member from the <see cref="ICpgEffects.Changed"/> on that has it in joined.</summary>
    public JoinResult Join(uint session, uint pid, string group, ICpgEffects effects)
    {
        if (GroupName.Check(group) is not null) return new JoinResult(GroupStatus.BadName, 0);
        if (_local.Has(session, group)) return new JoinResult(GroupStatus.AlreadyJoined, 0);
        if (_local.IsFull) return new JoinResult(GroupStatus.LimitReached, 0);
        var slot = _local.Add(session, group).Slot;
        Span<byte> message = stackalloc byte[1 + (3 * GroupWire.VarintBytesMax) + GroupName.BytesMax];
        message[0] = (byte)GroupMessageKind.Join;
        var length = 1;
        length += GroupWire.WriteVarint(message[length..], slot);
        length += GroupWire.WriteVarint(message[length..], session);
        length += GroupWire.WriteVarint(message[length..], pid);
        length += Encoding.UTF8.GetBytes(group, message[length..]);
        effects.SubmitControl(message[..length]);
        return new JoinResult(GroupStatus.Accepted, slot);
    }

    /// <summary>Asks to leave; the last event of the membership is the one that has it in left.</summary>
    public GroupStatus Leave(uint slot, ICpgEffects effects)
    {
        if (!_local.TryGet(slot, out var membership) || membership.IsLeaving) return GroupStatus.NotJoined;
        membership.IsLeaving = true;
        SubmitLeave([slot], GroupReason.Leave, effects);
        return GroupStatus.Accepted;
    }

    /// <summary>The session is gone: it leaves all its groups with reason process-down.</summary>
    public void EndSession(uint session, ICpgEffects effects)
    {
        foreach (var slots in _local.EndSession(session).Chunk((ControlBytes - 2) / GroupWire.VarintBytesMax))
            SubmitLeave(slots, GroupReason.ProcessDown, effects);
    }

    /// <summary>Somebody looks at a group from outside: its messages are reported here although nobody here may be in it. The order knows nothing of it.</summary>
    public void Watch(string group) => _watched[group] = _watched.GetValueOrDefault(group) + 1;

    /// <summary>Ends one <see cref="Watch"/>.</summary>
    public void Unwatch(string group)
    {
        if (_watched.GetValueOrDefault(group) is var watches and > 1) _watched[group] = watches - 1;
        else _watched.Remove(group);
    }

    /// <summary>Sends to the group of a membership, joined or joining. Allocates nothing.</summary>
    public SendResult Send(uint slot, ReadOnlySpan<byte> payload, DeliveryLevel level, ICpgEffects effects)
    {
        if (!_local.TryGet(slot, out var membership) || membership.IsLeaving) return new SendResult(GroupStatus.NotJoined, 0);
        if (payload.Length > _options.MessageBytesMax) return new SendResult(GroupStatus.TooLarge, 0);
        if (_waiting.Bytes > CpgOptions.WaitingBytesMax) return new SendResult(GroupStatus.QueueFull, 0);
        Span<byte> header = stackalloc byte[GroupWire.MessageHeaderBytesMax];
        var (status, counter) = effects.Submit(header[..GroupWire.WriteMessageHeader(header, slot)], payload, level);
        return new SendResult(Status(status), counter);
    }

    /// <summary>A message of the groups' service in its place of the order. Malformed ones are counted and dropped, at every member alike.</summary>
    public void OnMessage(in Delivery delivery, ReadOnlySpan<byte> payload, ICpgEffects effects)
    {
        var isList = KindOf(payload) == GroupMessageKind.JoinList;
        if (!_lists.IsActive) Process(delivery, payload, effects);
        else if (isList) OnJoinList(delivery, payload, effects);
        else _waiting.Add(delivery, payload);
        if (isList && delivery.Sender == _options.Self) OnOwnPart(effects);
    }

    /// <summary>Does what a message says. Only nodes whose groups are known here have a say: those that share the state of this one.</summary>
    private void Process(in Delivery delivery, ReadOnlySpan<byte> payload, ICpgEffects effects)
    {
        if (!_table.TryNode(delivery.Sender, delivery.SenderBoot, out var node))
        {
            Counters.Drop(GroupError.NotSynchronised);
            return;
        }

        switch (KindOf(payload))
        {
            case GroupMessageKind.Message: OnGroupMessage(delivery, node, new GroupReader(payload[1..]), effects); break;
            case GroupMessageKind.Join: OnJoin(node, new GroupReader(payload[1..]), effects); break;
            case GroupMessageKind.Leave: OnLeave(node, new GroupReader(payload[1..]), effects); break;
            case GroupMessageKind.JoinList: Counters.Drop(GroupError.StaleJoinList); break;
            default: Counters.Drop(GroupError.UnknownKind); break;
        }
    }

    private void OnGroupMessage(in Delivery delivery, NodeMembers node, GroupReader reader, ICpgEffects effects)
    {
        var slot = reader.Varint();
        if (reader.HasFailed)
        {
            Counters.Drop(GroupError.Malformed);
            return;
        }

        var isOwn = delivery.Sender == _options.Self;
        if (!node.Slots.TryGetValue(slot, out var membership))
        {
            Counters.Drop(GroupError.UnknownSlot);
            if (isOwn) effects.Dropped(delivery.Counter);
            return;
        }

        Counters.Messages++;
        if (!isOwn && membership.Group.LocalMembers == 0 && !_watched.ContainsKey(membership.Group.Name)) return;
        effects.Message(new GroupDelivery(membership.Group.Name, membership.Member, slot, _view, delivery), reader.Rest);
    }

    private void OnJoin(NodeMembers node, GroupReader reader, ICpgEffects effects)
    {
        var (slot, session, pid) = (reader.Varint(), reader.Varint(), reader.Varint());
        if (reader.HasFailed || slot == 0)
        {
            Counters.Drop(GroupError.Malformed);
            return;
        }

        if (_table.StageJoin(node, slot, session, pid, reader.Rest) is { } error) Counters.Drop(error);
        else Emit(GroupReason.Join, effects);
    }

    private void OnLeave(NodeMembers node, GroupReader reader, ICpgEffects effects)
    {
        var why = reader.Byte();
        if (CheckLeave(node, reader, why) is { } error)
        {
            Counters.Drop(error);
            return;
        }

        while (!reader.IsAtEnd)
        {
            var slot = reader.Varint();
            _table.StageLeave(node, node.Slots[slot]);
            if (node.Name.Node == _options.Self) _local.Remove(slot);
        }

        Emit((GroupReason)why, effects);
    }

    /// <summary>All or nothing: slots ascend, and each is a membership of the sender.</summary>
    private static GroupError? CheckLeave(NodeMembers node, GroupReader reader, byte why)
    {
        if (reader.HasFailed || reader.IsAtEnd || why is not ((byte)GroupReason.Leave or (byte)GroupReason.ProcessDown)) return GroupError.Malformed;
        for (uint last = 0; !reader.IsAtEnd;)
        {
            var slot = reader.Varint();
            if (reader.HasFailed || slot <= last) return GroupError.Malformed;
            if (!node.Slots.ContainsKey(slot)) return GroupError.UnknownSlot;
            last = slot;
        }

        return null;
    }

    /// <summary>Longest control message: the ring must take it.</summary>
    private int ControlBytes => Math.Min(GroupWire.ControlBytesMax, _options.MessageBytesMax);

    private void Emit(GroupReason reason, ICpgEffects effects) => Counters.Changes += _table.Emit(reason, _view, effects);

    private static void SubmitLeave(ReadOnlySpan<uint> slots, GroupReason reason, ICpgEffects effects)
    {
        var message = new byte[2 + (slots.Length * GroupWire.VarintBytesMax)];
        message[0] = (byte)GroupMessageKind.Leave;
        message[1] = (byte)reason;
        var length = 2;
        foreach (var slot in slots) length += GroupWire.WriteVarint(message.AsSpan(length), slot);
        effects.SubmitControl(message.AsSpan(0, length));
    }

    private static GroupMessageKind KindOf(ReadOnlySpan<byte> payload) => payload.IsEmpty ? default : (GroupMessageKind)payload[0];

    private static GroupStatus Status(SubmitStatus status) => status switch
    {
        SubmitStatus.Accepted => GroupStatus.Accepted,
        SubmitStatus.TooLarge => GroupStatus.TooLarge,
        SubmitStatus.QueueFull => GroupStatus.QueueFull,
        _ => GroupStatus.NotRunning,
    };
}
