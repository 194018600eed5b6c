using System.Buffers;
using System.Security.Cryptography;

namespace Membership.Links;

/// <summary>The production ciphers: AES-256-GCM, and ChaCha20-Poly1305 for what machines without AES instructions seal.</summary>
/// <remarks>OpenSSL contexts are set up once per key and reused, so that neither sealing nor a wrong tag allocates or throws. Where libcrypto
/// cannot be loaded the framework's ciphers are used (<see cref="FrameworkCipher"/>).</remarks>
public sealed class AesGcmSuite : ICipherSuite
{
    private readonly LibCrypto? _libCrypto;

    /// <summary>Checks itself: seals, opens, flips one bit, which must be refused.</summary>
    /// <exception cref="CryptographicException">The machine's cryptography does not work; the node must not start.</exception>
    public AesGcmSuite() : this(LibCrypto.Instance, HasAesInstructions)
    {
    }

    internal AesGcmSuite(LibCrypto? libCrypto, bool hasAesInstructions)
    {
        _libCrypto = libCrypto;
        Preferred = hasAesInstructions ? SealAlgorithm.AesGcm : SealAlgorithm.ChaCha20Poly1305;
        SelfTest(SealAlgorithm.AesGcm);
        SelfTest(SealAlgorithm.ChaCha20Poly1305);
    }

    /// <summary>True when this process seals through libcrypto directly.</summary>
    public bool UsesLibCrypto => _libCrypto is not null;

    public SealAlgorithm Preferred { get; }

    private static bool HasAesInstructions =>
        System.Runtime.Intrinsics.X86.Aes.IsSupported || System.Runtime.Intrinsics.Arm.Aes.IsSupported;

    public ICipher Create(ReadOnlySpan<byte> key) => Create(key, SealAlgorithm.AesGcm);

    public ICipher Create(ReadOnlySpan<byte> key, SealAlgorithm algorithm)
    {
        if (key.Length != KeyRing.KeyBytes) throw new ArgumentException($"a key has {KeyRing.KeyBytes} bytes, not {key.Length}", nameof(key));
        return _libCrypto is null ? new FrameworkCipher(key, algorithm) : new LibCryptoCipher(_libCrypto, key, algorithm);
    }

    private void SelfTest(SealAlgorithm algorithm)
    {
        Span<byte> key = stackalloc byte[KeyRing.KeyBytes];
        Span<byte> nonce = stackalloc byte[12];
        Span<byte> text = stackalloc byte[20];
        Span<byte> sealedBytes = stackalloc byte[20 + ICipher.TagBytes];
        key.Fill(1);
        text.Fill(2);
        using var cipher = Create(key, algorithm);
        cipher.Seal(nonce, key, text, sealedBytes);
        text.Clear();
        var opens = cipher.TryOpen(nonce, key, sealedBytes, text) && text.IndexOfAnyExcept((byte)2) < 0;
        sealedBytes[3] ^= 1;
        if (opens && !cipher.TryOpen(nonce, key, sealedBytes, text)) return;
        throw new CryptographicException($"self-test of {algorithm} failed: this machine's cryptography cannot be trusted. Check libcrypto.");
    }
}

/// <summary>One key in OpenSSL; a context for each direction, made at first use.</summary>
internal sealed class LibCryptoCipher : ICipher
{
    private readonly LibCrypto _library;
    private readonly SealAlgorithm _algorithm;
    private readonly byte[] _key = GC.AllocateArray<byte>(KeyRing.KeyBytes, pinned: true);
    private nint _sealing;
    private nint _opening;

    public LibCryptoCipher(LibCrypto library, ReadOnlySpan<byte> key, SealAlgorithm algorithm)
    {
        _library = library;
        _algorithm = algorithm;
        key.CopyTo(_key);
    }

    ~LibCryptoCipher() => Release();

    /// <summary>The key's memory, for the test that it is zeroed.</summary>
    internal ReadOnlySpan<byte> KeyMemory => _key;

    public void Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> plaintext, Span<byte> sealedBytes)
    {
        Invariant.Holds(nonce.Length == 12 && sealedBytes.Length == plaintext.Length + ICipher.TagBytes, "LINKS-1");
        if (_sealing == 0) _sealing = _library.NewContext(_algorithm, _key, seals: true);
        if (!_library.Seal(_sealing, nonce, associatedData, plaintext, sealedBytes)) throw new CryptographicException("libcrypto could not seal");
        GC.KeepAlive(this);
    }

    public bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> sealedBytes, Span<byte> plaintext)
    {
        if (nonce.Length != 12 || sealedBytes.Length != plaintext.Length + ICipher.TagBytes) return false;
        if (_opening == 0) _opening = _library.NewContext(_algorithm, _key, seals: false);
        var opened = _library.TryOpen(_opening, nonce, associatedData, sealedBytes, plaintext);
        GC.KeepAlive(this);
        return opened;
    }

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        CryptographicOperations.ZeroMemory(_key);
        if (_sealing != 0) _library.Free(_sealing);
        if (_opening != 0) _library.Free(_opening);
        _sealing = _opening = 0;
    }
}

/// <summary>One key in the framework's ciphers, whose own opening throws on a wrong tag.</summary>
/// <remarks>Both ciphers are a stream under a nonce: sealing the ciphertext gives the text, and sealing that text again gives the tag it must have.</remarks>
internal sealed class FrameworkCipher : ICipher
{
    private readonly AesGcm? _aes;
    private readonly ChaCha20Poly1305? _chaCha;
    public FrameworkCipher(ReadOnlySpan<byte> key, SealAlgorithm algorithm)
    {
        if (algorithm == SealAlgorithm.AesGcm) _aes = new AesGcm(key, ICipher.TagBytes);
        else _chaCha = new ChaCha20Poly1305(key);
    }

    public void Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> plaintext, Span<byte> sealedBytes)
    {
        var text = sealedBytes[..plaintext.Length];
        var tag = sealedBytes[plaintext.Length..];
        if (_aes is not null) _aes.Encrypt(nonce, plaintext, text, tag, associatedData);
        else _chaCha?.Encrypt(nonce, plaintext, text, tag, associatedData);
    }

    public bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> sealedBytes, Span<byte> plaintext)
    {
        if (nonce.Length != 12 || sealedBytes.Length != plaintext.Length + ICipher.TagBytes) return false;
        var rented = ArrayPool<byte>.Shared.Rent(sealedBytes.Length);
        var again = rented.AsSpan(0, sealedBytes.Length);
        Seal(nonce, associatedData, sealedBytes[..plaintext.Length], again);
        again[..plaintext.Length].CopyTo(plaintext);
        Seal(nonce, associatedData, plaintext, again);
        var isAuthentic = CryptographicOperations.FixedTimeEquals(again[plaintext.Length..], sealedBytes[plaintext.Length..]);
        if (!isAuthentic) plaintext.Clear();
        ArrayPool<byte>.Shared.Return(rented);
        return isAuthentic;
    }

    public void Dispose()
    {
        _aes?.Dispose();
        _chaCha?.Dispose();
    }
}
