using System.Buffers;

namespace Membership.Totem;

/// <summary>Puts the fragments of one originator's large messages together again. Whole messages only ever come out.</summary>
/// <remarks>Memory grows with what has arrived, never with what was announced; at most <c>bytesMax</c>.</remarks>
internal sealed class Reassembly(int bytesMax)
{
    private byte[] _buffer = [];
    private int _length;
    private uint _total;
    private ulong _counter;
    private ushort _next;

    /// <summary>The message that <see cref="Add"/> completed; valid until the next call.</summary>
    public ReadOnlySpan<byte> Message => _buffer.AsSpan(0, _length);

    /// <summary>Takes one fragment; true when it completes its message. A fragment that does not continue what came before is dropped with it.</summary>
    public bool Add(ulong counter, in Piece piece)
    {
        if (piece.IsFirst)
        {
            Reset();
            if (piece.Total > bytesMax) return false;
            (_counter, _total) = (counter, piece.Total);
        }
        else if (_total == 0 || counter != _counter || piece.Fragment != _next)
        {
            Reset();
            return false;
        }

        if (_length + piece.Payload.Length > _total)
        {
            Reset();
            return false;
        }

        Reserve(_length + piece.Payload.Length);
        piece.Payload.CopyTo(_buffer.AsSpan(_length));
        _length += piece.Payload.Length;
        _next++;
        if (!piece.IsLast) return false;
        var isComplete = _length == _total;
        if (!isComplete) Reset();
        _total = 0;
        return isComplete;
    }

    /// <summary>Forgets a message that will not be completed, and its memory.</summary>
    public void Reset()
    {
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _length = 0;
        _total = 0;
        _next = 0;
    }

    private void Reserve(int length)
    {
        if (length <= _buffer.Length) return;
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Math.Max(length, _buffer.Length * 2L), Math.Max(_total, (uint)length)));
        _buffer.AsSpan(0, _length).CopyTo(larger);
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
