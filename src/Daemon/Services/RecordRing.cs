using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Membership.Daemon.Services;

/// <summary>Bytes that one thread writes once and any number of readers take at their own pace: the base of the logs of deliveries.</summary>
/// <remarks>
/// The writer never waits for a reader and allocates nothing for small records; it announces what it is about to overwrite
/// (<c>_floor</c>) before it does. A reader reads first and looks at the floor afterwards: what it read from below the floor may be torn and is thrown away.
/// Payloads above <see cref="InlineBytesMax"/> are kept beside the ring, up to a limit in all. Each record begins with a <see cref="RecordPrefix"/>; where a
/// record does not fit before the end of the ring, a negative length there leads back to the beginning. An index leads from a position to its record, so
/// that a reader that was cut off can go on where it was.
/// </remarks>
internal abstract class RecordRing
{
    /// <summary>Longer payloads are kept beside the ring.</summary>
    public const int InlineBytesMax = 16 * 1024;

    // One entry of the index every so many records, to find a position again.
    private const int IndexStride = 64;

    // The floor rises in steps, so that its fence is paid once a step.
    private const int FloorStepBytes = 64 * 1024;

    private readonly byte[] _ring;
    private readonly int _mask;
    private readonly long _largeBytesMax;
    private readonly LargePayload?[] _large;
    private readonly IndexEntry[] _index;
    private readonly int _headerBytes;

    // Written by one thread only; the volatile ones are read by everybody.
    private long _head;
    private long _nextPosition = 1;
    private long _lastIndexed = -1;   // stride
    private long _largeBytes;
    private long _largeFirst;
    private long _largeNext;
    private long _largeWritten;
    private long _floor;
    private long _published;
    private long _publishedPosition;
    private bool _ended;

