using System.Security.Cryptography;
using System.Text;

namespace Membership.Links.Tests;

/// <summary>How a boot becomes known, whatever gets lost, and the bytes that all versions must agree on.</summary>
public sealed class HandshakeTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Any_lost_message_of_the_handshake_delays_it_by_one_hello_only(int lost)
    {
        using var cluster = new TestCluster(2);
        var seen = 0;
        cluster.Drops = packet => packet.Bytes[1] == 0 && packet.Bytes.Length == WireHeader.Overhead + HandshakeBody.Bytes && ++seen == lost;

        cluster.Start();

        Assert.True(cluster.RunUntil(() => cluster.Nodes.All(node => node.Links.Reachable == cluster.Table.All), TimeSpan.FromMilliseconds(300)));
    }

    [Fact]
    public void Nodes_find_each_other_through_forty_percent_loss()
    {
        using var cluster = new TestCluster(5, seed: 4) { Loss = 0.4 };

        cluster.Start();

        Assert.True(cluster.RunUntil(() => cluster.Nodes.All(node => node.Links.Reachable == cluster.Table.All), TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public void Nothing_is_sealed_for_a_boot_before_it_answered_our_challenge()
    {
        using var cluster = new TestCluster(2);
        cluster.Recording = [];
        cluster.Drops = packet => packet.From == new NodeId(2) && packet.Bytes[1] == 0 && cluster.Now > new Instant(0) && !IsHello(packet);
        cluster.Start();

        cluster.Run(TimeSpan.FromSeconds(2));

        Assert.DoesNotContain(cluster.Recording, packet => packet.From == new NodeId(1) && packet.Bytes[1] == 1);
        Assert.Empty(cluster[1].Changes);
    }

    [Fact]
    public void The_handshake_body_is_frozen()
    {
        var body = new byte[HandshakeBody.Bytes];
        var message = new HandshakeBody(
            HandshakeKind.Challenge, new BodyTarget(new NodeId(0x0102), 0x1112131415161718, new LinkId(3)), 1, 2, SealAlgorithm.ChaCha20Poly1305,
            new BootId(0x2122232425262728, 0x3132333435363738), 0x4142434445464748,
            new ChallengeBits(0x5152535455565758, 0x6162636465666768), new ChallengeBits(0x7172737475767778, 0x8182838485868788));

        message.Write(body, HandshakeBody.EncodeProduct("0.1.0"));

        Assert.Equal(
            "02" + "0201" + "1817161514131211" + "03" + "01" + "02" + "01" + "3837363534333231" + "2827262524232221" + "4847464544434241"
            + "5857565554535251" + "6867666564636261" + "7877767574737271" + "8887868584838281" + "302e312e30" + new string('0', 54),
            Convert.ToHexStringLower(body));
        Assert.True(HandshakeBody.TryRead(body, out var read));
        Assert.Equal(message, read);
        Assert.Equal("0.1.0", HandshakeBody.Product(body));
    }

    [Fact]
    public void What_a_peer_calls_its_product_cannot_harm_a_terminal()
    {
        var body = new byte[HandshakeBody.Bytes];
        default(HandshakeBody).Write(body, [0x1b, (byte)'[', (byte)'2', (byte)'J', 0xff, (byte)'x']);

        Assert.Equal("?[2J?x", HandshakeBody.Product(body));
    }

    [Fact]
    public void Keys_and_nonces_are_derived_as_the_document_says()
    {
        using var cluster = new TestCluster(2, ciphers: new AesGcmSuite(LibCrypto.Instance, hasAesInstructions: true));
        cluster.Recording = [];
        cluster.Settle();
        var boot = cluster[1].Links.Boot;
        byte[] bootBytes = [.. BitConverter.GetBytes(boot.Low), .. BitConverter.GetBytes(boot.High)];
        var hello = cluster.Recording.First(packet => packet.From == new NodeId(1) && packet.Bytes[1] == 0).Bytes;
        var heartbeat = cluster.Recording.First(packet => packet.From == new NodeId(1) && packet.Bytes[1] == 1).Bytes;

        var helloBody = Open(hello, "membership 1 handshake", new byte[16], 0, hello[16..20]);
        var heartbeatBody = Open(heartbeat, "membership 1", bootBytes, 1, [0, 0, 0, 0]);

        Assert.Equal(1, helloBody[0]);
        Assert.Equal(bootBytes, helloBody[15..31]);
        Assert.Equal((byte)BodyKind.Heartbeat, heartbeatBody[0]);
        Assert.Equal(2, heartbeatBody[1]); // target: node 2
    }

    [Fact]
    public void Each_sender_boot_and_link_has_its_own_key()
    {
        using var ring = new KeyRing([new ClusterKey(1, true, TestCluster.Key(1))], "test", new AesGcmSuite());
        var keys = new[]
        {
            ring.Traffic(0, new NodeId(1), new BootId(1, 1), new LinkId(0), SealAlgorithm.AesGcm), ring.Traffic(0, new NodeId(1), new BootId(1, 1), new LinkId(1), SealAlgorithm.AesGcm),
            ring.Traffic(0, new NodeId(2), new BootId(1, 1), new LinkId(0), SealAlgorithm.AesGcm), ring.Traffic(0, new NodeId(1), new BootId(2, 1), new LinkId(0), SealAlgorithm.AesGcm),
        };
        var seals = keys.Select(cipher =>
        {
            var sealedBytes = new byte[ICipher.TagBytes];
            cipher.Seal(new byte[12], [], [], sealedBytes);
            cipher.Dispose();
            return Convert.ToHexString(sealedBytes);
        });

        Assert.Equal(4, seals.Distinct().Count());
    }

    [Fact]
    public void Options_that_contradict_themselves_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new TestCluster(2, TestCluster.Options() with { LinkCount = 9 }));
        Assert.Throws<ArgumentException>(() => new TestCluster(2, TestCluster.Options() with { DatagramBytesMin = 500 }));
        Assert.Throws<ArgumentException>(() => new TestCluster(2, TestCluster.Options() with { DatagramBytesMax = 1000 }));
        Assert.Throws<ArgumentException>(() => new TestCluster(2, TestCluster.Options() with { LinkDown = TimeSpan.Zero }));
        Assert.Throws<ArgumentException>(() => new TestCluster(2, TestCluster.Options() with { Keys = [] }));
    }

    private static bool IsHello(Packet packet)
    {
        using var ring = new KeyRing([new ClusterKey(1, true, TestCluster.Key(1))], "test", new KeyedHashSuite());
        var nonce = new byte[WireHeader.NonceBytes];
        WireHeader.Read(packet.Bytes).WriteNonce(nonce);
        var body = new byte[packet.Bytes.Length - WireHeader.Overhead];
        Assert.True(ring.Handshake(0).TryOpen(nonce, packet.Bytes.AsSpan(0, WireHeader.Bytes), packet.Bytes.AsSpan(WireHeader.Bytes), body));
        return body[0] == (byte)HandshakeKind.Hello;
    }

    /// <summary>Written from docs/protocol/wire.md with the framework's primitives alone.</summary>
    private static byte[] Open(byte[] datagram, string purpose, byte[] salt, byte sender, byte[] nonceHead)
    {
        byte[] info = [.. Encoding.ASCII.GetBytes(purpose), 0, .. Encoding.ASCII.GetBytes("test"), 0, sender, 0, 0, 1];
        var key = HKDF.DeriveKey(HashAlgorithmName.SHA256, TestCluster.Key(1), 32, salt, info);
        using var aes = new AesGcm(key, 16);
        var body = new byte[datagram.Length - 40];
        byte[] nonce = [.. nonceHead, .. datagram[8..16]];
        aes.Decrypt(nonce, datagram[24..^16], datagram[^16..], body, datagram[..24]);
        return body;
    }
}
