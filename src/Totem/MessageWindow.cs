using Membership.Links;

namespace Membership.Totem;

/// <summary>Buffers for frames, by size class; grown on demand, never shrunk below what was once in use.</summary>
/// <remarks>Bounded by the windows that rent from it.</remarks>
internal sealed class FramePool
{
    private static readonly int[] Classes = [512, 2048, 9216, 65536];
    private readonly Stack<byte[]>[] _free = [new(), new(), new(), new()];

    /// <summary>A buffer of at least <paramref name="bytes"/>; the caller returns it.</summary>
    public byte[] Rent(int bytes)
    {
        for (var i = 0; i < Classes.Length; i++)
        {
            if (bytes > Classes[i]) continue;
            return _free[i].TryPop(out var buffer) ? buffer : GC.AllocateUninitializedArray<byte>(Classes[i]);
        }

        throw new ArgumentOutOfRangeException(nameof(bytes), bytes, $"a frame has at most {Classes[^1]} bytes");
    }

    public void Return(byte[] buffer) => _free[Array.IndexOf(Classes, buffer.Length)].Push(buffer);
}

/// <summary>The frames of one ring that are not yet known to be at every member, by number. Pure structure.</summary>
/// <remarks>Holds numbers above <see cref="Released"/> and at most <c>capacity</c> above it; what is outside is refused, never stored.</remarks>
internal sealed class MessageWindow(int capacity, FramePool pool)
{
    private readonly byte[]?[] _buffers = new byte[]?[capacity];
    private readonly int[] _lengths = new int[capacity];
    private readonly ulong _mask = (ulong)capacity - 1;

    /// <summary>Frames up to this number are gone: every member has them and they are delivered here.</summary>
    public Seq Released { get; private set; }

    /// <summary>All received up to: the highest number without a gap below it.</summary>
    public Seq Aru { get; private set; }

    /// <summary>Highest number stored.</summary>
    public Seq High { get; private set; }

    /// <summary>Frames delivered up to this number.</summary>
    public Seq Delivered { get; private set; }

    /// <summary>Every member has the frames up to this number.</summary>
    public Seq Stable { get; private set; }

    /// <summary>True when a frame of this number can be stored.</summary>
    public bool Fits(Seq seq) => seq > Released && seq.Value - Released.Value <= (ulong)capacity;

    public bool Contains(Seq seq) => seq > Released && seq <= High && _buffers[seq.Value & _mask] is not null;

    /// <summary>True when the frame is stored here or was and is released.</summary>
    public bool Has(Seq seq) => seq <= Aru || Contains(seq);

    /// <summary>Bytes of a stored frame.</summary>
    public ReadOnlySpan<byte> this[Seq seq]
    {
        get
        {
            Invariant.Holds(Contains(seq), "TOTEM-1");
            var slot = seq.Value & _mask;
            return _buffers[slot].AsSpan(0, _lengths[slot]);
        }
    }

    /// <summary>Copies a frame in; false when it is already there or does not fit.</summary>
    public bool TryAdd(Seq seq, ReadOnlySpan<byte> frame)
    {
        if (!Fits(seq) || Has(seq)) return false;
        var buffer = pool.Rent(frame.Length);
        frame.CopyTo(buffer);
        Put(seq, buffer, frame.Length);
        return true;
    }

    /// <summary>Takes over a buffer rented from the pool (a frame of this node's own).</summary>
    public void Put(Seq seq, byte[] buffer, int length)
    {
        Invariant.Holds(Fits(seq) && !Has(seq), "TOTEM-2");
        var slot = seq.Value & _mask;
        _buffers[slot] = buffer;
        _lengths[slot] = length;
        if (seq > High) High = seq;
        var aru = Aru;
        while (aru < High && _buffers[(aru.Value + 1) & _mask] is not null) aru = aru.Next;
        Aru = aru;
    }

    public void MarkDelivered(Seq seq)
    {
        Invariant.Holds(seq > Delivered, "TOTEM-3");
        Delivered = seq;
    }

    /// <summary>Every member has the frames up to <paramref name="stable"/>; frees those that are delivered too.</summary>
    public void Release(Seq stable)
    {
        if (stable > Stable) Stable = stable;
        var end = Stable < Delivered ? Stable : Delivered;
        while (Released < end)
        {
            Released = Released.Next;
            var slot = Released.Value & _mask;
            if (_buffers[slot] is { } buffer) pool.Return(buffer);
            _buffers[slot] = null;
        }
    }

    /// <summary>First missing number after <paramref name="after"/> and how many are missing in a row, not beyond <paramref name="last"/>.</summary>
    public bool TryMissing(Seq after, Seq last, out SeqRange missing)
    {
        missing = default;
        var seq = after < Aru ? Aru.Next : after.Next;
        while (seq <= last && Contains(seq)) seq = seq.Next;
        if (seq > last) return false;
        var first = seq;
        while (seq <= last && !Contains(seq) && seq.Value - first.Value < ushort.MaxValue) seq = seq.Next;
        missing = new SeqRange(first, (int)(seq.Value - first.Value));
        return true;
    }

    /// <summary>Forgets everything: the window of a new ring.</summary>
    public void Clear()
    {
        for (var seq = Released.Next; seq <= High; seq = seq.Next)
        {
            var slot = seq.Value & _mask;
            if (_buffers[slot] is { } buffer) pool.Return(buffer);
            _buffers[slot] = null;
        }

        Released = Aru = High = Delivered = Stable = Seq.None;
    }
}
