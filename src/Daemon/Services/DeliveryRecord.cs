using System.Runtime.InteropServices;
using Membership.Links;
using Membership.Totem;

namespace Membership.Daemon.Services;

/// <summary>What a record of the delivery log holds.</summary>
internal enum RecordKind : byte
{
    /// <summary>Nothing: the rest of the ring up to its end, because the next record did not fit.</summary>
    Padding,

    /// <summary>A message; its payload follows the header.</summary>
    Message,

    /// <summary>A message whose payload is kept beside the ring.</summary>
    LargeMessage,

    /// <summary>A view; <see cref="DeliveryRecord.Counter"/> is its revision.</summary>
    View,
}

/// <summary>Header of one record in the delivery log, 80 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal struct DeliveryRecord
{
    /// <summary>Header and what follows it, rounded up to 8 bytes.</summary>
    public int RecordBytes;

    /// <summary>Payload bytes.</summary>
    public int Size;

    /// <summary>Place in this daemon's stream, from 1.</summary>
    public long Position;

    /// <summary>CLOCK_MONOTONIC, nanoseconds.</summary>
    public long Time;

    /// <summary>Number of the frame.</summary>
    public ulong Seq;

    /// <summary>The sender's count, or the revision of a view.</summary>
    public ulong Counter;

    /// <summary>The sender's boot.</summary>
    public ulong SenderBoot;

    /// <summary>Sequence of the ring that ordered it.</summary>
    public ulong RingSequence;

    /// <summary>Incarnation of the ring that ordered it.</summary>
    public ulong RingIncarnation;

    /// <summary>Representative of the ring that ordered it.</summary>
    public ushort RingRepresentative;

    /// <summary>Originating node.</summary>
    public ushort Sender;

    /// <summary>Place in the frame.</summary>
    public int Index;

    /// <summary>What it is.</summary>
    public RecordKind Kind;

    /// <summary>Guarantee asked for.</summary>
    public byte Level;

    /// <summary>Layer it is for.</summary>
    public byte Service;

    /// <summary>Where a large payload is kept.</summary>
    public int LargeSlot;

    /// <summary>The ring that ordered it.</summary>
    public readonly RingId Ring => new(new NodeId(RingRepresentative), RingSequence, RingIncarnation);
}
