using System.Runtime.InteropServices;
using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>Sending: many datagrams to many peers in as few system calls as the kernel allows.</summary>
internal sealed unsafe partial class LinkSocket
{
    /// <summary>Datagrams the kernel takes in one segmented message (UDP_MAX_SEGMENTS of every kernel that has it).</summary>
    public const int SegmentsMax = 64;

    /// <summary>Bytes of one segmented message, below 65535 less headers of either family.</summary>
    public const int SendBytesMax = 65_000;

    /// <summary>Messages in one system call.</summary>
    private const int SendCapacity = 128;

    private const int SegmentControlBytes = 24;

    private Libc.BatchHeader* _headers;
    private Libc.IoVector* _vectors;
    private byte* _segmentControl;
    private int _queued;

    /// <summary>Sends datagrams of <paramref name="segmentBytes"/> each (the last may be shorter) to each target. What the kernel does not take is dropped and counted.</summary>
    public void Transmit(NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
        if (!IsOpen || datagrams.IsEmpty) return;
        var segments = CanSegment ? Math.Clamp(SendBytesMax / segmentBytes, 1, SegmentsMax) : 1;
        var messageBytes = segments * segmentBytes;
        SetSegmentSize(segmentBytes);
        fixed (byte* start = datagrams)
        {
            // The first part goes to everybody before the second part goes to anybody: no peer waits for a long burst to another.
            for (var offset = 0; offset < datagrams.Length; offset += messageBytes)
            {
                var length = Math.Min(messageBytes, datagrams.Length - offset);
                foreach (var position in targets)
                {
                    if (position == _self) continue;
                    if (_queued == SendCapacity) Flush(segmentBytes);
                    Queue(position, start + offset, length, segmentBytes);
                }
            }

            Flush(segmentBytes);
        }
    }

    private void PrepareSending()
    {
        _headers = (Libc.BatchHeader*)NativeMemory.AllocZeroed((nuint)(SendCapacity * sizeof(Libc.BatchHeader)));
        _vectors = (Libc.IoVector*)NativeMemory.AllocZeroed((nuint)(SendCapacity * sizeof(Libc.IoVector)));
        _segmentControl = (byte*)NativeMemory.AllocZeroed(SegmentControlBytes);
        *(Libc.ControlHeader*)_segmentControl = new Libc.ControlHeader
        {
            Length = Libc.ControlHeaderBytes + sizeof(ushort),
            Level = Libc.SolUdp,
            Type = Libc.UdpSegment,
        };
        for (var i = 0; i < SendCapacity; i++)
        {
            _headers[i].Header.Vectors = _vectors + i;
            _headers[i].Header.VectorCount = 1;
        }
    }

    private void SetSegmentSize(int segmentBytes) => *(ushort*)(_segmentControl + Libc.ControlHeaderBytes) = (ushort)segmentBytes;

    private void Queue(int position, byte* bytes, int length, int segmentBytes)
    {
        ref var header = ref _headers[_queued].Header;
        _vectors[_queued] = new Libc.IoVector { Base = bytes, Length = (nuint)length };
        header.Name = _book.Native(position);
        header.NameLength = (uint)_book[position].Length;
        var isSegmented = length > segmentBytes;
        header.Control = isSegmented ? _segmentControl : null;
        header.ControlLength = isSegmented ? SegmentControlBytes : 0u;
        _queued++;
    }

    private void Flush(int segmentBytes)
    {
        var end = _queued;
        var head = 0;
        var isRetry = false;
        while (head < end)
        {
            var sent = Libc.SendBatch(_descriptor, _headers + head, (uint)(end - head), Libc.MsgDontWait | Libc.MsgNoSignal);
            if (sent > 0)
            {
                Counters.SendCalls++;
                for (; sent > 0; sent--, head++) CountSent(head, segmentBytes);
                isRetry = false;
                continue;
            }

            var errno = Libc.Errno;
            if (errno == Libc.Eintr) continue;
            if (!isRetry && errno is not (Libc.Eagain or Libc.Enobufs))
            {
                isRetry = true; // it may have been the report about an earlier datagram to somebody else, which the first call consumed
                continue;
            }

            isRetry = false;
            if (errno is Libc.Eio or Libc.Einval or Libc.Emsgsize && _vectors[head].Length > (nuint)segmentBytes) SendOneByOne(head, segmentBytes, errno);
            else CountRefused(errno, Segments(head, segmentBytes));
            head++;
        }

        _queued = 0;
    }

    /// <summary>The kernel refused a segmented message: some devices cannot, and one datagram too long refuses the whole. Each is tried alone.</summary>
    private void SendOneByOne(int message, int segmentBytes, int reason)
    {
        ref var header = ref _headers[message].Header;
        var vector = _vectors[message];
        header.Control = null;
        header.ControlLength = 0;
        var start = (byte*)vector.Base;
        var rest = (int)vector.Length;
        for (var offset = 0; rest > 0; offset += segmentBytes, rest -= segmentBytes)
        {
            _vectors[message] = new Libc.IoVector { Base = start + offset, Length = (nuint)Math.Min(rest, segmentBytes) };
            if (Libc.SendBatch(_descriptor, _headers + message, 1, Libc.MsgDontWait | Libc.MsgNoSignal) == 1)
            {
                Counters.SendCalls++;
                CountSent(message, segmentBytes);
                if (offset == 0 && CanSegment) GiveUpSegmentation(reason);
            }
            else
            {
                CountRefused(Libc.Errno, 1);
            }
        }
    }

    /// <summary>A full-sized datagram passes alone but not in a segmented message, so it is segmentation that is refused, not the size.</summary>
    private void GiveUpSegmentation(int errno)
    {
        CanSegment = false;
        SegmentationErrno = errno;
    }

    private int Segments(int message, int segmentBytes) => ((int)_vectors[message].Length + segmentBytes - 1) / segmentBytes;

    private void CountSent(int message, int segmentBytes)
    {
        Counters.DatagramsSent += Segments(message, segmentBytes);
        Counters.BytesSent += (long)_vectors[message].Length;
    }

    private void CountRefused(int errno, int datagrams)
    {
        Counters.LastSendErrno = errno;
        switch (errno)
        {
            case Libc.Eagain or Libc.Enobufs: Counters.SendNoRoom += datagrams; break;
            case Libc.Emsgsize: Counters.SendTooLong += datagrams; break;
            case Libc.Enetunreach or Libc.Ehostunreach or Libc.Ehostdown or Libc.Enetdown or Libc.Eaddrnotavail: Counters.SendUnreachable += datagrams; break;
            default: Counters.SendOtherError += datagrams; break;
        }
    }
}
