using System.Security.Cryptography;
using System.Text;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Services.Groups;

/// <summary>Writes group events straight into the bytes of a GroupResponse or WatchGroupResponse (group.proto).</summary>
/// <remarks>One per stream: it remembers which ring the reader knows. Not thread-safe.</remarks>
/// <param name="log">Where the events come from.</param>
/// <param name="hashesOnly">Of a watch without payloads: the first bytes of their SHA-256 instead.</param>
internal sealed class GroupEncoder(GroupLog log, bool hashesOnly) : ResponseEncoder(InitialBytes)
{
    private const int InitialBytes = 4096;     // most sessions are quiet
    private const int HashBytes = 8;
    private const int HeaderBytesMax = 256;    // every field but payload and group, at its longest

    private readonly List<byte[]> _hashes = [];
    private int _era;
    private byte[] _ring = [];
    private RingId _receiptRing = RingId.None;
    private byte[] _receiptRingText = [];

    /// <summary>Bytes of events (not of receipts or answers) in the response: what the client's window is measured by.</summary>
    public int EventBytes { get; private set; }

    /// <summary>Says in a response of a watch which boot of the daemon speaks; no event.</summary>
    public void Boot(ulong boot) => Boot(Proto.WatchGroupResponse.BootFieldNumber, boot);

    /// <inheritdoc/>
    public override void Clear()
    {
        base.Clear();
        EventBytes = 0;
        _hashes.Clear();
    }

    /// <summary>Ends a response of a watch without payloads.</summary>
    public void AppendHashes()
    {
        foreach (var hash in _hashes)
        {
            Ensure(HeaderBytesMax);
            Bytes(Proto.WatchGroupResponse.Sha256FieldNumber, hash);
        }
    }

    /// <summary>Adds the event a reader just found; false when it, or what belongs to it, is overwritten: then the reader has not taken it.</summary>
    public bool TryAdd(GroupReader reader, in GroupRecord record, long offset, Subscription subscription)
    {
        byte[]? large = null;
        if (record.IsLarge) large = reader.Large(record, offset);
        var isAdded = (large is not null || !record.IsLarge)
            && (record.IsMessage ? TryMessage(reader, record, offset, subscription, large) : TryMembership(reader, record, offset, subscription, large));
        if (!isAdded) reader.Overtaken(offset);
        return isAdded;
    }

    /// <summary>Adds receipts, as many as there are and fit; false when there was none.</summary>
    public bool AddReceipts(ReceiptWindow window)
    {
        var start = -1;
        var lengthAt = 0;
        while (Length < ResponseBytes && window.TryTake(out var outcome))
        {
            if (outcome.IsSilent && outcome.Failure is null) continue;
            if (start < 0) (start, lengthAt) = BeginReceipts();
            Receipt(outcome);
        }
        window.Release();
        if (start < 0) return false;
        EndReceipts(start, lengthAt);
        return true;
    }

    /// <summary>Adds an event that stands in no order: an answer, a refusal, the end.</summary>
    public void Add(Proto.GroupEvent happened)
    {
        var size = happened.CalculateSize();
        Ensure(size + HeaderBytesMax);
        CountEvent();
        Message(Proto.GroupResponse.EventsFieldNumber, happened, size);
    }

    private bool TryMessage(GroupReader reader, in GroupRecord record, long offset, Subscription subscription, byte[]? large)
    {
        if (log.EraOf(record.Era) is not { } era) return false;
        var tellRing = record.Era != _era && !era.RingText.AsSpan().SequenceEqual(_ring);
        var size = record.Prefix.Size;
        var sender = FieldBytes(record.Sender) + FieldBytes(record.Pid) + FieldBytes(record.Session);
        var body = FieldBytes(subscription.Handle) + LengthDelimitedBytes(sender) + FieldBytes(record.Counter) + 2
            + FieldBytes(record.Seq) + FieldBytes((uint)record.Index) + FieldBytes((uint)size) + FieldBytes(era.ViewNumber);
        if (tellRing) body += LengthDelimitedBytes(era.RingText.Length);
        if (!hashesOnly && size > 0) body += LengthDelimitedBytes(size);
        var before = Begin(record, body, size, Proto.GroupEvent.MessageFieldNumber);

        Number(Proto.GroupMessage.HandleFieldNumber, subscription.Handle);
        Prefix(Proto.GroupMessage.SenderFieldNumber, sender);
        Number(Proto.GroupMember.NodeFieldNumber, record.Sender);
        Number(Proto.GroupMember.PidFieldNumber, record.Pid);
        Number(Proto.GroupMember.SessionFieldNumber, record.Session);
        Number(Proto.GroupMessage.CounterFieldNumber, record.Counter);
        Number(Proto.GroupMessage.LevelFieldNumber, (ulong)(record.Level == (byte)DeliveryLevel.Safe ? Proto.DeliveryLevel.Safe : Proto.DeliveryLevel.Agreed));
        if (hashesOnly ? !TryHash(reader, record, offset, large) : size > 0 && !TryPayload(reader, record, offset, large)) return TakeBack(before);
        if (tellRing) Bytes(Proto.GroupMessage.RingIdFieldNumber, era.RingText);
        Number(Proto.GroupMessage.SeqFieldNumber, record.Seq);
        Number(Proto.GroupMessage.IndexFieldNumber, (uint)record.Index);
        Number(Proto.GroupMessage.SizeFieldNumber, (uint)size);
        Number(Proto.GroupMessage.ViewNumberFieldNumber, era.ViewNumber);
        (_era, _ring) = (record.Era, era.RingText);
        return true;
    }

