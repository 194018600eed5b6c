using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Membership.Totem;

namespace Membership.Daemon.Services;

/// <summary>The recent messages and views of this daemon in their one order: written once by the ring thread, read by any number of subscribers at their own pace.</summary>
/// <remarks>
/// A ring of bytes. The writer never waits for a reader and allocates nothing for small messages; it announces what it is about to overwrite
/// (<c>_floor</c>) before it does. A reader copies first and looks at the floor afterwards: a copy from below the floor may be torn and is thrown away,
/// and the reader is cut off with a position it can resume after. Payloads above <see cref="InlineBytesMax"/> are kept beside the ring,
/// at most <see cref="LargeBytesMax"/> of them in all.
/// </remarks>
internal sealed class DeliveryLog
{
    /// <summary>Size of the ring unless told otherwise: about 110 000 messages of 64 bytes, or a tenth of a second of 1 KiB messages at full speed.</summary>
    public const int DefaultBytes = 16 * 1024 * 1024;

    /// <summary>Longer payloads are kept beside the ring.</summary>
    public const int InlineBytesMax = 16 * 1024;

    /// <summary>Bytes of payloads beside the ring; older ones go, and with them everything before them.</summary>
    public const long LargeBytesMax = 48L * 1024 * 1024;

    // The floor rises in steps, so that its fence is paid once a step.
    private const int FloorStepBytes = 64 * 1024;

    // One entry of the index every so many records, to find a position again.
    private const int IndexStride = 64;

    private readonly byte[] _ring;
    private readonly int _mask;
    private readonly BatchSignal _signal = new();
    private readonly IndexEntry[] _index;
    private readonly LargePayload?[] _large;

    // Written by the ring thread only; the volatile ones are read by everybody.
    private long _head;
    private long _nextPosition = 1;
    private long _largeBytes;
    private long _largeFirst;
    private long _largeNext;
    private long _floor;
    private long _published;
    private long _publishedPositionBefore;   // written before _published, the other after it: equal means that _published belongs to them
    private long _publishedPosition;
    private bool _ended;

