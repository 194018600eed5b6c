namespace Membership.Links;

/// <summary>The configured nodes in ascending order; gives each the position that <see cref="NodeSet"/> uses.</summary>
/// <remarks>Identical on all nodes of a cluster; a digest of it is compared in the handshake.</remarks>
public sealed class NodeTable
{
    /// <summary>More nodes than this cannot be configured.</summary>
    public const int Max = 64;

    private readonly NodeId[] _nodes;
    private readonly short[] _positions = new short[ushort.MaxValue + 1];

    /// <summary>Sorts <paramref name="nodes"/>.</summary>
    /// <exception cref="ArgumentException">None, more than 64, node 0, or one node twice.</exception>
    public NodeTable(IEnumerable<NodeId> nodes)
    {
        _nodes = [.. nodes.Order()];
        if (_nodes.Length is 0 or > Max) throw new ArgumentException($"1 to {Max} nodes, not {_nodes.Length}", nameof(nodes));
        Array.Fill(_positions, (short)-1);
        for (var i = 0; i < _nodes.Length; i++)
        {
            if (_nodes[i].Value == 0 || _positions[_nodes[i].Value] >= 0) throw new ArgumentException($"node {_nodes[i]} is 0 or twice", nameof(nodes));
            _positions[_nodes[i].Value] = (short)i;
        }
        All = new NodeSet(_nodes.Length == 64 ? ulong.MaxValue : (1UL << _nodes.Length) - 1);
    }

    /// <summary>How many nodes are configured.</summary>
    public int Count => _nodes.Length;

    /// <summary>Every configured node.</summary>
    public NodeSet All { get; }

    /// <summary>The node at a position.</summary>
    public NodeId this[int position] => _nodes[position];

    /// <summary>The position of a node; false when it is not configured.</summary>
    public bool TryPosition(NodeId node, out int position)
    {
        position = _positions[node.Value];
        return position >= 0;
    }

    /// <summary>The position of a node that is known to be configured.</summary>
    /// <exception cref="ArgumentException">It is not configured.</exception>
    public int Position(NodeId node) =>
        TryPosition(node, out var position) ? position : throw new ArgumentException($"node {node} is not configured", nameof(node));

    /// <summary>Node ids of a set, ascending.</summary>
    public NodeId[] Nodes(NodeSet set)
    {
        var nodes = new NodeId[set.Count];
        var i = 0;
        foreach (var position in set) nodes[i++] = _nodes[position];
        return nodes;
    }

    /// <summary>The set of some nodes.</summary>
    public NodeSet Set(IEnumerable<NodeId> nodes) => nodes.Aggregate(NodeSet.Empty, (set, node) => set.With(Position(node)));
}
