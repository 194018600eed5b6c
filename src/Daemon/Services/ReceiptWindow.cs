using System.Globalization;
using Membership.Daemon.Ring;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>The messages of one Multicast stream that have no receipt yet, in order of submission.</summary>
/// <remarks>
/// Three parties, each with its own end: the reading task takes places and submits, the ring thread fills places, the writing task empties them in order.
/// A full window stops the reading task, and thereby the client.
/// </remarks>
internal sealed class ReceiptWindow(ReceiptTable table, RingTexts rings) : ISubmitSink
{
    /// <summary>Messages of one stream without receipt; the client waits beyond it.</summary>
    public const int Capacity = 8192;

    /// <summary>Receipts in one response.</summary>
    public const int ResponseReceipts = 512;

    private const int Waiting = 0;
    private const int Delivered = 1;
    private const int Refused = 2;

    private readonly Place[] _places = new Place[Capacity];
    private readonly BatchSignal _filled = new();
    private readonly BatchSignal _emptied = new();
    private long _taken;
    private long _drained;
    private bool _complete;

    /// <summary>True while <see cref="TakeAsync"/> would wait. Reading task only.</summary>
    public bool IsFull => _taken - Volatile.Read(ref _drained) >= Capacity;

    /// <summary>Takes the next place, waiting for one. Reading task only.</summary>
    public async ValueTask<ulong> TakeAsync(CancellationToken cancellationToken)
    {
        while (IsFull)
        {
            var armed = _emptied.Arm();
            if (!IsFull) break;
            await armed.WaitAsync(cancellationToken);
        }
        var place = _taken;
        Volatile.Write(ref _taken, place + 1);
        return (ulong)place;
    }

    /// <summary>No further place will be taken. Reading task only.</summary>
    public void Complete()
    {
        Volatile.Write(ref _complete, true);
        _filled.Raise();
    }

    /// <summary>A message that never reached the ring. Reading task only.</summary>
    public void Refuse(ulong tag, string why, long time)
    {
        Fail(tag, 0, why, time);
        _filled.Raise();
    }

    /// <inheritdoc/>
    public void Submitted(ulong tag, SubmitResult result)
    {
        if (result.Status == SubmitStatus.Accepted)
        {
            table.Expect(result.Counter, this, tag);
            return;
        }
        var why = result.Status == SubmitStatus.TooLarge ? table.TooLarge : "never ordered: this node is leaving the cluster or has not started, and the message was not sent";
        Fail(tag, 0, why, table.Now);
        table.Touch(this);
    }

    /// <summary>Its place in the order is known. Ring thread only.</summary>
    public void Deliver(ulong tag, in Delivery delivery, long time)
    {
        ref var place = ref _places[tag % Capacity];
        place.Counter = delivery.Counter;
        place.Ring = delivery.Ring;
        place.Seq = delivery.Seq.Value;
        place.Index = delivery.Index;
        place.Time = time;
        Volatile.Write(ref place.State, Delivered);
    }

    /// <summary>It will never be delivered. Ring thread, or any thread once that has ended.</summary>
    public void Fail(ulong tag, ulong counter, string why, long time)
    {
        ref var place = ref _places[tag % Capacity];
        place.Counter = counter;
        place.Failure = why;
        place.Time = time;
        Volatile.Write(ref place.State, Refused);
    }

    /// <summary>Wakes the writing task. Ring thread, once per batch.</summary>
    public void Raise() => _filled.Raise();

    /// <summary>Moves receipts that are next in order into an empty response, which must be written before the next call; false when none was. Writing task only.</summary>
    public bool Drain(Proto.MulticastResponse response, SpareReceipts spare)
    {
        var drained = _drained;
        while (response.Receipts.Count < ResponseReceipts && drained < Volatile.Read(ref _taken))
        {
            ref var place = ref _places[drained % Capacity];
            var state = Volatile.Read(ref place.State);
            if (state == Waiting) break;
            var isDelivered = state == Delivered;
            var receipt = spare[response.Receipts.Count];
            receipt.Counter = place.Counter;
            receipt.RingId = isDelivered ? rings.Text(place.Ring) : "";
            receipt.Seq = isDelivered ? place.Seq : 0;
            receipt.Index = isDelivered ? (uint)place.Index : 0;
            receipt.Failure = isDelivered ? "" : place.Failure ?? "";
            receipt.TNs = place.Time;
            response.Receipts.Add(receipt);
            place.Failure = null;
            Volatile.Write(ref place.State, Waiting);
            drained++;
        }
        if (drained == _drained) return false;
        Volatile.Write(ref _drained, drained);
        _emptied.Raise();
        return true;
    }

    /// <summary>Waits until <see cref="Drain"/> may find something; false once every place has been drained and none will follow. Writing task only.</summary>
    public async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var armed = _filled.Arm();
            var taken = Volatile.Read(ref _taken);
            if (_drained < taken && Volatile.Read(ref _places[_drained % Capacity].State) != Waiting) return true;
            if (Volatile.Read(ref _complete) && _drained == Volatile.Read(ref _taken)) return false;
            await armed.WaitAsync(cancellationToken);
        }
    }

    private struct Place
    {
        public int State;
        public int Index;
        public ulong Counter;
        public RingId Ring;
        public ulong Seq;
        public long Time;
        public string? Failure;
    }
}

