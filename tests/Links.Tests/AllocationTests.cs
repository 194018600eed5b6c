namespace Membership.Links.Tests;

/// <summary>The packet path does not allocate, with the real ciphers.</summary>
public sealed class AllocationTests
{
    private static readonly LinkId A = new(0);

    [Fact]
    public void Ten_thousand_datagrams_sent_and_received_allocate_nothing()
    {
        using var cluster = new TestCluster(2, ciphers: new AesGcmSuite()).Settle();
        var wire = new Wire(cluster[2].Links, cluster[1].Id);
        var frame = SendTests.Bytes(1300);
        var now = cluster.Now;
        Exchange(cluster, wire, frame, ref now, 1000);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Exchange(cluster, wire, frame, ref now, 10_000);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);
        Assert.Equal(2 * 11_000, wire.Received);
    }

    [Fact]
    public void Refused_datagrams_allocate_nothing()
    {
        using var cluster = new TestCluster(2, ciphers: new AesGcmSuite());
        cluster.Recording = [];
        cluster.Settle();
        var mine = cluster.Recording.Where(packet => packet.To == cluster[1].Id).Select(packet => packet.Bytes).ToArray();
        var links = cluster[1].Links;
        var random = new Random(1);
        var bytes = new byte[9000];
        Refuse(links, cluster, mine, random, bytes, 20_000);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Refuse(links, cluster, mine, random, bytes, 20_000);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);
    }

    private static void Exchange(TestCluster cluster, Wire wire, byte[] frame, ref Instant now, int count)
    {
        var links = cluster[1].Links;
        for (var i = 0; i < count; i++)
        {
            now += TimeSpan.FromMicroseconds(50);
            links.Send(now, cluster.Table.All, frame, wire);
            links.SendTo(now, cluster[2].Id, frame, wire);
            wire.Now = now;
            if (i % 8 == 7) links.Flush(wire);
            if (links.NextDeadline <= now) links.OnTick(now, wire);
        }
        links.Flush(wire);
    }

    private static void Refuse(LinkLayer links, TestCluster cluster, byte[][] originals, Random random, byte[] bytes, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var original = originals[random.Next(originals.Length)];
            if (original[1] == 0) continue; // an untouched handshake may be answered
            original.CopyTo(bytes, 0);
            if (i % 2 == 0) bytes[random.Next(original.Length)] ^= 1;
            links.OnDatagram(cluster.Now, A, new NodeId(2), bytes.AsSpan(0, original.Length), Deaf.Instance);
        }
    }

    /// <summary>Carries datagrams straight from one link layer into another.</summary>
    private sealed class Wire(LinkLayer receiver, NodeId sender) : Deaf
    {
        public Instant Now { get; set; }

        public int Received { get; private set; }

        public override void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
        {
            for (var at = 0; at < datagrams.Length; at += segmentBytes)
                receiver.OnDatagram(Now, link, sender, datagrams[at..Math.Min(datagrams.Length, at + segmentBytes)], this);
        }

        public override void Receive(NodeId from, BootId boot, ReadOnlySpan<byte> frame) => Received++;
    }

    private class Deaf : ILinkEffects
    {
        public static readonly Deaf Instance = new();

        public virtual void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
        {
        }

        public virtual void Receive(NodeId from, BootId boot, ReadOnlySpan<byte> frame)
        {
        }

        public void PeerChanged(NodeId peer, BootId boot, PeerState state, PeerReason reason)
        {
        }

        public void PeerRow(NodeId peer, BootId boot, NodeSet hears)
        {
        }

        public void LinkChanged(NodeId peer, LinkId link, LinkState state)
        {
        }

        public void FrameLimitChanged(int frameBytesMax)
        {
        }

        public void Incompatible(NodeId peer, string mine, string theirs)
        {
        }
    }
}
