using System.Diagnostics;
using Membership.Cpg;
using Membership.Daemon.State;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Ring;

/// <summary>One turn after the other: wait, datagrams, evidence, commands, time. The only code that ever touches the node.</summary>
/// <remarks>
/// Order of a turn: what came from the ring first (until the sockets are empty), then a bounded number of commands, then deadlines, so that a token never
/// waits for an application and silence is never concluded from datagrams that merely have not been read yet.
/// </remarks>
internal sealed partial class RingLoop : IDatagramReader, IDisposable
{
    /// <summary>Commands (not messages) run in one turn.</summary>
    private const int CommandsPerTurn = 32;

    /// <summary>Nice value asked for this thread, see setpriority(2); about 28 times the share of an ordinary thread.</summary>
    private const int Nice = -15;

    /// <summary>A deadline met later than this means that the thread was held up: the sockets are read once more before time is looked at.</summary>
    private static readonly TimeSpan LateTick = TimeSpan.FromMilliseconds(5);

    /// <summary>The node promises to have left within its token timeout; beyond this the host stops without it.</summary>
    private static readonly TimeSpan LeaveLimit = TimeSpan.FromSeconds(15);

    /// <summary>The longest this thread stands back for its clients in one turn, whatever the timing.</summary>
    private static readonly TimeSpan StandBackLimit = TimeSpan.FromMilliseconds(20);

    private readonly RingHostOptions _options;
    private readonly TimeSpan _standBackMax;
    private readonly MembershipNode _node;
    private readonly NodeTable _nodes;
    private readonly MonotonicClock _clock;
    private readonly Mailbox _mailbox;
    private readonly IRingObserver _observer;
    private readonly IReservationStore _reservations;
    private readonly IReservationSink _reservationSink;
    private readonly FaultInjection? _faults;
    private readonly IRingPorts _ports;

    private Instant _now;
    private Instant _leaveDeadline = Instant.Never;
    private Submission _held;
    private bool _isHolding;
    private long _turns;
    private long _tokens;
    private bool _hasMoreWork;
    private bool _hasReported;
    private bool _hasLeft;
    private TimeSpan _freeze;
    private TimeSpan _standBack;
    private RingExit _exit;

    public RingLoop(RingHostOptions options, NodeStart start, ICipherSuite ciphers, MonotonicClock clock, Mailbox mailbox, IRingObserver observer,
        IReservationStore reservations, IReservationSink reservationSink, IRingPorts? ports = null)
    {
        _options = options;
        _nodes = start.Links.Nodes;
        _standBackMax = StandBackMax(start.Totem);
        _clock = clock;
        _mailbox = mailbox;
        _observer = observer;
        _reservations = reservations;
        _reservationSink = reservationSink;
        _faults = options.AllowFaultInjection ? new FaultInjection(_nodes, options.FaultSeed) : null;
        _exit = new RingExit(0, $"node {options.Self} left the cluster");
        _node = new MembershipNode(start, ciphers);
        _ports = ports ?? new RingSockets(_nodes, options, _faults);
    }

    /// <summary>How long this thread may stand back in one turn: a rotation in which every node does it takes a quarter of the token timeout, and no pause looks like a stall (a quarter of link_down).</summary>
    public static TimeSpan StandBackMax(TotemOptions timing)
    {
        var ofToken = timing.Token / (4.0 * timing.Nodes.Count);
        var ofLinks = timing.LinkDown / 16;
        var shorter = ofToken < ofLinks ? ofToken : ofLinks;
        return shorter < StandBackLimit ? shorter : StandBackLimit;
    }

    /// <summary>What a query sees.</summary>
    public RingView View => new(_node, _clock.Now, _ports.Counters, _ports.Established, _turns);

    /// <summary>Binds the links; before <see cref="Run"/>, on any one thread.</summary>
    /// <exception cref="LinkBindException">No link can be bound.</exception>
    public void Open()
    {
        _now = _clock.Now;
        _ports.Open(_now, this);
    }

    /// <summary>Turns until the node has left, the host stops, or something is broken.</summary>
    public RingExit Run()
    {
        try
        {
            Libc.UseExactTimers();
            _now = _clock.Now;
            RaisePriority();
            _node.Start(_now, this);
            EndTurn();   // a node alone has its first view already, and nothing may wake it for a long time
            while (!_hasLeft && !_mailbox.IsStopping) Turn();
            return _exit;
        }
        catch (InvariantBrokenException broken)
        {
            return new RingExit(ExitCode.Internal, $"Node {_options.Self}: {broken.Message}. The node stops, because what it would do next cannot be trusted; the others go on "
                + $"without it. This is a mistake in membershipd: please report it with this text and the recording. {broken.StackTrace}");
        }
        catch (Exception error)
        {
            // Whatever it was, a ring thread that goes on after it would be half alive: worse than dead.
            return new RingExit(ExitCode.Internal, $"Node {_options.Self}: the ring thread failed and the node stops; the others go on without it. "
                + $"This is a mistake in membershipd: please report it with this text. {error}");
        }
    }

