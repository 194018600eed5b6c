using Membership.V1;

namespace Membership.Cli.Status;

/// <summary>Whether one node hears another, as far as this daemon knows.</summary>
internal enum Hearing
{
    /// <summary>No report of that node has arrived.</summary>
    Unknown,

    /// <summary>It hears the other.</summary>
    Yes,

    /// <summary>It does not.</summary>
    No,
}

/// <summary>A node that does not hear another although the other hears it.</summary>
/// <param name="Deaf">Does not hear.</param>
/// <param name="Unheard">Is not heard, but hears.</param>
/// <param name="Links">The links concerned where this daemon knows them; else empty.</param>
internal sealed record OneWay(NodeStatus Deaf, NodeStatus Unheard, IReadOnlyList<string> Links);

/// <summary>Who hears whom: own links for this node's row and column, the nodes' own reports for the rest.</summary>
/// <remarks>A node reports its two-way contacts; a pair where only one side reports contact is one-way as far as can be told from here.</remarks>
internal sealed class HearingMatrix
{
    private readonly GetStatusResponse _status;

    /// <summary>Reads the matrix out of a status.</summary>
    public HearingMatrix(GetStatusResponse status)
    {
        _status = status;
        Nodes = status.Nodes;
    }

    /// <summary>The nodes in their configured order: rows hear columns.</summary>
    public IReadOnlyList<NodeStatus> Nodes { get; }

    /// <summary>Whether <paramref name="listener"/> hears <paramref name="speaker"/>.</summary>
    public Hearing Of(NodeStatus listener, NodeStatus speaker)
    {
        if (listener.Node == _status.Node)
            return From(speaker.Links.Any(static link => link.Hears));
        if (speaker.Node == _status.Node && listener.State != NodeState.Unreachable)
            return From(listener.Links.Any(static link => link.HeardByPeer));
        if (listener.State == NodeState.Unreachable || listener.Hears.Count == 0)
            return Hearing.Unknown;
        return From(listener.Hears.Contains(speaker.Node));
    }

    /// <summary>The links of this node on which <paramref name="peer"/> is not heard.</summary>
    public static IEnumerable<LinkStatus> Silent(NodeStatus peer) => peer.Links.Where(static link => !link.Hears);

    /// <summary>The best measured round trip to a peer in microseconds, or null.</summary>
    public long? RoundTripUs(NodeStatus listener, NodeStatus speaker)
    {
        if (listener.Node != _status.Node && speaker.Node != _status.Node)
            return null;
        var peer = listener.Node == _status.Node ? speaker : listener;
        var measured = peer.Links.Where(static link => link.State == LinkState.Up && link.RttUs > 0).Select(static link => link.RttUs).ToList();
        return measured.Count > 0 ? measured.Min() : null;
    }

    /// <summary>Every pair in which exactly one side hears the other, and every one-way link of this node.</summary>
    public IReadOnlyList<OneWay> OneWays()
    {
        var found = new List<OneWay>();
        foreach (var deaf in Nodes)
            foreach (var unheard in Nodes)
                if (deaf.Node != unheard.Node && Find(deaf, unheard) is { } oneWay)
                    found.Add(oneWay);
        return found;
    }

    private OneWay? Find(NodeStatus deaf, NodeStatus unheard)
    {
        if (deaf.Node == _status.Node || unheard.Node == _status.Node)
        {
            var selfIsDeaf = deaf.Node == _status.Node;
            var links = (selfIsDeaf ? unheard : deaf).Links
                .Where(link => link.State == LinkState.OneWay && (selfIsDeaf ? !link.Hears && link.HeardByPeer : link.Hears && !link.HeardByPeer))
                .Select(static link => link.Name).ToList();
            return links.Count > 0 ? new OneWay(deaf, unheard, links) : null;
        }
        return Of(deaf, unheard) == Hearing.No && Of(unheard, deaf) == Hearing.Yes ? new OneWay(deaf, unheard, []) : null;
    }

    private static Hearing From(bool hears) => hears ? Hearing.Yes : Hearing.No;
}
