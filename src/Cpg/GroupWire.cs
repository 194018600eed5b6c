using System.Buffers.Binary;
using Membership.Links;
using Membership.Totem;

namespace Membership.Cpg;

/// <summary>First byte of a message of the groups' service; its upper four bits are zero.</summary>
internal enum GroupMessageKind : byte
{
    Message = 1,
    Join = 2,
    Leave = 3,
    JoinList = 4,
}

/// <summary>Writes messages of the groups' service (docs/protocol/wire.md, "Groups").</summary>
internal static class GroupWire
{
    /// <summary>Kind and slot before a payload.</summary>
    public const int MessageHeaderBytesMax = 1 + VarintBytesMax;

    /// <summary>Control messages are split at this size, so that they mix with the others' traffic.</summary>
    public const int ControlBytesMax = 32 * 1024;

    public const int VarintBytesMax = 5;

    /// <summary>Kind, flags, part, ring.</summary>
    public const int JoinListHeaderBytes = 1 + 1 + VarintBytesMax + RingBytes;

    public const byte LastPart = 1;

    private const int RingBytes = 2 + 8 + 8;

    /// <summary>Writes the bytes before a payload; returns how many.</summary>
    public static int WriteMessageHeader(Span<byte> header, uint slot)
    {
        header[0] = (byte)GroupMessageKind.Message;
        return 1 + WriteVarint(header[1..], slot);
    }

    public static int WriteVarint(Span<byte> room, uint value)
    {
        var length = 0;
        for (; value >= 0x80; value >>= 7) room[length++] = (byte)(value | 0x80);
        room[length++] = (byte)value;
        return length;
    }

    public static int WriteJoinListHeader(Span<byte> room, uint part, RingId ring)
    {
        room[0] = (byte)GroupMessageKind.JoinList;
        room[1] = 0;
        var length = 2 + WriteVarint(room[2..], part);
        BinaryPrimitives.WriteUInt16LittleEndian(room[length..], ring.Representative.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(room[(length + 2)..], ring.Sequence);
        BinaryPrimitives.WriteUInt64LittleEndian(room[(length + 10)..], ring.Incarnation);
        return length + RingBytes;
    }
}

/// <summary>Reads messages of the groups' service. Every read checks what is left; after one that failed nothing more is read.</summary>
internal ref struct GroupReader(ReadOnlySpan<byte> bytes)
{
    /// <summary>What was not read yet.</summary>
    public ReadOnlySpan<byte> Rest { get; private set; } = bytes;

    /// <summary>A read went beyond the end, or found a number in no valid form.</summary>
    public bool HasFailed { get; private set; }

    public readonly bool IsAtEnd => Rest.IsEmpty;

    public byte Byte()
    {
        var read = Bytes(1);
        return read.IsEmpty ? (byte)0 : read[0];
    }

    /// <summary>A 32-bit number in its shortest form, seven bits a byte, low ones first.</summary>
    public uint Varint()
    {
        uint value = 0;
        for (var length = 0; length < GroupWire.VarintBytesMax; length++)
        {
            var one = Byte();
            if (HasFailed) return 0;
            if (length == GroupWire.VarintBytesMax - 1 && one > 0x0F) break;
            value |= (uint)(one & 0x7F) << (7 * length);
            if (one >= 0x80) continue;
            if (one == 0 && length > 0) break;
            return value;
        }

        Fail();
        return 0;
    }

    public ReadOnlySpan<byte> Bytes(int count)
    {
        if (HasFailed || Rest.Length < count)
        {
            Fail();
            return default;
        }

        var read = Rest[..count];
        Rest = Rest[count..];
        return read;
    }

    public RingId Ring()
    {
        var read = Bytes(18);
        if (read.IsEmpty) return RingId.None;
        return new RingId(
            new NodeId(BinaryPrimitives.ReadUInt16LittleEndian(read)),
            BinaryPrimitives.ReadUInt64LittleEndian(read[2..]),
            BinaryPrimitives.ReadUInt64LittleEndian(read[10..]));
    }

    private void Fail()
    {
        HasFailed = true;
        Rest = default;
    }
}
