using System.Net.Sockets;

namespace Membership.Grpc.Tls;

/// <summary>Lets the kernel end a TCP connection whose other machine is gone without a word: power cut, cable, a packet filter.</summary>
public static class HalfOpenConnections
{
    /// <summary>After so much silence of the other kernel the connection ends. A process that is merely stopped does not count, its kernel answers.</summary>
    public static readonly TimeSpan CutAfter = TimeSpan.FromSeconds(5);

    // tcp(7)
    private const int IpProtoTcp = 6;
    private const int TcpUserTimeout = 18;
    private const int ProbeAfterSeconds = 2;
    private const int ProbeEachSeconds = 1;
    private const int Probes = 3;

    /// <summary>Sets keep-alive probes after 2 s of silence and the user timeout, which bounds both them and data that nobody acknowledges.</summary>
    public static void Cut(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, ProbeAfterSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, ProbeEachSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, Probes);
        if (OperatingSystem.IsLinux()) socket.SetRawSocketOption(IpProtoTcp, TcpUserTimeout, BitConverter.GetBytes((int)CutAfter.TotalMilliseconds));
    }
}
