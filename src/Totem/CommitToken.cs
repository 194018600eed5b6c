using Membership.Links;

namespace Membership.Totem;

/// <summary>What one member of the ring to come has of its old ring.</summary>
/// <param name="Old">The ring it last installed; <see cref="RingId.None"/> when it has none.</param>
/// <param name="Aru">It has all old-ring frames up to here.</param>
/// <param name="High">Highest old-ring frame it has.</param>
/// <param name="Delivered">It delivered old-ring frames up to here in the regular view.</param>
/// <param name="Owed">Nodes whose old-ring messages it must deliver since an earlier recovery was complete (I28).</param>
/// <param name="HeldOut">Nodes it keeps out of memberships now.</param>
internal readonly record struct OldRingState(RingId Old, Seq Aru, Seq High, Seq Delivered, NodeSet Owed, NodeSet HeldOut);

/// <summary>Passes twice round the members of a ring to come: first it collects, then it spreads (TOCS'95, "Membership Protocol").</summary>
internal sealed class CommitToken(NodeTable nodes)
{
    /// <summary>Largest commit token in bytes.</summary>
    public const int BytesMax = 64 + (NodeTable.Max * 2) + (NodeTable.Max * 88);

    private readonly ulong[] _boots = new ulong[NodeTable.Max];
    private readonly uint[] _epochs = new uint[NodeTable.Max];
    private readonly NodeSet[] _hears = new NodeSet[NodeTable.Max];
    private readonly OldRingState[] _states = new OldRingState[NodeTable.Max];

    /// <summary>The ring to come.</summary>
    public RingId Ring { get; set; }

    /// <summary>Hops so far; up to N members collect, from N on they read.</summary>
    public ushort Visits { get; set; }

    public NodeSet Members { get; private set; }

    /// <summary>True once every member has written its part.</summary>
    public bool IsFilled => Visits >= Members.Count;

    public ulong Boot(int position) => _boots[position];

    /// <summary>The gather epoch in which the member agreed.</summary>
    public uint Epoch(int position) => _epochs[position];

    /// <summary>The row of the matrix the membership was computed from.</summary>
    public NodeSet Hears(int position) => _hears[position];

    public OldRingState State(int position) => _states[position];

    public void SetState(int position, OldRingState state) => _states[position] = state;

    public void Begin(RingId ring)
    {
        Ring = ring;
        Visits = 0;
        Members = NodeSet.Empty;
        Array.Clear(_states);
    }

    public void AddMember(int position, ulong boot, uint epoch, NodeSet hears)
    {
        Members = Members.With(position);
        _boots[position] = boot;
        _epochs[position] = epoch;
        _hears[position] = hears;
    }

    public int Write(Span<byte> buffer)
    {
        var writer = new PacketWriter(buffer);
        writer.Byte((byte)PacketKind.CommitToken);
        writer.Ring(Ring);
        writer.UInt16(Visits);
        JoinMessage.WriteTable(ref writer, nodes);
        writer.UInt64(Members.Bits);
        foreach (var position in Members)
        {
            var state = _states[position];
            writer.UInt64(_boots[position]);
            writer.UInt32(_epochs[position]);
            writer.UInt64(_hears[position].Bits);
            writer.Ring(state.Old);
            writer.UInt64(state.Aru.Value);
            writer.UInt64(state.High.Value);
            writer.UInt64(state.Delivered.Value);
            writer.UInt64(state.Owed.Bits);
            writer.UInt64(state.HeldOut.Bits);
        }

        return writer.Length;
    }

    /// <summary>Reads a commit token behind its kind byte. A member unknown here makes it unreadable: this node cannot be part of that ring.</summary>
    public bool TryRead(ReadOnlySpan<byte> bytes)
    {
        var reader = new PacketReader(bytes);
        Ring = reader.Ring();
        Visits = reader.UInt16();
        if (!TableMap.TryRead(ref reader, nodes, out var map)) return false;
        var members = new NodeSet(reader.UInt64());
        Members = NodeSet.Empty;
        foreach (var index in members)
        {
            if (index >= map.Count || !map.TryPosition(index, out var position)) return false;
            AddMember(position, reader.UInt64(), reader.UInt32(), map.Translate(reader.UInt64()));
            _states[position] = new OldRingState(
                reader.Ring(), new Seq(reader.UInt64()), new Seq(reader.UInt64()), new Seq(reader.UInt64()), map.Translate(reader.UInt64()),
                map.Translate(reader.UInt64()));
            if (_states[position].Aru > _states[position].High || _states[position].Delivered > _states[position].High) return false;
        }

        return reader.IsComplete && Members.Count >= 2 && Visits >= 1 && Visits <= 2 * Members.Count;
    }
}
