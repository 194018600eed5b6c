using Membership.Totem;

namespace Membership.Cpg;

/// <summary>Messages that wait, in their order, for the groups of a new view to be known. Pure structure.</summary>
/// <remarks>Payloads are copied into chunks. It is bounded by what all members have queued when their sends begin to be refused (<see cref="CpgOptions.WaitingBytesMax"/>).</remarks>
internal sealed class MessageBuffer
{
    private const int ChunkBytes = 64 * 1024;
    private const int EntryBytes = 96;

    private readonly List<Entry> _entries = [];
    private byte[] _chunk = [];
    private int _used;

    private readonly record struct Entry(Delivery Delivery, byte[] Chunk, int Offset, int Length);

    /// <summary>Memory in use.</summary>
    public long Bytes { get; private set; }

    public int Count => _entries.Count;

    public void Add(in Delivery delivery, ReadOnlySpan<byte> payload)
    {
        if (_chunk.Length - _used < payload.Length) (_chunk, _used) = (new byte[Math.Max(ChunkBytes, payload.Length)], 0);
        payload.CopyTo(_chunk.AsSpan(_used));
        _entries.Add(new Entry(delivery, _chunk, _used, payload.Length));
        _used += payload.Length;
        Bytes += payload.Length + EntryBytes;
    }

    /// <summary>A message in its place; its payload is valid until <see cref="Clear"/>.</summary>
    public ReadOnlySpan<byte> Read(int index, out Delivery delivery)
    {
        var entry = _entries[index];
        delivery = entry.Delivery;
        return entry.Chunk.AsSpan(entry.Offset, entry.Length);
    }

    public void Clear()
    {
        _entries.Clear();
        _entries.TrimExcess();
        (_chunk, _used, Bytes) = ([], 0, 0);
    }
}
