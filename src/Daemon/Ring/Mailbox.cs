using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Membership.Cpg;
using Membership.Quorum;
using Membership.Totem;
using Microsoft.Win32.SafeHandles;

namespace Membership.Daemon.Ring;

/// <summary>A message on its way to the ring thread.</summary>
/// <param name="Payload">Unchanged until the sink is called.</param>
/// <param name="Level">Guarantee asked for.</param>
/// <param name="Slot">0: the raw ring; otherwise the membership whose group it is for.</param>
/// <param name="Sink">Learns the answer.</param>
/// <param name="Tag">Tells the sink which message.</param>
internal readonly record struct Submission(ReadOnlyMemory<byte> Payload, DeliveryLevel Level, uint Slot, ISubmitSink Sink, ulong Tag);

/// <summary>Something other than a message for the ring thread to do.</summary>
internal abstract class RingCommand
{
    /// <summary>Runs on the ring thread.</summary>
    public abstract void Run(RingLoop loop);

    /// <summary>The ring thread has ended and will never run it.</summary>
    public abstract void Abandon(RingStoppedException reason);
}

/// <summary>What other threads leave for the ring thread, and the way to wake it. While the loop is busy, leaving something costs no system call.</summary>
/// <remarks>
/// Limits: submits as configured and <see cref="SubmitBytesMax"/> (a full queue refuses or waits), commands <see cref="CommandCapacity"/> (a full queue waits). What must never be
/// lost or wait (a reservation, leave, stop) has a field of its own.
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "A thread about to wake the loop must never find the number in use by another file, so both end with the last reference.")]
internal sealed unsafe class Mailbox
{
    /// <summary>Commands (queries, faults) waiting for the ring thread.</summary>
    public const int CommandCapacity = 256;

    /// <summary>Payload bytes of all messages that wait for the ring thread; the last one let in may exceed it.</summary>
    public const long SubmitBytesMax = 64 * 1024 * 1024;

    private const int Busy = 0;
    private const int WaitsForAll = 1;
    private const int WaitsForCommands = 2;

    private readonly SafeFileHandle _event;
    private readonly ByteLimit _bytes = new(SubmitBytesMax);
    private readonly ManualResetEventSlim _stop = new();
    private int _state;
    private int _urgent;
    private int _urgentTaken;
    private ulong _reservedUpTo;
    private ulong _takenUpTo;
    private string? _reservationFailure;
    private QuorumRecord? _persisted;
    private bool _leave;

    public Mailbox(int submitCapacity)
    {
        var descriptor = Libc.EventDescriptor(0, Libc.SockNonblockCloexec);
        if (descriptor < 0) throw new InvalidOperationException($"eventfd failed: {Libc.Describe(Libc.Errno)}");
        _event = new SafeFileHandle(descriptor, ownsHandle: true);
        Submits = new LimitedSubmits(Channel.CreateBounded<Submission>(Bounds(submitCapacity)), _bytes);
        Commands = Channel.CreateBounded<RingCommand>(Bounds(CommandCapacity));
    }

    /// <summary>Messages; call <see cref="WakeForSubmit"/> after writing.</summary>
    public Channel<Submission> Submits { get; }

    /// <summary>Payload bytes in <see cref="Submits"/>. Any thread.</summary>
    public long SubmitBytes => _bytes.Taken;

    /// <summary>Commands; call <see cref="Wake"/> after writing.</summary>
    public Channel<RingCommand> Commands { get; }

    /// <summary>True once the thread is to end without leaving.</summary>
    public bool IsStopping => _stop.IsSet;

    /// <summary>True once the node is to leave.</summary>
    public bool IsLeaving => Volatile.Read(ref _leave);

    /// <summary>Why ring sequences could not be made durable; null while they could.</summary>
    public string? ReservationFailure => Volatile.Read(ref _reservationFailure);

    /// <summary>What becomes readable when the loop is woken.</summary>
    public int Descriptor => (int)_event.DangerousGetHandle();

    /// <summary>Ends the loop at its next turn, a freeze at once.</summary>
    public void Stop()
    {
        _stop.Set();
        WakeForUrgent();
    }

