using System.Net;
using System.Net.Sockets;

namespace Membership.Cli.Demo;

/// <summary>Addresses of the demo's nodes: 127.0.0.11 and up for link A, 127.0.1.11 and up for link B, one port for all.</summary>
/// <param name="Port">The same on every address; UDP for the ring, TCP for tripwires.</param>
internal sealed record DemoAddresses(int Port)
{
    /// <summary>Links of each node.</summary>
    public const int Links = 2;

    // Below the range the kernel takes for outgoing connections (32768 and up by default), so that none of those collides later.
    private const int PortMin = 20_000;
    private const int PortMax = 32_000;
    private const int AttemptsMax = 50;

    /// <summary>The address of a node on a link (0 = A).</summary>
    public IPEndPoint Of(int node, int link) => new(new IPAddress([127, 0, (byte)link, (byte)(10 + node)]), Port);

    /// <summary>Finds a port that is free on every address the nodes need; null when <see cref="AttemptsMax"/> random ones were all taken.</summary>
    public static DemoAddresses? Find(int nodes, Random random)
    {
        for (var attempt = 0; attempt < AttemptsMax; attempt++)
        {
            var candidate = new DemoAddresses(random.Next(PortMin, PortMax));
            if (candidate.AreFree(nodes)) return candidate;
        }

        return null;
    }

    private bool AreFree(int nodes)
    {
        for (var node = 1; node <= nodes; node++)
        {
            for (var link = 0; link < Links; link++)
            {
                if (!CanBind(Of(node, link), SocketType.Dgram, ProtocolType.Udp) || !CanBind(Of(node, link), SocketType.Stream, ProtocolType.Tcp)) return false;
            }
        }

        return true;
    }

    private static bool CanBind(IPEndPoint address, SocketType type, ProtocolType protocol)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, type, protocol);
        try
        {
            socket.Bind(address);
            return true;
        }
        catch (SocketException)
        {
            return false; // taken: the caller tries another
        }
    }
}
