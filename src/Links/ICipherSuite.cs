namespace Membership.Links;

/// <summary>The one seam under the sealing of datagrams: real AES-GCM in the daemon, a cheap keyed hash in most simulator runs.</summary>
public interface ICipherSuite
{
    /// <summary>A cipher for one 32-byte key. The caller disposes it, which zeroes the key.</summary>
    ICipher Create(ReadOnlySpan<byte> key);
}

/// <summary>Authenticated encryption under one key. Not thread-safe. Neither method allocates or throws on hostile input.</summary>
public interface ICipher : IDisposable
{
    /// <summary>Bytes the tag adds behind the ciphertext.</summary>
    const int TagBytes = 16;

    /// <summary>Writes ciphertext and tag: <c>sealed.Length == plaintext.Length + TagBytes</c>. The nonce has 12 bytes and is never used twice.</summary>
    void Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> plaintext, Span<byte> sealedBytes);

    /// <summary>Checks the tag, then writes the plaintext; false (and no usable plaintext) when the tag is wrong.</summary>
    bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> sealedBytes, Span<byte> plaintext);
}
