using System.Buffers;

namespace Membership.Grpc.Wire;

/// <summary>Bytes in an array from the shared pool that grows as needed. Its owner disposes it.</summary>
internal sealed class PooledBuffer : IBufferWriter<byte>, IDisposable
{
    private const int SmallestArray = 4096;

    /// <summary>An array larger than this goes back to the pool when the buffer is cleared: one large message must not be kept for ever.</summary>
    private const int LargestArrayKept = 1 << 20;

    private byte[] _array = [];
    private int _length;

    public int Length => _length;

    public ReadOnlyMemory<byte> Written => _array.AsMemory(0, _length);

    public void Clear()
    {
        _length = 0;
        if (_array.Length > LargestArrayKept) ReturnArray();
    }

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(_array.Length - _length), nameof(count));
        _length += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        EnsureFree(sizeHint);
        return _array.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        EnsureFree(sizeHint);
        return _array.AsSpan(_length);
    }

    public void Dispose()
    {
        _length = 0;
        ReturnArray();
    }

    private void EnsureFree(int sizeHint)
    {
        int needed = Math.Max(sizeHint, 1);
        if (_array.Length - _length >= needed) return;

        long wanted = Math.Max((long)_length + needed, Math.Max(SmallestArray, 2L * _array.Length));
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(wanted, Array.MaxLength));
        _array.AsSpan(0, _length).CopyTo(larger);
        ReturnArray();
        _array = larger;
    }

    private void ReturnArray()
    {
        if (_array.Length > 0) ArrayPool<byte>.Shared.Return(_array);
        _array = [];
    }
}
