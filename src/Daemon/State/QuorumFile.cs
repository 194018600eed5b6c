using System.Buffers.Binary;
using System.Security.Cryptography;
using Membership.Quorum;

namespace Membership.Daemon.State;

/// <summary>One generation of quorum's record as a file.</summary>
/// <param name="Generation">Counts the writes; the higher one is newer.</param>
/// <param name="Record">What quorum knows.</param>
/// <remarks>On disk: "MBRQUOR1", generation as 64-bit little-endian, the record (docs/protocol/wire.md, "Quorum"), SHA-256 of all before it.</remarks>
internal sealed record QuorumFile(ulong Generation, QuorumRecord Record)
{
    /// <summary>No record is longer: the widest one with the most pending terms has less than half of this.</summary>
    public const int BytesMax = 128 * 1024;

    private const int HeadBytes = 16;

    private static ReadOnlySpan<byte> Magic => "MBRQUOR1"u8;

    /// <summary>The content of the file.</summary>
    public byte[] Encode()
    {
        var record = Record.Encode();
        var bytes = new byte[HeadBytes + record.Length + SHA256.HashSizeInBytes];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), Generation);
        record.CopyTo(bytes, HeadBytes);
        SHA256.HashData(bytes.AsSpan(0, HeadBytes + record.Length), bytes.AsSpan(HeadBytes + record.Length));
        return bytes;
    }

    /// <summary>Reads the content of a file; null when a single bit of it is not as it was written.</summary>
    public static QuorumFile? Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeadBytes + SHA256.HashSizeInBytes || bytes.Length > BytesMax || !bytes.StartsWith(Magic)) return null;
        var body = bytes[..^SHA256.HashSizeInBytes];
        Span<byte> sum = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(body, sum);
        if (!sum.SequenceEqual(bytes[^SHA256.HashSizeInBytes..])) return null;
        return QuorumRecord.Decode(body[HeadBytes..]) is { } record ? new QuorumFile(BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]), record) : null;
    }
}
