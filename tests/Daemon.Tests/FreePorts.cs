using System.Net;
using System.Net.Sockets;

namespace Membership.Daemon.Tests;

/// <summary>Ports that nobody takes between the test that asks and the daemon that binds.</summary>
/// <remarks>They lie below the range from which the kernel draws ports for everybody else (32768 to 60999, ip(7)), and are given to one test of this process only.</remarks>
internal static class FreePorts
{
    private const int First = 20000;
    private const int Count = 12000;

    private static int _drawn = Random.Shared.Next(Count);   // two processes rarely begin at the same place, and both look

    /// <summary>A port of an address on which neither UDP nor TCP is bound.</summary>
    public static IPEndPoint Next(IPAddress address)
    {
        for (var tried = 0; tried < Count; tried++)
        {
            var free = new IPEndPoint(address, First + (int)((uint)Interlocked.Increment(ref _drawn) % Count));
            if (CanBind(free, SocketType.Dgram, ProtocolType.Udp) && CanBind(free, SocketType.Stream, ProtocolType.Tcp)) return free;
        }
        throw new InvalidOperationException($"{address} has no free port from {First} to {First + Count - 1}");
    }

    private static bool CanBind(IPEndPoint place, SocketType type, ProtocolType protocol)
    {
        using var probe = new Socket(place.AddressFamily, type, protocol);
        try
        {
            probe.Bind(place);
            return true;
        }
        catch (SocketException inUse) when (inUse.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return false;
        }
    }
}
