namespace Membership.Virtual;

/// <summary>What a datagram carries, as docs/protocol/wire.md numbers it: bodies of the links below 100, packets of the ring above.</summary>
public enum DatagramKind
{
    /// <summary>Too short, or not ours.</summary>
    Unknown = 0,
    Heartbeat = 1,
    Probe = 2,
    ProbeReply = 3,
    PathProbe = 4,
    PathReply = 5,
    Suspicion = 6,
    Leaving = 7,
    Fragment = 10,
    TargetedFragment = 11,
    Handshake = 99,
    Token = 101,
    Data = 102,
    Join = 103,
    CommitToken = 104,
    Leave = 105,
    Announce = 106,
    HoldCancel = 107,
}

/// <summary>Looks into datagrams that the keyed-hash suite sealed: their text is in clear.</summary>
public static class Peek
{
    private const int HeaderBytes = 24;
    private const int TargetBytes = 11;
    private const byte Handshake = 0;
    private const byte Frame = 8;
    private const byte TargetedFrame = 9;

    /// <summary>The kind of one datagram.</summary>
    public static DatagramKind Of(ReadOnlySpan<byte> datagram)
    {
        if (datagram.Length < HeaderBytes + TargetBytes + 2) return DatagramKind.Unknown;
        if (datagram[1] == Handshake) return DatagramKind.Handshake;
        var body = datagram[HeaderBytes..];
        return body[0] switch
        {
            Frame => (DatagramKind)(100 + body[1]),
            TargetedFrame => (DatagramKind)(100 + body[1 + TargetBytes]),
            var kind => (DatagramKind)kind,
        };
    }
}