    /// <summary>After the end: the message that was held is answered like those still in the channel.</summary>
    public void RefuseHeld()
    {
        if (_isHolding) _held.Sink.Submitted(_held.Tag, new SendResult(GroupStatus.NotRunning, 0));
        _isHolding = false;
    }

    /// <summary>Gives the node other keys.</summary>
    /// <exception cref="ArgumentException">Not exactly one active key, an id twice, or a secret of another length; nothing has changed.</exception>
    public void ReplaceKeys(IReadOnlyList<ClusterKey> keys)
    {
        _now = _clock.Now;
        _node.ReplaceKeys(_now, keys, this);
    }

    /// <summary>A session of this daemon asks to join a group; events of the group may come before this returns.</summary>
    public JoinResult JoinGroup(uint session, uint pid, string group)
    {
        _now = _clock.Now;
        return _node.JoinGroup(_now, session, pid, group, this);
    }

    /// <summary>A membership asks to leave.</summary>
    public GroupStatus LeaveGroup(uint slot)
    {
        _now = _clock.Now;
        return _node.LeaveGroup(_now, slot, this);
    }

    /// <summary>A session is gone.</summary>
    public void EndSession(uint session)
    {
        _now = _clock.Now;
        _node.EndSession(_now, session, this);
    }

    /// <summary>An operator's change of votes; the observer is told what became of it under this tag.</summary>
    public void ChangeQuorum(QuorumChange change, ulong tag)
    {
        _now = _clock.Now;
        _node.ChangeQuorum(_now, change, tag, this);
    }

    /// <summary>Tells the node what the witness says.</summary>
    public void OnWitness(WitnessAnswer? answer)
    {
        _now = _clock.Now;
        _node.OnWitness(_now, answer, this);
    }

    /// <summary>Replaces the injected faults.</summary>
    public void SetFaults(IReadOnlyList<FaultRule> rules)
    {
        _faults!.Set(rules); // not null: the host refused the command otherwise
        OnFact(new RingHostFact.FaultsInjected(rules));
    }

    /// <summary>Stops this thread at the end of the turn, as a stalled machine would: whoever asked for it has his answer by then.</summary>
    public void Freeze(TimeSpan duration)
    {
        OnFact(new RingHostFact.Frozen(duration));
        _freeze = duration;
    }

    public void OnDatagram(LinkId link, int position, ReadOnlySpan<byte> datagram)
    {
        _now = _clock.Now;
        _node.OnDatagram(_now, link, position == AddressBook.Nobody ? null : _nodes[position], datagram, this);
        if (_node.Counters.TokensReceived == _tokens) return;
        _tokens = _node.Counters.TokensReceived;
        _observer.TokenVisited(_clock.Now - _now, _node.Counters);
    }

    public void OnBatchEnd()
    {
        _now = _clock.Now;
        _node.OnBatchEnd(_now, this);
    }

    public void OnFact(RingHostFact fact)
    {
        _hasReported = true;
        _observer.HostFact(fact, _now);
    }

    public void Dispose()
    {
        _ports.Dispose();
        _node.Dispose();
    }

    // A busy machine must not make this node look dead: with this nice value the thread runs within milliseconds of becoming due, and, unlike
    // with a real-time policy, does not push its own clients aside after every message.
    private void RaisePriority()
    {
        var errno = Libc.TrySetNice(Nice) ? 0 : Libc.Errno;
        OnFact(new RingHostFact.Priority(errno == 0 ? Nice : Libc.GetNice(), errno));
    }

    private void Turn()
    {
        Wait();
        _turns++;
        _now = _clock.Now;
        var unreachable = _ports.Receive(this);
        var closed = _ports.CollectClosed(_now);
        Hint(unreachable, LinkHint.PortUnreachable);
        Hint(closed, LinkHint.TripwireClosed);
        RunCommands();
        if (!_hasLeft) TakeSubmits();
        if (!_hasLeft) Tick();
        EndTurn();
        if (_freeze == TimeSpan.Zero) return;
        _mailbox.Freeze(_freeze);
        _freeze = TimeSpan.Zero;
    }

