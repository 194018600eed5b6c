using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Membership.Links.Tests;

/// <summary>NOT FOR PRODUCTION: a cheap cipher for simulations, an order faster to set up than AES-GCM.</summary>
/// <remarks>A keyed 64-bit mixing hash over everything makes the tag, a keyed stream hides the text. Every wrong key and every flipped bit
/// is refused (up to the chance of a hash collision), which is all a simulation needs; it resists no attacker.</remarks>
public sealed class KeyedHashSuite : ICipherSuite
{
    /// <summary>A cipher for one 32-byte key.</summary>
    public ICipher Create(ReadOnlySpan<byte> key) => new KeyedHashCipher(key);

    private sealed class KeyedHashCipher : ICipher
    {
        private const ulong Multiplier = 0x9E3779B97F4A7C15;
        private readonly ulong[] _key = new ulong[4];

        public KeyedHashCipher(ReadOnlySpan<byte> key)
        {
            if (key.Length != 32) throw new ArgumentException($"a key has 32 bytes, not {key.Length}", nameof(key));
            for (var i = 0; i < 4; i++) _key[i] = BinaryPrimitives.ReadUInt64LittleEndian(key[(8 * i)..]);
        }

        public void Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> plaintext, Span<byte> sealedBytes)
        {
            var text = sealedBytes[..plaintext.Length];
            Stream(nonce, plaintext, text);
            Tag(nonce, associatedData, text, sealedBytes[plaintext.Length..]);
        }

        public bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> sealedBytes, Span<byte> plaintext)
        {
            if (sealedBytes.Length < ICipher.TagBytes || plaintext.Length != sealedBytes.Length - ICipher.TagBytes) return false;
            var text = sealedBytes[..plaintext.Length];
            Span<byte> tag = stackalloc byte[ICipher.TagBytes];
            Tag(nonce, associatedData, text, tag);
            if (!CryptographicOperations.FixedTimeEquals(tag, sealedBytes[plaintext.Length..])) return false;
            Stream(nonce, text, plaintext);
            return true;
        }

        public void Dispose() => Array.Clear(_key);

        private void Stream(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> input, Span<byte> output)
        {
            var state = Absorb(_key[2], nonce);
            var words = MemoryMarshal.Cast<byte, ulong>(input);
            var target = MemoryMarshal.Cast<byte, ulong>(output[..input.Length]);
            for (var i = 0; i < words.Length; i++) target[i] = words[i] ^ Mix(state + ((ulong)i * Multiplier));
            var last = Mix(state ^ _key[3]);
            for (var i = words.Length * 8; i < input.Length; i++) output[i] = (byte)(input[i] ^ (last >> (8 * (i & 7))));
        }

        private void Tag(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> text, Span<byte> tag)
        {
            var low = Absorb(Absorb(Absorb(_key[0], nonce), associatedData), text);
            BinaryPrimitives.WriteUInt64LittleEndian(tag, Mix(low ^ _key[1]));
            BinaryPrimitives.WriteUInt64LittleEndian(tag[8..], Mix(low + _key[3]));
        }

        private static ulong Absorb(ulong state, ReadOnlySpan<byte> bytes)
        {
            state = Mix(state ^ (ulong)bytes.Length);
            foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes)) state = Step(state, word);
            ulong rest = 0;
            for (var i = bytes.Length & ~7; i < bytes.Length; i++) rest = (rest << 8) | bytes[i];
            return Mix(Step(state, rest));
        }

        private static ulong Step(ulong state, ulong word) => BitOperations.RotateLeft((state ^ word) * Multiplier, 29) + word;

        private static ulong Mix(ulong value)
        {
            value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
            value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
            return value ^ (value >> 31);
        }
    }
}
