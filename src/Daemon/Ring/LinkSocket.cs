using System.Runtime.InteropServices;
using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>The UDP socket of one link, bound to this node's configured address and to no other.</summary>
/// <remarks>Ring thread only. Nothing here blocks or allocates once the socket is open.</remarks>
internal sealed unsafe partial class LinkSocket : IDisposable
{
    /// <summary>Socket buffer asked for in each direction, in bytes: about 20 ms of a 10 Gbit/s link.</summary>
    public const int BufferBytes = 8 * 1024 * 1024;

    /// <summary>Priority of the queueing discipline (6 = interactive); the highest an unprivileged process may set.</summary>
    private const int Priority = 6;

    /// <summary>Type of service: low delay.</summary>
    private const int LowDelay = 0x10;

    /// <summary>Reports read from the error queue in one turn.</summary>
    private const int ErrorsPerTurn = 64;

    private readonly AddressBook _book;
    private readonly int _self;
    private readonly byte* _errorControl = (byte*)NativeMemory.AllocZeroed(ErrorControlBytes);
    private const int ErrorControlBytes = 256;
    private int _descriptor = -1;

    public LinkSocket(LinkId link, AddressBook book, int self)
    {
        _book = book;
        _self = self;
        Counters = new LinkCounters(link);
        PrepareSending();
    }

    /// <summary>What it did.</summary>
    public LinkCounters Counters { get; }

    /// <summary>The descriptor to wait on; negative while not bound.</summary>
    public int Descriptor => _descriptor;

    /// <summary>True while bound.</summary>
    public bool IsOpen => _descriptor >= 0;

    /// <summary>True when the kernel takes many datagrams in one call.</summary>
    public bool CanSegment { get; private set; }

    /// <summary>Errno of the send that made segmentation being given up; 0 = it was not.</summary>
    public int SegmentationErrno { get; private set; }

    /// <summary>Bytes of receive buffer the kernel really granted.</summary>
    public int GrantedBytes { get; private set; }

    /// <summary>Opens and binds; returns 0 or the errno, and is then as closed as before.</summary>
    public int Open()
    {
        var own = _book[_self];
        var descriptor = Libc.Socket(own.Family, Libc.SockDgram | Libc.SockNonblockCloexec, 0);
        if (descriptor < 0) return Libc.Errno;
        Configure(descriptor, own.IsV6);
        if (Libc.Bind(descriptor, _book.Native(_self), (uint)own.Length) != 0)
        {
            var errno = Libc.Errno;
            _ = Libc.Close(descriptor);
            return errno;
        }

        _descriptor = descriptor;
        Counters.IsBound = true;
        return 0;
    }

    /// <summary>Receives one batch; 0 when nothing is there. An error somebody else's datagram left behind is stepped over.</summary>
    public int Receive(ReceiveBuffers buffers)
    {
        for (var attempt = 0; ; attempt++)
        {
            var received = buffers.Receive(_descriptor);
            if (received >= 0)
            {
                Counters.ReceiveCalls++;
                return received;
            }

            if (Libc.Errno == Libc.Eagain || attempt == 1) return 0;
        }
    }

    /// <summary>Throws away what is queued, without looking at it and without touching the receive buffers.</summary>
    public void Discard()
    {
        const int DiscardedMax = 1 << 20;
        const int FailuresMax = 16;
        var empty = default(Libc.MessageHeader);
        var failures = 0;
        for (var read = 0; read < DiscardedMax && failures < FailuresMax; read++)
        {
            if (Libc.Receive(_descriptor, &empty, Libc.MsgDontWait | Libc.MsgTrunc) >= 0) Counters.Discarded++;
            else if (Libc.Errno == Libc.Eagain) return;
            else failures++;
        }
    }

