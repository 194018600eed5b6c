using Membership.V1;

namespace Membership.Client;

/// <summary>How a <see cref="MulticastStream"/> sends.</summary>
/// <example>
/// <code>
/// var options = new MulticastOptions { Level = DeliveryLevel.Safe, MaxOutstanding = 4096 };
/// </code>
/// </example>
public sealed record MulticastOptions
{
    /// <summary>Agreed: delivered in order. Safe: delivered once every member of the view has it.</summary>
    public DeliveryLevel Level { get; init; } = DeliveryLevel.Agreed;

    /// <summary>Messages sent whose receipts were not yet read; sending waits at this bound. Default 4096, at least 1.</summary>
    public int MaxOutstanding { get; init; } = 4096;

    /// <summary>Bytes of payload in messages whose receipts were not yet read; sending waits at this bound. Default 64 MiB; a larger message travels alone.</summary>
    public long MaxOutstandingBytes { get; init; } = 64 << 20;

    /// <summary>Bytes of payload that travel in one request when they are ready together. Default 64 KiB; a larger message travels alone.</summary>
    public int BatchBytes { get; init; } = 64 * 1024;

    /// <summary>Receipts are counted and dropped; a message the cluster refuses is then not noticed. Default false.</summary>
    public bool DiscardReceipts { get; init; }

    /// <summary>How long disposing waits for the receipts of what was sent. Default 10 s.</summary>
    public TimeSpan FlushTimeout { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>Where a message stands in the one order, or why it never will.</summary>
/// <param name="Number">Of the message in its <see cref="MulticastStream"/>, from 1.</param>
/// <param name="Counter">The daemon's count of its messages; 0 when refused.</param>
/// <param name="RingId">The ring that ordered it; empty when refused.</param>
/// <param name="Seq">Number of the frame in that ring.</param>
/// <param name="Index">Place in the frame.</param>
/// <param name="DeliveredAtNs">The daemon's monotonic clock at delivery, nanoseconds.</param>
/// <param name="Failure">Null when delivered; otherwise one sentence.</param>
/// <example>
/// <code>
/// if (!receipt.IsDelivered) Console.Error.WriteLine($"message {receipt.Number}: {receipt.Failure}");
/// </code>
/// </example>
public readonly record struct MulticastReceipt(
    long Number, ulong Counter, string RingId, ulong Seq, uint Index, long DeliveredAtNs, string? Failure)
{
    /// <summary>It has its place in the order.</summary>
    public bool IsDelivered => Failure is null;

    /// <summary>Of a message that failed. False: it was not and will not be delivered to anybody. True: others may have delivered it.</summary>
    public bool IsIndeterminate { get; init; }
}
