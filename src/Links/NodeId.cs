using System.Globalization;

namespace Membership.Links;

/// <summary>One daemon of the cluster, as numbered in the configuration (1 to 65535). Zero is never a node.</summary>
public readonly record struct NodeId(ushort Value) : IComparable<NodeId>
{
    /// <summary>Orders nodes by number: the order of the ring.</summary>
    public int CompareTo(NodeId other) => Value.CompareTo(other.Value);

    public static bool operator <(NodeId left, NodeId right) => left.Value < right.Value;

    public static bool operator >(NodeId left, NodeId right) => left.Value > right.Value;

    public static bool operator <=(NodeId left, NodeId right) => left.Value <= right.Value;

    public static bool operator >=(NodeId left, NodeId right) => left.Value >= right.Value;

    /// <summary>The number in decimal.</summary>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}
