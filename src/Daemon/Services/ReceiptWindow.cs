using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Membership.Cpg;
using Membership.Daemon.Ring;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>What became of one message.</summary>
/// <param name="Counter">Of this daemon's messages; 0 where it never reached the ring.</param>
/// <param name="Failure">Null when it was delivered.</param>
/// <param name="Ring">Of its place, with <paramref name="Seq"/> and <paramref name="Index"/>; only when delivered.</param>
/// <param name="Seq">Its frame.</param>
/// <param name="Index">Its place in the frame.</param>
/// <param name="Time">CLOCK_MONOTONIC, nanoseconds.</param>
/// <param name="IsSilent">Its sender wants to hear of failures only.</param>
internal readonly record struct Outcome(ulong Counter, string? Failure, RingId Ring, ulong Seq, int Index, long Time, bool IsSilent)
{
    /// <summary>It failed here, and others may have delivered it.</summary>
    public bool IsInDoubt => Failure is ReceiptTable.OrderedElsewhere or ReceiptTable.Unknown;
}

/// <summary>The messages of one stream that have no receipt yet, in order of submission.</summary>
/// <remarks>
/// Three parties, each with its own end: the reading task takes places and submits, the ring thread fills places, the writing task empties them in order.
/// A full window stops the reading task, and thereby the client. Places come in blocks that exist only while they are in use, so that an idle stream costs next to nothing.
/// </remarks>
internal sealed class ReceiptWindow(ReceiptTable table, BatchSignal filled) : ISubmitSink
{
    /// <summary>Messages of one stream without receipt; the client waits beyond it.</summary>
    public const int Capacity = 8192;

    /// <summary>Payload bytes of one stream that may wait for the ring thread; one message may exceed it.</summary>
    public const int QueuedBytesMax = 8 * 1024 * 1024;

    /// <summary>Receipts in one response.</summary>
    public const int ResponseReceipts = 512;

    private const int BlockPlaces = 512;

    // One more than the capacity needs: the block being emptied is never the one being filled a round later.
    private const int Blocks = Capacity / BlockPlaces + 1;

    private const int Waiting = 0;
    private const int Delivered = 1;
    private const int Refused = 2;

    private readonly Place[]?[] _blocks = new Place[]?[Blocks];
    private readonly BatchSignal _emptied = new();
    private readonly BatchSignal _answered = new();
    private Place[]? _spare;
    private long _taken;
    private long _queuedBytes;   // reading task: handed over since it last knew that nothing waits
    private long _answers;
    private long _drained;
    private long _taking;   // writing task: what it has taken out, published by Release
    private bool _complete;

    /// <summary>Raised when <see cref="TryTake"/> may find something.</summary>
    public BatchSignal Filled => filled;

    /// <summary>True while <see cref="TakeAsync"/> would wait. Reading task only.</summary>
    public bool IsFull => _taken - Volatile.Read(ref _drained) >= Capacity;

    /// <summary>True once every place has been emptied and none will follow.</summary>
    public bool HasEnded => Volatile.Read(ref _complete) && Volatile.Read(ref _drained) == Volatile.Read(ref _taken);

    /// <summary>Takes the next place, waiting for one. Reading task only.</summary>
    /// <param name="isSilent">Only a failure is worth a receipt.</param>
    /// <param name="cancellationToken">Stops the waiting; no place was taken then.</param>
    public async ValueTask<ulong> TakeAsync(CancellationToken cancellationToken, bool isSilent = false)
    {
        while (IsFull)
        {
            var armed = _emptied.Arm();
            if (!IsFull) break;
            await armed.WaitAsync(cancellationToken);
        }
        var place = (ulong)_taken;
        ref var block = ref _blocks[BlockOf(place)];
        if (block is null) Volatile.Write(ref block, Interlocked.Exchange(ref _spare, null) ?? new Place[BlockPlaces]);
        block[place % BlockPlaces].IsSilent = isSilent;
        Volatile.Write(ref _taken, _taken + 1);
        return place;
    }

