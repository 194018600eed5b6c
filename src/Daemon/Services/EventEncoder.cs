using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>Writes events straight into the bytes of a SubscribeResponse (membership.proto), because a message object per delivery would cost more than the delivery.</summary>
/// <remarks>One per stream: it remembers which ring and which boots the reader knows. Not thread-safe.</remarks>
internal sealed class EventEncoder(bool headersOnly) : ResponseEncoder
{
    private const int HashBytes = 8;
    private const int HeaderBytesMax = 256;   // every field but payload and view, at its longest

    private readonly HashSet<ushort> _knownSenders = [];
    private RingId _ring = RingId.None;
    private byte[] _ringText = [];

    /// <summary>Says which boot of the daemon speaks; no event.</summary>
    public void Boot(ulong boot) => Boot(Proto.SubscribeResponse.BootFieldNumber, boot);

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
        if (tellBoot) body += LengthDelimitedBytes(BootBytes);
        body += headersOnly ? LengthDelimitedBytes(HashBytes) : payload.Length == 0 ? 0 : LengthDelimitedBytes(payload.Length);
        Begin(record.Position, record.Time, body, Proto.RingEvent.MessageFieldNumber);

        if (tellRing) Bytes(Proto.RingMessage.RingIdFieldNumber, _ringText);
        Number(Proto.RingMessage.SeqFieldNumber, record.Seq);
        Number(Proto.RingMessage.IndexFieldNumber, (uint)record.Index);
        Number(Proto.RingMessage.SenderFieldNumber, record.Sender);
        if (tellBoot) Boot(Proto.RingMessage.BootFieldNumber, record.SenderBoot);
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
        message.WriteTo(Take(size));
    }

    // The frame of one event up to the body of its oneof.
    private void Begin(long position, long time, int body, int field)
    {
        Ensure(body + HeaderBytesMax);
        Prefix(Proto.SubscribeResponse.EventsFieldNumber, FieldBytes((ulong)position) + FieldBytes((ulong)time) + LengthDelimitedBytes(body));
        Number(Proto.RingEvent.PositionFieldNumber, (ulong)position);
        Number(Proto.RingEvent.TNsFieldNumber, (ulong)time);
        Prefix(field, body);
        CountEvent();
    }
}
