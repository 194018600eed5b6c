namespace Membership.Links.Tests;

/// <summary>How large a datagram each path carries.</summary>
public sealed class PathTests
{
    private static readonly NodeId Two = new(2);

    [Theory]
    [InlineData(8952, 8952)]
    [InlineData(4000, 3900)]
    [InlineData(1472, 1472)]
    [InlineData(1452, 1452)]
    [InlineData(1400, 1392)]
    [InlineData(1300, 1285)]
    [InlineData(1232, 1232)]
    public void The_path_is_found_within_seconds(int carries, int atLeast)
    {
        using var cluster = new TestCluster(2);
        cluster.Drops = packet => packet.Bytes.Length > carries;
        cluster.Start();

        cluster.Run(TimeSpan.FromSeconds(5));

        Assert.InRange(cluster[1].Peer(2).Links[0].DatagramBytes, atLeast, carries);
        Assert.Equal(cluster[1].Peer(2).Links[0].DatagramBytes - 52, cluster[1].Links.FrameBytesMax);
        if (carries > 1232) Assert.Equal(cluster[1].Links.FrameBytesMax, cluster[1].FrameLimits[^1]);
    }

    [Fact]
    public void The_frame_limit_is_that_of_the_narrowest_reachable_peer()
    {
        using var cluster = new TestCluster(3);
        cluster.Drops = packet => packet.To == Two && packet.Bytes.Length > 1472;
        cluster.Settle();
        Assert.Equal(1472 - 52, cluster[1].Links.FrameBytesMax);

        TestCluster.Kill(cluster[2]);
        cluster.Run(TimeSpan.FromSeconds(2));

        Assert.Equal(8952 - 52, cluster[1].Links.FrameBytesMax);
    }

    [Theory]
    [InlineData(600)]
    [InlineData(150)]
    public void A_black_hole_for_large_datagrams_is_found_within_five_seconds_and_frames_pass_again(int linkDownMs)
    {
        using var cluster = EvidenceTests.Ring(6, linkDownMs);
        foreach (var node in cluster.Nodes) node.Changes.Clear();
        cluster.Drops = packet => packet.Bytes.Length > 1472;
        var began = cluster.Now;
        while (cluster[1].Links.FrameBytesMax > 1472 && cluster.Now - began < TimeSpan.FromSeconds(10))
        {
            cluster[1].Links.Send(cluster.Now, cluster.Table.All, new byte[8000], cluster[1]);
            cluster[1].Links.Flush(cluster[1]);
            cluster.Run(TimeSpan.FromMilliseconds(100));
        }
        Assert.True(cluster.Now - began <= TimeSpan.FromSeconds(5), $"{cluster.Now - began}");
        cluster.Run(TimeSpan.FromSeconds(5));
        cluster[2].Received.Clear();

        cluster[1].Links.Send(cluster.Now, cluster.Table.All, new byte[8000], cluster[1]);
        cluster[1].Links.Flush(cluster[1]);
        cluster.Run(TimeSpan.FromMilliseconds(5));

        Assert.Single(cluster[2].Received);
        Assert.Equal(1472, cluster[1].Peer(2).Links[0].DatagramBytes);
        Assert.All(cluster.Nodes, node => Assert.Empty(node.Changes));
    }

    [Fact]
    public void A_path_that_heals_is_used_again_within_a_minute()
    {
        using var cluster = EvidenceTests.Ring(2, 600);
        cluster.Drops = packet => packet.Bytes.Length > 1472;
        for (var i = 0; i < 100; i++)
        {
            cluster[1].Links.Send(cluster.Now, cluster.Table.All, new byte[8000], cluster[1]);
            cluster.Run(TimeSpan.FromMilliseconds(100));
        }
        cluster.Drops = _ => false;

        cluster.Run(TimeSpan.FromMinutes(1));

        Assert.Equal(8952, cluster[1].Peer(2).Links[0].DatagramBytes);
    }

    [Fact]
    public void Loss_of_ten_percent_does_not_shrink_a_path_in_use()
    {
        using var cluster = EvidenceTests.Ring(3, 600);
        cluster[1].FrameLimits.Clear();
        cluster.Loss = 0.1;
        for (var i = 0; i < 600; i++)
        {
            cluster[1].Links.Send(cluster.Now, cluster.Table.All, new byte[8000], cluster[1]);
            cluster.Run(TimeSpan.FromMilliseconds(100));
        }

        Assert.Empty(cluster[1].FrameLimits);
    }
}
