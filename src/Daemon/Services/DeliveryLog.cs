using System.Runtime.CompilerServices;
using Membership.Totem;

namespace Membership.Daemon.Services;

/// <summary>The recent messages and views of this daemon in their one order: written once by the ring thread, read by any number of subscribers at their own pace.</summary>
/// <remarks>A <see cref="RecordRing"/>; whoever reads it reads all of it.</remarks>
internal sealed class DeliveryLog : RecordRing
{
    /// <summary>Size of the ring unless told otherwise: about 110 000 messages of 64 bytes, or a tenth of a second of 1 KiB messages at full speed.</summary>
    public const int DefaultBytes = 16 * 1024 * 1024;

    /// <summary>Bytes of payloads beside the ring; older ones go, and with them everything before them.</summary>
    public const long LargeBytesMax = 48L * 1024 * 1024;

    private static readonly int HeaderBytes = Unsafe.SizeOf<DeliveryRecord>();

    private readonly BatchSignal _signal = new();
    private long _publishedPositionBefore;   // written before what is published, the position after it: equal means that they belong together

    /// <param name="bytes">Size of the ring, a power of two from 256 KiB on.</param>
    public DeliveryLog(int bytes = DefaultBytes)
        : base(bytes, HeaderBytes, LargeBytesMax)
    {
    }

    /// <summary>Adds a message; readers see it after <see cref="Publish"/>. Ring thread only.</summary>
    public void Append(in Delivery delivery, ReadOnlySpan<byte> payload, long time)
    {
        var inline = payload.Length <= InlineBytesMax;
        ref var record = ref ClaimRecord(inline ? payload.Length : 0, out var at);
        record.Size = payload.Length;
        record.Time = time;
        record.Seq = delivery.Seq.Value;
        record.Counter = delivery.Counter;
        record.SenderBoot = delivery.SenderBoot;
        record.RingSequence = delivery.Ring.Sequence;
        record.RingIncarnation = delivery.Ring.Incarnation;
        record.RingRepresentative = delivery.Ring.Representative.Value;
        record.Sender = delivery.Sender.Value;
        record.Index = delivery.Index;
        record.Kind = inline ? RecordKind.Message : RecordKind.LargeMessage;
        record.Level = (byte)delivery.Level;
        record.Service = delivery.Service;
        if (inline) payload.CopyTo(Payload(at, payload.Length));
        else record.LargeSlot = KeepLarge(at, payload);
    }

    /// <summary>Adds a view by its revision in the <see cref="ViewHistory"/>. Ring thread only.</summary>
    public void AppendView(ulong revision, long time)
    {
        ref var record = ref ClaimRecord(0, out _);
        record = new DeliveryRecord { RecordBytes = record.RecordBytes, Position = record.Position, Time = time, Counter = revision, Kind = RecordKind.View };
    }

    /// <summary>Lets readers see what was added and wakes those who wait. Ring thread only, once per batch.</summary>
    public void Publish()
    {
        Volatile.Write(ref _publishedPositionBefore, NextPosition - 1);
        MarkPublished();
        _signal.Raise();
    }

    /// <summary>Nothing will be added any more: readers end after what is published. Ring thread, or any thread after it has ended.</summary>
    public void End()
    {
        MarkEnded();
        _signal.Raise();
    }

    /// <summary>A task that ends when something is published after this call.</summary>
    internal Task Arm() => _signal.Arm();

    /// <summary>A reader of what is published from now on.</summary>
    public DeliveryReader ReadFromNow()
    {
        while (true)
        {
            var position = LastPosition;
            var offset = Published;
            if (Volatile.Read(ref _publishedPositionBefore) == position) return new DeliveryReader(this, offset, position);
            Thread.SpinWait(1);
        }
    }

    /// <summary>A reader of what follows <paramref name="position"/>, or null with the oldest position that can still be resumed after.</summary>
    public DeliveryReader? ReadAfter(long position, out long oldest)
    {
        oldest = OldestResumable();
        if (position == LastPosition && ReadFromNow() is { } now && now.Position == position) return now;
        if (position < oldest || position > LastPosition) return null;
        if (OffsetOf(position + 1) is not { } from) return null;
        return new DeliveryReader(this, from, position);
    }

    private ref DeliveryRecord ClaimRecord(int payloadBytes, out long at) => ref Unsafe.As<byte, DeliveryRecord>(ref Claim(payloadBytes, out at));
}
