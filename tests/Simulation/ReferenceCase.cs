using System.Diagnostics;
using System.Globalization;
using Membership.Links;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Simulation;

/// <summary>The case by which the simulator's own speed is told: five nodes, 100 messages/s, a hop of 2 ms, one core, every event checked.</summary>
internal static class ReferenceCase
{
    private const int Nodes = 5;
    private const int Runs = 10;
    private const int SecondsOfRun = 60;
    private const long MessageInterval = 10_000_000;
    private const long Second = 1_000_000_000;
    private static readonly byte[] Payload = new byte[100];

    /// <summary>One sentence; nine runs with the keyed-hash sealer, one with AES-GCM.</summary>
    public static string Measure()
    {
        Run(new KeyedHashCipherSuite());   // the runtime compiles
        var started = Stopwatch.GetTimestamp();
        var delivered = 0L;
        for (var i = 0; i < Runs; i++) delivered += Run(i == Runs - 1 ? new AesGcmSuite() : new KeyedHashCipherSuite());
        var took = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Nodes} nodes, 100 messages/s, hop 2 ms: {Runs * SecondsOfRun} s simulated in {took:F2} s on one core ({Runs * SecondsOfRun / took:F0} x real time), {delivered} deliveries");
    }

    private static long Run(ICipherSuite ciphers)
    {
        var world = new World(new WorldOptions { Nodes = Nodes }, 1, ciphers);
        world.Network.Options = new NetworkOptions { Hop = 2_000_000 };
        var delivered = 0L;
        world.MessageDelivered = (_, _, _) => delivered++;
        foreach (var host in world.Hosts) host.Start(hasDisk: true);
        world.RunTo(60 * Second, () => world.Hosts.All(host => host.View?.Members.Count == Nodes));
        var start = world.Now;
        for (var i = 0; i < SecondsOfRun * Second / MessageInterval; i++)
        {
            world.Hosts[i % Nodes].Submit(Payload, DeliveryLevel.Agreed);
            world.RunTo(start + ((i + 1) * MessageInterval));
        }

        return delivered;
    }
}
