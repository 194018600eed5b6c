using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Membership.Cli.Demo;

/// <summary>What identifies one delivery: its place in the order, and what stood there.</summary>
/// <param name="Seq">Frame of the ring.</param>
/// <param name="Index">Place in the frame.</param>
/// <param name="Sender">Node that sent it.</param>
/// <param name="Counter">The sender's own count.</param>
/// <param name="Payload">First 8 bytes of the SHA-256 of the payload.</param>
internal readonly record struct Delivered(ulong Seq, uint Index, uint Sender, ulong Counter, ulong Payload) : IComparable<Delivered>
{
    /// <summary>By place in the order alone.</summary>
    public int CompareTo(Delivered other) => (Seq, Index).CompareTo((other.Seq, other.Index));
}

/// <summary>The one order of the messages of one view, as told by whichever node delivered each of them first.</summary>
/// <remarks>Ordinals count the messages of the view from 0. The hash runs over every message up to an ordinal, so two equal hashes at one ordinal mean one history.</remarks>
internal sealed class OrderLedger(string view)
{
    /// <summary>Entries kept for nodes that are behind; a node further behind is placed anew.</summary>
    public const int EntriesMax = 200_000;

    private readonly List<Entry> _entries = [];
    private readonly Dictionary<string, (long Count, ulong Hash)> _exits = [];
    private long _first;

    /// <summary>The view whose messages these are.</summary>
    public string View { get; } = view;

    /// <summary>True when entry 0 is known to be the first message of the view, not only the first one seen.</summary>
    public bool StartsAtViewStart { get; private set; }

    /// <summary>Ordinal the next new message gets.</summary>
    public long End => _first + _entries.Count;

    /// <summary>Messages that at least two nodes delivered.</summary>
    public long Confirmed { get; private set; }

    /// <summary>Adds a message that no node had delivered here before.</summary>
    public void Append(in Delivered message, bool isFirstOfView)
    {
        if (End == 0) StartsAtViewStart = isFirstOfView;
        _entries.Add(new Entry(message, Chain(HashAt(End), message), 1));
        if (_entries.Count < 2 * EntriesMax) return;
        _entries.RemoveRange(0, EntriesMax);
        _first += EntriesMax;
    }

    /// <summary>A further node delivered this at <paramref name="ordinal"/>; false when something else stands there.</summary>
    public bool Confirm(long ordinal, in Delivered message)
    {
        var at = (int)(ordinal - _first);
        if (_entries[at].Message != message) return false;
        _entries[at] = _entries[at] with { Seen = _entries[at].Seen + 1 };
        if (_entries[at].Seen == 2) Confirmed++;
        return true;
    }

    /// <summary>Are the entries from this ordinal on still kept?</summary>
    public bool Keeps(long ordinal) => ordinal >= _first;

    /// <summary>What stands at an ordinal.</summary>
    public Delivered MessageAt(long ordinal) => _entries[(int)(ordinal - _first)].Message;

    /// <summary>Hash over the first <paramref name="count"/> messages.</summary>
    public ulong HashAt(long count) => count <= _first ? 0 : _entries[(int)(count - _first - 1)].Hash;

    /// <summary>Where a message stands by its place in the order: before the first kept entry, at an ordinal, after the last, or nowhere although later ones are there.</summary>
    public (Standing Standing, long Ordinal) Find(in Delivered message)
    {
        if (_entries.Count == 0 || message.CompareTo(_entries[^1].Message) > 0) return (Standing.After, End);
        if (message.CompareTo(_entries[0].Message) < 0) return (Standing.Before, _first);
        var low = 0;
        var high = _entries.Count - 1;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_entries[middle].Message.CompareTo(message) < 0) low = middle + 1;
            else high = middle;
        }

        return _entries[low].Message.CompareTo(message) == 0 ? (Standing.Here, _first + low) : (Standing.Missing, 0);
    }

    /// <summary>A node leaves this view for <paramref name="next"/> after <paramref name="count"/> messages; false when another that took the same way had delivered another set.</summary>
    public bool Leave(string next, long count)
    {
        var exit = (count, HashAt(count));
        return _exits.TryAdd(next, exit) || _exits[next] == exit;
    }

    private static ulong Chain(ulong before, in Delivered message)
    {
        Span<byte> bytes = stackalloc byte[40];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, before);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], message.Seq);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], message.Index);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[20..], message.Sender);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], message.Counter);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[32..], message.Payload);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return BinaryPrimitives.ReadUInt64BigEndian(hash);
    }

    private readonly record struct Entry(Delivered Message, ulong Hash, int Seen);
}

/// <summary>Where a message stands relative to what a ledger holds.</summary>
internal enum Standing
{
    /// <summary>Before everything the ledger knows.</summary>
    Before,

    /// <summary>At a known ordinal.</summary>
    Here,

    /// <summary>After everything the ledger knows.</summary>
    After,

    /// <summary>Between two neighbours of the ledger: nobody else delivered it.</summary>
    Missing,
}
