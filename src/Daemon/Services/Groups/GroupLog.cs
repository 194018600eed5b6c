using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Membership.Cpg;
using Membership.Totem;

namespace Membership.Daemon.Services.Groups;

/// <summary>The ring that ordered messages and the view they were delivered in.</summary>
/// <param name="Number">Counts the changes of either.</param>
/// <param name="RingText">The ring id as text.</param>
/// <param name="ViewNumber">Sequence of the view's ring.</param>
/// <param name="First">Position of its first message.</param>
internal sealed record Era(int Number, byte[] RingText, ulong ViewNumber, long First);

/// <summary>Recent messages and membership events of the groups that somebody at this daemon reads, in their one order.</summary>
/// <remarks>A <see cref="RecordRing"/>; ring and view are kept apart, because they hardly ever change.</remarks>
internal sealed class GroupLog : RecordRing
{
    /// <summary>Size of the ring unless told otherwise: about 130 000 messages of 64 bytes.</summary>
    public const int DefaultBytes = 16 * 1024 * 1024;

    /// <summary>Bytes of payloads beside the ring; older ones go, and with them everything before them.</summary>
    public const long LargeBytesMax = 48L * 1024 * 1024;

    /// <summary>Changes of ring or view that can still be told.</summary>
    public const int ErasMax = 1024;

    private static readonly int HeaderBytes = Unsafe.SizeOf<GroupRecord>();

    private readonly Era?[] _eras = new Era?[ErasMax];
    private RingId _ring = RingId.None;
    private ulong _view;
    private int _era;
    private long _oldestEraFirst;   // of messages before it, ring and view can no longer be told

    /// <param name="bytes">Size of the ring, a power of two from 256 KiB on.</param>
    public GroupLog(int bytes = DefaultBytes)
        : base(bytes, HeaderBytes, LargeBytesMax)
    {
    }

    /// <summary>Adds a message of a group; returns its offset. Ring thread only.</summary>
    public long Append(in GroupDelivery message, uint group, ReadOnlySpan<byte> payload, long time)
    {
        var order = message.Order;
        if (order.Ring != _ring || message.View.Ring.Sequence != _view) BeginEra(order.Ring, message.View.Ring.Sequence);
        ref var record = ref ClaimRecord(GroupRecordKind.Message, payload, out var at);
        record.Time = time;
        record.Seq = order.Seq.Value;
        record.Counter = order.Counter;
        record.Group = group;
        record.Pid = message.Sender.Pid;
        record.Session = message.Sender.Session;
        record.Index = order.Index;
        record.Era = _era;
        record.Sender = message.Sender.Node.Value;
        record.Level = (byte)order.Level;
        return at;
    }

    /// <summary>Adds a membership event of a group; returns its offset. Ring thread only.</summary>
    public long AppendChange(uint group, ReadOnlySpan<byte> change, long time)
    {
        ref var record = ref ClaimRecord(GroupRecordKind.Membership, change, out var at);
        record.Time = time;
        record.Group = group;
        return at;
    }

    /// <summary>Lets readers see what was added; the caller wakes them. Ring thread only.</summary>
    public void Publish() => MarkPublished();

    /// <summary>Nothing will be added any more. Ring thread, or any thread after it has ended.</summary>
    public void End() => MarkEnded();

    /// <summary>Offset behind the last record added. Ring thread only.</summary>
    public long EndOffset => Head;

    /// <summary>The ring and view of a record; null when that was too long ago.</summary>
    public Era? EraOf(int number)
    {
        var era = Volatile.Read(ref _eras[number % ErasMax]);
        return era?.Number == number ? era : null;
    }

    /// <inheritdoc/>
    public override long OldestResumable() => Math.Max(base.OldestResumable(), Volatile.Read(ref _oldestEraFirst) - 1);

    /// <summary>A position that no event has: those before it and those after it are told apart although nothing lies between. Ring thread only.</summary>
    public long Mark() => SkipPosition();

    /// <summary>Where the records that follow a position begin, or a few before them; null when some of them can no longer be read. Ring thread only.</summary>
    /// <param name="position">Not above that of the last record added.</param>
    public long? OffsetAfter(long position)
    {
        if (position == NextPosition - 1) return EndOffset;
        return position + 1 < _oldestEraFirst ? null : OffsetOf(position + 1);
    }

    private void BeginEra(RingId ring, ulong view)
    {
        (_ring, _view) = (ring, view);
        _era++;
        Volatile.Write(ref _oldestEraFirst, _eras[(_era + 1) % ErasMax]?.First ?? 0);   // before the one before that is overwritten
        Volatile.Write(ref _eras[_era % ErasMax], new Era(_era, Encoding.ASCII.GetBytes(ring.ToString()), view, NextPosition));
    }

    private ref GroupRecord ClaimRecord(GroupRecordKind kind, ReadOnlySpan<byte> payload, out long at)
    {
        var isLarge = payload.Length > InlineBytesMax;
        ref var bytes = ref Claim(isLarge ? sizeof(int) : payload.Length, out at);
        ref var record = ref Unsafe.As<byte, GroupRecord>(ref bytes);
        record.Prefix.Size = payload.Length;
        record.Kind = isLarge ? kind | GroupRecordKind.Large : kind;
        if (!isLarge) payload.CopyTo(Payload(at, payload.Length));
        else MemoryMarshal.Write(Payload(at, sizeof(int)), KeepLarge(at, payload));
        return ref record;
    }
}
