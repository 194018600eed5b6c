using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Membership.Links;

/// <summary>The few functions of OpenSSL's libcrypto that sealing needs, bound once per process.</summary>
internal sealed unsafe class LibCrypto
{
    /// <summary>EVP_CTRL_AEAD_SET_IVLEN, EVP_CTRL_AEAD_GET_TAG and EVP_CTRL_AEAD_SET_TAG of evp.h.</summary>
    private const int SetNonceLength = 0x9, GetTag = 0x10, SetTag = 0x11;

    private readonly delegate* unmanaged<nint> _newContext;
    private readonly delegate* unmanaged<nint, void> _freeContext;
    private readonly delegate* unmanaged<nint> _aesGcm;
    private readonly delegate* unmanaged<nint> _chaCha;
    private readonly delegate* unmanaged<nint, nint, nint, byte*, byte*, int, int> _init;
    private readonly delegate* unmanaged<nint, byte*, int*, byte*, int, int> _update;
    private readonly delegate* unmanaged<nint, byte*, int*, int> _final;
    private readonly delegate* unmanaged<nint, int, int, void*, int> _control;

    /// <summary>Where 3.x and 1.1 are looked for.</summary>
    private static readonly string[] Names = ["libcrypto.so.3", "libcrypto.so.1.1"];

    private LibCrypto(nint library)
    {
        _newContext = (delegate* unmanaged<nint>)NativeLibrary.GetExport(library, "EVP_CIPHER_CTX_new");
        _freeContext = (delegate* unmanaged<nint, void>)NativeLibrary.GetExport(library, "EVP_CIPHER_CTX_free");
        _aesGcm = (delegate* unmanaged<nint>)NativeLibrary.GetExport(library, "EVP_aes_256_gcm");
        _chaCha = (delegate* unmanaged<nint>)NativeLibrary.GetExport(library, "EVP_chacha20_poly1305");
        _init = (delegate* unmanaged<nint, nint, nint, byte*, byte*, int, int>)NativeLibrary.GetExport(library, "EVP_CipherInit_ex");
        _update = (delegate* unmanaged<nint, byte*, int*, byte*, int, int>)NativeLibrary.GetExport(library, "EVP_CipherUpdate");
        _final = (delegate* unmanaged<nint, byte*, int*, int>)NativeLibrary.GetExport(library, "EVP_CipherFinal_ex");
        _control = (delegate* unmanaged<nint, int, int, void*, int>)NativeLibrary.GetExport(library, "EVP_CIPHER_CTX_ctrl");
    }

    /// <summary>Null where no libcrypto can be loaded.</summary>
    public static LibCrypto? Instance { get; } = TryLoad();

    /// <summary>A context with its key schedule set up; freed (and wiped) by <see cref="Free"/>.</summary>
    public nint NewContext(SealAlgorithm algorithm, ReadOnlySpan<byte> key, bool seals)
    {
        var context = _newContext();
        if (context == 0) throw new CryptographicException("libcrypto has no memory for a cipher context");
        var cipher = algorithm == SealAlgorithm.AesGcm ? _aesGcm() : _chaCha();
        fixed (byte* keyBytes = key)
        {
            if (_init(context, cipher, 0, null, null, seals ? 1 : 0) == 1
                && _control(context, SetNonceLength, 12, null) == 1
                && _init(context, 0, 0, keyBytes, null, seals ? 1 : 0) == 1) return context;
        }
        _freeContext(context);
        throw new CryptographicException($"libcrypto refuses {algorithm}");
    }

    public void Free(nint context) => _freeContext(context);

    public bool Seal(nint context, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> plaintext, Span<byte> sealedBytes)
    {
        fixed (byte* nonceBytes = nonce, associated = associatedData, input = plaintext, output = sealedBytes)
        {
            int written;
            return _init(context, 0, 0, null, nonceBytes, -1) == 1
                && _update(context, null, &written, associated, associatedData.Length) == 1
                && (plaintext.Length == 0 || _update(context, output, &written, input, plaintext.Length) == 1)
                && _final(context, output + plaintext.Length, &written) == 1
                && _control(context, GetTag, ICipher.TagBytes, output + plaintext.Length) == 1;
        }
    }

    public bool TryOpen(nint context, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> sealedBytes, Span<byte> plaintext)
    {
        var length = plaintext.Length;
        byte none;
        fixed (byte* nonceBytes = nonce, associated = associatedData, input = sealedBytes, text = plaintext)
        {
            int written;
            var output = length == 0 ? &none : text;
            return _init(context, 0, 0, null, nonceBytes, -1) == 1
                && _update(context, null, &written, associated, associatedData.Length) == 1
                && (length == 0 || _update(context, output, &written, input, length) == 1)
                && _control(context, SetTag, ICipher.TagBytes, input + length) == 1
                && _final(context, output + length, &written) == 1;
        }
    }

    private static LibCrypto? TryLoad()
    {
        foreach (var name in Names)
            if (NativeLibrary.TryLoad(name, out var library)) return new LibCrypto(library);
        return null;
    }
}
