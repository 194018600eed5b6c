using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Membership.Daemon.Ring;

/// <summary>An address and port in the form the kernel speaks, comparable without allocation.</summary>
/// <param name="Address">The IPv6 address, or the IPv4 address mapped into ::ffff:0:0/96.</param>
/// <param name="Port">UDP or TCP port.</param>
/// <param name="IsV6">Which family.</param>
/// <param name="Scope">Interface of a link-local IPv6 address; 0 otherwise. Used for sending, never for comparing.</param>
internal readonly record struct WireAddress(UInt128 Address, ushort Port, bool IsV6, uint Scope)
{
    private const ulong V4Prefix = 0xffff_0000_0000;

    /// <summary>The socket family.</summary>
    public int Family => IsV6 ? Libc.AfInet6 : Libc.AfInet;

    /// <summary>Bytes of the kernel's structure for this family.</summary>
    public int Length => IsV6 ? Libc.AddressBytes : 16;

    /// <summary>The wire form of a configured address.</summary>
    public static WireAddress From(IPEndPoint endPoint)
    {
        Span<byte> bytes = stackalloc byte[16];
        endPoint.Address.TryWriteBytes(bytes, out var written);
        return endPoint.AddressFamily == AddressFamily.InterNetworkV6
            ? new WireAddress(BinaryPrimitives.ReadUInt128BigEndian(bytes), (ushort)endPoint.Port, true, (uint)endPoint.Address.ScopeId)
            : new WireAddress(V4Prefix | BinaryPrimitives.ReadUInt32BigEndian(bytes[..written]), (ushort)endPoint.Port, false, 0);
    }

    /// <summary>Reads what the kernel wrote; false when it is of neither family.</summary>
    public static bool TryRead(ReadOnlySpan<byte> sockaddr, out WireAddress address)
    {
        address = default;
        if (sockaddr.Length < 16) return false;
        var family = BitConverter.ToUInt16(sockaddr);
        var port = BinaryPrimitives.ReadUInt16BigEndian(sockaddr[2..]);
        if (family == Libc.AfInet)
        {
            address = new WireAddress(V4Prefix | BinaryPrimitives.ReadUInt32BigEndian(sockaddr[4..]), port, false, 0);
            return true;
        }

        if (family != Libc.AfInet6 || sockaddr.Length < Libc.AddressBytes) return false;
        address = new WireAddress(BinaryPrimitives.ReadUInt128BigEndian(sockaddr[8..]), port, true, BitConverter.ToUInt32(sockaddr[24..]));
        return true;
    }

    /// <summary>Writes the kernel's structure.</summary>
    public void Write(Span<byte> sockaddr)
    {
        sockaddr[..Libc.AddressBytes].Clear();
        BitConverter.TryWriteBytes(sockaddr, (ushort)Family);
        BinaryPrimitives.WriteUInt16BigEndian(sockaddr[2..], Port);
        if (!IsV6)
        {
            BinaryPrimitives.WriteUInt32BigEndian(sockaddr[4..], (uint)Address);
            return;
        }

        BinaryPrimitives.WriteUInt128BigEndian(sockaddr[8..], Address);
        BitConverter.TryWriteBytes(sockaddr[24..], Scope);
    }

    /// <summary>As an operator writes it.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, Address);
        return new IPEndPoint(IsV6 ? new IPAddress(bytes, Scope) : new IPAddress(bytes[12..]), Port).ToString();
    }
}
