using System.Numerics;
using System.Text;

namespace Membership.Links;

/// <summary>A set of nodes as bits over the positions of a <see cref="NodeTable"/> (ascending node id).</summary>
public readonly record struct NodeSet(ulong Bits)
{
    /// <summary>The set without members.</summary>
    public static readonly NodeSet Empty;

    /// <summary>How many members.</summary>
    public int Count => BitOperations.PopCount(Bits);

    /// <summary>True when there is no member.</summary>
    public bool IsEmpty => Bits == 0;

    /// <summary>Lowest position in the set; 64 when it is empty.</summary>
    public int First => BitOperations.TrailingZeroCount(Bits);

    /// <summary>The set of one position.</summary>
    public static NodeSet Of(int position) => new(1UL << position);

    public bool Contains(int position) => (Bits >> position & 1) != 0;

    public bool Contains(NodeSet other) => (other.Bits & ~Bits) == 0;

    public NodeSet With(int position) => new(Bits | (1UL << position));

    public NodeSet Without(int position) => new(Bits & ~(1UL << position));

    public static NodeSet operator |(NodeSet left, NodeSet right) => new(left.Bits | right.Bits);

    public static NodeSet operator &(NodeSet left, NodeSet right) => new(left.Bits & right.Bits);

    /// <summary>Members of <paramref name="left"/> that are not in <paramref name="right"/>.</summary>
    public static NodeSet operator -(NodeSet left, NodeSet right) => new(left.Bits & ~right.Bits);

    /// <summary>The next member at or after <paramref name="position"/>, or -1 where there is none; for allocation-free loops.</summary>
    public int NextFrom(int position)
    {
        if (position >= 64) return -1;
        var rest = Bits >> position << position;
        return rest == 0 ? -1 : BitOperations.TrailingZeroCount(rest);
    }

    /// <summary>Positions, ascending.</summary>
    public Enumerator GetEnumerator() => new(Bits);

    /// <summary>Positions in braces.</summary>
    public override string ToString()
    {
        var text = new StringBuilder("{");
        foreach (var position in this) text.Append(text.Length > 1 ? "," : "").Append(position);
        return text.Append('}').ToString();
    }

    /// <summary>Walks the positions upwards.</summary>
    public struct Enumerator(ulong bits)
    {
        private ulong _rest = bits;

        /// <summary>The position reached.</summary>
        public int Current { get; private set; }

        /// <summary>Goes to the next position.</summary>
        public bool MoveNext()
        {
            if (_rest == 0) return false;
            Current = BitOperations.TrailingZeroCount(_rest);
            _rest &= _rest - 1;
            return true;
        }
    }
}
