namespace Membership.Links;

/// <summary>Puts the pieces of frames of one peer together; a frame comes out whole or not at all.</summary>
/// <remarks>At most <see cref="FramesMax"/> frames at a time, the oldest is given up for a newer one. Buffers are made at a peer's first authentic piece and kept.</remarks>
internal sealed class Reassembly
{
    /// <summary>Frames of one peer that may be incomplete at a time.</summary>
    public const int FramesMax = 4;

    private readonly Slot?[] _slots = new Slot?[FramesMax];
    private uint _newest;
    private bool _any;

    /// <summary>What became of a piece.</summary>
    public enum Outcome
    {
        /// <summary>Kept; the frame is not complete.</summary>
        Kept,

        /// <summary>The frame is complete.</summary>
        Complete,

        /// <summary>A copy of what is here already, or of a frame that was complete.</summary>
        Copy,

        /// <summary>Fits no frame, or one that was given up.</summary>
        Refused,
    }

    /// <summary>Adds one piece whose header was checked. <paramref name="frame"/> is valid until the next call.</summary>
    public Outcome Add(in FragmentHeader header, ReadOnlySpan<byte> piece, out ReadOnlySpan<byte> frame)
    {
        frame = default;
        var slot = Find(header);
        if (slot is null) return Outcome.Refused;
        if (slot.Header.Count != header.Count || slot.Header.FrameBytes != header.FrameBytes || slot.Header.PieceBytes != header.PieceBytes) return Outcome.Refused;
        var bit = 1UL << header.Index;
        if ((slot.Missing & bit) == 0) return Outcome.Copy;
        slot.Missing &= ~bit;
        piece.CopyTo(slot.Bytes.AsSpan(header.Offset));
        if (slot.Missing != 0) return Outcome.Kept;
        frame = slot.Bytes.AsSpan(0, header.FrameBytes);
        return Outcome.Complete;
    }

    /// <summary>Forgets the pieces of an earlier boot.</summary>
    public void Reset()
    {
        foreach (var slot in _slots)
            if (slot is not null) slot.IsUsed = false;
        _any = false;
    }

    private Slot? Find(in FragmentHeader header)
    {
        var index = (int)(header.Frame % FramesMax);
        var slot = _slots[index] ??= new Slot();
        if (slot.IsUsed && slot.Header.Frame == header.Frame) return slot;
        var behind = unchecked(_newest - header.Frame);
        if (_any && behind is > 0 and < uint.MaxValue / 2)
        {
            if (behind >= FramesMax || (slot.IsUsed && unchecked(slot.Header.Frame - header.Frame) < uint.MaxValue / 2)) return null;
        }
        else
        {
            _newest = header.Frame;
            _any = true;
        }
        slot.IsUsed = true;
        slot.Header = header;
        slot.Missing = header.Count == 64 ? ulong.MaxValue : (1UL << header.Count) - 1;
        return slot;
    }

    private sealed class Slot
    {
        public readonly byte[] Bytes = new byte[LinkLayer.FragmentedFrameBytesMax];

        public bool IsUsed { get; set; }

        public FragmentHeader Header { get; set; }

        public ulong Missing { get; set; }
    }
}
