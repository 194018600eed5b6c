using Membership.Links;

namespace Membership.Totem;

/// <summary>A run of frames somebody misses: <c>Count</c> frames from <c>First</c> on.</summary>
internal readonly record struct SeqRange(Seq First, int Count);

/// <summary>The ring's token (TOCS'95, "Total Ordering Protocol"; deviations D1, D5, D6). One instance is reused per node.</summary>
internal sealed class Token
{
    /// <summary>Ranges of missing frames a token can carry.</summary>
    public const int RequestsMax = 48;

    /// <summary>Largest token in bytes.</summary>
    public const int BytesMax = HeaderBytes + (RequestsMax * RequestBytes);

    private const int HeaderBytes = 76;
    private const int RequestBytes = 10;

    private readonly SeqRange[] _requests = new SeqRange[RequestsMax];

    public RingId Ring { get; set; }

    /// <summary>Counts hops; a token with a number not above the last one seen is a copy.</summary>
    public ulong TokenSeq { get; set; }

    /// <summary>Highest number assigned on this ring.</summary>
    public Seq Seq { get; set; }

    /// <summary>All members have everything up to here, as far as the visits of the last rotation say.</summary>
    public Seq Aru { get; set; }

    /// <summary>Who holds aru down; 0 when nobody does.</summary>
    public NodeId AruNode { get; set; }

    /// <summary>Bytes multicast during the last rotation.</summary>
    public uint FlowBytes { get; set; }

    /// <summary>Bytes waiting at all members.</summary>
    public uint BacklogBytes { get; set; }

    /// <summary>Who set the flag "old-ring messages are still to be resent"; 0 when nobody.</summary>
    public NodeId RecoveringNode { get; set; }

    /// <summary>Who multicast a new message last; 0 when nobody has on this ring. This node holds the token when it is idle.</summary>
    public NodeId LastSender { get; set; }

    /// <summary>Rotations without news, counted by the holder.</summary>
    public byte IdleRotations { get; set; }

    /// <summary>Nodes that some member kept out in the last full rotation.</summary>
    public NodeSet HeldOut { get; set; }

    /// <summary>The same, collected since the representative's last visit.</summary>
    public NodeSet HeldOutSoFar { get; set; }

    public int RequestCount { get; private set; }

    public SeqRange Request(int index) => _requests[index];

    public void ClearRequests() => RequestCount = 0;

    /// <summary>Adds a range; false when the token is full.</summary>
    public bool TryAddRequest(SeqRange range)
    {
        if (RequestCount == RequestsMax) return false;
        _requests[RequestCount++] = range;
        return true;
    }

    /// <summary>Copies everything from another token.</summary>
    public void CopyFrom(Token other)
    {
        Ring = other.Ring;
        TokenSeq = other.TokenSeq;
        Seq = other.Seq;
        Aru = other.Aru;
        AruNode = other.AruNode;
        FlowBytes = other.FlowBytes;
        BacklogBytes = other.BacklogBytes;
        RecoveringNode = other.RecoveringNode;
        LastSender = other.LastSender;
        IdleRotations = other.IdleRotations;
        HeldOut = other.HeldOut;
        HeldOutSoFar = other.HeldOutSoFar;
        RequestCount = other.RequestCount;
        other._requests.AsSpan(0, RequestCount).CopyTo(_requests);
    }

    /// <summary>Reads a token behind its kind byte; false when it makes no sense.</summary>
    public bool TryRead(ReadOnlySpan<byte> bytes)
    {
        var reader = new PacketReader(bytes);
        Ring = reader.Ring();
        TokenSeq = reader.UInt64();
        Seq = new Seq(reader.UInt64());
        Aru = new Seq(reader.UInt64());
        AruNode = new NodeId(reader.UInt16());
        FlowBytes = reader.UInt32();
        BacklogBytes = reader.UInt32();
        RecoveringNode = new NodeId(reader.UInt16());
        LastSender = new NodeId(reader.UInt16());
        IdleRotations = reader.Byte();
        HeldOut = new NodeSet(reader.UInt64());
        HeldOutSoFar = new NodeSet(reader.UInt64());
        RequestCount = 0;
        var count = reader.Byte();
        if (count > RequestsMax) return false;
        for (var i = 0; i < count; i++)
        {
            var range = new SeqRange(new Seq(reader.UInt64()), reader.UInt16());
            if (range.Count == 0 || range.First == Seq.None || range.First.Value > Seq.Value || (ulong)range.Count > Seq.Value - range.First.Value + 1) return false;
            _requests[RequestCount++] = range;
        }

        return reader.IsComplete && Aru <= Seq;
    }

    /// <summary>Writes the packet, kind byte included; returns its length.</summary>
    public int Write(Span<byte> buffer)
    {
        var writer = new PacketWriter(buffer);
        writer.Byte((byte)PacketKind.Token);
        writer.Ring(Ring);
        writer.UInt64(TokenSeq);
        writer.UInt64(Seq.Value);
        writer.UInt64(Aru.Value);
        writer.UInt16(AruNode.Value);
        writer.UInt32(FlowBytes);
        writer.UInt32(BacklogBytes);
        writer.UInt16(RecoveringNode.Value);
        writer.UInt16(LastSender.Value);
        writer.Byte(IdleRotations);
        writer.UInt64(HeldOut.Bits);
        writer.UInt64(HeldOutSoFar.Bits);
        writer.Byte((byte)RequestCount);
        for (var i = 0; i < RequestCount; i++)
        {
            writer.UInt64(_requests[i].First.Value);
            writer.UInt16((ushort)_requests[i].Count);
        }

        return writer.Length;
    }
}
