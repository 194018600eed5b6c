using System.Globalization;
using System.Numerics;
using Google.Protobuf;

namespace Membership.Daemon.Services;

/// <summary>A response written field by field as protobuf would, because a message object per event would cost more than the event.</summary>
/// <remarks>Field numbers below 16 only: every tag is one byte. Not thread-safe.</remarks>
internal abstract class ResponseEncoder
{
    /// <summary>A response is sent once it has this many bytes; one large message may exceed it.</summary>
    public const int ResponseBytes = 64 * 1024;

    /// <summary>A response is sent once it has this many events.</summary>
    public const int ResponseEvents = 512;

    /// <summary>Of a boot id as text.</summary>
    protected const int BootBytes = 16;

    private const int Spare = 4096;
    private const int OpenLengthBytes = 4;   // up to 256 MiB

    private byte[] _bytes;
    private int _events;

    /// <param name="bytes">What is set aside at first.</param>
    protected ResponseEncoder(int bytes = ResponseBytes + Spare) => _bytes = new byte[bytes];

    /// <summary>True when the response has to be sent before the next event.</summary>
    public bool IsFull => Length >= ResponseBytes || _events >= ResponseEvents;

    /// <summary>True when there is nothing to send.</summary>
    public bool IsEmpty => _events == 0;

    /// <summary>The response as it stands; valid until <see cref="Clear"/>.</summary>
    public ReadOnlyMemory<byte> Response => _bytes.AsMemory(0, Length);

    /// <summary>Bytes written so far.</summary>
    protected int Length { get; private set; }

    /// <summary>Begins the next response.</summary>
    public virtual void Clear()
    {
        (Length, _events) = (0, 0);
        if (_bytes.Length > 4 * ResponseBytes) _bytes = new byte[ResponseBytes + Spare];   // one large message does not stay for ever
    }

    /// <summary>Counts one event more.</summary>
    protected void CountEvent() => _events++;

    /// <summary>Takes back what was written, and the event counted, since the response had this length.</summary>
    protected void TakeBackEvent(int length)
    {
        Length = length;
        _events--;
    }

    /// <summary>Room for so many bytes more.</summary>
    protected void Ensure(int more)
    {
        if (_bytes.Length - Length >= more) return;
        Array.Resize(ref _bytes, Math.Max(Length + more, Math.Min(2 * _bytes.Length, ResponseBytes + Spare)));
    }

    /// <summary>So many bytes, to be filled by the caller.</summary>
    protected Span<byte> Take(int count)
    {
        var span = _bytes.AsSpan(Length, count);
        Length += count;
        return span;
    }

    /// <summary>A message as a field of its own.</summary>
    protected void Message(int field, IMessage message, int size)
    {
        Prefix(field, size);
        message.WriteTo(Take(size));
    }

    /// <summary>A number; proto3 does not write one that is zero.</summary>
    protected void Number(int field, ulong value)
    {
        if (value == 0) return;
        Tag(field, 0);
        Varint(value);
    }

    /// <summary>Bytes or text.</summary>
    protected void Bytes(int field, ReadOnlySpan<byte> bytes)
    {
        Prefix(field, bytes.Length);
        bytes.CopyTo(Take(bytes.Length));
    }

    /// <summary>A boot id as 16 hex digits.</summary>
    protected void Boot(int field, ulong boot)
    {
        Prefix(field, BootBytes);
        boot.TryFormat(Take(BootBytes), out _, "x16", CultureInfo.InvariantCulture);
    }

    /// <summary>What stands before bytes, text or a message of a known length.</summary>
    protected void Prefix(int field, int length)
    {
        Tag(field, 2);
        Varint((ulong)length);
    }

    /// <summary>Begins a message whose length is not known yet; <see cref="Close"/> with the <see cref="Length"/> right after this call fills it in.</summary>
    protected void Open(int field)
    {
        Tag(field, 2);
        Length += OpenLengthBytes;
    }

    /// <summary>Ends a message begun with <see cref="Open"/>.</summary>
    protected void Close(int bodyAt)
    {
        // A varint may be longer than it needs to be: all but its last byte are marked as continued.
        var length = Length - bodyAt;
        for (var i = 0; i < OpenLengthBytes; i++) _bytes[bodyAt - OpenLengthBytes + i] = (byte)(((length >> (7 * i)) & 0x7f) | (i < OpenLengthBytes - 1 ? 0x80 : 0));
    }

    /// <summary>Length of a varint.</summary>
    protected static int VarintBytes(ulong value) => (BitOperations.Log2(value | 1) + 7) / 7;

    /// <summary>Length of a number with its tag.</summary>
    protected static int FieldBytes(ulong value) => value == 0 ? 0 : 1 + VarintBytes(value);

    /// <summary>Length of bytes, text or a message with tag and length.</summary>
    protected static int LengthDelimitedBytes(int length) => 1 + VarintBytes((ulong)length) + length;

    private void Tag(int field, int wireType) => _bytes[Length++] = (byte)((field << 3) | wireType);

    private void Varint(ulong value)
    {
        while (value >= 0x80)
        {
            _bytes[Length++] = (byte)(value | 0x80);
            value >>= 7;
        }
        _bytes[Length++] = (byte)value;
    }
}
