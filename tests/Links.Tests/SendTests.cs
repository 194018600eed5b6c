namespace Membership.Links.Tests;

/// <summary>Frames out and in.</summary>
public sealed class SendTests
{
    [Fact]
    public void A_frame_reaches_every_target_once_and_whole()
    {
        using var cluster = new TestCluster(3).Settle();
        var frame = Bytes(1000);

        cluster[1].Links.Send(cluster.Now, cluster.Table.All, frame, cluster[1]);
        cluster[1].Links.Flush(cluster[1]);
        cluster.Run(TimeSpan.FromMilliseconds(5));

        Assert.Equal(frame, Assert.Single(cluster[2].Received).Frame);
        Assert.Equal(frame, Assert.Single(cluster[3].Received).Frame);
        Assert.Empty(cluster[1].Received);
    }

    [Fact]
    public void A_token_reaches_its_target_alone()
    {
        using var cluster = new TestCluster(3).Settle();

        cluster[1].Links.SendTo(cluster.Now, new NodeId(2), Bytes(100), cluster[1]);
        cluster[1].Links.Flush(cluster[1]);
        cluster.Run(TimeSpan.FromMilliseconds(5));

        Assert.Equal(Bytes(100), Assert.Single(cluster[2].Received).Frame);
        Assert.Empty(cluster[3].Received);
    }

    internal static byte[] Bytes(int count, int seed = 1)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