    /// <summary>No further place will be taken. Reading task only.</summary>
    public void Complete()
    {
        Volatile.Write(ref _complete, true);
        filled.Raise();
    }

    /// <summary>Waits until the ring thread has answered every message handed to it, so that what follows comes after them. Reading task only.</summary>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <param name="except">Places taken last whose messages have not been handed over yet.</param>
    public async ValueTask AllAnsweredAsync(CancellationToken cancellationToken, int except = 0)
    {
        while (Volatile.Read(ref _answers) < _taken - except)
        {
            var armed = _answered.Arm();
            if (Volatile.Read(ref _answers) >= _taken - except) return;
            await armed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Waits until the message of the place taken last may be handed over. Reading task only.</summary>
    /// <remarks>What waits for the ring thread is limited in bytes too: a few thousand large messages would be the memory of the machine.</remarks>
    /// <param name="host">Takes the messages; told of those laid down for it before they are waited for.</param>
    /// <param name="tag">That place; refused when the waiting is cancelled.</param>
    /// <param name="bytes">Of the message.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public async ValueTask WaitForRoomAsync(RingHost host, ulong tag, int bytes, CancellationToken cancellationToken)
    {
        if (_queuedBytes > 0 && _queuedBytes + bytes > QueuedBytesMax)
        {
            host.WakeForSubmits();
            try
            {
                await AllAnsweredAsync(cancellationToken, except: 1);   // the place of this message is taken already
            }
            catch (OperationCanceledException)
            {
                Refuse(tag, ReceiptTable.NotSent, host.Clock.Absolute(host.Clock.Now));   // a place without an answer would keep the stream open for ever
                throw;
            }
            _queuedBytes = 0;
        }
        _queuedBytes += bytes;
    }

    /// <summary>A message that never reached the ring. Reading task only.</summary>
    public void Refuse(ulong tag, string why, long time)
    {
        Fail(tag, 0, why, time);
        Interlocked.Increment(ref _answers);
        filled.Raise();
    }

    /// <inheritdoc/>
    public void Submitted(ulong tag, SendResult result)
    {
        Interlocked.Increment(ref _answers);
        _answered.Raise();
        if (result.Status == GroupStatus.Accepted)
        {
            table.Expect(result.Counter, this, tag);
            return;
        }
        Fail(tag, 0, table.WhyNot(result.Status), table.Now);
        table.Touch(this);
    }

    /// <summary>Its place in the order is known. Ring thread only.</summary>
    public void Deliver(ulong tag, in Delivery delivery, long time)
    {
        ref var place = ref PlaceOf(tag);
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
        ref var place = ref PlaceOf(tag);
        place.Counter = counter;
        place.Failure = why;
        place.Time = time;
        Volatile.Write(ref place.State, Refused);
    }

    /// <summary>Wakes the writing task. Ring thread, once per batch.</summary>
    public void Raise() => filled.Raise();

    /// <summary>Takes out what became of the next message in order, if that is known. <see cref="Release"/> must follow a series of them. Writing task only.</summary>
    public bool TryTake(out Outcome outcome)
    {
        outcome = default;
        if (_taking >= Volatile.Read(ref _taken)) return false;
        ref var place = ref PlaceOf((ulong)_taking);
        var state = Volatile.Read(ref place.State);
        if (state == Waiting) return false;
        outcome = state == Delivered
            ? new Outcome(place.Counter, null, place.Ring, place.Seq, place.Index, place.Time, place.IsSilent)
            : new Outcome(place.Counter, place.Failure, RingId.None, 0, 0, place.Time, place.IsSilent);
        place = default;
        _taking++;
        if (_taking % BlockPlaces == 0) GiveBack((ulong)_taking - 1);
        return true;
    }

    /// <summary>What was taken out makes room for new messages. Writing task only.</summary>
    public void Release()
    {
        if (_taking == _drained) return;
        Volatile.Write(ref _drained, _taking);
        _emptied.Raise();
    }

    /// <summary>Moves receipts that are next in order into an empty response, which must be written before the next call; false when none was. Writing task only.</summary>
    public bool Drain(Proto.MulticastResponse response, SpareReceipts spare)
    {
        while (response.Receipts.Count < ResponseReceipts && TryTake(out var outcome))
        {
            var receipt = spare[response.Receipts.Count];
            var isDelivered = outcome.Failure is null;
            receipt.Counter = outcome.Counter;
            receipt.RingId = isDelivered ? spare.Rings.Text(outcome.Ring) : "";
            receipt.Seq = outcome.Seq;
            receipt.Index = (uint)outcome.Index;
            receipt.Failure = outcome.Failure ?? "";
            receipt.TNs = outcome.Time;
            receipt.InDoubt = outcome.IsInDoubt;
            response.Receipts.Add(receipt);
        }
        Release();
        return response.Receipts.Count > 0;
    }

    /// <summary>Waits until <see cref="TryTake"/> finds something; false once every place has been emptied and none will follow. Writing task only.</summary>
    public async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var armed = filled.Arm();
            if (HasNext) return true;
            if (HasEnded) return false;
            await armed.WaitAsync(cancellationToken);
        }
    }

