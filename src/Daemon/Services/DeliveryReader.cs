using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Membership.Daemon.Services;

/// <summary>What a reader found.</summary>
internal enum ReadResult
{
    /// <summary>An event.</summary>
    Event,

    /// <summary>Nothing new yet.</summary>
    Nothing,

    /// <summary>The reader was too slow: what it wanted next is overwritten.</summary>
    Overwritten,
}

/// <summary>One subscriber's place in the <see cref="DeliveryLog"/>. Used by one task at a time.</summary>
internal sealed class DeliveryReader : IPacedReader
{
    // Holds at least one record of the largest size inside the ring.
    private const int BufferBytes = 64 * 1024;

    private readonly DeliveryLog _log;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferBytes);
    private long _cursor;   // offset in the log of _buffer[_used]
    private int _used;
    private int _length;

    internal DeliveryReader(DeliveryLog log, long cursor, long position)
    {
        _log = log;
        _cursor = cursor;
        Position = position;
    }

    /// <summary>Position of the last event read, or the one it began after.</summary>
    public long Position { get; private set; }

    /// <inheritdoc/>
    public long Unread => Volatile.Read(ref _cursor);

    /// <summary>The next event; the payload is valid until the next call.</summary>
    public ReadResult Next(out DeliveryRecord record, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        while (true)
        {
            if (Peek(out record) is var found and not ReadResult.Event) return found;
            var header = Unsafe.SizeOf<DeliveryRecord>();
            if (record.Position > Position && record.Kind == RecordKind.Message) payload = _buffer.AsSpan(_used + header, record.Size);
            else if (record.Position > Position && record.Kind == RecordKind.LargeMessage)
            {
                var large = _log.Large(record.LargeSlot, record.Position);
                if (large is null) return ReadResult.Overwritten;
                payload = large;
            }
            _used += record.RecordBytes;
            _cursor += record.RecordBytes;
            if (record.Position <= Position) continue;   // from the index to the place a resumed reader asked for
            Position = record.Position;
            return ReadResult.Event;
        }
    }

    /// <summary>Waits until there is more to read, or the log has ended (false).</summary>
    public async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        while (_log.LastPosition <= Position)
        {
            var armed = _log.Arm();
            if (_log.LastPosition > Position) return true;
            if (_log.HasEnded) return false;
            await armed.WaitAsync(cancellationToken);
        }
        return true;
    }

    private ReadResult Peek(out DeliveryRecord record)
    {
        while (true)
        {
            if (_length - _used >= sizeof(int))
            {
                var bytes = MemoryMarshal.Read<int>(_buffer.AsSpan(_used));
                if (bytes > 0 && bytes <= _length - _used)
                {
                    record = MemoryMarshal.Read<DeliveryRecord>(_buffer.AsSpan(_used));
                    return ReadResult.Event;
                }
                if (bytes < 0)   // padding to the end of the ring
                {
                    _cursor -= bytes;
                    (_used, _length) = (0, 0);
                }
            }
            var copied = _log.Copy(_cursor, _buffer);
            if (copied <= 0)
            {
                record = default;
                (_used, _length) = (0, 0);
                return copied < 0 ? ReadResult.Overwritten : ReadResult.Nothing;
            }
            (_used, _length) = (0, copied);
        }
    }
}
