using Membership.Links;

namespace Membership.Quorum;

/// <summary>How votes decide; see docs/operating/quorum.md.</summary>
public enum QuorumMode
{
    /// <summary>More than half of the expected votes.</summary>
    Majority,

    /// <summary>Two voters; one alone is quorate, so something else (fencing, a witness) must keep two halves from acting at once.</summary>
    TwoNode,

    /// <summary>Majority of those left: after the window without further losses the expected votes fall to those present.</summary>
    LastManStanding,
}

/// <summary>Which half goes on after an even split.</summary>
public enum TieBreakerKind
{
    /// <summary>None: an even split leaves both halves without quorum.</summary>
    None,

    /// <summary>The half with the lowest node of the last primary view.</summary>
    Lowest,

    /// <summary>The half with the highest node of the last primary view.</summary>
    Highest,

    /// <summary>The half with the first node of the list that was in the last primary view.</summary>
    List,
}

/// <summary>How a witness grants its votes.</summary>
public enum WitnessAlgorithm
{
    /// <summary>There is no witness.</summary>
    None,

    /// <summary>One vote to exactly one half of an even cluster.</summary>
    FiftyFiftySplit,

    /// <summary>Votes for all but one: the best part that reaches the witness goes on, be it a single node.</summary>
    LastManStanding,
}

/// <summary>A configured voter.</summary>
public readonly record struct Voter(NodeId Node, ulong Votes);

/// <summary>Immutable settings of quorum, identical on all nodes but for <see cref="Self"/>. Checked by <see cref="QuorumValidator"/> before use.</summary>
public sealed record QuorumOptions
{
    /// <summary>Most votes of one node, and of a witness: 2^56, so that the sum over all nodes cannot overflow 64 bits.</summary>
    public const ulong VotesMax = 1UL << 56;

    /// <summary>Most expected votes.</summary>
    public const ulong ExpectedMax = VotesMax * (NodeTable.Max + 1);

    /// <summary>This node.</summary>
    public required NodeId Self { get; init; }

    /// <summary>All configured nodes, ascending.</summary>
    public required IReadOnlyList<Voter> Voters { get; init; }

    public QuorumMode Mode { get; init; }

    /// <summary>After the start of this process: not quorate until all expected votes were present once, or a running primary was met.</summary>
    public bool WaitForAll { get; init; }

    /// <summary>Of <see cref="QuorumMode.LastManStanding"/>: how long no node may be lost before expected votes fall.</summary>
    public TimeSpan LastManStandingWindow { get; init; } = TimeSpan.FromSeconds(10);

    public TieBreakerKind TieBreaker { get; init; }

    /// <summary>Of <see cref="TieBreakerKind.List"/>, by preference.</summary>
    public IReadOnlyList<NodeId> TieBreakerNodes { get; init; } = [];

    /// <summary>A node that leaves cleanly takes its votes out of the expected ones (which do not fall below <see cref="ExpectedVotes"/>).</summary>
    public bool AllowDownscale { get; init; }

    /// <summary>Remember the highest expected votes ever seen, on disk.</summary>
    public bool TrackExpectedVotes { get; init; }

    /// <summary>Overrides the sum of the voters' votes.</summary>
    public ulong? ExpectedVotes { get; init; }

    /// <summary>How long a node may vouch for its primary view after it handed over a token that came back: token + consensus of the ring, after which whoever hears nothing has certainly given its ring up.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromMilliseconds(2200);

    /// <summary>The clocks of two nodes run alike but for one part in so many (time correction by chrony slews one by at most a twelfth, ntpd by a 2000th). Others wait longer than a lease by this part of it.</summary>
    public const int ClockMargin = 8;

    public WitnessAlgorithm Witness { get; init; }

    /// <summary>Votes a witness adds: 1 for a fifty-fifty split; voters less one for last man standing, unless configured.</summary>
    public ulong WitnessVotes { get; init; }

    /// <summary>The members whose votes count may change while running without an operator, so that what a lost disk forgot matters.</summary>
    internal bool IsDynamic => Mode == QuorumMode.LastManStanding || AllowDownscale || TieBreaker != TieBreakerKind.None;
}
