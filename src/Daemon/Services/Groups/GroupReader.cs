using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Membership.Daemon.Services.Groups;

/// <summary>One session's or watch's place in the <see cref="GroupLog"/>: finds the records of its groups and skips the others.</summary>
/// <remarks>
/// The ring thread marks a reader with the first record that concerns it, before it publishes; so a reader sleeps through what does not concern it and begins
/// at what does. Reading is for one task at a time.
/// </remarks>
internal sealed class GroupReader(GroupLog log, BatchSignal signal) : IPacedReader
{
    /// <summary>No record waits to be read.</summary>
    public const long None = long.MaxValue;

    private static readonly int HeaderBytes = Unsafe.SizeOf<GroupRecord>();

    private readonly Dictionary<uint, List<Subscription>> _subscriptions = [];
    private readonly ConcurrentQueue<Subscription> _added = new();
    private int _marked;
    private long _pending;      // written by the ring thread while not marked
    private long _markedUpTo;
    private long _next = None;  // first record that may concern this reader and has not been read
    private long _limit;
    private long _before;       // position of the event before the one just found

    /// <summary>Raised when there may be something to read.</summary>
    public BatchSignal Signal => signal;

    /// <summary>Position of the last event read; of a watch that has read none, the one it began after.</summary>
    public long Position { get; private set; }

    /// <summary>True once what it should read next was overwritten.</summary>
    public bool IsOvertaken { get; private set; }

    /// <summary>Ring thread: the batch being worked on has a record for this reader, first this one.</summary>
    public long BatchFirst { get; set; } = None;

    /// <summary>Begins after a position, with the records from an offset on (<see cref="None"/>: with those it is marked for). Ring thread, before anybody reads with it.</summary>
    public void BeginAfter(long position, long offset)
    {
        Position = position;
        Volatile.Write(ref _next, offset);
    }

    /// <summary>Ring thread: reads this group too from now on.</summary>
    public void Add(Subscription subscription) => _added.Enqueue(subscription);

    /// <summary>Ring thread, before it publishes: from <see cref="BatchFirst"/> on there is something for this reader.</summary>
    public void Mark(long upTo)
    {
        Interlocked.Exchange(ref _markedUpTo, upTo);   // before the flag is looked at, while the reader clears the flag before it looks here
        if (Volatile.Read(ref _marked) == 0)
        {
            _pending = BatchFirst;
            Volatile.Write(ref _marked, 1);
        }
        BatchFirst = None;
    }

    /// <summary>Looks at what has been published since.</summary>
    public void Refresh()
    {
        _limit = log.Published;
        if (Volatile.Read(ref _marked) != 0)
        {
            if (_next == None) _next = _pending;
            Interlocked.Exchange(ref _marked, 0);
        }
        while (_added.TryDequeue(out var added))
        {
            if (!_subscriptions.TryGetValue(added.Group, out var list)) _subscriptions[added.Group] = list = [];
            list.Add(added);
        }
    }

    /// <summary>Bytes of the log from what may concern this reader next up to its end. Any thread; a moment old.</summary>
    public long UnreadBytes => Unread is var next and not None ? Math.Max(0, log.Published - next) : 0;

    /// <inheritdoc/>
    /// <remarks>What a reader that sleeps has been marked with counts, although it does not know of it yet.</remarks>
    public long Unread => Volatile.Read(ref _next) is var next && next == None && Volatile.Read(ref _marked) != 0 ? Volatile.Read(ref _pending) : next;

    /// <summary>True when <see cref="Next"/> might find an event, after a <see cref="Refresh"/>.</summary>
    public bool HasUnread => _next < _limit;

    /// <summary>Finds the next event, up to what the last <see cref="Refresh"/> saw. What is read of it is checked by <see cref="TryCopy"/>.</summary>
    public ReadResult Next(out GroupRecord record, out long offset, out Subscription subscription)
    {
        subscription = null!;   // set where an event is found
        while (_next < _limit)
        {
            offset = _next;
            var bytes = MemoryMarshal.Read<int>(log.Raw(offset, sizeof(int)));
            if (bytes < 0)
            {
                if (!log.IsIntact(offset)) return Overwritten(out record);
                _next -= bytes;   // to the beginning of the ring
                continue;
            }
            var raw = log.Raw(offset, HeaderBytes);
            record = raw.Length == HeaderBytes ? MemoryMarshal.Read<GroupRecord>(raw) : default;   // a torn record only
            if (!log.IsIntact(offset)) return Overwritten(out record);
            _next += record.Prefix.RecordBytes;
            if (!_subscriptions.TryGetValue(record.Group, out var list) || Find(list, record.Prefix.Position) is not { } found) continue;
            if (found.WithoutOwn && record.IsMessage && record.Session == OwnSession && record.Sender == OwnNode) continue;
            (_before, Position) = (Position, record.Prefix.Position);
            subscription = found;
            return ReadResult.Event;
        }
        if (_next != None && Volatile.Read(ref _markedUpTo) <= _limit) _next = None;
        (record, offset) = (default, 0);
        return ReadResult.Nothing;
    }

    /// <summary>This session, where <see cref="Subscription.WithoutOwn"/> is to mean something.</summary>
    public uint OwnSession { get; init; }

    /// <summary>This node, as <see cref="OwnSession"/>.</summary>
    public ushort OwnNode { get; init; }

    /// <summary>Does not take the event just found: it is found again.</summary>
    public void PutBack(long offset) => (_next, Position) = (offset, _before);

    /// <summary>What belongs to the event just found is overwritten: it is not taken.</summary>
    public void Overtaken(long offset)
    {
        PutBack(offset);
        IsOvertaken = true;
    }

    /// <summary>A payload beside the ring, or null when it went meanwhile.</summary>
    public byte[]? Large(in GroupRecord record, long offset)
    {
        var slot = MemoryMarshal.Read<int>(log.Raw(offset + HeaderBytes, sizeof(int)));
        return log.IsIntact(offset) ? log.Large(slot, record.Prefix.Position) : null;
    }

    /// <summary>Copies what follows the header; false when it was overwritten meanwhile and nothing of it can be believed.</summary>
    public bool TryCopy(in GroupRecord record, long offset, Span<byte> to)
    {
        log.Raw(offset + HeaderBytes, record.Prefix.Size).CopyTo(to);
        return log.IsIntact(offset);
    }

    /// <summary>Reads no more of a group after the last event of a membership.</summary>
    public void Remove(Subscription subscription)
    {
        if (!_subscriptions.TryGetValue(subscription.Group, out var list)) return;
        list.Remove(subscription);
        if (list.Count == 0) _subscriptions.Remove(subscription.Group);
    }

    private ReadResult Overwritten(out GroupRecord record)
    {
        record = default;
        IsOvertaken = true;
        return ReadResult.Overwritten;
    }

    // A session that left and joined again has two for a while; they do not overlap.
    private static Subscription? Find(List<Subscription> list, long position)
    {
        foreach (var subscription in list)
        {
            if (subscription.First <= position && position <= subscription.Last) return subscription;
        }
        return null;
    }
}
