using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Membership.Links;

/// <summary>The keys of the cluster and everything derived from them for this node.</summary>
/// <remarks>One slot per key. Handshake messages are sealed under one fixed key per slot; traffic under a key per sender, boot, link and slot.</remarks>
internal sealed class KeyRing : IDisposable
{
    /// <summary>Bytes of every key.</summary>
    public const int KeyBytes = 32;

    /// <summary>More keys than this cannot be open at once.</summary>
    public const int KeysMax = 8;

    private readonly byte[] _clusterName;
    private readonly ICipherSuite _ciphers;
    private readonly short[] _slots = new short[256];
    private readonly byte[][] _secrets;
    private readonly ICipher[] _handshake;
    private readonly ClusterKey[] _keys;

    /// <exception cref="ArgumentException">No key, too many, not exactly one active, a wrong length, id 0 or one id twice.</exception>
    public KeyRing(IReadOnlyList<ClusterKey> keys, string clusterName, ICipherSuite ciphers)
    {
        if (keys.Count is 0 or > KeysMax) throw new ArgumentException($"1 to {KeysMax} keys, not {keys.Count}", nameof(keys));
        if (keys.Count(key => key.Active) != 1) throw new ArgumentException("exactly one key must be active", nameof(keys));
        _clusterName = Encoding.UTF8.GetBytes(clusterName);
        _ciphers = ciphers;
        Array.Fill(_slots, (short)-1);
        _keys = [.. keys];
        _secrets = new byte[keys.Count][];
        _handshake = new ICipher[keys.Count];
        for (var slot = 0; slot < keys.Count; slot++)
        {
            var key = keys[slot];
            if (key.Secret.Length != KeyBytes) throw new ArgumentException($"key {key.Id} has {key.Secret.Length} bytes, not {KeyBytes}", nameof(keys));
            if (key.Id == 0 || _slots[key.Id] >= 0) throw new ArgumentException($"key id {key.Id} is 0 or twice", nameof(keys));
            _slots[key.Id] = (short)slot;
            if (key.Active) Active = slot;
            _secrets[slot] = GC.AllocateArray<byte>(KeyBytes, pinned: true);
            key.Secret.CopyTo(_secrets[slot], 0);
            _handshake[slot] = Derive(slot, default, "membership 1 handshake", new NodeId(0), new LinkId(0), SealAlgorithm.AesGcm);
        }
    }

    /// <summary>The slot of the one key that seals.</summary>
    public int Active { get; }

    /// <summary>How many keys are open.</summary>
    public int Count => _secrets.Length;

    /// <summary>The id that travels in clear for a slot.</summary>
    public byte Id(int slot) => _keys[slot].Id;

    /// <summary>The slot of a key id; false when it is not in the ring.</summary>
    public bool TrySlot(byte id, out int slot)
    {
        slot = _slots[id];
        return slot >= 0;
    }

    /// <summary>The cipher of all handshake messages under a slot.</summary>
    public ICipher Handshake(int slot) => _handshake[slot];

    /// <summary>The cipher of one sender's traffic on one link under a slot.</summary>
    public ICipher Traffic(int slot, NodeId sender, BootId boot, LinkId link, SealAlgorithm algorithm) =>
        Derive(slot, boot, "membership 1", sender, link, algorithm);

    /// <summary>32 bytes that only this boot knows: the source of challenges and handshake nonces.</summary>
    public void DeriveChallengeSecret(NodeId self, BootId boot, Span<byte> secret) =>
        DeriveBytes(Active, boot, "membership 1 challenges", self, new LinkId(0), secret);

    public void Dispose()
    {
        foreach (var secret in _secrets) CryptographicOperations.ZeroMemory(secret);
        foreach (var cipher in _handshake) cipher.Dispose();
    }

    private ICipher Derive(int slot, BootId boot, string purpose, NodeId sender, LinkId link, SealAlgorithm algorithm)
    {
        Span<byte> key = stackalloc byte[KeyBytes];
        DeriveBytes(slot, boot, purpose, sender, link, key);
        var cipher = _ciphers.Create(key, algorithm);
        CryptographicOperations.ZeroMemory(key);
        return cipher;
    }

    /// <summary>HKDF-SHA256 (RFC 5869): salt = boot id; info = purpose, 0, cluster name, 0, sender, link, key id.</summary>
    private void DeriveBytes(int slot, BootId boot, string purpose, NodeId sender, LinkId link, Span<byte> output)
    {
        Span<byte> salt = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(salt, boot.Low);
        BinaryPrimitives.WriteUInt64LittleEndian(salt[8..], boot.High);
        var info = new byte[purpose.Length + _clusterName.Length + 6];
        var at = Encoding.ASCII.GetBytes(purpose, info) + 1;
        _clusterName.CopyTo(info, at);
        at += _clusterName.Length + 1;
        BinaryPrimitives.WriteUInt16LittleEndian(info.AsSpan(at), sender.Value);
        info[at + 2] = link.Index;
        info[at + 3] = Id(slot);
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _secrets[slot], output, salt, info);
    }
}
