using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Witness.Rule;

/// <summary>What a node's heuristics commands say about its surroundings.</summary>
internal enum HeuristicsResult
{
    /// <summary>None are configured.</summary>
    None,

    /// <summary>They run; there is no result for this view yet.</summary>
    Running,

    /// <summary>All ended with exit code 0 in time.</summary>
    Passed,

    /// <summary>One did not.</summary>
    Failed,
}

/// <summary>Which part goes on when nothing else tells two apart.</summary>
/// <param name="Kind">Lowest, highest, or list.</param>
/// <param name="Nodes">Of a list, by preference.</param>
internal sealed record WitnessTieBreaker(TieBreakerKind Kind, IReadOnlyList<NodeId> Nodes)
{
    /// <summary>The part with the lowest node.</summary>
    public static readonly WitnessTieBreaker Lowest = new(TieBreakerKind.Lowest, []);
}

/// <summary>A member of a view with its weight.</summary>
internal readonly record struct WeightedMember(NodeId Node, ulong Boot, ulong Votes)
{
    /// <summary>The node and its incarnation: the same number with another boot is somebody else.</summary>
    public ViewMember Identity => new(Node, Boot);
}

/// <summary>The newest word of one node with a session.</summary>
/// <param name="Node">Who says it.</param>
/// <param name="Boot">The start of its daemon.</param>
/// <param name="Ring">Its regular view.</param>
/// <param name="Members">Of that view, ascending.</param>
/// <param name="TotalVotes">Of all configured nodes.</param>
/// <param name="WasQuorate">In the view before.</param>
/// <param name="PrimaryEpoch">Of the last primary view it took part in.</param>
/// <param name="Heuristics">Of this view.</param>
/// <param name="Since">When the witness first heard this ring from this node.</param>
internal sealed record NodeReport(
    NodeId Node,
    ulong Boot,
    RingId Ring,
    IReadOnlyList<WeightedMember> Members,
    ulong TotalVotes,
    bool WasQuorate,
    ulong PrimaryEpoch,
    HeuristicsResult Heuristics,
    Instant Since);

/// <summary>The ring that the votes were last given to.</summary>
/// <param name="Ring">Its id.</param>
/// <param name="Members">Its members.</param>
/// <param name="Epoch">Number of that decision.</param>
internal sealed record Grant(RingId Ring, IReadOnlyList<ViewMember> Members, ulong Epoch);

/// <summary>A granted answer somebody may still act on.</summary>
/// <param name="Node">Who got it.</param>
/// <param name="Ring">For which ring.</param>
/// <param name="Members">Of that ring; empty when they are not known.</param>
/// <param name="Until">From then on certainly not, at no member of the ring.</param>
internal sealed record OutstandingAnswer(NodeId Node, RingId Ring, IReadOnlyList<ViewMember> Members, Instant Until);

/// <summary>Everything a decision rests on.</summary>
internal sealed record WitnessPicture
{
    /// <summary>How votes are given.</summary>
    public required WitnessAlgorithm Algorithm { get; init; }

    /// <summary>What decides last.</summary>
    public WitnessTieBreaker TieBreaker { get; init; } = WitnessTieBreaker.Lowest;

    /// <summary>Members of a view notice within this time that one of them is gone.</summary>
    public required TimeSpan Settle { get; init; }

    /// <summary>Of every node with a session that has reported, ascending by node.</summary>
    public required IReadOnlyList<NodeReport> Reports { get; init; }

    /// <summary>Who has the votes, or had them last; null when nobody is known.</summary>
    public Grant? Holder { get; init; }

    /// <summary>Answers that may still be believed.</summary>
    public IReadOnlyList<OutstandingAnswer> Outstanding { get; init; } = [];
}

/// <summary>Who gets the votes.</summary>
/// <param name="Ring">The ring they are given to now; null: to none.</param>
/// <param name="Waits">The ring that would get them but for <paramref name="Recheck"/>; its members keep what they have until then.</param>
/// <param name="WaitsAll">The reports are not complete: no ring is refused yet.</param>
/// <param name="Recheck">When time alone may change the decision.</param>
/// <param name="Why">One sentence.</param>
internal sealed record WitnessDecision(RingId? Ring, RingId? Waits, bool WaitsAll, Instant Recheck, string Why);
