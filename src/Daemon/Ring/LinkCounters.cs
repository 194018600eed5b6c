using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>What one link's sockets did since the start. Written by the ring thread only.</summary>
internal sealed class LinkCounters(LinkId link)
{
    /// <summary>The link.</summary>
    public LinkId Link { get; } = link;

    /// <summary>True while the link's address is bound.</summary>
    public bool IsBound { get; internal set; }

    /// <summary>Datagrams received, after splitting.</summary>
    public long DatagramsReceived { get; internal set; }

    /// <summary>Bytes received.</summary>
    public long BytesReceived { get; internal set; }

    /// <summary>System calls that received something.</summary>
    public long ReceiveCalls { get; internal set; }

    /// <summary>Datagrams handed to the kernel.</summary>
    public long DatagramsSent { get; internal set; }

    /// <summary>Bytes handed to the kernel.</summary>
    public long BytesSent { get; internal set; }

    /// <summary>System calls that sent something.</summary>
    public long SendCalls { get; internal set; }

    /// <summary>Datagrams the kernel had no room for (EAGAIN, ENOBUFS): dropped, as a full wire would.</summary>
    public long SendNoRoom { get; internal set; }

    /// <summary>Datagrams longer than the device or the known path takes (EMSGSIZE).</summary>
    public long SendTooLong { get; internal set; }

    /// <summary>Datagrams with no way to the peer (ENETUNREACH, EHOSTUNREACH, ENETDOWN, EADDRNOTAVAIL).</summary>
    public long SendUnreachable { get; internal set; }

    /// <summary>Datagrams refused for any other reason, EPERM of a packet filter among them.</summary>
    public long SendOtherError { get; internal set; }

    /// <summary>The last errno of a refused send; 0 = none yet.</summary>
    public int LastSendErrno { get; internal set; }

    /// <summary>Port-unreachable answers of peers.</summary>
    public long PortUnreachable { get; internal set; }

    /// <summary>Datagrams from an address that no peer is configured with.</summary>
    public long UnknownSource { get; internal set; }

    /// <summary>Datagrams thrown away unread after a stall.</summary>
    public long Discarded { get; internal set; }

    /// <summary>Datagrams dropped by injected faults.</summary>
    public long FaultDropped { get; internal set; }
}
