using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Membership.Daemon.State;

/// <summary>One generation of the reservation: ring sequences up to <paramref name="UpTo"/> may be in use.</summary>
/// <param name="Generation">Counts the writes of a state directory; the higher one is newer.</param>
/// <param name="UpTo">Highest ring sequence reserved.</param>
/// <remarks>On disk: "MBRRING1", generation and sequence as 64-bit little-endian, SHA-256 of these 24 bytes; 56 bytes in all, neither more nor less.</remarks>
internal readonly record struct Reservation(ulong Generation, ulong UpTo)
{
    /// <summary>Length of the file.</summary>
    public const int Bytes = BodyBytes + SHA256.HashSizeInBytes;

    private const int BodyBytes = 24;

    private static ReadOnlySpan<byte> Magic => "MBRRING1"u8;

    /// <summary>The content of the file.</summary>
    public byte[] Encode()
    {
        var bytes = new byte[Bytes];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), Generation);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), UpTo);
        SHA256.HashData(bytes.AsSpan(0, BodyBytes), bytes.AsSpan(BodyBytes));
        return bytes;
    }

    /// <summary>Reads the content of a file; false when a single bit of it is not as it was written.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, out Reservation reservation)
    {
        reservation = default;
        if (bytes.Length != Bytes || !bytes.StartsWith(Magic)) return false;
        Span<byte> sum = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..BodyBytes], sum);
        if (!sum.SequenceEqual(bytes[BodyBytes..])) return false;
        reservation = new Reservation(BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]), BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]));
        return true;
    }
}

/// <summary>What one of the two files was found to be.</summary>
internal abstract record Slot
{
    private Slot()
    {
    }

    /// <summary>There is no such file.</summary>
    public sealed record Missing : Slot;

    /// <summary>The file is there, but it is not what was written.</summary>
    public sealed record Unreadable : Slot;

    /// <summary>A generation.</summary>
    public sealed record Valid(Reservation Reservation) : Slot;
}

/// <summary>The load rule: from what was found to where ring sequences go on. Pure.</summary>
/// <param name="Newest">The newest valid generation; all zero on a first start.</param>
/// <param name="Sequence">Highest ring sequence an earlier start may have used.</param>
/// <param name="LostSlot">Index of the file that was missing or unreadable; null when both or (first start) neither were there.</param>
internal readonly record struct LoadedReservation(Reservation Newest, ulong Sequence, int? LostSlot)
{
    /// <summary>Blocks added when one generation is lost.</summary>
    public const ulong SafetyBlocks = 2;

    /// <summary>Null when files exist but none is valid: then no number is known to be safe.</summary>
    public static LoadedReservation? Decide(Slot first, Slot second) => (first, second) switch
    {
        (Slot.Valid a, Slot.Valid b) => new LoadedReservation(Newer(a, b), Math.Max(a.Reservation.UpTo, b.Reservation.UpTo), null),
        (Slot.Valid a, _) => AfterLoss(a, 1),
        (_, Slot.Valid b) => AfterLoss(b, 0),
        (Slot.Missing, Slot.Missing) => default(LoadedReservation),
        _ => null,
    };

    private static Reservation Newer(Slot.Valid a, Slot.Valid b) => a.Reservation.Generation > b.Reservation.Generation ? a.Reservation : b.Reservation;

    private static LoadedReservation AfterLoss(Slot.Valid rest, int lost) =>
        new(rest.Reservation, rest.Reservation.UpTo + (SafetyBlocks * StateDirectory.BlockSequences), lost);
}
