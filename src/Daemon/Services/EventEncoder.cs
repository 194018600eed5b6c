using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>Writes events straight into the bytes of a SubscribeResponse (membership.proto), because a message object per delivery would cost more than the delivery.</summary>
/// <remarks>One per stream: it remembers which ring and which boots the reader knows. Not thread-safe.</remarks>
internal sealed class EventEncoder(bool headersOnly)
{
    /// <summary>A response is sent once it has this many bytes; one large message may exceed it.</summary>
    public const int ResponseBytes = 64 * 1024;

    /// <summary>A response is sent once it has this many events.</summary>
    public const int ResponseEvents = 512;

    private const int HashBytes = 8;
    private const int HeaderBytesMax = 256;   // every field but payload and view, at its longest

    private readonly HashSet<ushort> _knownSenders = [];
    private byte[] _bytes = new byte[ResponseBytes + 4096];
    private RingId _ring = RingId.None;
    private byte[] _ringText = [];
    private int _length;
    private int _events;

    /// <summary>True when the response has to be sent before the next event.</summary>
    public bool IsFull => _length >= ResponseBytes || _events >= ResponseEvents;

    /// <summary>True when there is nothing to send.</summary>
    public bool IsEmpty => _events == 0;

    /// <summary>The response as it stands; valid until <see cref="Clear"/>.</summary>
    public ReadOnlyMemory<byte> Response => _bytes.AsMemory(0, _length);

    /// <summary>Begins the next response.</summary>
    public void Clear()
    {
        (_length, _events) = (0, 0);
        if (_bytes.Length > 4 * ResponseBytes) _bytes = new byte[ResponseBytes + 4096];   // one large message does not stay for ever
    }

    /// <summary>Adds a message.</summary>
    public void Message(in DeliveryRecord record, ReadOnlySpan<byte> payload)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        if (headersOnly) SHA256.HashData(payload, hash);
        var tellRing = record.Ring != _ring;
        if (tellRing)
        {
            _ring = record.Ring;
            _ringText = Encoding.ASCII.GetBytes(_ring.ToString());
            _knownSenders.Clear();
        }
        var tellBoot = _knownSenders.Add(record.Sender);

        var body = FieldBytes(record.Seq) + FieldBytes((uint)record.Index) + FieldBytes(record.Sender) + FieldBytes(record.Counter)
            + 2 + FieldBytes((uint)record.Size) + FieldBytes(record.Service);
        if (tellRing) body += LengthDelimitedBytes(_ringText.Length);
        if (tellBoot) body += LengthDelimitedBytes(16);
        body += headersOnly ? LengthDelimitedBytes(HashBytes) : payload.Length == 0 ? 0 : LengthDelimitedBytes(payload.Length);
        Begin(record.Position, record.Time, body, Proto.RingEvent.MessageFieldNumber);

        if (tellRing) Bytes(Proto.RingMessage.RingIdFieldNumber, _ringText);
        Number(Proto.RingMessage.SeqFieldNumber, record.Seq);
        Number(Proto.RingMessage.IndexFieldNumber, (uint)record.Index);
        Number(Proto.RingMessage.SenderFieldNumber, record.Sender);
        if (tellBoot) Boot(record.SenderBoot);
        Number(Proto.RingMessage.CounterFieldNumber, record.Counter);
        Number(Proto.RingMessage.LevelFieldNumber, (ulong)(record.Level == (byte)DeliveryLevel.Safe ? Proto.DeliveryLevel.Safe : Proto.DeliveryLevel.Agreed));
        if (!headersOnly && payload.Length > 0) Bytes(Proto.RingMessage.PayloadFieldNumber, payload);
        Number(Proto.RingMessage.SizeFieldNumber, (uint)record.Size);
        if (headersOnly) Bytes(Proto.RingMessage.Sha256FieldNumber, hash[..HashBytes]);
        Number(Proto.RingMessage.ServiceFieldNumber, record.Service);
    }

    /// <summary>Adds a view; the reader is told ring and boots again with the next message.</summary>
    public void View(long position, long time, Proto.View view)
    {
        _ring = RingId.None;
        AddMessage(position, time, view, Proto.RingEvent.ViewFieldNumber);
    }

    /// <summary>Adds the last event of a reader that was too slow.</summary>
    public void Cut(long position, long time, Proto.Cut cut) => AddMessage(position, time, cut, Proto.RingEvent.CutFieldNumber);

    private void AddMessage(long position, long time, IMessage message, int field)
    {
        var size = message.CalculateSize();
        Begin(position, time, size, field);
        message.WriteTo(_bytes.AsSpan(_length, size));
        _length += size;
    }

    // The frame of one event up to the body of its oneof.
    private void Begin(long position, long time, int body, int field)
    {
        Ensure(body + HeaderBytesMax);
        var size = FieldBytes((ulong)position) + FieldBytes((ulong)time) + LengthDelimitedBytes(body);
        Tag(Proto.SubscribeResponse.EventsFieldNumber, 2);
        Varint((ulong)size);
        Number(Proto.RingEvent.PositionFieldNumber, (ulong)position);
        Number(Proto.RingEvent.TNsFieldNumber, (ulong)time);
        Tag(field, 2);
        Varint((ulong)body);
        _events++;
    }

    private void Ensure(int more)
    {
        if (_bytes.Length - _length < more) Array.Resize(ref _bytes, _length + more);
    }

    private void Boot(ulong boot)
    {
        Tag(Proto.RingMessage.BootFieldNumber, 2);
        Varint(16);
        boot.TryFormat(_bytes.AsSpan(_length), out var written, "x16", System.Globalization.CultureInfo.InvariantCulture);
        _length += written;
    }

    // Proto3: a number that is zero is not written.
    private void Number(int field, ulong value)
    {
        if (value == 0) return;
        Tag(field, 0);
        Varint(value);
    }

    private void Bytes(int field, ReadOnlySpan<byte> bytes)
    {
        Tag(field, 2);
        Varint((ulong)bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
    }

    private void Tag(int field, int wireType) => _bytes[_length++] = (byte)((field << 3) | wireType);   // every field of ours is below 16

    private void Varint(ulong value)
    {
        while (value >= 0x80)
        {
            _bytes[_length++] = (byte)(value | 0x80);
            value >>= 7;
        }
        _bytes[_length++] = (byte)value;
    }

    private static int VarintBytes(ulong value) => (BitOperations.Log2(value | 1) + 7) / 7;

    private static int FieldBytes(ulong value) => value == 0 ? 0 : 1 + VarintBytes(value);

    private static int LengthDelimitedBytes(int length) => 1 + VarintBytes((ulong)length) + length;
}
