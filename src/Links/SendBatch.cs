namespace Membership.Links;

/// <summary>Datagrams of one link that leave in one call: the same targets, equal sizes but for a shorter last one.</summary>
internal sealed class SendBatch
{
    /// <summary>Bytes that one call can carry (the kernel's limit for one segmented send is 65507 over IPv4).</summary>
    public const int BytesMax = 65_000;

    /// <summary>Datagrams that one call can carry (UDP_MAX_SEGMENTS of Linux).</summary>
    public const int SegmentsMax = 64;

    private readonly byte[] _bytes = GC.AllocateArray<byte>(BytesMax, pinned: true);
    private int _used;
    private bool _isClosed;

    public NodeSet Targets { get; private set; }

    public int SegmentBytes { get; private set; }

    public int Count { get; private set; }

    public ReadOnlySpan<byte> Datagrams => _bytes.AsSpan(0, _used);

    /// <summary>True when a datagram of this size to these targets may join what is here.</summary>
    public bool Fits(NodeSet targets, int bytes) =>
        Count == 0 || (!_isClosed && Targets == targets && bytes <= SegmentBytes && Count < SegmentsMax && _used + bytes <= BytesMax);

    /// <summary>Room for one more datagram, to be filled by the caller; <see cref="Fits"/> was asked before.</summary>
    public Span<byte> Add(NodeSet targets, int bytes)
    {
        Invariant.Holds(Fits(targets, bytes) && bytes <= BytesMax, "LINKS-2");
        if (Count == 0)
        {
            Targets = targets;
            SegmentBytes = bytes;
        }
        _isClosed = bytes < SegmentBytes;
        Count++;
        var room = _bytes.AsSpan(_used, bytes);
        _used += bytes;
        return room;
    }

    public void Clear()
    {
        _used = Count = 0;
        _isClosed = false;
    }
}
