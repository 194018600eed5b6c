using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Membership.Namespaces;

/// <summary>Sends UDP datagrams from a namespace with any source address and port, like an attacker on the wire.</summary>
public sealed class PacketGun : IDisposable
{
    private const int IpHeaderBytes = 20;
    private const int UdpHeaderBytes = 8;

    /// <summary>Datagrams longer than this do not fit the wire's MTU of 1500 and are refused.</summary>
    public const int PayloadBytesMax = 1500 - IpHeaderBytes - UdpHeaderBytes;

    private readonly Socket _socket;
    private readonly byte[] _packet = new byte[IpHeaderBytes + UdpHeaderBytes + PayloadBytesMax];

    /// <summary>A gun in a host's namespace.</summary>
    public PacketGun(VirtualNetwork network, int host)
    {
        _socket = network.OpenSocket(host, SocketType.Raw, ProtocolType.Raw);
        _socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.HeaderIncluded, true);
    }

    /// <summary>Datagrams sent so far.</summary>
    public long Sent { get; private set; }

    /// <summary>Sends one datagram.</summary>
    public void Fire(IPEndPoint from, IPEndPoint to, ReadOnlySpan<byte> payload)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payload.Length, PayloadBytesMax);
        var length = IpHeaderBytes + UdpHeaderBytes + payload.Length;
        var packet = _packet.AsSpan(0, length);
        packet[..(IpHeaderBytes + UdpHeaderBytes)].Clear();
        packet[0] = 0x45;                                                            // version 4, five words of header
        BinaryPrimitives.WriteUInt16BigEndian(packet[2..], (ushort)length);
        packet[8] = 64;                                                              // time to live
        packet[9] = (byte)ProtocolType.Udp;                                          // the kernel fills in id and checksum
        from.Address.TryWriteBytes(packet[12..], out _);
        to.Address.TryWriteBytes(packet[16..], out _);
        BinaryPrimitives.WriteUInt16BigEndian(packet[20..], (ushort)from.Port);
        BinaryPrimitives.WriteUInt16BigEndian(packet[22..], (ushort)to.Port);
        BinaryPrimitives.WriteUInt16BigEndian(packet[24..], (ushort)(UdpHeaderBytes + payload.Length));
        payload.CopyTo(packet[(IpHeaderBytes + UdpHeaderBytes)..]);                  // UDP checksum 0: none, as IPv4 allows
        _socket.SendTo(packet, SocketFlags.None, new IPEndPoint(to.Address, 0));
        Sent++;
    }

    /// <summary>Calls <paramref name="shot"/> at a steady rate for a while on a thread of its own; returns shots per second reached.</summary>
    public static Task<double> AtRateAsync(int perSecond, TimeSpan duration, Action<long> shot) => Task.Factory.StartNew(() =>
    {
        var started = Stopwatch.GetTimestamp();
        long shots = 0;
        while (Stopwatch.GetElapsedTime(started) is var elapsed && elapsed < duration)
        {
            var due = (long)(elapsed.TotalSeconds * perSecond);
            while (shots < due) shot(shots++);
            Thread.Sleep(1);
        }

        return shots / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();
}
