using System.Buffers.Binary;

namespace Membership.Links;

/// <summary>What a datagram is, in clear.</summary>
internal enum WireClass : byte
{
    /// <summary>Hello, challenge or response under the fixed handshake key; its format is frozen for all versions.</summary>
    Handshake,

    /// <summary>Everything else, under the key of the sender's boot and link.</summary>
    Sealed,
}

/// <summary>The 24 clear bytes before each ciphertext; all of them are associated data.</summary>
/// <remarks>version u8, class u8, key id u8, link u8, sender u16, total length u16, counter u64, low half of the boot id u64; little-endian.</remarks>
internal readonly record struct WireHeader(byte Version, WireClass Class, byte KeyId, LinkId Link, NodeId Sender, int Length, ulong Counter, ulong BootShort)
{
    /// <summary>Bytes of the header.</summary>
    public const int Bytes = 24;

    /// <summary>Bytes a datagram has beyond its body: header and tag.</summary>
    public const int Overhead = Bytes + ICipher.TagBytes;

    /// <summary>The wire version of this build.</summary>
    public const byte CurrentVersion = 1;

    /// <summary>Bytes of a nonce.</summary>
    public const int NonceBytes = 12;

    /// <summary>Reads a header; the caller has checked that <paramref name="datagram"/> has at least 40 bytes.</summary>
    public static WireHeader Read(ReadOnlySpan<byte> datagram) => new(
        datagram[0],
        (WireClass)datagram[1],
        datagram[2],
        new LinkId(datagram[3]),
        new NodeId(BinaryPrimitives.ReadUInt16LittleEndian(datagram[4..])),
        BinaryPrimitives.ReadUInt16LittleEndian(datagram[6..]),
        BinaryPrimitives.ReadUInt64LittleEndian(datagram[8..]),
        BinaryPrimitives.ReadUInt64LittleEndian(datagram[16..]));

    public void Write(Span<byte> datagram)
    {
        datagram[0] = Version;
        datagram[1] = (byte)Class;
        datagram[2] = KeyId;
        datagram[3] = Link.Index;
        BinaryPrimitives.WriteUInt16LittleEndian(datagram[4..], Sender.Value);
        BinaryPrimitives.WriteUInt16LittleEndian(datagram[6..], (ushort)Length);
        BinaryPrimitives.WriteUInt64LittleEndian(datagram[8..], Counter);
        BinaryPrimitives.WriteUInt64LittleEndian(datagram[16..], BootShort);
    }

    /// <summary>Sealed: link and counter. Handshake: low half of the random boot id's low half, and the random counter field.</summary>
    public void WriteNonce(Span<byte> nonce)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(nonce, Class == WireClass.Sealed ? Link.Index : (uint)BootShort);
        BinaryPrimitives.WriteUInt64LittleEndian(nonce[4..], Counter);
    }
}
