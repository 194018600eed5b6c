using Membership.Cpg;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;
using Xunit;

namespace Membership.Node.Tests;

/// <summary>What waits between the layers.</summary>
public sealed class WiringTests
{
    [Fact]
    public void A_thousand_views_without_a_visit_of_the_token_leave_no_more_control_messages_than_one()
    {
        var cluster = new TestCluster(2);
        var (self, other) = (cluster.Table[0], cluster.Table[1]);
        ViewMember here = new(self, 1000), there = new(other, 1001);
        var boot = new BootId(1, here.Boot);
        using var links = new LinkLayer(new LinkOptions { ClusterName = "test", Nodes = cluster.Table, Self = self, Keys = [new ClusterKey(1, true, [.. Enumerable.Range(0, 32).Select(i => (byte)i)])] }, boot, new AesGcmSuite(), new Random(1));
        var totem = new TotemNode(new TotemOptions { Nodes = cluster.Table, Self = self }, boot.Short, 0, 2048, links.FrameBytesMax);
        var quorum = new QuorumNode(new QuorumOptions { Self = self, Voters = [new Voter(self, 1), new Voter(other, 1)] }, boot.Short, null);
        var wiring = new Wiring(links, totem, quorum, new CpgNode(new CpgOptions { Self = self }), cluster.Table);
        wiring.Begin(default, cluster.Nodes[0]);
        totem.Start(default, wiring);
        foreach (var bytes in new[] { 1024 * 1024, 1024, 1 })
        {
            while (totem.Submit(new byte[bytes], DeliveryLevel.Agreed, ServiceId.Raw).Status == SubmitStatus.Accepted) continue;
        }

        void Install(ulong sequence)
        {
            var view = new View(ViewId.Regular(new RingId(self, sequence, here.Boot)), [here, there], null, sequence == 1 ? [here, there] : [there], []);
            ((ITotemEffects)wiring).InstallView(view);
            wiring.DrainControl();
        }

        Install(1);
        var afterOne = wiring.WaitingControl;
        for (ulong sequence = 2; sequence <= 1000; sequence++) Install(sequence);

        Assert.InRange(afterOne, 1, 2);   // a report about quorum, a list of groups
        Assert.Equal(afterOne, wiring.WaitingControl);
    }
}
