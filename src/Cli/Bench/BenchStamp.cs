using System.Buffers.Binary;
using System.Diagnostics;

namespace Membership.Cli.Bench;

/// <summary>The beginning of a benchmark's payload: who sent it, which of his messages it is, and when it should have left.</summary>
/// <param name="Run">Random number of the sending process.</param>
/// <param name="Sender">Sender within that process.</param>
/// <param name="Number">The sender's messages, counted from 0.</param>
/// <param name="IsAfterIdle">Sent on an idle ring, to measure how the first message fares.</param>
/// <param name="SentNs">CLOCK_MONOTONIC, nanoseconds: comparable on one machine only.</param>
internal readonly record struct BenchStamp(uint Run, ushort Sender, uint Number, bool IsAfterIdle, long SentNs)
{
    /// <summary>Bytes of a stamp, the smallest payload of a benchmark.</summary>
    public const int Bytes = 24;

    private const uint Magic = 0x3142_524d; // "MRB1"

    /// <summary>Nanoseconds of the machine's monotonic clock.</summary>
    public static long NowNs() => (long)((Int128)Stopwatch.GetTimestamp() * 1_000_000_000 / Stopwatch.Frequency);

    /// <summary>Writes the stamp at the beginning of a payload.</summary>
    public void Write(Span<byte> payload)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(payload, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(payload[4..], Run);
        BinaryPrimitives.WriteUInt16LittleEndian(payload[8..], Sender);
        BinaryPrimitives.WriteUInt16LittleEndian(payload[10..], IsAfterIdle ? (ushort)1 : (ushort)0);
        BinaryPrimitives.WriteUInt32LittleEndian(payload[12..], Number);
        BinaryPrimitives.WriteInt64LittleEndian(payload[16..], SentNs);
    }

    /// <summary>Reads a stamp; false when the payload is not one of a benchmark.</summary>
    public static bool TryRead(ReadOnlySpan<byte> payload, out BenchStamp stamp)
    {
        stamp = default;
        if (payload.Length < Bytes || BinaryPrimitives.ReadUInt32LittleEndian(payload) != Magic)
            return false;
        stamp = new BenchStamp(
            BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]),
            BinaryPrimitives.ReadUInt16LittleEndian(payload[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(payload[12..]),
            BinaryPrimitives.ReadUInt16LittleEndian(payload[10..]) != 0,
            BinaryPrimitives.ReadInt64LittleEndian(payload[16..]));
        return true;
    }
}
