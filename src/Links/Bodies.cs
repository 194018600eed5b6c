using System.Buffers.Binary;
using System.Text;

namespace Membership.Links;

/// <summary>First byte of a sealed body.</summary>
internal enum BodyKind : byte
{
    /// <summary>A report that wants no answer.</summary>
    Heartbeat = 1,

    /// <summary>A report that wants a <see cref="ProbeReply"/> at once.</summary>
    Probe,

    /// <summary>The answer to a probe; echoes its stamp.</summary>
    ProbeReply,

    /// <summary>Padding up to the size under test; wants an <see cref="PathReply"/>.</summary>
    PathProbe,

    /// <summary>A datagram of the named size arrived.</summary>
    PathReply,

    /// <summary>Probe these nodes, and whomever you have not heard within one pace.</summary>
    Suspicion,

    /// <summary>This boot leaves; nothing follows.</summary>
    Leaving,

    /// <summary>A frame for every receiver.</summary>
    Frame,

    /// <summary>A frame for one node, boot and link.</summary>
    TargetedFrame,

    /// <summary>A piece of a frame for every receiver.</summary>
    Fragment,

    /// <summary>A piece of a frame for one node, boot and link.</summary>
    TargetedFragment,
}

/// <summary>For whom a body is: node, boot and link. Checked after opening.</summary>
internal readonly record struct BodyTarget(NodeId Node, ulong BootShort, LinkId Link)
{
    public const int Bytes = 11;

    public static BodyTarget Read(ReadOnlySpan<byte> body) => new(
        new NodeId(BinaryPrimitives.ReadUInt16LittleEndian(body)),
        BinaryPrimitives.ReadUInt64LittleEndian(body[2..]),
        new LinkId(body[10]));

    public void Write(Span<byte> body)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(body, Node.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(body[2..], BootShort);
        body[10] = Link.Index;
    }
}

/// <summary>What the sender knows and hears: body of heartbeats, probes and probe replies, behind kind and target.</summary>
/// <param name="Sequence">Counts the reports to this target on this link; gaps are loss.</param>
/// <param name="IsNear">The sender promises the next one within one pace (else within the far pace).</param>
/// <param name="HeardLinks">Bit per link on which the sender hears the target.</param>
/// <param name="Row">Nodes with which the sender has two-way contact, itself included.</param>
/// <param name="Stamp">The sender's clock in microseconds, modulo 2^32.</param>
/// <param name="Echo">The target's latest stamp on this link; 0 = none.</param>
/// <param name="HeldMicroseconds">How long ago that stamp arrived.</param>
internal readonly record struct Report(uint Sequence, bool IsNear, byte HeardLinks, NodeSet Row, uint Stamp, uint Echo, uint HeldMicroseconds)
{
    public const int Bytes = 26;

    public static Report Read(ReadOnlySpan<byte> body) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(body),
        (body[4] & 1) != 0,
        body[5],
        new NodeSet(BinaryPrimitives.ReadUInt64LittleEndian(body[6..])),
        BinaryPrimitives.ReadUInt32LittleEndian(body[14..]),
        BinaryPrimitives.ReadUInt32LittleEndian(body[18..]),
        BinaryPrimitives.ReadUInt32LittleEndian(body[22..]));

    public void Write(Span<byte> body)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(body, Sequence);
        body[4] = IsNear ? (byte)1 : (byte)0;
        body[5] = HeardLinks;
        BinaryPrimitives.WriteUInt64LittleEndian(body[6..], Row.Bits);
        BinaryPrimitives.WriteUInt32LittleEndian(body[14..], Stamp);
        BinaryPrimitives.WriteUInt32LittleEndian(body[18..], Echo);
        BinaryPrimitives.WriteUInt32LittleEndian(body[22..], HeldMicroseconds);
    }
}

/// <summary>Head of a piece of a frame: which frame, which piece, how long the frame and each piece but the last are.</summary>
internal readonly record struct FragmentHeader(uint Frame, byte Index, byte Count, int FrameBytes, int PieceBytes)
{
    public const int Bytes = 12;

    /// <summary>A frame travels in at most this many pieces.</summary>
    public const int CountMax = 64;

    /// <summary>Where this piece begins in the frame.</summary>
    public int Offset => Index * PieceBytes;

    /// <summary>False for a header that fits no frame we would cut, whatever its numbers are.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, int payloadBytes, out FragmentHeader header)
    {
        header = new FragmentHeader(
            BinaryPrimitives.ReadUInt32LittleEndian(body),
            body[4],
            body[5],
            (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(body[6..]), int.MaxValue),
            BinaryPrimitives.ReadUInt16LittleEndian(body[10..]));
        if (header.Count is 0 or > CountMax || header.Index >= header.Count) return false;
        if (header.FrameBytes is <= 0 or > LinkLayer.FragmentedFrameBytesMax || header.PieceBytes == 0) return false;
        if ((header.FrameBytes + header.PieceBytes - 1) / header.PieceBytes != header.Count) return false;
        return payloadBytes == Math.Min(header.PieceBytes, header.FrameBytes - header.Offset);
    }

    public void Write(Span<byte> body)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(body, Frame);
        body[4] = Index;
        body[5] = Count;
        BinaryPrimitives.WriteUInt32LittleEndian(body[6..], (uint)FrameBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(body[10..], (ushort)PieceBytes);
    }
}

