using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Membership.Daemon.Configuration;

namespace Membership.Daemon.Access;

/// <summary>Where <c>api.tcp</c> listens on this node: the file is the same on all nodes and names a network, each node has its own address in it.</summary>
internal static class TcpPlace
{
    /// <summary>True for <c>10.0.0.0/24:7801</c>, <c>10.0.0.1:7801</c>, <c>[fd00::]/64:7801</c>, <c>[fd00::1]:7801</c>.</summary>
    public static bool IsValid(string text) => TryParse(text, out _, out _);

    /// <summary>The address to listen on; null when this machine has none in the network.</summary>
    /// <param name="text">As the configuration has it.</param>
    /// <param name="own">This node's addresses in the configuration: the first choice.</param>
    /// <param name="present">The machine's addresses: the second choice, the lowest of them.</param>
    public static IPEndPoint? Resolve(string text, IEnumerable<IPAddress> own, IEnumerable<IPAddress> present)
    {
        if (!TryParse(text, out var network, out var port)) return null;
        if (network.PrefixLength == Bits(network.BaseAddress)) return new IPEndPoint(network.BaseAddress, port);
        var chosen = own.FirstOrDefault(network.Contains) ?? present.Where(network.Contains).MinBy(address => address, AddressOrder);
        return chosen is null ? null : new IPEndPoint(chosen, port);
    }

    /// <summary>Addresses of this machine's interfaces.</summary>
    public static IReadOnlyList<IPAddress> OfThisMachine() =>
        [.. NetworkInterface.GetAllNetworkInterfaces().SelectMany(each => each.GetIPProperties().UnicastAddresses).Select(each => each.Address)];

    private static readonly Comparer<IPAddress> AddressOrder = Comparer<IPAddress>.Create(static (a, b) => a.GetAddressBytes().AsSpan().SequenceCompareTo(b.GetAddressBytes()));

    private static bool TryParse(string text, out IPNetwork network, out int port)
    {
        (network, port) = (default, 0);
        if (text.IndexOf('/', StringComparison.Ordinal) < 0)
        {
            if (!Units.TryEndPoint(text, out var at) || at.Port == 0) return false;
            (network, port) = (new IPNetwork(at.Address, Bits(at.Address)), at.Port);
            return true;
        }
        var colon = text.LastIndexOf(':');
        if (colon < text.IndexOf('/', StringComparison.Ordinal) || !ushort.TryParse(text.AsSpan(colon + 1), out var number) || number == 0) return false;
        port = number;
        return IPNetwork.TryParse(text[..colon].Replace("[", "", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal), out network);
    }

    private static int Bits(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? 128 : 32;
}
