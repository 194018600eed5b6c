using System.Globalization;
using System.Text;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Simulation;

/// <summary>What a ring costs by its size, in virtual time: for docs/performance.md.</summary>
internal static class RingTable
{
    private const long Second = 1_000_000_000;
    private static readonly byte[] Payload = new byte[64];

    /// <summary>One row for each ring size; hop 0.1 ms, no faults, timing lan.</summary>
    public static string Measure()
    {
        var table = new StringBuilder("""
            | nodes | rotation (busy) | formation | crash to new view | bytes/s per node idle | bytes per message and node |
            |---|---|---|---|---|---|

            """);
        foreach (var nodes in (int[])[2, 3, 5, 8, 16, 32]) table.AppendLine(Row(nodes));
        return table.ToString();
    }

    private static string Row(int nodes)
    {
        var world = new World(new WorldOptions { Nodes = nodes }, 1, new KeyedHashCipherSuite());
        world.Network.Options = new NetworkOptions { Hop = 100_000 };
        foreach (var host in world.Hosts) host.Start(hasDisk: true);
        var formed = world.RunTo(60 * Second, () => world.Hosts.All(host => host.View?.Members.Count == nodes)) ? world.Now : long.MaxValue;

        world.RunTo(world.Now + (5 * Second));
        var (bytes, start) = (world.Network.Bytes, world.Now);
        world.RunTo(start + (10 * Second));
        var idle = (world.Network.Bytes - bytes) / 10.0 / nodes;

        bytes = world.Network.Bytes;
        const int messages = 2000;
        for (var i = 0; i < messages; i++)
        {
            world.Hosts[i % nodes].Submit(Payload, DeliveryLevel.Agreed);
            world.RunTo(world.Now + 1_000_000);
        }
        var rotation = world.Hosts[0].Node!.Counters.RotationNanoseconds / 1e6;
        var perMessage = ((world.Network.Bytes - bytes) - (idle * nodes * messages / 1000.0)) / messages / nodes;

        var crashed = world.Now;
        world.Hosts[nodes / 2].Crash();
        world.RunTo(crashed + (60 * Second), () => world.Hosts.All(host => !host.IsRunning || host.View?.Members.Count == nodes - 1));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"| {nodes} | {rotation:F2} ms | {formed / 1e6:F0} ms | {(world.Now - crashed) / 1e6:F0} ms | {idle:F0} | {perMessage:F0} |");
    }
}
