using System.Buffers.Binary;
using Membership.Links;

namespace Membership.Totem;

/// <summary>Reads little-endian fields; checks the length before each read and remembers a failure instead of throwing.</summary>
internal ref struct PacketReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>True once a read went beyond the end.</summary>
    public bool Failed { get; private set; }

    /// <summary>Bytes not read yet.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>True when everything was read and nothing failed.</summary>
    public readonly bool IsComplete => !Failed && _rest.IsEmpty;

    public byte Byte() => Take(1) is { Length: 1 } span ? span[0] : (byte)0;

    public ushort UInt16() => Take(2) is { Length: 2 } span ? BinaryPrimitives.ReadUInt16LittleEndian(span) : (ushort)0;

    public uint UInt32() => Take(4) is { Length: 4 } span ? BinaryPrimitives.ReadUInt32LittleEndian(span) : 0;

    public ulong UInt64() => Take(8) is { Length: 8 } span ? BinaryPrimitives.ReadUInt64LittleEndian(span) : 0;

    public RingId Ring() => new(new NodeId(UInt16()), UInt64(), UInt64());

    public ReadOnlySpan<byte> Take(int count)
    {
        if (_rest.Length < count)
        {
            Failed = true;
            _rest = default;
            return default;
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}

/// <summary>Writes little-endian fields into a buffer that is known to be large enough.</summary>
internal ref struct PacketWriter(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;

    /// <summary>Bytes written so far.</summary>
    public int Length { get; private set; }

    public void Byte(byte value) => _buffer[Length++] = value;

    public void UInt16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_buffer[Length..], value);
        Length += 2;
    }

    public void UInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer[Length..], value);
        Length += 4;
    }

    public void UInt64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer[Length..], value);
        Length += 8;
    }

    public void Ring(RingId ring)
    {
        UInt16(ring.Representative.Value);
        UInt64(ring.Sequence);
        UInt64(ring.Incarnation);
    }

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_buffer[Length..]);
        Length += bytes.Length;
    }
}