/// <summary>The receipts of one response after the other: an object for each message would cost more than its order. Used by one task at a time.</summary>
internal sealed class SpareReceipts
{
    private readonly Proto.Receipt?[] _receipts = new Proto.Receipt?[ReceiptWindow.ResponseReceipts];

    /// <summary>The receipt at a place of a response, with what it held in the one before.</summary>
    public Proto.Receipt this[int place] => _receipts[place] ??= new Proto.Receipt();
}

/// <summary>The text of the ring ids seen last, so that a receipt does not format it anew. Used by one task at a time.</summary>
internal sealed class RingTexts
{
    private RingId _ring = RingId.None;
    private string _text = "";

    /// <summary>The text of a ring id.</summary>
    public string Text(RingId ring)
    {
        if (ring != _ring || _text.Length == 0) (_ring, _text) = (ring, ring.ToString());
        return _text;
    }
}

/// <summary>Which stream waits for which message of this node: the counter finds it. Ring thread only, but for <see cref="FailAll"/> after its end.</summary>
internal sealed class ReceiptTable
{
    /// <summary>What the sender of a message without a number is told when its node leaves.</summary>
    public const string NeverOrdered = "never ordered: this node left the cluster first, and no node has the message";

    /// <summary>What the sender of a numbered message is told when its node has left without delivering it.</summary>
    public const string OrderedElsewhere =
        "outcome unknown: the message was ordered, and the daemon left before it was delivered here; other members may have delivered it";

    /// <summary>What the senders of accepted messages are told when the ring thread ended in any other way than by leaving.</summary>
    public const string Unknown =
        "outcome unknown: the daemon stopped before the message was delivered here; other members may have it. Look for it in the order of another member before it is sent again";

    private const int InitialEntries = 4096;

    private readonly Dictionary<ulong, (Delivery Delivery, long Time)> _early = [];
    private readonly HashSet<ReceiptWindow> _touched = [];
    private Entry[] _entries = new Entry[InitialEntries];
    private ulong _lastExpected;

    /// <param name="messageBytesMax">For the answer to a message that is too large.</param>
    public ReceiptTable(int messageBytesMax) =>
        TooLarge = string.Create(CultureInfo.InvariantCulture, $"the message is longer than {messageBytesMax} bytes, the limit (ring.message_max of the configuration); it was not sent");

    /// <summary>What a message that is too large is answered.</summary>
    public string TooLarge { get; }

    /// <summary>Time of the input being worked on: CLOCK_MONOTONIC, nanoseconds.</summary>
    public long Now { get; set; }

    /// <summary>A stream waits for a message.</summary>
    public void Expect(ulong counter, ReceiptWindow window, ulong tag)
    {
        _lastExpected = Math.Max(_lastExpected, counter);
        if (_early.Remove(counter, out var early))
        {
            window.Deliver(tag, early.Delivery, early.Time);
            Touch(window);
            return;
        }
        while (_entries[counter % (ulong)_entries.Length].Window is not null) Grow();
        _entries[counter % (ulong)_entries.Length] = new Entry(window, counter, tag);
    }

    /// <summary>A message of this node was delivered here.</summary>
    public void Delivered(in Delivery delivery, long time)
    {
        ref var entry = ref _entries[delivery.Counter % (ulong)_entries.Length];
        if (entry.Window is not null && entry.Counter == delivery.Counter)
        {
            entry.Window.Deliver(entry.Tag, delivery, time);
            Touch(entry.Window);
            entry = default;
        }
        else if (delivery.Counter > _lastExpected && delivery.Service == 0) _early[delivery.Counter] = (delivery, time);   // delivered inside its own submit
    }

    /// <summary>A message of this node will not be delivered.</summary>
    public void Failed(ulong counter, long time)
    {
        ref var entry = ref _entries[counter % (ulong)_entries.Length];
        if (entry.Window is null || entry.Counter != counter) return;
        entry.Window.Fail(entry.Tag, counter, NeverOrdered, time);
        Touch(entry.Window);
        entry = default;
    }

    /// <summary>A stream has something to read.</summary>
    public void Touch(ReceiptWindow window) => _touched.Add(window);

    /// <summary>Wakes the streams that have something to read.</summary>
    public void BatchEnd()
    {
        if (_touched.Count == 0) return;
        foreach (var window in _touched) window.Raise();
        _touched.Clear();
        _early.Clear();   // whoever submitted has been told by now
    }

    /// <summary>This node has left. What it never ordered has been reported as failed; what still waits has a place in the order that it will not see.</summary>
    public void Left(long time) => FailAll(OrderedElsewhere, time);

    /// <summary>Fails whatever still waits. Ring thread, or after the ring thread has ended.</summary>
    public void FailAll(string why, long time)
    {
        foreach (ref var entry in _entries.AsSpan())
        {
            if (entry.Window is null) continue;
            entry.Window.Fail(entry.Tag, entry.Counter, why, time);
            Touch(entry.Window);
            entry = default;
        }
        BatchEnd();
    }

    private void Grow()
    {
        var larger = new Entry[_entries.Length * 2];
        foreach (var entry in _entries)
        {
            if (entry.Window is not null) larger[entry.Counter % (ulong)larger.Length] = entry;
        }
        _entries = larger;
    }

    private readonly record struct Entry(ReceiptWindow? Window, ulong Counter, ulong Tag);
}
