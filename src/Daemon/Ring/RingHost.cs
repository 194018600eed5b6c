using System.Threading.Channels;
using Membership.Daemon.State;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Ring;

/// <summary>Why the ring thread ended.</summary>
/// <param name="Code">0 after a clean leave; 70 our mistake (broken invariant, unexpected exception), 74 the state directory cannot be written.</param>
/// <param name="Message">For the operator: what happened, to whom, what was done, what to do.</param>
internal sealed record RingExit(int Code, string Message);

/// <summary>What a query sees on the ring thread. Copy what you need; keep no reference.</summary>
/// <param name="Node">The node, to be read only.</param>
/// <param name="Now">The present.</param>
/// <param name="Io">Counters by link.</param>
/// <param name="Tripwires">Nodes with an established tripwire.</param>
/// <param name="Turns">Turns of the loop since the start.</param>
internal readonly record struct RingView(MembershipNode Node, Instant Now, IReadOnlyList<LinkCounters> Io, NodeSet Tripwires, long Turns);

/// <summary>Owns a node on one dedicated thread: feeds it datagrams, ticks and commands, executes its effects.</summary>
/// <remarks>All public members may be called from any thread. Callbacks come on the ring thread and must not block.</remarks>
internal sealed class RingHost : IReservationSink, IAsyncDisposable
{
    /// <summary>Longest freeze that can be asked for.</summary>
    public static readonly TimeSpan FreezeMax = TimeSpan.FromMinutes(10);

    private readonly TaskCompletionSource<RingExit> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly RingHostOptions _options;
    private readonly Mailbox _mailbox;
    private readonly RingLoop _loop;

    private RingHost(RingHostOptions options, NodeStart start, ICipherSuite ciphers, IRingObserver observer, IReservationStore reservations, IRingPorts? ports)
    {
        _options = options;
        _mailbox = new Mailbox(options.SubmitCapacity);
        _loop = new RingLoop(options, start, ciphers, Clock, _mailbox, observer, reservations, this, ports);
    }

    /// <summary>The clock of this host.</summary>
    public MonotonicClock Clock { get; } = new();

    /// <summary>Completes when the ring thread has ended, cleanly or not; never faults. A daemon exits with its code.</summary>
    public Task<RingExit> Completion => _completion.Task;

    /// <summary>Binds the links, builds the node and starts the thread.</summary>
    /// <exception cref="LinkBindException">No link at all can be bound (exit code 74): names each address and errno.</exception>
    public static RingHost Start(RingHostOptions options, NodeStart start, ICipherSuite ciphers, IRingObserver observer, IReservationStore reservations)
    {
        var host = Open(options, start, ciphers, observer, reservations);
        new Thread(host.Run) { Name = "ring", IsBackground = true }.Start();
        return host;
    }

    /// <summary>As <see cref="Start"/>, but leaves it to the caller to give it a thread, by <see cref="Run"/>.</summary>
    /// <param name="options">Settings.</param>
    /// <param name="start">Of the node.</param>
    /// <param name="ciphers">Seal and open.</param>
    /// <param name="observer">Sees what the node reports.</param>
    /// <param name="reservations">Makes durable what must be.</param>
    /// <param name="ports">In place of sockets.</param>
    /// <exception cref="LinkBindException">No link at all can be bound.</exception>
    public static RingHost Open(RingHostOptions options, NodeStart start, ICipherSuite ciphers, IRingObserver observer, IReservationStore reservations, IRingPorts? ports = null)
    {
        var host = new RingHost(options, start, ciphers, observer, reservations, ports);
        try
        {
            host._loop.Open();
        }
        catch (LinkBindException)
        {
            host._loop.Dispose();
            throw;
        }

        return host;
    }

    /// <summary>Lays a message down for the ring thread without waking it, so that a batch costs one wake-up; false when the queue is full or the thread has ended. The memory must stay unchanged until the sink is called.</summary>
    /// <remarks><see cref="WakeForSubmits"/> must follow, and before anything that waits for one of the messages.</remarks>
    public bool TryQueue(ReadOnlyMemory<byte> payload, DeliveryLevel level, uint slot, ISubmitSink sink, ulong tag) =>
        _mailbox.Submits.Writer.TryWrite(new Submission(payload, level, slot, sink, tag));

    /// <summary>Wakes the ring thread for what was queued.</summary>
    public void WakeForSubmits() => _mailbox.WakeForSubmit();

    /// <summary>Hands a message to the ring thread; false when the queue is full or the thread has ended. The memory must stay unchanged until the sink is called.</summary>
    public bool TrySubmit(ReadOnlyMemory<byte> payload, DeliveryLevel level, uint slot, ISubmitSink sink, ulong tag)
    {
        if (!TryQueue(payload, level, slot, sink, tag)) return false;
        WakeForSubmits();
        return true;
    }

    /// <summary>Hands a message to the ring thread, waiting for room. Cancelling stops the waiting; the message was then not handed over.</summary>
    /// <exception cref="RingStoppedException">The ring thread has ended.</exception>
    public ValueTask SubmitAsync(ReadOnlyMemory<byte> payload, DeliveryLevel level, uint slot, ISubmitSink sink, ulong tag, CancellationToken cancellationToken) =>
        TrySubmit(payload, level, slot, sink, tag)
            ? ValueTask.CompletedTask
            : WaitAndSubmitAsync(new Submission(payload, level, slot, sink, tag), cancellationToken);

    /// <summary>Payload bytes laid down that the ring thread has not taken yet; see <see cref="Mailbox.SubmitBytesMax"/>.</summary>
    public long QueuedBytes => _mailbox.SubmitBytes;

