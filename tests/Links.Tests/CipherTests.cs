using System.Text;

namespace Membership.Links.Tests;

/// <summary>Known answers, refusals and the life of keys, for each way of sealing.</summary>
public sealed class CipherTests
{
    public enum Way
    {
        LibCrypto,
        Framework,
    }

    [Theory]
    [InlineData(Way.LibCrypto)]
    [InlineData(Way.Framework)]
    public void Aes_gives_the_known_answers_of_the_GCM_specification(Way way)
    {
        // McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13, 14 and 16 (also in NIST's CAVP set).
        Check(Suite(way), SealAlgorithm.AesGcm, new string('0', 64), new string('0', 24), "", "", "530f8afbc74536b9a963b4f1c4cb738b");
        Check(
            Suite(way), SealAlgorithm.AesGcm, new string('0', 64), new string('0', 24), "", new string('0', 32),
            "cea7403d4d606b6e074ec5d3baf39d18" + "d0d1c8a799996bf0265b98b5d48ab919");
        Check(
            Suite(way), SealAlgorithm.AesGcm,
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
            + "76fc6ece0f4e1768cddf8853bb2d551b");
    }

    [Theory]
    [InlineData(Way.LibCrypto)]
    [InlineData(Way.Framework)]
    public void ChaCha_gives_the_known_answer_of_RFC_8439(Way way)
    {
        var text = Encoding.ASCII.GetBytes("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.");
        using var cipher = Suite(way).Create([.. Enumerable.Range(0x80, 32).Select(b => (byte)b)], SealAlgorithm.ChaCha20Poly1305);
        var sealedBytes = new byte[text.Length + ICipher.TagBytes];

        cipher.Seal(Convert.FromHexString("070000004041424344454647"), Convert.FromHexString("50515253c0c1c2c3c4c5c6c7"), text, sealedBytes);

        Assert.Equal("1ae10b594f09e26a7e902ecbd0600691", Convert.ToHexStringLower(sealedBytes.AsSpan(text.Length)));
    }

    [Fact]
    public void Libcrypto_is_used_where_it_can_be_loaded()
    {
        Assert.Equal(LibCrypto.Instance is not null, new AesGcmSuite().UsesLibCrypto);
    }

    [Fact]
    public void A_machine_without_AES_instructions_seals_with_ChaCha()
    {
        Assert.Equal(SealAlgorithm.ChaCha20Poly1305, new AesGcmSuite(LibCrypto.Instance, hasAesInstructions: false).Preferred);
    }

    [Theory]
    [InlineData(Way.LibCrypto, SealAlgorithm.AesGcm)]
    [InlineData(Way.LibCrypto, SealAlgorithm.ChaCha20Poly1305)]
    [InlineData(Way.Framework, SealAlgorithm.AesGcm)]
    [InlineData(Way.Framework, SealAlgorithm.ChaCha20Poly1305)]
    public void Every_flipped_bit_is_refused_without_an_allocation(Way way, SealAlgorithm algorithm)
    {
        using var cipher = Suite(way).Create(TestCluster.Key(7), algorithm);
        RefusesEveryFlippedBit(cipher);
    }

    [Fact]
    public void The_simulation_cipher_refuses_every_flipped_bit_and_other_keys_too()
    {
        using var cipher = new KeyedHashSuite().Create(TestCluster.Key(7));
        using var other = new KeyedHashSuite().Create(TestCluster.Key(8));
        var sealedBytes = new byte[50 + ICipher.TagBytes];
        cipher.Seal(new byte[12], [], new byte[50], sealedBytes);

        Assert.True(cipher.TryOpen(new byte[12], [], sealedBytes, new byte[50]));
        Assert.False(other.TryOpen(new byte[12], [], sealedBytes, new byte[50]));
        RefusesEveryFlippedBit(cipher);
    }

    [Fact]
    public void Sealing_works_in_place()
    {
        foreach (ICipherSuite suite in new ICipherSuite[] { Suite(Way.LibCrypto), Suite(Way.Framework), new KeyedHashSuite() })
        {
            using var cipher = suite.Create(TestCluster.Key(7));
            var text = SendTests.Bytes(1000);
            var inPlace = new byte[1000 + ICipher.TagBytes];
            var apart = new byte[1000 + ICipher.TagBytes];
            text.CopyTo(inPlace, 0);

            cipher.Seal(new byte[12], [1], inPlace.AsSpan(0, 1000), inPlace);
            cipher.Seal(new byte[12], [1], text, apart);

            Assert.Equal(apart, inPlace);
        }
    }

    [Fact]
    public void Disposing_zeroes_the_key()
    {
        var cipher = new LibCryptoCipher(LibCrypto.Instance!, TestCluster.Key(7), SealAlgorithm.AesGcm); // present on every machine that runs these tests
        cipher.Dispose();
        Assert.Equal(-1, cipher.KeyMemory.IndexOfAnyExcept((byte)0));
    }

    private static AesGcmSuite Suite(Way way) => new(way == Way.LibCrypto ? LibCrypto.Instance : null, hasAesInstructions: true);

    private static void Check(AesGcmSuite suite, SealAlgorithm algorithm, string key, string nonce, string associated, string text, string expected)
    {
        using var cipher = suite.Create(Convert.FromHexString(key), algorithm);
        var plain = Convert.FromHexString(text);
        var sealedBytes = new byte[plain.Length + ICipher.TagBytes];
        var opened = new byte[plain.Length];

        cipher.Seal(Convert.FromHexString(nonce), Convert.FromHexString(associated), plain, sealedBytes);

        Assert.Equal(expected, Convert.ToHexStringLower(sealedBytes));
        Assert.True(cipher.TryOpen(Convert.FromHexString(nonce), Convert.FromHexString(associated), sealedBytes, opened));
        Assert.Equal(plain, opened);
    }

    private static void RefusesEveryFlippedBit(ICipher cipher)
    {
        var nonce = new byte[12];
        var associated = new byte[24];
        var sealedBytes = new byte[45 + ICipher.TagBytes];
        var opened = new byte[45];
        cipher.Seal(nonce, associated, SendTests.Bytes(45), sealedBytes);
        Assert.True(cipher.TryOpen(nonce, associated, sealedBytes, opened));

        var before = GC.GetAllocatedBytesForCurrentThread();
        var accepted = FlipEach(cipher, nonce, nonce, associated, sealedBytes, opened) + FlipEach(cipher, associated, nonce, associated, sealedBytes, opened)
            + FlipEach(cipher, sealedBytes, nonce, associated, sealedBytes, opened);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, accepted);
        Assert.Equal(0, allocated);
        Assert.True(cipher.TryOpen(nonce, associated, sealedBytes, opened));
    }

    private static int FlipEach(ICipher cipher, byte[] victim, byte[] nonce, byte[] associated, byte[] sealedBytes, byte[] opened)
    {
        var accepted = 0;
        for (var bit = 0; bit < victim.Length * 8; bit++)
        {
            victim[bit / 8] ^= (byte)(1 << (bit % 8));
            if (cipher.TryOpen(nonce, associated, sealedBytes, opened)) accepted++;
            victim[bit / 8] ^= (byte)(1 << (bit % 8));
        }
        return accepted;
    }
}
