using System.Runtime.InteropServices;

namespace Membership.Daemon.Ring;

/// <summary>Native memory for one batch of received datagrams; shared by all links of a node, since only one is read at a time.</summary>
internal sealed unsafe class ReceiveBuffers : IDisposable
{
    /// <summary>Messages taken by one system call; each may hold up to 64 KiB of datagrams that the kernel put together.</summary>
    public const int Capacity = 16;

    /// <summary>Bytes of one message: more than any UDP payload.</summary>
    public const int MessageBytes = 64 * 1024;

    private const int ControlBytes = 64;
    private const int NameBytes = 32;

    private readonly byte* _memory;
    private readonly byte* _names;
    private readonly byte* _controls;
    private readonly Libc.IoVector* _vectors;
    private readonly Libc.BatchHeader* _headers;

    public ReceiveBuffers()
    {
        _memory = (byte*)NativeMemory.AlignedAlloc(Capacity * MessageBytes, 4096);
        _names = (byte*)NativeMemory.AllocZeroed(Capacity * NameBytes);
        _controls = (byte*)NativeMemory.AllocZeroed(Capacity * ControlBytes);
        _vectors = (Libc.IoVector*)NativeMemory.AllocZeroed((nuint)(Capacity * sizeof(Libc.IoVector)));
        _headers = (Libc.BatchHeader*)NativeMemory.AllocZeroed((nuint)(Capacity * sizeof(Libc.BatchHeader)));
        for (var i = 0; i < Capacity; i++)
        {
            _vectors[i] = new Libc.IoVector { Base = _memory + (i * MessageBytes), Length = MessageBytes };
            _headers[i].Header.Vectors = _vectors + i;
            _headers[i].Header.VectorCount = 1;
            _headers[i].Header.Name = _names + (i * NameBytes);
            _headers[i].Header.Control = _controls + (i * ControlBytes);
        }
    }

    /// <summary>Receives what is there, without waiting. Negative: nothing, and errno says why.</summary>
    public int Receive(int descriptor)
    {
        for (var i = 0; i < Capacity; i++)
        {
            _headers[i].Header.NameLength = NameBytes;
            _headers[i].Header.ControlLength = ControlBytes;
            _headers[i].Header.Flags = 0;
        }

        return Libc.ReceiveBatch(descriptor, _headers, Capacity, Libc.MsgDontWait, null);
    }

    /// <summary>The bytes of one received message: one datagram, or several of <see cref="SegmentBytes"/> each.</summary>
    public ReadOnlySpan<byte> Bytes(int message) => new(_memory + (message * MessageBytes), (int)_headers[message].Length);

    /// <summary>True when the message did not fit and is of no use.</summary>
    public bool IsTruncated(int message) => (_headers[message].Header.Flags & Libc.MsgTrunc) != 0;

    /// <summary>Where it came from; false when the kernel gave no address of ours.</summary>
    public bool TrySource(int message, out WireAddress source) =>
        WireAddress.TryRead(new ReadOnlySpan<byte>(_names + (message * NameBytes), (int)Math.Min(_headers[message].Header.NameLength, NameBytes)), out source);

    /// <summary>Bytes of each datagram in the message (the last may be shorter): what UDP_GRO reported, else the whole message.</summary>
    public int SegmentBytes(int message)
    {
        ref var header = ref _headers[message].Header;
        var whole = Math.Max((int)_headers[message].Length, 1);
        var at = (byte*)header.Control;
        var end = at + header.ControlLength;
        while (at + Libc.ControlHeaderBytes <= end)
        {
            var control = (Libc.ControlHeader*)at;
            if (control->Length < Libc.ControlHeaderBytes || at + control->Length > end) break;
            if (control->Level == Libc.SolUdp && control->Type == Libc.UdpGro && control->Length >= Libc.ControlHeaderBytes + sizeof(int))
            {
                var size = *(int*)(at + Libc.ControlHeaderBytes);
                return size > 0 && size < whole ? size : whole;
            }

            at += (control->Length + 7) & ~(nuint)7;
        }

        return whole;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_memory);
        NativeMemory.Free(_names);
        NativeMemory.Free(_controls);
        NativeMemory.Free(_vectors);
        NativeMemory.Free(_headers);
    }
}
