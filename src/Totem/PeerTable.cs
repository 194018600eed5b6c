using Membership.Links;

namespace Membership.Totem;

/// <summary>What the ring knows of one other node.</summary>
internal sealed class Peer
{
    /// <summary>Short boot id; 0 while unknown.</summary>
    public ulong Boot { get; set; }

    /// <summary>Two-way contact with this boot, says Links.</summary>
    public bool IsReachable { get; set; }

    /// <summary>This boot said it leaves.</summary>
    public bool HasLeft { get; set; }

    /// <summary>Left out of the ring being gathered because it said nothing; its first word changes that.</summary>
    public bool IsSilent { get; set; }

    /// <summary>Left out of the ring being gathered whatever it says: it never agreed, or does not receive.</summary>
    public bool IsFailed { get; set; }

    /// <summary>It sent a Join and is not known to have installed a ring since.</summary>
    public bool IsGathering { get; set; }

    /// <summary>Whom it hears, by its heartbeats; null until known.</summary>
    public NodeSet? Hears { get; set; }

    /// <summary>The ring it announced last.</summary>
    public RingId Ring { get; set; }

    /// <summary>Members of that ring.</summary>
    public NodeSet RingMembers { get; set; }

    /// <summary>Its ring announced that it keeps this node out.</summary>
    public bool HoldsOutSelf { get; set; }

    /// <summary>Kept out of memberships until then.</summary>
    public Instant HeldUntil { get; set; }

    /// <summary>Gathering with it changed nothing: its next Joins are not followed until then, or until the evidence changes.</summary>
    public Instant RebuffedUntil { get; set; }

    /// <summary>Since when it is a member; <see cref="Instant.Never"/> while it is not.</summary>
    public Instant MemberSince { get; set; } = Instant.Never;

    /// <summary>Its last short memberships.</summary>
    public HoldDown HoldDown { get; } = new();

    /// <summary>A new boot: nothing known of the old one holds.</summary>
    public void Renew(ulong boot)
    {
        Boot = boot;
        HasLeft = IsSilent = IsFailed = IsGathering = IsReachable = HoldsOutSelf = false;
        Hears = null;
        Ring = RingId.None;
        RingMembers = NodeSet.Empty;
        HeldUntil = RebuffedUntil = default;
        MemberSince = Instant.Never;
        HoldDown.Reset();
    }
}

/// <summary>Damping of a node whose memberships keep ending early (design §5): none for the first two, then 1 s, doubling to 60 s.</summary>
internal sealed class HoldDown
{
    /// <summary>A membership shorter than this counts.</summary>
    public static readonly TimeSpan ShortMembership = TimeSpan.FromSeconds(5);

    /// <summary>So long a membership forgives everything.</summary>
    public static readonly TimeSpan Forgiven = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Memory = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);
    private const int Tolerated = 2;

    private Instant _last;
    private TimeSpan _current;
    private int _strikes;

    /// <summary>A membership ended early: how long the node is to be kept out from <paramref name="now"/> on.</summary>
    public TimeSpan Strike(Instant now)
    {
        if (_strikes > 0 && now - _last > Memory + _current) Reset();
        _strikes++;
        _last = now;
        return _strikes <= Tolerated ? TimeSpan.Zero : Grow();
    }

    /// <summary>The node cannot receive although its links are up: kept out at once, for longer each time.</summary>
    public TimeSpan Deaf(Instant now)
    {
        if (now - _last > Memory + _current) Reset();
        _strikes = Tolerated + 1;
        _last = now;
        return Grow();
    }

    public void Reset()
    {
        _strikes = 0;
        _current = TimeSpan.Zero;
    }

    private TimeSpan Grow()
    {
        _current = _current == TimeSpan.Zero ? Shortest : _current * 2 < Longest ? _current * 2 : Longest;
        return _current;
    }
}
