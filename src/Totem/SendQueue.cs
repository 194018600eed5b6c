using System.Buffers.Binary;

namespace Membership.Totem;

/// <summary>Messages of this node that wait for the token; packs them into frames. Pure structure.</summary>
/// <remarks>Bounded by <c>bytesMax</c>, but one message always fits. Payloads are copied into chunks that are used again.</remarks>
internal sealed class SendQueue(int bytesMax)
{
    private const int WholeHeader = 4;
    private const int ChunkBytes = 256 * 1024;
    private const int SpareChunksMax = 8;

    private readonly int _chunkBytes = Math.Min(ChunkBytes, bytesMax);
    private readonly Stack<Chunk> _spare = new();
    private Chunk _filling = new(Math.Min(ChunkBytes, bytesMax));
    private Message[] _messages = new Message[64];
    private int _head;
    private int _count;

    /// <summary>Payload bytes not yet in a frame.</summary>
    public int Bytes { get; private set; }

    public bool IsEmpty => _count == 0;

    public int Count => _count;

    /// <summary>Counter of the message at the head; 0 when the queue is empty.</summary>
    public ulong HeadCounter => _count == 0 ? 0 : _messages[_head].Counter;

    /// <summary>Copies a message in; false when the queue is at its limit.</summary>
    public bool TryAdd(ulong counter, DeliveryLevel level, byte service, ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload)
    {
        var length = header.Length + payload.Length;
        if (_count > 0 && Bytes + length > bytesMax) return false;
        if (_count == _messages.Length) Grow();
        var chunk = Room(length);
        header.CopyTo(chunk.Bytes.AsSpan(chunk.Used));
        payload.CopyTo(chunk.Bytes.AsSpan(chunk.Used + header.Length));
        _messages[(_head + _count) & (_messages.Length - 1)] = new Message(counter, level, service, chunk, chunk.Used, length);
        chunk.Used += length;
        chunk.Messages++;
        _count++;
        Bytes += length;
        return true;
    }

    /// <summary>Fills a frame body (to the end where more waits, so that frames of a burst are equally long); returns its length, the counter of its first piece and whether it ends a safe message.</summary>
    public int Pack(Span<byte> body, out ulong firstCounter, out bool isSafe)
    {
        firstCounter = HeadCounter;
        isSafe = false;
        var length = 0;
        while (_count > 0)
        {
            ref var message = ref _messages[_head];
            var rest = message.Length - message.Sent;
            var room = body.Length - length;
            var isWhole = message.Sent == 0 && rest + WholeHeader <= room;
            if (!isWhole && room < Math.Max(body.Length / 8, DataFrame.PieceBytesMax + 1)) break;
            length += isWhole ? WriteWhole(ref message, body[length..]) : WriteFragment(ref message, body[length..], rest);
            if (message.Sent < message.Length) break;
            isSafe |= message.Level == DeliveryLevel.Safe;
            Pop();
        }

        if (_count == 0 || length == body.Length) return length;
        body[length..].Clear();
        body[length] = Piece.PaddingFlag;
        return body.Length;
    }

    /// <summary>Starts the message at the head over: its fragments were ordered on a ring that is gone before its last one was.</summary>
    public void Rewind()
    {
        if (_count == 0) return;
        ref var message = ref _messages[_head];
        Bytes += message.Sent;
        message.Sent = 0;
        message.Fragment = 0;
    }

    private int WriteWhole(ref Message message, Span<byte> room)
    {
        room[0] = (byte)(Piece.FirstFlag | Piece.LastFlag | LevelFlag(message.Level));
        room[1] = message.Service;
        BinaryPrimitives.WriteUInt16LittleEndian(room[2..], (ushort)message.Length);
        message.Payload.CopyTo(room[WholeHeader..]);
        message.Sent = message.Length;
        Bytes -= message.Length;
        return WholeHeader + message.Length;
    }

    private int WriteFragment(ref Message message, Span<byte> room, int rest)
    {
        var isFirst = message.Sent == 0;
        var header = isFirst ? 10 : 6;
        var size = Math.Min(Math.Min(rest, room.Length - header), ushort.MaxValue);

        // A message that would fit whole but for this frame's rest is split too; its last fragment is never empty.
        var isLast = size == rest;
        room[0] = (byte)((isFirst ? Piece.FirstFlag : 0) | (isLast ? Piece.LastFlag : 0) | LevelFlag(message.Level));
        room[1] = message.Service;
        BinaryPrimitives.WriteUInt16LittleEndian(room[2..], (ushort)size);
        BinaryPrimitives.WriteUInt16LittleEndian(room[4..], message.Fragment++);
        if (isFirst) BinaryPrimitives.WriteUInt32LittleEndian(room[6..], (uint)message.Length);
        message.Payload.Slice(message.Sent, size).CopyTo(room[header..]);
        message.Sent += size;
        Bytes -= size;
        return header + size;
    }

    private static int LevelFlag(DeliveryLevel level) => level == DeliveryLevel.Safe ? Piece.SafeFlag : 0;

    private void Pop()
    {
        ref var message = ref _messages[_head];
        if (--message.Chunk.Messages == 0) Recycle(message.Chunk);
        message = default;
        _head = (_head + 1) & (_messages.Length - 1);
        _count--;
    }

    /// <summary>A chunk with room for a payload; one larger than a chunk gets its own.</summary>
    private Chunk Room(int bytes)
    {
        if (_filling.Used + bytes <= _filling.Bytes.Length) return _filling;
        if (bytes > _chunkBytes) return new Chunk(bytes);
        return _filling = _spare.TryPop(out var spare) ? spare : new Chunk(_chunkBytes);
    }

    private void Recycle(Chunk chunk)
    {
        chunk.Used = 0;
        if (chunk != _filling && chunk.Bytes.Length == _chunkBytes && _spare.Count < SpareChunksMax) _spare.Push(chunk);
    }

    private void Grow()
    {
        var larger = new Message[_messages.Length * 2];
        for (var i = 0; i < _count; i++) larger[i] = _messages[(_head + i) & (_messages.Length - 1)];
        _messages = larger;
        _head = 0;
    }

    private sealed class Chunk(int bytes)
    {
        public readonly byte[] Bytes = GC.AllocateUninitializedArray<byte>(bytes);
        public int Used;
        public int Messages;
    }

    private struct Message(ulong counter, DeliveryLevel level, byte service, Chunk chunk, int offset, int length)
    {
        public readonly ulong Counter = counter;
        public readonly DeliveryLevel Level = level;
        public readonly byte Service = service;
        public readonly Chunk Chunk = chunk;
        public readonly int Length = length;
        public int Sent;
        public ushort Fragment;

        public readonly ReadOnlySpan<byte> Payload => Chunk.Bytes.AsSpan(offset, Length);
    }
}
