using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Membership.Links;

namespace Membership.Virtual;

/// <summary>A cheap stand-in for AES-GCM: the text stays in clear, the tag is a 128-bit keyed hash of nonce, header and text.</summary>
/// <remarks>Not secret and not collision-resistant; it finds what faults do to datagrams and what was sealed under another key, at a tenth of the cost.</remarks>
public sealed class KeyedHashCipherSuite : ICipherSuite
{
    public ICipher Create(ReadOnlySpan<byte> key) => new Cipher(key);

    private sealed class Cipher(ReadOnlySpan<byte> key) : ICipher
    {
        private readonly ulong _left = Fold(0x243F6A8885A308D3, key);
        private readonly ulong _right = Fold(0x13198A2E03707344, key);

        public void Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> plaintext, Span<byte> sealedBytes)
        {
            plaintext.CopyTo(sealedBytes);
            var (left, right) = Tag(nonce, associatedData, sealedBytes[..plaintext.Length]);
            BinaryPrimitives.WriteUInt64LittleEndian(sealedBytes[plaintext.Length..], left);
            BinaryPrimitives.WriteUInt64LittleEndian(sealedBytes[(plaintext.Length + 8)..], right);
        }

        public bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> sealedBytes, Span<byte> plaintext)
        {
            if (sealedBytes.Length < ICipher.TagBytes) return false;
            var text = sealedBytes[..^ICipher.TagBytes];
            var (left, right) = Tag(nonce, associatedData, text);
            if (BinaryPrimitives.ReadUInt64LittleEndian(sealedBytes[text.Length..]) != left) return false;
            if (BinaryPrimitives.ReadUInt64LittleEndian(sealedBytes[(text.Length + 8)..]) != right) return false;
            text.CopyTo(plaintext);
            return true;
        }

        public void Dispose()
        {
        }

        private (ulong Left, ulong Right) Tag(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> text)
        {
            var hash = Fold(Fold(Fold(_left, nonce), associatedData), text);
            return (hash, (hash ^ _right) * 0x9FB21C651E98DF25);
        }
    }

    /// <summary>64 bits over bytes and their number; also what the simulator compares payloads by.</summary>
    internal static ulong Fold(ulong hash, ReadOnlySpan<byte> bytes)
    {
        hash ^= (ulong)bytes.Length * 0x9E3779B97F4A7C15;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words) hash = Round(hash, word);
        var tail = bytes[(words.Length * 8)..];
        if (tail.Length == 0) return hash;
        var last = 0UL;
        for (var i = 0; i < tail.Length; i++) last |= (ulong)tail[i] << (8 * i);
        return Round(hash, last);
    }

    private static ulong Round(ulong hash, ulong word)
    {
        var high = Math.BigMul(hash ^ word, 0xA0761D6478BD642F, out var low);
        return (high ^ low) + 0xE7037ED1A0B428DB;
    }
}
