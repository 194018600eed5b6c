using Membership.Links;
using Membership.Node;
using Membership.Totem;
using Membership.Daemon.State;

namespace Membership.Daemon.Ring;

/// <summary>Why the ring thread ended.</summary>
/// <param name="Code">0 after a clean leave; 70 our mistake (broken invariant, unexpected exception), 74 the state directory cannot be written.</param>
/// <param name="Message">For the operator: what happened, to whom, what was done, what to do.</param>
internal sealed record RingExit(int Code, string Message);

/// <summary>What a query sees on the ring thread. Copy what you need; keep no reference.</summary>
internal readonly record struct RingView(MembershipNode Node, Instant Now, IReadOnlyList<LinkCounters> Io);

/// <summary>Owns a node on one dedicated thread: feeds it datagrams, ticks and commands, executes its effects.</summary>
/// <remarks>All public members may be called from any thread. Callbacks come on the ring thread and must not block.</remarks>
internal sealed class RingHost : IAsyncDisposable
{
    /// <summary>Binds the links, builds the node and starts the thread.</summary>
    /// <exception cref="LinkBindException">No link at all can be bound (exit code 74): names each address and errno.</exception>
    public static RingHost Start(RingHostOptions options, NodeStart start, ICipherSuite ciphers, IRingObserver observer, IReservationStore reservations) =>
        throw new NotImplementedException();

    /// <summary>The clock of this host.</summary>
    public MonotonicClock Clock => throw new NotImplementedException();

    /// <summary>Completes when the ring thread has ended, cleanly or not; never faults. A daemon exits with its code.</summary>
    public Task<RingExit> Completion => throw new NotImplementedException();

    /// <summary>Hands a message to the ring thread; false when the queue is full. The memory must stay unchanged until the sink is called.</summary>
    public bool TrySubmit(ReadOnlyMemory<byte> payload, DeliveryLevel level, byte service, ISubmitSink sink, ulong tag) =>
        throw new NotImplementedException();

    /// <summary>Hands a message to the ring thread, waiting for room. Cancelling stops the waiting; the message was then not handed over.</summary>
    /// <exception cref="RingStoppedException">The ring thread has ended.</exception>
    public ValueTask SubmitAsync(ReadOnlyMemory<byte> payload, DeliveryLevel level, byte service, ISubmitSink sink, ulong tag, CancellationToken cancellationToken) =>
        throw new NotImplementedException();

    /// <summary>Leave cleanly; <see cref="Completion"/> then ends with code 0. Repeated calls do nothing.</summary>
    public void Leave() => throw new NotImplementedException();

    /// <summary>Runs <paramref name="read"/> on the ring thread and returns what it returns: the way to status and counters.</summary>
    /// <exception cref="RingStoppedException">The ring thread has ended.</exception>
    public Task<T> QueryAsync<T>(Func<RingView, T> read, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Replaces all injected faults.</summary>
    /// <exception cref="InvalidOperationException">The daemon was started without --allow-fault-injection.</exception>
    public Task SetFaults(IReadOnlyList<FaultRule> rules, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Stops the ring thread for a while, as a stalled machine would. Returns when the thread is about to stop, not after.</summary>
    /// <exception cref="InvalidOperationException">The daemon was started without --allow-fault-injection.</exception>
    public Task Freeze(TimeSpan duration, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Stops the thread without leaving (tests; a daemon leaves). The sockets close, so peers see the process as gone.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}

/// <summary>The ring thread has ended; nothing can be asked of it any more.</summary>
internal sealed class RingStoppedException(string message) : Exception(message);

/// <summary>No link can be bound.</summary>
internal sealed class LinkBindException(string message) : Exception(message);