    /// <param name="bytes">Size of the ring, a power of two from 256 KiB on.</param>
    /// <param name="headerBytes">Of each record, prefix included.</param>
    /// <param name="largeBytesMax">Bytes of payloads beside the ring; older ones go, and with them everything before them.</param>
    protected RecordRing(int bytes, int headerBytes, long largeBytesMax)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 256 * 1024);
        if (!BitOperations.IsPow2(bytes)) throw new ArgumentException("not a power of two", nameof(bytes));
        _ring = GC.AllocateUninitializedArray<byte>(bytes);
        _mask = bytes - 1;
        _largeBytesMax = largeBytesMax;
        _large = new LargePayload?[(int)(largeBytesMax / InlineBytesMax) + 1];
        _headerBytes = headerBytes;
        _index = new IndexEntry[bytes / headerBytes / IndexStride + 2];
        Pace = new ReaderPace(this);
    }

    /// <summary>Keeps the writer from overtaking readers that are busy reading.</summary>
    public ReaderPace Pace { get; }

    /// <summary>Position of the last event that readers can see; 0 before the first.</summary>
    public long LastPosition => Volatile.Read(ref _publishedPosition);

    /// <summary>Position that the next event added will have. Writer only.</summary>
    public long NextPosition => _nextPosition;

    /// <summary>True when no event will follow what is published.</summary>
    public bool HasEnded => Volatile.Read(ref _ended);

    /// <summary>Offset behind the last record that readers can see.</summary>
    internal long Published => Volatile.Read(ref _published);

    /// <summary>What lies below this offset is overwritten, or may be at any moment.</summary>
    internal long Floor => Volatile.Read(ref _floor);

    /// <summary>Offset of the next record. Writer only.</summary>
    protected long Head => _head;

    /// <summary>What was written before an offset (<see cref="long.MaxValue"/>: in all), in whole logs: what lies one log or more back is overwritten. Writer only.</summary>
    /// <remarks>The ring and the payloads beside it fill up independently of each other; their sum errs on the side of a fuller log.</remarks>
    internal double Spent(long offset) => Math.Min(offset, _head) / (double)_ring.Length + LargeBytesBefore(offset) / (double)_largeBytesMax;

    /// <summary>Nothing will be added any more. Writer, or any thread after it has ended.</summary>
    protected void MarkEnded() => Volatile.Write(ref _ended, true);

    /// <summary>Lets readers see what was added. Writer only.</summary>
    protected void MarkPublished()
    {
        Volatile.Write(ref _published, _head);
        Volatile.Write(ref _publishedPosition, _nextPosition - 1);
    }

    /// <summary>Copies whole records from <paramref name="cursor"/> on; 0 when there is nothing yet, -1 when they are overwritten.</summary>
    internal int Copy(long cursor, Span<byte> to)
    {
        var published = Volatile.Read(ref _published);
        if (cursor >= published) return Volatile.Read(ref _floor) > cursor ? -1 : 0;
        var at = (int)(cursor & _mask);
        var length = (int)Math.Min(Math.Min(published - cursor, to.Length), _ring.Length - at);
        _ring.AsSpan(at, length).CopyTo(to);
        return IsIntact(cursor) ? length : -1;
    }

    /// <summary>True when everything read so far from this offset on is what was written there.</summary>
    internal bool IsIntact(long offset)
    {
        Volatile.ReadBarrier();   // what was read must not be read later than the floor
        return Volatile.Read(ref _floor) <= offset;
    }

    /// <summary>The bytes of a published record where they lie: to be read, then checked by <see cref="IsIntact"/> before anything is believed.</summary>
    internal ReadOnlySpan<byte> Raw(long offset, int bytes)
    {
        var at = (int)(offset & _mask);
        return _ring.AsSpan(at, Math.Min(bytes, _ring.Length - at));
    }

    /// <summary>A payload kept beside the ring, or null when it went meanwhile.</summary>
    internal byte[]? Large(int slot, long position)
    {
        if ((uint)slot >= (uint)_large.Length) return null;
        var payload = Volatile.Read(ref _large[slot]);
        return payload is not null && payload.Position == position ? payload.Bytes : null;
    }

    /// <summary>The lowest position that can be resumed after: what follows it is kept, and found.</summary>
    public virtual long OldestResumable()
    {
        var floor = Floor;
        var oldest = long.MaxValue;
        for (var i = 0; i < _index.Length; i++)
        {
            var entry = ReadIndex(i);
            if (entry.Position > 0 && entry.Offset >= floor) oldest = Math.Min(oldest, entry.Position);
        }
        return oldest == long.MaxValue ? LastPosition : oldest - 1;
    }

    /// <summary>Offset of a record that is not overwritten, from which on all with this position or a higher one are found; null when there is none.</summary>
    protected long? OffsetOf(long position)
    {
        var entry = ReadIndex(SlotOf(position));
        return entry.Position > 0 && StrideOf(entry.Position) == StrideOf(position) && entry.Offset >= Floor ? entry.Offset : null;
    }

    /// <summary>Leaves a position out: no record will have it. Writer only.</summary>
    protected long SkipPosition()
    {
        IndexNext(_head);
        return _nextPosition++;
    }

    /// <summary>Room for the next record, whose length and position are filled in already. Writer only.</summary>
    /// <param name="payloadBytes">Behind the header.</param>
    /// <param name="at">Its offset.</param>
    protected ref byte Claim(int payloadBytes, out long at)
    {
        var bytes = (_headerBytes + payloadBytes + 7) & ~7;
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
        ref var record = ref _ring[(int)(at & _mask)];
        Unsafe.As<byte, RecordPrefix>(ref record) = new RecordPrefix { RecordBytes = bytes, Position = _nextPosition };
        IndexNext(at);
        _nextPosition++;
        return ref record;
    }

    /// <summary>The bytes behind a header that was just claimed. Writer only.</summary>
    protected Span<byte> Payload(long at, int payloadBytes) => _ring.AsSpan((int)(at & _mask) + _headerBytes, payloadBytes);

    /// <summary>Keeps a payload beside the ring for the record that was just claimed. Writer only.</summary>
    protected int KeepLarge(long at, ReadOnlySpan<byte> payload)
    {
        while (_largeFirst < _largeNext)
        {
            ref var slot = ref _large[_largeFirst % _large.Length];
            var oldest = slot!;   // between first and next every slot is filled
            if (oldest.Offset >= _floor && _largeBytes + payload.Length <= _largeBytesMax && _largeNext - _largeFirst < _large.Length) break;
            if (oldest.Offset >= _floor) Volatile.Write(ref _floor, oldest.Offset + 1);
            _largeBytes -= oldest.Bytes.Length;
            Volatile.Write(ref slot, null);
            _largeFirst++;
        }
        var free = (int)(_largeNext % _large.Length);
        Volatile.Write(ref _large[free], new LargePayload(at, _nextPosition - 1, _largeWritten, payload.ToArray()));
        _largeNext++;
        _largeBytes += payload.Length;
        _largeWritten += payload.Length;
        return free;
    }

    private void IndexNext(long offset)
    {
        if (StrideOf(_nextPosition) != _lastIndexed) WriteIndex(_nextPosition, offset);
    }

    // The entry is a pair: a reader that catches it half written sees an offset that does not fit and is refused by the position in the record.
    private void WriteIndex(long position, long offset)
    {
        ref var entry = ref _index[SlotOf(position)];
        Volatile.Write(ref entry.Position, 0);
        Volatile.Write(ref entry.Offset, offset);
        Volatile.Write(ref entry.Position, position);
        _lastIndexed = StrideOf(position);
    }

    private static long StrideOf(long position) => (position - 1) / IndexStride;

    private int SlotOf(long position) => (int)(StrideOf(position) % _index.Length);

    private IndexEntry ReadIndex(int i)
    {
        ref var entry = ref _index[i];
        var position = Volatile.Read(ref entry.Position);
        var offset = Volatile.Read(ref entry.Offset);
        return Volatile.Read(ref entry.Position) == position ? new IndexEntry { Position = position, Offset = offset } : default;
    }

    private void RaiseFloor(long end)
    {
        if (end - _ring.Length <= _floor) return;
        Volatile.Write(ref _floor, end - _ring.Length + FloorStepBytes);
        Interlocked.MemoryBarrier();   // readers must see the floor before any byte below it changes
    }

    // Bytes ever kept beside the ring for records below an offset, as far as they are still there.
    private long LargeBytesBefore(long offset)
    {
        var (low, high) = (_largeFirst, _largeNext);
        while (low < high)
        {
            var middle = low + (high - low) / 2;
            if (_large[middle % _large.Length]!.Offset < offset) low = middle + 1;   // between first and next every slot is filled
            else high = middle;
        }
        return low == _largeNext ? _largeWritten : _large[low % _large.Length]!.Before;
    }

    private struct IndexEntry
    {
        public long Position;
        public long Offset;
    }

    /// <param name="Offset">Of its record.</param>
    /// <param name="Position">Of its record.</param>
    /// <param name="Before">Bytes kept beside the ring before it, since the beginning.</param>
    /// <param name="Bytes">The payload.</param>
    private sealed record LargePayload(long Offset, long Position, long Before, byte[] Bytes);
}

/// <summary>How every record begins.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal struct RecordPrefix
{
    /// <summary>Header and what follows it, rounded up to 8 bytes; negative: skip so many.</summary>
    public int RecordBytes;

    /// <summary>Payload bytes.</summary>
    public int Size;

    /// <summary>Place in the log, from 1.</summary>
    public long Position;
}