    private bool HasNext => _taking < Volatile.Read(ref _taken) && Volatile.Read(ref PlaceOf((ulong)_taking).State) != Waiting;

    private static int BlockOf(ulong tag) => (int)(tag / BlockPlaces % Blocks);

    private ref Place PlaceOf(ulong tag) => ref Volatile.Read(ref _blocks[BlockOf(tag)])![tag % BlockPlaces];   // taken, so its block is there

    private void GiveBack(ulong tag)
    {
        var block = Interlocked.Exchange(ref _blocks[BlockOf(tag)], null);
        Volatile.Write(ref _spare, block);
    }

    [SuppressMessage("Performance", "CA1815", Justification = "Never compared.")]
    private struct Place
    {
        public int State;
        public int Index;
        public ulong Counter;
        public RingId Ring;
        public ulong Seq;
        public long Time;
        public string? Failure;
        public bool IsSilent;
    }
}

/// <summary>The receipts of one response after the other: an object for each message would cost more than its order. Used by one task at a time.</summary>
internal sealed class SpareReceipts
{
    private readonly Proto.Receipt?[] _receipts = new Proto.Receipt?[ReceiptWindow.ResponseReceipts];

    /// <summary>Texts of ring ids for them.</summary>
    public RingTexts Rings { get; } = new();

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

    /// <summary>What the sender of a message that was not handed to the ring thread any more is told when its node leaves.</summary>
    public const string NotSent = "never ordered: this node is leaving the cluster, and the message was not sent";

    /// <summary>What the sender of a message to a group it is no longer in is told.</summary>
    public const string NotJoined = "the session is not in the group, or is leaving it; the message was not sent";

    /// <summary>What the sender of a message that was overtaken by the end of its own membership is told.</summary>
    public const string Dropped = "nobody gets it: the sender's membership had ended where the message was ordered";

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

    /// <summary>Why the ring thread did not take a message.</summary>
    public string WhyNot(GroupStatus status) => status switch
    {
        GroupStatus.TooLarge => TooLarge,
        GroupStatus.NotJoined => NotJoined,
        GroupStatus.NotRunning => "never ordered: this node is leaving the cluster or has not started, and the message was not sent",
        _ => throw new UnreachableException($"a send was answered {status}"),
    };

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
        else if (delivery.Counter > _lastExpected) _early[delivery.Counter] = (delivery, time);   // delivered inside its own submit
    }

    /// <summary>A message of this node will not be delivered.</summary>
    public void Failed(ulong counter, long time) => Fail(counter, NeverOrdered, time);

    /// <summary>A message of this node was ordered, but nobody gets it.</summary>
    public void DroppedHere(ulong counter, long time) => Fail(counter, Dropped, time);

    private void Fail(ulong counter, string why, long time)
    {
        ref var entry = ref _entries[counter % (ulong)_entries.Length];
        if (entry.Window is null || entry.Counter != counter) return;
        entry.Window.Fail(entry.Tag, counter, why, time);
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
