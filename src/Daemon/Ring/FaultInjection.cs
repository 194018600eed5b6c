using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>Drops datagrams on purpose, between the loop and the sockets. Exists only in a daemon started with --allow-fault-injection.</summary>
/// <remarks>Ring thread only. Several rules that match one datagram each get their chance to drop it.</remarks>
internal sealed class FaultInjection(NodeTable nodes, int seed)
{
    private readonly Random _random = new(seed);
    private readonly List<(NodeSet Peers, byte Links, FaultDirection Direction, double Loss)> _rules = [];

    /// <summary>True when no rule is in force.</summary>
    public bool IsQuiet => _rules.Count == 0;

    /// <summary>Replaces all rules.</summary>
    public void Set(IReadOnlyList<FaultRule> rules)
    {
        _rules.Clear();
        foreach (var rule in rules)
        {
            var peers = rule.Peer is { } peer ? NodeSet.Of(nodes.Position(peer)) : nodes.All;
            var links = rule.Link is { } link ? (byte)(1 << link.Index) : byte.MaxValue;
            _rules.Add((peers, links, rule.Direction, rule.Loss));
        }
    }

    /// <summary>Decides the fate of one datagram from or to the peer at a position.</summary>
    public bool Drops(LinkId link, int position, FaultDirection direction)
    {
        if (position == AddressBook.Nobody) return false;
        foreach (var (peers, links, cuts, loss) in _rules)
        {
            if ((cuts & direction) != 0 && (links >> link.Index & 1) != 0 && peers.Contains(position) && _random.NextDouble() < loss) return true;
        }

        return false;
    }
}