    /// <summary>Asks for a clean leave.</summary>
    public void Leave()
    {
        Volatile.Write(ref _leave, true);
        WakeForUrgent();
    }

    /// <summary>Sequences up to this one are durable.</summary>
    public void Reserved(ulong upTo)
    {
        Volatile.Write(ref _reservedUpTo, upTo);
        WakeForUrgent();
    }

    /// <summary>This record of quorum, and with it all before it, is durable.</summary>
    public void QuorumPersisted(QuorumRecord record)
    {
        Volatile.Write(ref _persisted, record);
        WakeForUrgent();
    }

    /// <summary>They could not be made durable.</summary>
    public void ReservationFailed(string message)
    {
        Volatile.Write(ref _reservationFailure, message);
        WakeForUrgent();
    }

    /// <summary>Ring thread, before it looks at reservations, leave and stop: what is set after this call prevents or ends the next wait.</summary>
    public void BeginUrgent() => _urgentTaken = Volatile.Read(ref _urgent);

    /// <summary>Ring thread: a reservation that has come in since the last call.</summary>
    public bool TryTakeReserved(out ulong upTo)
    {
        upTo = Volatile.Read(ref _reservedUpTo);
        if (upTo == _takenUpTo) return false;
        _takenUpTo = upTo;
        return true;
    }

    /// <summary>Ring thread: the newest record that became durable since the last call, or null.</summary>
    public QuorumRecord? TryTakePersisted() => Volatile.Read(ref _persisted) is null ? null : Interlocked.Exchange(ref _persisted, null);

    /// <summary>Ring thread: sleep, as a stalled machine would, but no longer than until the host stops.</summary>
    public void Freeze(TimeSpan duration) => _stop.Wait(duration);

    /// <summary>Ring thread, before it waits: from now on posting threads wake it. False when something has been left already.</summary>
    /// <param name="wantsSubmits">False while the node's queue is full: messages then wait in the channel and wake nobody.</param>
    public bool TryBeginWait(bool wantsSubmits)
    {
        // Written before the queues are looked at, while posting threads fill a queue before they look at this: one side always sees the other.
        Interlocked.Exchange(ref _state, wantsSubmits ? WaitsForAll : WaitsForCommands);
        var isEmpty = Commands.Reader.Count == 0 && (!wantsSubmits || Submits.Reader.Count == 0)
            && Volatile.Read(ref _urgent) == _urgentTaken;
        if (!isEmpty) EndWait();
        return isEmpty;
    }

    /// <summary>Ring thread, after it waited.</summary>
    public void EndWait() => Volatile.Write(ref _state, Busy);

    /// <summary>Ring thread: takes note of having been woken.</summary>
    public void ClearWake()
    {
        ulong count;
        _ = Libc.Read(Descriptor, &count, sizeof(ulong));
    }

    /// <summary>Wakes the loop if it waits.</summary>
    public void Wake()
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _state) != Busy && Interlocked.Exchange(ref _state, Busy) != Busy) Ring();
    }

    /// <summary>Wakes the loop if it waits for messages.</summary>
    public void WakeForSubmit()
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _state) == WaitsForAll && Interlocked.CompareExchange(ref _state, Busy, WaitsForAll) == WaitsForAll) Ring();
    }

    /// <summary>Ring thread, at its end: refuses what comes from now on and answers what is still there.</summary>
    public void Close(RingStoppedException reason)
    {
        Submits.Writer.TryComplete();
        Commands.Writer.TryComplete();
        while (Submits.Reader.TryRead(out var submission)) submission.Sink.Submitted(submission.Tag, new SendResult(GroupStatus.NotRunning, 0));
        while (Commands.Reader.TryRead(out var command)) command.Abandon(reason);
    }

    private static BoundedChannelOptions Bounds(int capacity) =>
        new(capacity) { SingleReader = true, AllowSynchronousContinuations = false, FullMode = BoundedChannelFullMode.Wait };

    private void WakeForUrgent()
    {
        Interlocked.Increment(ref _urgent);
        Wake();
    }

    private void Ring()
    {
        ulong one = 1;
        _ = Libc.Write(Descriptor, &one, sizeof(ulong)); // fails only when the counter is full, and then the loop is awake anyway
    }
}
