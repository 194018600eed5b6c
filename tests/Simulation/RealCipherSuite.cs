using System.Security.Cryptography;
using Membership.Links;

namespace Membership.Simulation;

/// <summary>AES-256-GCM, for the runs that seal as the daemon does.</summary>
public sealed class RealCipherSuite : ICipherSuite
{
    public ICipher Create(ReadOnlySpan<byte> key) => new Cipher(key);

    private sealed class Cipher(ReadOnlySpan<byte> key) : ICipher
    {
        private readonly AesGcm _aes = new(key, ICipher.TagBytes);

        public void Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> plaintext, Span<byte> sealedBytes) =>
            _aes.Encrypt(nonce, plaintext, sealedBytes[..plaintext.Length], sealedBytes[plaintext.Length..], associatedData);

        public bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> sealedBytes, Span<byte> plaintext)
        {
            try
            {
                _aes.Decrypt(nonce, sealedBytes[..^ICipher.TagBytes], sealedBytes[^ICipher.TagBytes..], plaintext[..(sealedBytes.Length - ICipher.TagBytes)], associatedData);
                return true;
            }
            catch (AuthenticationTagMismatchException)
            {
                return false; // the framework knows no other way to say so
            }
        }

        public void Dispose() => _aes.Dispose();
    }
}
