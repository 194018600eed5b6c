using Membership.Links;

namespace Membership.Totem;

/// <summary>Whom a node has two-way contact with, by its own word.</summary>
/// <param name="Boot">Short boot id of the node.</param>
/// <param name="Version">Rises with each change at this boot; the newest wins.</param>
/// <param name="Hears">Itself included.</param>
internal readonly record struct HearingRow(ulong Boot, uint Version, NodeSet Hears);

/// <summary>What its sender proposes and knows while it gathers (deviations D7, D8). One instance is reused per direction.</summary>
/// <remarks>Sets travel as bits over an id list of their own, so that they survive different tables on both sides.</remarks>
internal sealed class JoinMessage(NodeTable nodes)
{
    /// <summary>Largest Join in bytes.</summary>
    public const int BytesMax = 64 + (NodeTable.Max * 2) + (NodeTable.Max * 21);

    private readonly HearingRow[] _rows = new HearingRow[NodeTable.Max];

    /// <summary>Counts how often the sender began to gather at this boot.</summary>
    public uint Epoch { get; set; }

    /// <summary>The ring the sender last installed; <see cref="RingId.None"/> before its first.</summary>
    public RingId Ring { get; set; }

    /// <summary>Highest ring sequence the sender knows of.</summary>
    public ulong RingSequenceMax { get; set; }

    /// <summary>The membership the sender proposes.</summary>
    public NodeSet Proposal { get; set; }

    /// <summary>Nodes that <see cref="Row"/> has something for.</summary>
    public NodeSet Rows { get; private set; }

    public HearingRow Row(int position) => _rows[position];

    public void ClearRows() => Rows = NodeSet.Empty;

    public void SetRow(int position, HearingRow row)
    {
        Rows = Rows.With(position);
        _rows[position] = row;
    }

    public void RemoveRow(int position) => Rows = Rows.Without(position);

    public int Write(Span<byte> buffer)
    {
        var writer = new PacketWriter(buffer);
        writer.Byte((byte)PacketKind.Join);
        writer.UInt32(Epoch);
        writer.Ring(Ring);
        writer.UInt64(RingSequenceMax);
        WriteTable(ref writer, nodes);
        writer.UInt64(Proposal.Bits);
        writer.Byte((byte)Rows.Count);
        foreach (var position in Rows)
        {
            writer.Byte((byte)position);
            writer.UInt64(_rows[position].Boot);
            writer.UInt32(_rows[position].Version);
            writer.UInt64(_rows[position].Hears.Bits);
        }

        return writer.Length;
    }

    /// <summary>Reads a Join behind its kind byte.</summary>
    public bool TryRead(ReadOnlySpan<byte> bytes)
    {
        var reader = new PacketReader(bytes);
        Epoch = reader.UInt32();
        Ring = reader.Ring();
        RingSequenceMax = reader.UInt64();
        if (!TableMap.TryRead(ref reader, nodes, out var map)) return false;
        Proposal = map.Translate(reader.UInt64());
        Rows = NodeSet.Empty;
        var count = reader.Byte();
        if (count > map.Count) return false;
        for (var i = 0; i < count; i++)
        {
            var index = reader.Byte();
            var row = new HearingRow(reader.UInt64(), reader.UInt32(), map.Translate(reader.UInt64()));
            if (index >= map.Count) return false;
            if (map.TryPosition(index, out var position)) SetRow(position, row);
        }

        return reader.IsComplete;
    }

    internal static void WriteTable(ref PacketWriter writer, NodeTable nodes)
    {
        writer.Byte((byte)nodes.Count);
        for (var i = 0; i < nodes.Count; i++) writer.UInt16(nodes[i].Value);
    }
}

/// <summary>Translates sets over another node's table into sets over this node's own.</summary>
internal readonly struct TableMap
{
    private readonly sbyte[] _positions;

    private TableMap(sbyte[] positions) => _positions = positions;

    public int Count => _positions.Length;

    public bool TryPosition(int index, out int position)
    {
        position = _positions[index];
        return position >= 0;
    }

    public NodeSet Translate(ulong bits)
    {
        var set = NodeSet.Empty;
        foreach (var index in new NodeSet(bits))
        {
            if (index < _positions.Length && _positions[index] >= 0) set = set.With(_positions[index]);
        }

        return set;
    }

    public static bool TryRead(ref PacketReader reader, NodeTable nodes, out TableMap map)
    {
        var count = reader.Byte();
        map = default;
        if (count is 0 or > NodeTable.Max) return false;
        var positions = new sbyte[count];
        for (var i = 0; i < count; i++)
        {
            var id = reader.UInt16();
            positions[i] = nodes.TryPosition(new NodeId(id), out var position) ? (sbyte)position : (sbyte)-1;
        }

        map = new TableMap(positions);
        return !reader.Failed;
    }
}