    /// <summary>Reads what ICMP reported; the answer is who has no socket on the port (a hint that the process is gone, not a proof).</summary>
    public NodeSet ReadErrors()
    {
        var unreachable = NodeSet.Empty;
        var name = stackalloc byte[Libc.AddressBytes];
        for (var read = 0; read < ErrorsPerTurn; read++)
        {
            var header = new Libc.MessageHeader { Name = name, NameLength = Libc.AddressBytes, Control = _errorControl, ControlLength = ErrorControlBytes };
            if (Libc.Receive(_descriptor, &header, Libc.MsgErrQueue | Libc.MsgDontWait) < 0) break;
            if (ErrnoOf(header) != Libc.Econnrefused) continue;
            Counters.PortUnreachable++;
            if (!WireAddress.TryRead(new ReadOnlySpan<byte>(name, (int)Math.Min(header.NameLength, Libc.AddressBytes)), out var target)) continue;
            var position = _book.Owner(target);
            if (position != AddressBook.Nobody && position != _self) unreachable = unreachable.With(position);
        }

        // Where the queue had no room for a report, its error alone is left on the socket, and would end every wait at once until it is read.
        _ = Libc.Get(_descriptor, Libc.SolSocket, Libc.SoError);
        return unreachable;
    }

    public void Dispose()
    {
        if (_descriptor >= 0) _ = Libc.Close(_descriptor);
        _descriptor = -1;
        Counters.IsBound = false;
        NativeMemory.Free(_errorControl);
        NativeMemory.Free(_headers);
        NativeMemory.Free(_vectors);
        NativeMemory.Free(_segmentControl);
    }

    /// <summary>The errno inside a <c>sock_extended_err</c> (its first field); 0 when there is none.</summary>
    private static int ErrnoOf(in Libc.MessageHeader header)
    {
        var at = (byte*)header.Control;
        var end = at + header.ControlLength;
        while (at + Libc.ControlHeaderBytes + sizeof(int) <= end)
        {
            var control = (Libc.ControlHeader*)at;
            if (control->Length < Libc.ControlHeaderBytes) return 0;
            var isReport = (control->Level == Libc.SolIp && control->Type == Libc.IpRecvErr)
                || (control->Level == Libc.SolIpv6 && control->Type == Libc.Ipv6RecvErr);
            if (isReport) return *(int*)(at + Libc.ControlHeaderBytes);
            at += (control->Length + 7) & ~(nuint)7;
        }

        return 0;
    }

    /// <summary>All options are wishes: a kernel that refuses one still carries datagrams.</summary>
    private void Configure(int descriptor, bool isV6)
    {
        if (!Libc.TrySet(descriptor, Libc.SolSocket, Libc.SoRcvBufForce, BufferBytes)) Libc.TrySet(descriptor, Libc.SolSocket, Libc.SoRcvBuf, BufferBytes);
        if (!Libc.TrySet(descriptor, Libc.SolSocket, Libc.SoSndBufForce, BufferBytes)) Libc.TrySet(descriptor, Libc.SolSocket, Libc.SoSndBuf, BufferBytes);
        GrantedBytes = Libc.Get(descriptor, Libc.SolSocket, Libc.SoRcvBuf) / 2; // the kernel doubles what it was asked for
        if (isV6)
        {
            Libc.TrySet(descriptor, Libc.SolIpv6, Libc.Ipv6V6Only, 1);
            Libc.TrySet(descriptor, Libc.SolIpv6, Libc.Ipv6MtuDiscover, Libc.PmtuDiscProbe);
            Libc.TrySet(descriptor, Libc.SolIpv6, Libc.Ipv6RecvErr, 1);
            Libc.TrySet(descriptor, Libc.SolIpv6, Libc.Ipv6TrafficClass, LowDelay);
        }
        else
        {
            Libc.TrySet(descriptor, Libc.SolIp, Libc.IpMtuDiscover, Libc.PmtuDiscProbe);
            Libc.TrySet(descriptor, Libc.SolIp, Libc.IpRecvErr, 1);
            Libc.TrySet(descriptor, Libc.SolIp, Libc.IpTos, LowDelay);
        }

        Libc.TrySet(descriptor, Libc.SolSocket, Libc.SoPriority, Priority); // after the type of service, which sets it too
        Libc.TrySet(descriptor, Libc.SolUdp, Libc.UdpGro, 1);
        CanSegment = Libc.TrySet(descriptor, Libc.SolUdp, Libc.UdpSegment, 0);
        SegmentationErrno = 0;
    }
}
