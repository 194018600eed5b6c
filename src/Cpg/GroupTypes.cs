using Membership.Links;
using Membership.Totem;

namespace Membership.Cpg;

/// <summary>A process in groups: the node, its process id (0 when remote), and the session of its daemon, which is unique at that daemon's boot.</summary>
public readonly record struct GroupMember(NodeId Node, uint Pid, uint Session) : IComparable<GroupMember>
{
    /// <summary>By node, then session: the order of member lists.</summary>
    public int CompareTo(GroupMember other) =>
        Node != other.Node ? Node.Value.CompareTo(other.Node.Value) : Session.CompareTo(other.Session);

    public static bool operator <(GroupMember left, GroupMember right) => left.CompareTo(right) < 0;

    public static bool operator >(GroupMember left, GroupMember right) => left.CompareTo(right) > 0;

    public static bool operator <=(GroupMember left, GroupMember right) => left.CompareTo(right) <= 0;

    public static bool operator >=(GroupMember left, GroupMember right) => left.CompareTo(right) >= 0;
}

/// <summary>Why the membership of a group changed (cpg(3) reasons).</summary>
public enum GroupReason
{
    Join,
    Leave,
    ProcessDown,
    NodeDown,
    NodeUp,
}

/// <summary>A membership event, in one order with the messages of its group.</summary>
/// <param name="Group">Name.</param>
/// <param name="View">The regular view in force.</param>
/// <param name="Members">After the change, ascending.</param>
/// <param name="Joined">Ascending.</param>
/// <param name="Left">Ascending.</param>
/// <param name="Reason">One cause per event.</param>
/// <param name="Change">Counts the membership events of this group at this node, from 1; a group that was empty in between begins anew.</param>
public sealed record GroupChange(
    string Group,
    ViewId View,
    IReadOnlyList<GroupMember> Members,
    IReadOnlyList<GroupMember> Joined,
    IReadOnlyList<GroupMember> Left,
    GroupReason Reason,
    ulong Change);

/// <summary>A message of a group in its place of the order. Its payload comes beside it.</summary>
/// <param name="Group">Name; the same object for every message of a group as long as it has members.</param>
/// <param name="Sender">A member of the group at this place.</param>
/// <param name="Slot">The sender's membership at its daemon: what <see cref="CpgNode.Join"/> returned there.</param>
/// <param name="View">The regular view it is delivered in.</param>
/// <param name="Order">Where the ring ordered it; its counter is what the sender's submit returned.</param>
public readonly record struct GroupDelivery(string Group, GroupMember Sender, uint Slot, ViewId View, Delivery Order);

/// <summary>Answer to a request of a local session.</summary>
public enum GroupStatus
{
    Accepted,

    /// <summary>The name breaks the rule of <see cref="GroupName"/>.</summary>
    BadName,

    /// <summary>This session is in the group already, or its leave is not ordered yet.</summary>
    AlreadyJoined,

    /// <summary>No such membership, or its leave is under way.</summary>
    NotJoined,

    /// <summary>Beyond <see cref="CpgOptions.MessageBytesMax"/>.</summary>
    TooLarge,

    /// <summary>The ring's queue is full, or more than <see cref="CpgOptions.WaitingBytesMax"/> waits for join lists; try again after deliveries.</summary>
    QueueFull,

    /// <summary>The node is leaving or has not started.</summary>
    NotRunning,

    /// <summary>A limit of <see cref="CpgOptions"/> on groups or memberships is reached.</summary>
    LimitReached,
}

/// <summary>Answer to a join: the slot names this membership in all later calls and on the wire.</summary>
public readonly record struct JoinResult(GroupStatus Status, uint Slot);

/// <summary>Answer to a send: the counter comes back in <see cref="GroupDelivery.Order"/>, or in <see cref="ICpgEffects.Dropped"/>.</summary>
public readonly record struct SendResult(GroupStatus Status, ulong Counter);

/// <summary>Immutable limits.</summary>
public sealed record CpgOptions
{
    /// <summary>Memberships of one node that the others accept: the bound of their memory.</summary>
    public const int MembershipsPerNodeMax = 1 << 18;

    /// <summary>While a view begins and messages wait for the join lists, sends are refused beyond this many waiting bytes.</summary>
    public const int WaitingBytesMax = 16 * 1024 * 1024;

    /// <summary>The least <see cref="MessageBytesMax"/>: a control message with the longest name has to fit.</summary>
    public const int MessageBytesMin = 1024;

    public required NodeId Self { get; init; }

    /// <summary>Longest message of a group, bytes: what the ring takes.</summary>
    public int MessageBytesMax { get; init; } = 16 * 1024 * 1024;

    /// <summary>Memberships of this node's sessions, all groups together; at most <see cref="MembershipsPerNodeMax"/>.</summary>
    public int LocalMembershipsMax { get; init; } = MembershipsPerNodeMax;
}

/// <summary>What groups ask of their surroundings; executed in order.</summary>
public interface ICpgEffects
{
    /// <summary>Order header and payload as one message of the groups' service, now.</summary>
    SubmitResult Submit(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, DeliveryLevel level);

    /// <summary>Order this control message (agreed); always taken, in order with <see cref="Submit"/>; lost only with this node.</summary>
    void SubmitControl(ReadOnlySpan<byte> payload);

    /// <summary>The membership of a group changed. Called for every group, local members or not.</summary>
    void Changed(GroupChange change);

    /// <summary>A message of a group with members at this node, of a group that is watched here, or of a sender of this node. The payload is valid during the call only.</summary>
    void Message(in GroupDelivery message, ReadOnlySpan<byte> payload);

    /// <summary>An accepted message of this node was ordered, but its sender was no member there: nobody gets it.</summary>
    void Dropped(ulong counter);
}
