namespace Membership.Links;

/// <summary>How a sender seals; stated in its handshake, so that machines with and without AES instructions understand each other.</summary>
public enum SealAlgorithm
{
    /// <summary>AES-256-GCM: every handshake, and all traffic of machines with AES instructions.</summary>
    AesGcm,

    /// <summary>ChaCha20-Poly1305: traffic of machines without AES instructions.</summary>
    ChaCha20Poly1305,
}

/// <summary>The one seam under the sealing of datagrams: real AES-GCM in the daemon, a cheap keyed hash in most simulator runs.</summary>
public interface ICipherSuite
{
    /// <summary>What this machine seals its own traffic with.</summary>
    SealAlgorithm Preferred => SealAlgorithm.AesGcm;

    /// <summary>A cipher for one 32-byte key. The caller disposes it, which zeroes the key.</summary>
    ICipher Create(ReadOnlySpan<byte> key);

    /// <summary>A cipher for one 32-byte key of a sender that seals with <paramref name="algorithm"/>.</summary>
    ICipher Create(ReadOnlySpan<byte> key, SealAlgorithm algorithm) => Create(key);
}

/// <summary>Authenticated encryption under one key. Not thread-safe. Neither method allocates or throws on hostile input.</summary>
public interface ICipher : IDisposable
{
    /// <summary>Bytes the tag adds behind the ciphertext.</summary>
    const int TagBytes = 16;

    /// <summary>Writes ciphertext and tag: <c>sealed.Length == plaintext.Length + TagBytes</c>. The nonce has 12 bytes and is never used twice.
    /// The plaintext may lie exactly where the ciphertext goes.</summary>
    void Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> plaintext, Span<byte> sealedBytes);

    /// <summary>Checks the tag, then writes the plaintext; false (and no usable plaintext) when the tag is wrong.</summary>
    bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> sealedBytes, Span<byte> plaintext);
}