    /// <summary>Leave cleanly; <see cref="Completion"/> then ends with code 0. Repeated calls do nothing.</summary>
    public void Leave() => _mailbox.Leave();

    /// <summary>Runs <paramref name="read"/> on the ring thread and returns what it returns: the way to status and counters.</summary>
    /// <exception cref="RingStoppedException">The ring thread has ended.</exception>
    public Task<T> QueryAsync<T>(Func<RingView, T> read, CancellationToken cancellationToken) =>
        RunAsync(new Call<T>(loop => read(loop.View)), cancellationToken);

    /// <summary>Runs <paramref name="act"/> on the ring thread and returns what it returns. Cancelling stops the waiting; what was asked for may still happen.</summary>
    /// <exception cref="RingStoppedException">The ring thread has ended.</exception>
    public Task<T> ActAsync<T>(Func<RingLoop, T> act, CancellationToken cancellationToken) => RunAsync(new Call<T>(act), cancellationToken);

    /// <summary>What the witness says to this node; null: nothing any more. Cancelling stops the waiting; the node may still be told.</summary>
    /// <exception cref="RingStoppedException">The ring thread has ended.</exception>
    public Task TellWitnessAsync(WitnessAnswer? answer, CancellationToken cancellationToken) =>
        RunAsync(new Call<bool>(loop => Done(() => loop.OnWitness(answer))), cancellationToken);

    /// <summary>Replaces all injected faults.</summary>
    /// <exception cref="InvalidOperationException">The daemon was started without --allow-fault-injection.</exception>
    /// <exception cref="ArgumentException">A rule names a node that is not configured, or a loss outside 0 to 1.</exception>
    public Task SetFaults(IReadOnlyList<FaultRule> rules, CancellationToken cancellationToken)
    {
        CheckFaultsAllowed();
        foreach (var rule in rules)
        {
            if (!(rule.Loss is >= 0 and <= 1)) throw new ArgumentException($"a loss of {rule.Loss} is not between 0 and 1", nameof(rules));
            if (rule.Peer is { } peer && _options.Peers.All(configured => configured.Node != peer))
                throw new ArgumentException($"node {peer} is not configured", nameof(rules));
        }

        return RunAsync(new Call<bool>(loop => Done(() => loop.SetFaults([.. rules]))), cancellationToken);
    }

    /// <summary>Stops the ring thread for a while, as a stalled machine would. Returns when the thread is about to stop.</summary>
    /// <exception cref="InvalidOperationException">The daemon was started without --allow-fault-injection.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Not positive, or beyond <see cref="FreezeMax"/>.</exception>
    public Task Freeze(TimeSpan duration, CancellationToken cancellationToken)
    {
        CheckFaultsAllowed();
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(duration, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(duration, FreezeMax);
        return RunAsync(new Call<bool>(loop => Done(() => loop.Freeze(duration))), cancellationToken);
    }

    void IReservationSink.Reserved(ulong upTo) => _mailbox.Reserved(upTo);

    void IReservationSink.QuorumPersisted(QuorumRecord record) => _mailbox.QuorumPersisted(record);

    void IReservationSink.ReservationFailed(string message) => _mailbox.ReservationFailed(message);

    /// <summary>Stops the thread without leaving (tests; a daemon leaves). The sockets close, so peers see the process as gone.</summary>
    public async ValueTask DisposeAsync()
    {
        _mailbox.Stop();
        await Completion;
    }

    private static bool Done(Action action)
    {
        action();
        return true;
    }

    /// <summary>What the ring thread does from its start to its end. Once, on a thread of its own.</summary>
    public void Run()
    {
        var exit = _loop.Run();
        _loop.Dispose();
        try
        {
            _loop.RefuseHeld();
            _mailbox.Close(new RingStoppedException(exit.Message));
        }
        catch (Exception error)
        {
            exit = new RingExit(ExitCode.Internal, $"{exit.Message} Answering what still waited failed: {error}");
        }

        _completion.SetResult(exit);
    }

    private async ValueTask WaitAndSubmitAsync(Submission submission, CancellationToken cancellationToken)
    {
        _mailbox.WakeForSubmit();   // what fills the queue may have been laid down without waking
        try
        {
            await _mailbox.Submits.Writer.WriteAsync(submission, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw await StoppedAsync();
        }

        _mailbox.WakeForSubmit();
    }

    private async Task<T> RunAsync<T>(Call<T> call, CancellationToken cancellationToken)
    {
        try
        {
            await _mailbox.Commands.Writer.WriteAsync(call, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw await StoppedAsync();
        }

        _mailbox.Wake();
        return await call.Result.WaitAsync(cancellationToken);
    }

    private async Task<RingStoppedException> StoppedAsync() => new((await Completion).Message);

    private void CheckFaultsAllowed()
    {
        if (!_options.AllowFaultInjection)
            throw new InvalidOperationException("faults cannot be injected: this daemon was started without --allow-fault-injection");
    }

    /// <summary>A function called on the ring thread for somebody who awaits its result.</summary>
    private sealed class Call<T>(Func<RingLoop, T> function) : RingCommand
    {
        private readonly TaskCompletionSource<T> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<T> Result => _result.Task;

        public override void Run(RingLoop loop)
        {
            try
            {
                _result.TrySetResult(function(loop));
            }
            catch (Exception error)
            {
                _result.TrySetException(error);
                if (error is InvariantBrokenException) throw; // that concerns the node, not only the asker
            }
        }

        public override void Abandon(RingStoppedException reason) => _result.TrySetException(reason);
    }
}

/// <summary>The ring thread has ended; nothing can be asked of it any more.</summary>
internal sealed class RingStoppedException(string message) : Exception(message);

/// <summary>No link can be bound.</summary>
internal sealed class LinkBindException(string message) : Exception(message);
