using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Membership.Namespaces;
using Xunit;

namespace Membership.EndToEnd;

/// <summary>The wires of these tests do what the tests say they do. No daemon runs here.</summary>
public class NetworkTests
{
    private const int Port = 5999;
    private const int Shots = 200;
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(200);

    [RootFact(Timeout = 0)]
    public void What_a_network_made_is_gone_after_it()
    {
        string bridge, node;
        using (var network = new VirtualNetwork(nodes: 2, links: 2))
        {
            (bridge, node) = (network.BridgeNamespace, network.Namespace(1));
            Assert.True(File.Exists($"/run/netns/{bridge}"));
        }

        Assert.False(File.Exists($"/run/netns/{bridge}"));
        Assert.False(File.Exists($"/run/netns/{node}"));
    }

    [RootFact(Timeout = 0)]
    public void A_process_left_in_a_namespace_is_reported()
    {
        var network = new VirtualNetwork(nodes: 1, links: 1);
        using var sleeper = Process.Start("ip", ["netns", "exec", network.Namespace(1), "sleep", "60"]);
        SpinWait.SpinUntil(() => Command.Run("ip", "netns", "pids", network.Namespace(1)).Length > 0, TimeSpan.FromSeconds(5));

        var problem = Assert.Throws<InvalidOperationException>(network.Dispose);

        sleeper.Kill();
        sleeper.WaitForExit();
        Assert.Contains($"processes {sleeper.Id} are still in", problem.Message, StringComparison.Ordinal);
    }

    [RootFact]
    public async Task Datagrams_pass_until_the_cable_is_pulled_and_after_it_is_plugged_in()
    {
        using var network = new VirtualNetwork(nodes: 2, links: 1);

        var before = await ArrivalsAsync(network);
        network.SetCables(2, plugged: false);
        var pulled = await ArrivalsAsync(network);
        network.SetCables(2, plugged: true);
        var after = await ArrivalsAsync(network);

        Assert.Equal((Shots, 0, Shots), (before.Count, pulled.Count, after.Count));
    }

    [RootFact]
    public async Task A_deaf_node_hears_nothing_of_one_other_node_and_is_heard()
    {
        using var network = new VirtualNetwork(nodes: 2, links: 1);
        network.Deafen(2, towards: 1);

        var towards = await ArrivalsAsync(network, from: 1, to: 2);
        var back = await ArrivalsAsync(network, from: 2, to: 1);

        Assert.Equal((0, Shots), (towards.Count, back.Count));
    }

    [RootFact]
    public async Task Loss_takes_about_the_share_that_was_asked_for()
    {
        using var network = new VirtualNetwork(nodes: 2, links: 1);
        network.Lose(2, percent: 50);

        var arrived = await ArrivalsAsync(network);

        Assert.InRange(arrived.Count, Shots / 4, Shots * 3 / 4);
    }

    [RootFact]
    public async Task Corruption_changes_a_byte_and_duplication_sends_copies()
    {
        using var network = new VirtualNetwork(nodes: 2, links: 1);
        network.Corrupt(2, percent: 50);
        network.Duplicate(1, link: 0, percent: 50);

        var arrived = await ArrivalsAsync(network);

        Assert.InRange(arrived.Count, Shots * 5 / 4, Shots * 2);
        Assert.InRange(arrived.Count(payload => payload.Any(b => b != 0)), arrived.Count / 4, arrived.Count * 3 / 4);
    }

    [RootFact]
    public async Task Rules_can_be_taken_back()
    {
        using var network = new VirtualNetwork(nodes: 2, links: 1);
        network.Lose(2, percent: 50);
        network.Separate(1, 2);
        network.Duplicate(1, link: 0, percent: 50);
        network.Heal();

        var arrived = await ArrivalsAsync(network);

        Assert.Equal(Shots, arrived.Count);
    }

    [RootFact]
    public async Task A_stranger_can_send_with_the_address_of_a_node()
    {
        using var network = new VirtualNetwork(nodes: 2, links: 1, strangers: 1);
        using var receiver = Listen(network, 2);
        using var gun = new PacketGun(network, VirtualNetwork.StrangerFirst);

        gun.Fire(new IPEndPoint(VirtualNetwork.Address(1), 4711), new IPEndPoint(VirtualNetwork.Address(2), Port), [1, 2, 3]);

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        var seen = await receiver.ReceiveFromAsync(new byte[16], new IPEndPoint(IPAddress.Any, 0), limit.Token);
        Assert.Equal(new IPEndPoint(VirtualNetwork.Address(1), 4711), seen.RemoteEndPoint);
        Assert.Equal(3, seen.ReceivedBytes);
    }

    [RootFact("tcpdump")]
    public async Task A_capture_holds_what_crossed_the_bridge()
    {
        using var network = new VirtualNetwork(nodes: 2, links: 1);
        var path = Path.GetTempFileName();
        try
        {
            await using var capture = await PacketCapture.StartAsync(network, link: 0, path);
            using var gun = new PacketGun(network, 1);
            var to = new IPEndPoint(VirtualNetwork.Address(2), Port);
            gun.Fire(new IPEndPoint(VirtualNetwork.Address(1), 4711), to, "marker"u8);
            await Eventually.HoldsAsync("the datagram in the file", TimeSpan.FromSeconds(5),
                () => PacketCapture.Datagrams(File.ReadAllBytes(path)).Any(datagram => datagram.To.Equals(to)));

            var seen = PacketCapture.Datagrams(await capture.StopAsync());

            Assert.Contains(seen, datagram => datagram.To.Equals(to) && datagram.Payload.AsSpan().SequenceEqual("marker"u8));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static Socket Listen(VirtualNetwork network, int host)
    {
        var socket = network.OpenSocket(host, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(VirtualNetwork.Address(host), Port));
        return socket;
    }

    /// <summary>Fires <see cref="Shots"/> datagrams of 64 zeros and returns what arrived before it was quiet.</summary>
    private static async Task<IReadOnlyList<byte[]>> ArrivalsAsync(VirtualNetwork network, int from = 1, int to = 2)
    {
        using var receiver = Listen(network, to);
        using var gun = new PacketGun(network, from);
        for (var i = 0; i < Shots; i++)
            gun.Fire(new IPEndPoint(VirtualNetwork.Address(from), 4711), new IPEndPoint(VirtualNetwork.Address(to), Port), new byte[64]);
        var arrived = new List<byte[]>();
        var buffer = new byte[2048];
        while (true)
        {
            using var quiet = new CancellationTokenSource(Quiet);
            try
            {
                var length = await receiver.ReceiveAsync(buffer, quiet.Token);
                arrived.Add(buffer[..length]);
            }
            catch (OperationCanceledException)
            {
                return arrived;
            }
        }
    }
}