    // What the log holds are the fields behind handle and group already.
    private bool TryMembership(GroupReader reader, in GroupRecord record, long offset, Subscription subscription, byte[]? large)
    {
        var name = subscription.IsNamed ? [] : Encoding.UTF8.GetBytes(subscription.Name);
        var size = record.Prefix.Size;
        var body = FieldBytes(subscription.Handle) + size + (name.Length > 0 ? LengthDelimitedBytes(name.Length) : 0);
        var before = Begin(record, body, size + name.Length, Proto.GroupEvent.MembershipFieldNumber);

        Number(Proto.GroupMembership.HandleFieldNumber, subscription.Handle);
        if (name.Length > 0) Bytes(Proto.GroupMembership.GroupFieldNumber, name);
        if (!TryFill(reader, record, offset, large, Take(size))) return TakeBack(before);
        subscription.IsNamed = true;
        return true;
    }

    private bool TryPayload(GroupReader reader, in GroupRecord record, long offset, byte[]? large)
    {
        Prefix(Proto.GroupMessage.PayloadFieldNumber, record.Prefix.Size);
        return TryFill(reader, record, offset, large, Take(record.Prefix.Size));
    }

    private bool TryHash(GroupReader reader, in GroupRecord record, long offset, byte[]? large)
    {
        var payload = large ?? new byte[record.Prefix.Size];
        if (large is null && !reader.TryCopy(record, offset, payload)) return false;
        _hashes.Add(SHA256.HashData(payload)[..HashBytes]);
        return true;
    }

    private static bool TryFill(GroupReader reader, in GroupRecord record, long offset, byte[]? large, Span<byte> to)
    {
        if (large is null) return reader.TryCopy(record, offset, to);
        large.CopyTo(to);
        return true;
    }

    private (int Length, int EventBytes) Begin(in GroupRecord record, int body, int variable, int field)
    {
        Ensure(variable + HeaderBytesMax);
        var before = (Length, EventBytes);
        var position = (ulong)record.Prefix.Position;
        var size = FieldBytes(position) + FieldBytes((ulong)record.Time) + LengthDelimitedBytes(body);
        Prefix(Proto.GroupResponse.EventsFieldNumber, size);
        Number(Proto.GroupEvent.PositionFieldNumber, position);
        Number(Proto.GroupEvent.TNsFieldNumber, (ulong)record.Time);
        Prefix(field, body);
        CountEvent();
        EventBytes += size;
        return before;
    }

    private bool TakeBack((int Length, int EventBytes) before)
    {
        TakeBackEvent(before.Length);
        EventBytes = before.EventBytes;
        return false;
    }

    // Lengths are not known beforehand, so each has its four bytes: a varint may be longer than it needs to be.
    private (int Start, int LengthAt) BeginReceipts()
    {
        Ensure(HeaderBytesMax);
        CountEvent();
        Open(Proto.GroupResponse.EventsFieldNumber);
        var start = Length;
        Open(Proto.GroupEvent.ReceiptsFieldNumber);
        return (start, Length);
    }

    private void EndReceipts(int start, int lengthAt)
    {
        Close(lengthAt);
        Close(start);
    }

    private void Receipt(in Outcome outcome)
    {
        var isDelivered = outcome.Failure is null;
        if (isDelivered && outcome.Ring != _receiptRing) (_receiptRing, _receiptRingText) = (outcome.Ring, Encoding.ASCII.GetBytes(outcome.Ring.ToString()));
        var failure = isDelivered ? [] : Encoding.UTF8.GetBytes(outcome.Failure!);   // not null: it was not delivered
        var size = FieldBytes(outcome.Counter) + FieldBytes(outcome.Seq) + FieldBytes((uint)outcome.Index) + FieldBytes((ulong)outcome.Time)
            + (isDelivered ? LengthDelimitedBytes(_receiptRingText.Length) : LengthDelimitedBytes(failure.Length)) + (outcome.IsInDoubt ? FieldBytes(1) : 0);
        Ensure(size + HeaderBytesMax);
        Prefix(Proto.SendReceipts.ReceiptsFieldNumber, size);
        Number(Proto.Receipt.CounterFieldNumber, outcome.Counter);
        if (isDelivered) Bytes(Proto.Receipt.RingIdFieldNumber, _receiptRingText);
        Number(Proto.Receipt.SeqFieldNumber, outcome.Seq);
        Number(Proto.Receipt.IndexFieldNumber, (uint)outcome.Index);
        if (!isDelivered) Bytes(Proto.Receipt.FailureFieldNumber, failure);
        Number(Proto.Receipt.TNsFieldNumber, (ulong)outcome.Time);
        if (outcome.IsInDoubt) Number(Proto.Receipt.InDoubtFieldNumber, 1);
    }
}
