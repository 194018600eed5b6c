using System.Net;
using System.Security.Cryptography;
using Membership.Namespaces;
using Membership.V1;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>Somebody on the wire who does not have the key sends what he likes, with any source address.</summary>
public class HostilePacketTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const int ShotsPerSecond = 20_000;
    private const int LogLinesPerSecondMax = 10;
    private const int Seed = 11;
    private static readonly TimeSpan Attack = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan RecordingLength = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RestartLimit = TimeSpan.FromSeconds(8);

    /// <summary>Datagrams the kernel drops before the daemon reads them are nobody's to count.</summary>
    private const double CountedShareMin = 0.5;

    [RootFact]
    public async Task Garbage_of_all_lengths_is_counted_and_nothing_else_happens()
    {
        await StartAsync(new ClusterPlan { Strangers = 1 });
        var random = new Random(Seed);
        var buffer = new byte[PacketGun.PayloadBytesMax];

        await AttackAsync((gun, shot) =>
        {
            var payload = buffer.AsSpan(0, random.Next(buffer.Length));
            random.NextBytes(payload);
            gun.Fire(shot % 2 == 0 ? Link(VirtualNetwork.StrangerFirst) : Link(2), Link(1), payload);
        });
    }

    [RootFact("tcpdump")]
    public async Task Own_traffic_sent_again_or_cut_short_or_spoiled_is_counted_and_nothing_else_happens()
    {
        await StartAsync(new ClusterPlan { Strangers = 1 });
        var recording = await RecordTrafficAsync();
        var random = new Random(Seed);

        await AttackAsync((gun, shot) =>
        {
            var datagram = recording[(int)(shot % recording.Count)];
            var payload = datagram.Payload;
            if (shot % 3 == 1) payload = payload[..random.Next(payload.Length)];
            if (shot % 3 == 2)
            {
                payload = [.. payload];
                payload[random.Next(payload.Length)] ^= (byte)random.Next(1, 256);
            }

            gun.Fire(shot % 2 == 0 ? datagram.From : Link(VirtualNetwork.StrangerFirst), datagram.To, payload);
        }, "replay", "bad_tag");
    }

    [RootFact("tcpdump")]
    public async Task Traffic_recorded_before_all_daemons_were_restarted_is_void_afterwards()
    {
        await StartAsync(new ClusterPlan { Strangers = 1 });
        var recording = await RecordTrafficAsync();
        foreach (var node in Cluster.Nodes) node.Daemon.Kill();
        foreach (var node in Cluster.Nodes) await node.Daemon.ExitAsync(RestartLimit);
        foreach (var node in Cluster.Nodes) node.Start();
        await Cluster.OneViewAsync(RestartLimit);

        await AttackAsync((gun, shot) =>
        {
            var datagram = recording[(int)(shot % recording.Count)];
            gun.Fire(datagram.From, datagram.To, datagram.Payload);
        }, "stale_session");
    }

    [RootFact]
    public async Task A_daemon_with_another_key_stays_outside_and_the_others_stay_together()
    {
        Prepare();
        foreach (var node in NodesOf(1, 2)) node.Start();
        await Cluster.OneViewAsync(NamespaceCluster.FormationLimit, NodesOf(1, 2));
        var recorders = await Cluster.RecordAsync(NodesOf(1, 2));

        Cluster.WriteKey(RandomNumberGenerator.GetBytes(32));
        Node(3).Start();
        await Cluster.OneViewAsync(RestartLimit, Node(3));
        await Eventually.HoldsAsync("refused datagrams of node 3 at node 1", RestartLimit, async () =>
            (await Node(1).Api.GetStatusAsync()).Dropped.GetValueOrDefault("bad_tag") > 10);

        HistoryAssert.NoViewChange(recorders);
    }

    /// <summary>Fires for a while with the ring under load, then looks for harm.</summary>
    private async Task AttackAsync(Action<PacketGun, long> shot, params string[] reasons)
    {
        var recorders = await Cluster.RecordAsync([.. Cluster.Nodes]);
        var before = await Task.WhenAll(Cluster.Nodes.Select(node => node.Api.GetStatusAsync()));
        var linesBefore = Cluster.Nodes.Select(node => node.Daemon.Lines.Count).ToArray();
        await using var load = new RingLoad(Node(2), perSecond: 300, sizeBytes: 300);
        using var gun = new PacketGun(Cluster.Network, VirtualNetwork.StrangerFirst);

        var reached = await PacketGun.AtRateAsync(ShotsPerSecond, Attack, number => shot(gun, number));
        await load.StopAsync();
        var after = await Task.WhenAll(Cluster.Nodes.Select(node => node.Api.GetStatusAsync()));

        Output.WriteLine($"{reached:0} shots/s; node 1 dropped {string.Join(", ", after[0].Dropped)}");
        HistoryAssert.NoViewChange(recorders);
        Assert.Equal((load.Sent, 0, null), (load.Delivered, load.Refused, load.Broken));
        HistoryAssert.Holds(recorders);
        Assert.True(Total(after) - Total(before) >= gun.Sent * CountedShareMin, $"{Total(after) - Total(before)} of {gun.Sent} counted");
        Assert.All(reasons, reason => Assert.True(after.Sum(status => status.Dropped.GetValueOrDefault(reason)) > before.Sum(status => status.Dropped.GetValueOrDefault(reason)), reason));
        for (var i = 0; i < Cluster.Nodes.Count; i++)
            Assert.InRange(Cluster.Nodes[i].Daemon.Lines.Count - linesBefore[i], 0, (int)(LogLinesPerSecondMax * Attack.TotalSeconds));
    }

    /// <summary>What the daemons send each other under load.</summary>
    private async Task<IReadOnlyList<CapturedDatagram>> RecordTrafficAsync()
    {
        await using var capture = await PacketCapture.StartAsync(Cluster.Network, link: 0, Path.Combine(Cluster.Folder, "capture"));
        await using (var load = new RingLoad(Node(1), perSecond: 300, sizeBytes: 300)) await Task.Delay(RecordingLength);
        var recording = PacketCapture.Datagrams(await capture.StopAsync())
            .Where(datagram => datagram.To.Port == Cluster.Plan.Port && datagram.Payload.Length is > 0 and <= PacketGun.PayloadBytesMax).ToArray();
        Assert.True(recording.Length > 500, $"only {recording.Length} datagrams recorded");
        return recording;
    }

    private static long Total(IEnumerable<GetStatusResponse> statuses) => statuses.Sum(status => status.Dropped.Values.Sum());

    private IPEndPoint Link(int host) => new(VirtualNetwork.Address(host), Cluster.Plan.Port);
}
