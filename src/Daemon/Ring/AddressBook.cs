using System.Numerics;
using System.Runtime.InteropServices;
using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>Who is configured with which address on one link, both ways, without allocation.</summary>
internal sealed unsafe class AddressBook : IDisposable
{
    /// <summary>No peer, or (for an address without its port) more than one.</summary>
    public const int Nobody = -1;

    private const int SlotsPerPeer = 4;

    private readonly WireAddress[] _addresses;
    private readonly short[] _slots;
    private readonly byte* _native;

    /// <summary>Takes the addresses by table position.</summary>
    public AddressBook(NodeTable nodes, IReadOnlyList<RingPeer> peers, LinkId link)
    {
        _addresses = new WireAddress[nodes.Count];
        foreach (var peer in peers) _addresses[nodes.Position(peer.Node)] = WireAddress.From(peer.Links[link.Index]);
        _slots = new short[BitOperations.RoundUpToPowerOf2((uint)(nodes.Count * SlotsPerPeer))];
        Array.Fill(_slots, (short)Nobody);
        _native = (byte*)NativeMemory.AllocZeroed((nuint)(_addresses.Length * Libc.AddressBytes));
        for (var position = 0; position < _addresses.Length; position++) Enter(position);
    }

    /// <summary>The address of a position.</summary>
    public WireAddress this[int position] => _addresses[position];

    /// <summary>The address of a position in the kernel's form; valid until the book is disposed.</summary>
    public void* Native(int position) => _native + (position * Libc.AddressBytes);

    /// <summary>Whose address and port this is, or <see cref="Nobody"/>.</summary>
    public int Owner(in WireAddress source)
    {
        for (var slot = Hash(source); ; slot = slot + 1 & (_slots.Length - 1))
        {
            var position = _slots[slot];
            if (position == Nobody) return Nobody;
            ref readonly var entry = ref _addresses[position];
            if (entry.Port == source.Port && entry.Address == source.Address && entry.IsV6 == source.IsV6) return position;
        }
    }

    /// <summary>Whose address this is whatever the port (of a connection's far end); false when it is nobody's. Several owners give <see cref="Nobody"/>.</summary>
    public bool TryOwnerOfAddress(in WireAddress source, out int position)
    {
        position = Nobody;
        var owners = 0;
        for (var i = 0; i < _addresses.Length; i++)
        {
            if (_addresses[i].Address != source.Address || _addresses[i].IsV6 != source.IsV6) continue;
            position = i;
            owners++;
        }

        if (owners > 1) position = Nobody;
        return owners > 0;
    }

    public void Dispose() => NativeMemory.Free(_native);

    private void Enter(int position)
    {
        _addresses[position].Write(new Span<byte>(Native(position), Libc.AddressBytes));
        var slot = Hash(_addresses[position]);
        while (_slots[slot] != Nobody) slot = slot + 1 & (_slots.Length - 1);
        _slots[slot] = (short)position;
    }

    private int Hash(in WireAddress address)
    {
        var folded = (ulong)address.Address ^ (ulong)(address.Address >> 64) ^ ((ulong)address.Port << 48);
        return (int)((folded * 0x9E37_79B9_7F4A_7C15) >> 40) & (_slots.Length - 1);
    }
}
