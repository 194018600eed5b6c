using System.Net;
using System.Text;
using Membership.Namespaces;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>Nothing on the wire can be read without the key.</summary>
public class SecrecyTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const string ClusterMarker = "planted-cluster-name";
    private const string NodeMarker = "planted-node-name-";
    private const string PayloadMarker = "planted-payload";
    private const string ControlMarker = "planted-control";

    [RootFact("tcpdump")]
    public async Task A_capture_from_first_handshake_to_clean_stop_shows_no_name_no_payload_and_no_key()
    {
        var plan = new ClusterPlan { ClusterName = ClusterMarker, NodeNamePrefix = NodeMarker, Strangers = 1 };
        Prepare(plan);
        await using var capture = await PacketCapture.StartAsync(Cluster.Network, link: 0, Path.Combine(Cluster.Folder, "capture"));
        foreach (var node in Cluster.Nodes) node.Start();
        await Cluster.OneViewAsync(NamespaceCluster.FormationLimit);
        await Node(1).Api.SendAsync([.. Enumerable.Range(0, 500).Select(number => Encoding.ASCII.GetBytes($"{PayloadMarker} {number}"))]);
        Node(3).Daemon.Terminate();
        await Cluster.OneViewAsync(NamespaceCluster.FormationLimit, NodesOf(1, 2));
        using var gun = new PacketGun(Cluster.Network, VirtualNetwork.StrangerFirst);
        gun.Fire(new IPEndPoint(VirtualNetwork.Address(VirtualNetwork.StrangerFirst), 1), new IPEndPoint(VirtualNetwork.Address(1), 1), Encoding.ASCII.GetBytes(ControlMarker));

        await Eventually.HoldsAsync("the control marker in the capture", TimeSpan.FromSeconds(5),
            () => Contains(File.ReadAllBytes(Path.Combine(Cluster.Folder, "capture")), Encoding.ASCII.GetBytes(ControlMarker)));
        var wire = await capture.StopAsync();

        Assert.True(PacketCapture.Datagrams(wire).Count > 100);
        Assert.False(Contains(wire, Encoding.ASCII.GetBytes(ClusterMarker)), "the cluster's name");
        Assert.False(Contains(wire, Encoding.ASCII.GetBytes(NodeMarker)), "a node's name");
        Assert.False(Contains(wire, Encoding.ASCII.GetBytes(PayloadMarker)), "a payload");
        Assert.False(Contains(wire, plan.Secret), "the key");
        Assert.False(Contains(wire, Encoding.ASCII.GetBytes(Convert.ToBase64String(plan.Secret)[..40])), "the key as base64");
        Assert.False(Contains(wire, plan.Secret.AsSpan(0, 16)), "half of the key");
    }

    private static bool Contains(ReadOnlySpan<byte> wire, ReadOnlySpan<byte> marker) => wire.IndexOf(marker) >= 0;
}
