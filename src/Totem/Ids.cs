using System.Globalization;
using Membership.Links;

namespace Membership.Totem;

/// <summary>Number of a frame on one ring. 64 bits never wrap. 0 is "nothing yet"; the first frame of a ring is 1.</summary>
public readonly record struct Seq(ulong Value) : IComparable<Seq>
{
    /// <summary>Before the first frame.</summary>
    public static readonly Seq None;

    /// <summary>The number after this one.</summary>
    public Seq Next => new(Value + 1);

    public int CompareTo(Seq other) => Value.CompareTo(other.Value);

    public static bool operator <(Seq left, Seq right) => left.Value < right.Value;

    public static bool operator >(Seq left, Seq right) => left.Value > right.Value;

    public static bool operator <=(Seq left, Seq right) => left.Value <= right.Value;

    public static bool operator >=(Seq left, Seq right) => left.Value >= right.Value;

    /// <summary>How many frames <paramref name="end"/> is after <paramref name="start"/>; zero when it is not.</summary>
    public static ulong Distance(Seq start, Seq end) => end.Value > start.Value ? end.Value - start.Value : 0;

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Identity of a ring, for ever: sequence, representative (lowest member) and the representative's boot.</summary>
/// <remarks>The sequence rises along every node's life, across restarts; the incarnation keeps ids unique even when a disk is lost.</remarks>
public readonly record struct RingId(NodeId Representative, ulong Sequence, ulong Incarnation)
{
    /// <summary>No ring.</summary>
    public static readonly RingId None;

    /// <summary>representative.sequence-hex.incarnation (8 hex), as design fixes it for scripts.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Representative.Value}.{Sequence:x}.{(uint)(Incarnation >> 32):x8}");
}

/// <summary>Identity of a view: of a regular one the ring; of a transitional one the ring it leads to and the ring it comes from.</summary>
public readonly record struct ViewId(RingId Ring, RingId Old)
{
    /// <summary>True for a transitional view.</summary>
    public bool IsTransitional => Old != RingId.None;

    /// <summary>The id of a regular view.</summary>
    public static ViewId Regular(RingId ring) => new(ring, RingId.None);

    /// <summary>The ring id, or <c>t:NEW/OLD</c>.</summary>
    public override string ToString() => IsTransitional ? $"t:{Ring}/{Old}" : Ring.ToString();
}

/// <summary>A member of a view: a node and the boot of its daemon.</summary>
public readonly record struct ViewMember(NodeId Node, ulong Boot);

/// <summary>One configuration of the ring as delivered to the application, in one order with the messages.</summary>
/// <param name="Id">Unique for ever.</param>
/// <param name="Members">Ascending by node.</param>
/// <param name="Previous">The view before it at this node; null for the first.</param>
/// <param name="Joined">Of a regular view: members that did not come along from this node's previous view (an incarnation counts, not a number).</param>
/// <param name="Left">Of a transitional view: members of the regular view before it that do not come along.</param>
public sealed record View(
    ViewId Id,
    IReadOnlyList<ViewMember> Members,
    ViewId? Previous,
    IReadOnlyList<ViewMember> Joined,
    IReadOnlyList<ViewMember> Left)
{
    /// <summary>Of a transitional view: those of <see cref="Left"/> that said here that they leave. A member that did not hear them does not list them.</summary>
    public IReadOnlyList<ViewMember> LeftCleanly { get; init; } = [];

    /// <summary>True for a transitional view.</summary>
    public bool Transitional => Id.IsTransitional;

    /// <summary>The ring sequence in decimal: what status calls the view's number.</summary>
    public ulong Number => Id.Ring.Sequence;
}

/// <summary>The two delivery guarantees.</summary>
public enum DeliveryLevel
{
    /// <summary>In the one total order.</summary>
    Agreed,

    /// <summary>In the one total order, and only once every member of the view is known to have it.</summary>
    Safe,
}

/// <summary>Where a delivered message stands in the order. Its payload comes beside it.</summary>
/// <param name="Ring">The ring that ordered it.</param>
/// <param name="Seq">Number of its (last) frame on that ring.</param>
/// <param name="Index">Place in that frame, from 0.</param>
/// <param name="Sender">Originating node.</param>
/// <param name="SenderBoot">Short boot id of the sender.</param>
/// <param name="Counter">The sender's own count of its messages of this boot, from 1.</param>
/// <param name="Level">Guarantee asked for.</param>
/// <param name="Service">Which layer above it is for; 0 = raw ring.</param>
public readonly record struct Delivery(
    RingId Ring, Seq Seq, int Index, NodeId Sender, ulong SenderBoot, ulong Counter, DeliveryLevel Level, byte Service);

/// <summary>Answer to a submit.</summary>
public enum SubmitStatus
{
    /// <summary>Taken: it will be delivered here, or <see cref="ITotemEffects.Failed"/> is called for it.</summary>
    Accepted,

    /// <summary>Longer than <see cref="TotemOptions.MessageBytesMax"/>.</summary>
    TooLarge,

    /// <summary>The send queue is at its limit; try again after deliveries.</summary>
    QueueFull,

    /// <summary>The node is leaving or has not started.</summary>
    NotRunning,
}

/// <summary>Answer to a submit: the counter is the message's identity at this boot; 0 when it was not accepted.</summary>
public readonly record struct SubmitResult(SubmitStatus Status, ulong Counter);

/// <summary>The four states of the protocol (TOCS'95, "The Membership Protocol").</summary>
public enum TotemState
{
    /// <summary>The token circulates and messages are ordered.</summary>
    Operational,

    /// <summary>Agreeing on who forms the next ring.</summary>
    Gather,

    /// <summary>The commit token collects what each member has of its old ring.</summary>
    Commit,

    /// <summary>Old-ring messages are exchanged on the new ring.</summary>
    Recovery,
}

/// <summary>Why a node entered Gather.</summary>
public enum GatherReason
{
    Started,
    TokenLost,
    CommitLost,
    RecoveryLost,
    MemberLost,
    MemberLeft,
    MemberRestarted,
    JoinFromMember,
    Merge,
    FailedToReceive,
    ConsensusTimeout,
    CommitRefused,
    OwnStall,
    NewInformation,
}
