using System.Buffers.Binary;
using Membership.Links;

namespace Membership.Totem;

/// <summary>View of the bytes of one numbered frame: a header and packed pieces of messages, or one encapsulated old-ring frame.</summary>
/// <remarks>Layout, little-endian: kind 1, flags 1, sender 2, ring 18, seq 8, counter of the first piece's message 8, then pieces
/// {flags 1, service 1, length 2, [fragment number 2, if part of a larger message], [total length 4, on its first fragment], bytes}.</remarks>
internal readonly ref struct DataFrame
{
    /// <summary>Bytes before the pieces; also what encapsulation in recovery adds.</summary>
    public const int HeaderBytes = 38;

    /// <summary>Largest overhead of one piece.</summary>
    public const int PieceBytesMax = 10;

    /// <summary>Holds the end of a safe message: delivered only when stable.</summary>
    public const byte SafeFlag = 1;

    /// <summary>Carries a frame of an old ring.</summary>
    public const byte EncapsulatedFlag = 2;

    private const int SeqOffset = 22;

    private DataFrame(ReadOnlySpan<byte> bytes) => Bytes = bytes;

    /// <summary>The whole frame.</summary>
    public ReadOnlySpan<byte> Bytes { get; }

    public byte Flags => Bytes[1];

    public bool IsSafe => (Flags & SafeFlag) != 0;

    public bool IsEncapsulated => (Flags & EncapsulatedFlag) != 0;

    public NodeId Sender => new(BinaryPrimitives.ReadUInt16LittleEndian(Bytes[2..]));

    public RingId Ring => new(
        new NodeId(BinaryPrimitives.ReadUInt16LittleEndian(Bytes[4..])),
        BinaryPrimitives.ReadUInt64LittleEndian(Bytes[6..]),
        BinaryPrimitives.ReadUInt64LittleEndian(Bytes[14..]));

    public Seq Seq => new(BinaryPrimitives.ReadUInt64LittleEndian(Bytes[SeqOffset..]));

    /// <summary>Counter of the message that the first piece belongs to.</summary>
    public ulong FirstCounter => BinaryPrimitives.ReadUInt64LittleEndian(Bytes[30..]);

    /// <summary>The pieces, or the encapsulated frame.</summary>
    public ReadOnlySpan<byte> Body => Bytes[HeaderBytes..];

    /// <summary>Checks everything that can be checked without knowing the ring.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out DataFrame frame)
    {
        frame = default;
        if (bytes.Length <= HeaderBytes || bytes[0] != (byte)PacketKind.Data || (bytes[1] & ~(SafeFlag | EncapsulatedFlag)) != 0) return false;
        var read = new DataFrame(bytes);
        if (read.Seq == Seq.None || read.Sender.Value == 0) return false;
        if (read.IsEncapsulated)
        {
            // One level only: an old-ring frame is the original, never itself a wrapper.
            if (read.IsSafe || !TryRead(read.Body, out var inner) || inner.IsEncapsulated) return false;
        }
        else
        {
            var pieces = new PieceReader(read.Body);
            while (pieces.TryNext(out _))
            {
            }

            if (pieces.IsMalformed) return false;
        }

        frame = read;
        return true;
    }

    /// <summary>A frame known to be well-formed: it was checked when it was stored.</summary>
    public static DataFrame Trusted(ReadOnlySpan<byte> bytes) => new(bytes);

    /// <summary>Writes the header; pieces follow at <see cref="HeaderBytes"/>.</summary>
    public static void WriteHeader(Span<byte> buffer, byte flags, NodeId sender, RingId ring, Seq seq, ulong firstCounter)
    {
        var writer = new PacketWriter(buffer);
        writer.Byte((byte)PacketKind.Data);
        writer.Byte(flags);
        writer.UInt16(sender.Value);
        writer.Ring(ring);
        writer.UInt64(seq.Value);
        writer.UInt64(firstCounter);
    }
}

/// <summary>One piece of a frame: a whole message, or a fragment of one.</summary>
internal readonly ref struct Piece(byte flags, byte service, ushort fragment, uint total, ReadOnlySpan<byte> payload)
{
    public const byte FirstFlag = 1;
    public const byte LastFlag = 2;
    public const byte SafeFlag = 4;

    /// <summary>The rest of the frame is padding: frames of one burst have one size, so that the network stack can cut them from one buffer.</summary>
    public const byte PaddingFlag = 8;

    public bool IsFirst => (flags & FirstFlag) != 0;

    public bool IsLast => (flags & LastFlag) != 0;

    public bool IsWhole => IsFirst && IsLast;

    public DeliveryLevel Level => (flags & SafeFlag) != 0 ? DeliveryLevel.Safe : DeliveryLevel.Agreed;

    public byte Service => service;

    /// <summary>Number of the fragment in its message, from 0.</summary>
    public ushort Fragment => fragment;

    /// <summary>Length of the whole message; only on its first fragment.</summary>
    public uint Total => total;

    public ReadOnlySpan<byte> Payload { get; } = payload;
}

/// <summary>Walks the pieces of a frame body.</summary>
internal ref struct PieceReader(ReadOnlySpan<byte> body)
{
    private PacketReader _reader = new(body);

    /// <summary>True when the body does not parse.</summary>
    public bool IsMalformed { get; private set; }

    public bool TryNext(out Piece piece)
    {
        piece = default;
        if (_reader.Rest.IsEmpty) return false;
        var flags = _reader.Byte();
        if (flags == Piece.PaddingFlag)
        {
            _reader = default;
            return false;
        }

        var service = _reader.Byte();
        var length = _reader.UInt16();
        var isWhole = (flags & (Piece.FirstFlag | Piece.LastFlag)) == (Piece.FirstFlag | Piece.LastFlag);
        var fragment = isWhole ? (ushort)0 : _reader.UInt16();
        var total = !isWhole && (flags & Piece.FirstFlag) != 0 ? _reader.UInt32() : 0;
        var payload = _reader.Take(length);
        IsMalformed = _reader.Failed
            || (flags & ~(Piece.FirstFlag | Piece.LastFlag | Piece.SafeFlag)) != 0
            || (!isWhole && (fragment == 0) != ((flags & Piece.FirstFlag) != 0));
        if (IsMalformed) return false;
        piece = new Piece(flags, service, fragment, total, payload);
        return true;
    }
}