    private void Wait()
    {
        if (_standBack > TimeSpan.Zero) _ports.Pause(_standBack);
        _standBack = TimeSpan.Zero;
        var waits = !_hasMoreWork && _mailbox.TryBeginWait(wantsSubmits: !_isHolding);
        var isWoken = _ports.Wait(_mailbox.Descriptor, waits ? NanosecondsToDeadline() : 0);
        if (waits) _mailbox.EndWait();
        if (isWoken) _mailbox.ClearWake();
    }

    private long? NanosecondsToDeadline()
    {
        var deadline = Earlier(Earlier(_node.NextDeadline, _leaveDeadline), _ports.NextDeadline);
        return deadline == Instant.Never ? null : Math.Max(deadline.Nanoseconds - _clock.Now.Nanoseconds, 0);
    }

    private static Instant Earlier(Instant left, Instant right) => left < right ? left : right;

    private void Hint(NodeSet peers, LinkHint hint)
    {
        foreach (var position in peers)
        {
            _now = _clock.Now;
            _node.OnHint(_now, _nodes[position], hint, this);
        }
    }

    private void RunCommands()
    {
        _mailbox.BeginUrgent();
        if (_mailbox.TryTakeReserved(out var upTo)) _node.OnReserved(_now = _clock.Now, upTo, this);
        if (_mailbox.TryTakePersisted() is { } record) _node.OnQuorumPersisted(_now = _clock.Now, record, this);
        if (_mailbox.ReservationFailure is { } failure && _exit.Code == 0) _exit = new RingExit(ExitCode.InputOutput, failure);
        for (var run = 0; run < CommandsPerTurn && _mailbox.Commands.Reader.TryRead(out var command); run++) command.Run(this);
        if (_leaveDeadline == Instant.Never && (_mailbox.IsLeaving || _exit.Code != 0)) BeginToLeave();
    }

    private void BeginToLeave()
    {
        _now = _clock.Now;
        _leaveDeadline = _now + LeaveLimit;
        _node.Leave(_now, this);
    }

    /// <summary>Feeds messages, at most a bounded number and size a turn. Where the node's queue is full the message is held and those behind it wait in their channel.</summary>
    private void TakeSubmits()
    {
        _now = _clock.Now;
        var submits = 0;
        var bytes = 0;
        while (submits < _options.SubmitsPerTurn && bytes < _options.SubmitBytesPerTurn && (_isHolding || _mailbox.Submits.Reader.TryRead(out _held)))
        {
            var result = Submit(_held);
            _isHolding = result.Status is GroupStatus.QueueFull;
            if (_isHolding) break;
            if (result.Status is GroupStatus.Accepted) _observer.Accepted(result.Counter, _now);
            submits++;
            bytes += _held.Payload.Length;
            _hasReported = true;
            _held.Sink.Submitted(_held.Tag, result);
            _held = default;
        }

        if (submits > 0) _node.OnSubmitted(_now, this);
        _hasMoreWork = !_isHolding && _mailbox.Submits.Reader.Count > 0;
    }

    private SendResult Submit(in Submission message)
    {
        if (message.Slot != 0) return _node.SendToGroup(_now, message.Slot, message.Payload.Span, message.Level, this);
        var result = _node.Submit(_now, message.Payload.Span, message.Level, this);
        return new SendResult(
            result.Status switch
            {
                SubmitStatus.Accepted => GroupStatus.Accepted,
                SubmitStatus.TooLarge => GroupStatus.TooLarge,
                SubmitStatus.QueueFull => GroupStatus.QueueFull,
                SubmitStatus.NotRunning => GroupStatus.NotRunning,
                _ => throw new UnreachableException($"submit answered {result.Status}"),
            },
            result.Counter);
    }

    private void Tick()
    {
        var deadline = _node.NextDeadline;
        var now = _clock.Now;
        if (now >= deadline)
        {
            if (now - deadline > LateTick) _ports.ReceiveWaiting(this);
            _now = _clock.Now;
            _node.OnTick(_now, this);
        }

        _now = now;
        _ports.OnTick(now, this);
        if (now < _leaveDeadline || _hasLeft) return;
        _hasLeft = true;
        if (_exit.Code == 0) _exit = new RingExit(0, $"node {_options.Self} stopped: the ring did not confirm its leaving within {LeaveLimit.TotalSeconds} s");
    }

    private void EndTurn()
    {
        if (!_hasReported) return;
        _hasReported = false;
        _observer.BatchEnd(_now);
        if (_leaveDeadline == Instant.Never) _standBack = _observer.StandBack(_now, _standBackMax);
    }
}