    /// <param name="bytes">Size of the ring, a power of two from 256 KiB on.</param>
    public DeliveryLog(int bytes = DefaultBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 256 * 1024);
        if (!BitOperations.IsPow2(bytes)) throw new ArgumentException("not a power of two", nameof(bytes));
        _ring = GC.AllocateUninitializedArray<byte>(bytes);
        _mask = bytes - 1;
        _index = new IndexEntry[bytes / Unsafe.SizeOf<DeliveryRecord>() / IndexStride + 2];
        _large = new LargePayload?[(int)(LargeBytesMax / InlineBytesMax) + 1];
    }

    /// <summary>Position of the last event that readers can see; 0 before the first.</summary>
    public long LastPosition => Volatile.Read(ref _publishedPosition);

    /// <summary>Position that the next event added will have. Ring thread only.</summary>
    public long NextPosition => _nextPosition;

    /// <summary>True when no event will follow what is published.</summary>
    public bool HasEnded => Volatile.Read(ref _ended);

    /// <summary>Adds a message; readers see it after <see cref="Publish"/>. Ring thread only.</summary>
    public void Append(in Delivery delivery, ReadOnlySpan<byte> payload, long time)
    {
        var inline = payload.Length <= InlineBytesMax;
        ref var record = ref Claim(inline ? payload.Length : 0, out var at);
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
        if (inline) payload.CopyTo(_ring.AsSpan((int)(at & _mask) + Unsafe.SizeOf<DeliveryRecord>()));
        else record.LargeSlot = KeepLarge(at, payload);
    }

    /// <summary>Adds a view by its revision in the <see cref="ViewHistory"/>. Ring thread only.</summary>
    public void AppendView(ulong revision, long time)
    {
        ref var record = ref Claim(0, out _);
        record = new DeliveryRecord { RecordBytes = record.RecordBytes, Position = record.Position, Time = time, Counter = revision, Kind = RecordKind.View };
    }

    /// <summary>Lets readers see what was added and wakes those who wait. Ring thread only, once per batch.</summary>
    public void Publish()
    {
        Volatile.Write(ref _publishedPositionBefore, _nextPosition - 1);
        Volatile.Write(ref _published, _head);
        Volatile.Write(ref _publishedPosition, _nextPosition - 1);
        _signal.Raise();
    }

    /// <summary>Nothing will be added any more: readers end after what is published. Ring thread, or any thread after it has ended.</summary>
    public void End()
    {
        Volatile.Write(ref _ended, true);
        _signal.Raise();
    }

    /// <summary>A task that ends when something is published after this call.</summary>
    internal Task Arm() => _signal.Arm();

    /// <summary>A reader of what is published from now on.</summary>
    public DeliveryReader ReadFromNow()
    {
        while (true)
        {
            var position = Volatile.Read(ref _publishedPosition);
            var offset = Volatile.Read(ref _published);
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
        if (FindIndexed(position + 1) is not { } from) return null;
        return new DeliveryReader(this, from.Offset, position);
    }

    /// <summary>The lowest position that can be resumed after.</summary>
    public long OldestResumable()
    {
        var floor = Volatile.Read(ref _floor);
        var oldest = long.MaxValue;
        for (var i = 0; i < _index.Length; i++)
        {
            var entry = ReadIndex(i);
            if (entry.Position > 0 && entry.Offset >= floor) oldest = Math.Min(oldest, entry.Position);
        }
        return oldest == long.MaxValue ? LastPosition : oldest - 1;
    }

    /// <summary>Copies whole records from <paramref name="cursor"/> on; 0 when there is nothing yet, -1 when they are overwritten.</summary>
    internal int Copy(long cursor, Span<byte> to)
    {
        var published = Volatile.Read(ref _published);
        if (cursor >= published) return Volatile.Read(ref _floor) > cursor ? -1 : 0;
        var at = (int)(cursor & _mask);
        var length = (int)Math.Min(Math.Min(published - cursor, to.Length), _ring.Length - at);
        _ring.AsSpan(at, length).CopyTo(to);
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref _floor) > cursor ? -1 : length;
    }

    /// <summary>A payload kept beside the ring, or null when it went meanwhile.</summary>
    internal byte[]? Large(int slot, long position)
    {
        if ((uint)slot >= (uint)_large.Length) return null;
        var payload = Volatile.Read(ref _large[slot]);
        return payload is not null && payload.Position == position ? payload.Bytes : null;
    }

    private ref DeliveryRecord Claim(int payloadBytes, out long at)
    {
        var bytes = (Unsafe.SizeOf<DeliveryRecord>() + payloadBytes + 7) & ~7;
        at = _head;
        var rest = _ring.Length - (int)(at & _mask);
        if (rest < bytes)
        {
            RaiseFloor(at + rest);
            // The rest of the ring is at least 8 bytes: records are multiples of 8.
            MemoryMarshal.Write(_ring.AsSpan((int)(at & _mask)), -rest);
            at += rest;
        }
        RaiseFloor(at + bytes);
        _head = at + bytes;
        ref var record = ref Unsafe.As<byte, DeliveryRecord>(ref _ring[(int)(at & _mask)]);
        record.RecordBytes = bytes;
        record.Position = _nextPosition;
        if ((_nextPosition - 1) % IndexStride == 0) WriteIndex(_nextPosition, at);
        _nextPosition++;
        return ref record;
    }

    private void RaiseFloor(long end)
    {
        if (end - _ring.Length <= _floor) return;
        Volatile.Write(ref _floor, end - _ring.Length + FloorStepBytes);
        Interlocked.MemoryBarrier();   // readers must see the floor before any byte below it changes
    }

    private int KeepLarge(long at, ReadOnlySpan<byte> payload)
    {
        while (_largeFirst < _largeNext)
        {
            ref var slot = ref _large[_largeFirst % _large.Length];
            var oldest = slot!;   // between first and next every slot is filled
            if (oldest.Offset >= _floor && _largeBytes + payload.Length <= LargeBytesMax && _largeNext - _largeFirst < _large.Length) break;
            if (oldest.Offset >= _floor) Volatile.Write(ref _floor, oldest.Offset + 1);
            _largeBytes -= oldest.Bytes.Length;
            Volatile.Write(ref slot, null);
            _largeFirst++;
        }
        var free = (int)(_largeNext % _large.Length);
        Volatile.Write(ref _large[free], new LargePayload(at, _nextPosition - 1, payload.ToArray()));
        _largeNext++;
        _largeBytes += payload.Length;
        return free;
    }

    // The entry is a pair: a reader that catches it half written sees an offset that does not fit and is refused by the position in the record.
    private void WriteIndex(long position, long offset)
    {
        ref var entry = ref _index[SlotOf(position)];
        Volatile.Write(ref entry.Position, 0);
        Volatile.Write(ref entry.Offset, offset);
        Volatile.Write(ref entry.Position, position);
    }

    private int SlotOf(long position) => (int)((position - 1) / IndexStride % _index.Length);

    private IndexEntry ReadIndex(int i)
    {
        ref var entry = ref _index[i];
        var position = Volatile.Read(ref entry.Position);
        var offset = Volatile.Read(ref entry.Offset);
        return Volatile.Read(ref entry.Position) == position ? new IndexEntry { Position = position, Offset = offset } : default;
    }

    // The nearest indexed record at or before a position that is not overwritten.
    private IndexEntry? FindIndexed(long position)
    {
        var entry = ReadIndex(SlotOf(position));
        return entry.Position > 0 && entry.Position <= position && position - entry.Position < IndexStride && entry.Offset >= Volatile.Read(ref _floor) ? entry : null;
    }

    private struct IndexEntry
    {
        public long Position;
        public long Offset;
    }

    private sealed record LargePayload(long Offset, long Position, byte[] Bytes);
}