/// <summary>What a handshake message is.</summary>
internal enum HandshakeKind : byte
{
    /// <summary>Here I am; prove yourself by this challenge.</summary>
    Hello = 1,

    /// <summary>The answer to a hello, with a challenge of its own.</summary>
    Challenge,

    /// <summary>The answer to a challenge.</summary>
    Response,
}

/// <summary>128 random bits that only a live peer can return.</summary>
internal readonly record struct ChallengeBits(ulong Low, ulong High)
{
    public bool IsNone => Low == 0 && High == 0;
}

/// <summary>Body of all three handshake messages. FROZEN: every version of the product writes and reads exactly this.</summary>
internal readonly record struct HandshakeBody(
    HandshakeKind Kind, BodyTarget Target, byte VersionMin, byte VersionMax, SealAlgorithm Algorithm, BootId Boot, ulong ConfigurationDigest,
    ChallengeBits Challenge, ChallengeBits Echo)
{
    /// <summary>Bytes of the product version, UTF-8, padded with zeros.</summary>
    public const int ProductBytes = 32;

    private const int ProductAt = 1 + BodyTarget.Bytes + 3 + 16 + 8 + 16 + 16;

    public const int Bytes = ProductAt + ProductBytes;

    /// <summary>False for a kind or algorithm that the frozen format does not have.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out HandshakeBody message)
    {
        message = default;
        if (body.Length != Bytes || body[0] is < 1 or > 3 || body[14] > (byte)SealAlgorithm.ChaCha20Poly1305) return false;
        message = new HandshakeBody(
            (HandshakeKind)body[0], BodyTarget.Read(body[1..]), body[12], body[13], (SealAlgorithm)body[14],
            new BootId(UInt64(body, 23), UInt64(body, 15)), UInt64(body, 31),
            new ChallengeBits(UInt64(body, 39), UInt64(body, 47)), new ChallengeBits(UInt64(body, 55), UInt64(body, 63)));
        return true;
    }

    public void Write(Span<byte> body, ReadOnlySpan<byte> product)
    {
        body.Clear();
        body[0] = (byte)Kind;
        Target.Write(body[1..]);
        body[12] = VersionMin;
        body[13] = VersionMax;
        body[14] = (byte)Algorithm;
        ReadOnlySpan<ulong> numbers = [Boot.Low, Boot.High, ConfigurationDigest, Challenge.Low, Challenge.High, Echo.Low, Echo.High];
        for (var i = 0; i < numbers.Length; i++) BinaryPrimitives.WriteUInt64LittleEndian(body[(15 + (8 * i))..], numbers[i]);
        product.CopyTo(body[ProductAt..]);
    }

    /// <summary>The sender's product version, for the operator; anything but printable ASCII is shown as '?'.</summary>
    public static string Product(ReadOnlySpan<byte> body)
    {
        Span<char> text = stackalloc char[ProductBytes];
        var length = 0;
        foreach (var b in body[ProductAt..])
        {
            if (b == 0) break;
            text[length++] = b is >= 0x20 and < 0x7f ? (char)b : '?';
        }
        return text[..length].ToString();
    }

    /// <summary>The product version as it travels: cut to fit.</summary>
    public static byte[] EncodeProduct(string product)
    {
        var bytes = Encoding.ASCII.GetBytes(product);
        return bytes.Length > ProductBytes ? bytes[..ProductBytes] : bytes;
    }

    private static ulong UInt64(ReadOnlySpan<byte> body, int at) => BinaryPrimitives.ReadUInt64LittleEndian(body[at..]);
}

/// <summary>Body of a suspicion: who is suspected, and how long the sender has not heard them.</summary>
internal readonly record struct SuspicionBody(NodeSet Suspects, TimeSpan Silence)
{
    public const int Bytes = 12;

    public static SuspicionBody Read(ReadOnlySpan<byte> body) => new(
        new NodeSet(BinaryPrimitives.ReadUInt64LittleEndian(body)),
        TimeSpan.FromMicroseconds(BinaryPrimitives.ReadUInt32LittleEndian(body[8..])));

    public void Write(Span<byte> body)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(body, Suspects.Bits);
        BinaryPrimitives.WriteUInt32LittleEndian(body[8..], (uint)Math.Clamp(Silence.TotalMicroseconds, 0, uint.MaxValue));
    }
}
