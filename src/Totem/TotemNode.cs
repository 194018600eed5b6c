using Membership.Links;

namespace Membership.Totem;

/// <summary>One member of one Totem ring: orders messages, installs views. Decides everything, touches nothing.</summary>
/// <remarks>
/// Single-threaded and deterministic. TOCS'95 with the deviations of docs/protocol/deviations.md. Inputs: packets of authentic peers, evidence
/// of the links, ticks, submits, a finished reservation. Output: verbs on <see cref="ITotemEffects"/>.
/// </remarks>
public sealed partial class TotemNode
{
    private readonly TotemOptions _options;
    private readonly NodeTable _nodes;
    private readonly int _self;
    private readonly ulong _boot;
    private readonly Peer[] _peers;
    private readonly TimerTable _timers = new();
    private readonly FramePool _pool = new();
    private readonly SendQueue _queue;
    private readonly FlowControl _flow;
    private readonly Cliques _cliques;
    private readonly byte[] _packet = new byte[Math.Max(CommitToken.BytesMax, JoinMessage.BytesMax)];

    // The ring this node last installed. Its members and their boots are fixed; the window still fills while the next ring is gathered.
    private RingId _ring;
    private View? _view;
    private NodeSet _members;
    private readonly ulong[] _memberBoots = new ulong[NodeTable.Max];
    private readonly uint[] _memberEpochs = new uint[NodeTable.Max];
    private MessageWindow _window;

    private ulong _ringSequenceMax;
    private ulong _reservedUpTo;
    private ulong _reserving;
    private int _frameBytes;
    private ulong _counter;
    private ulong _deliveredCounter;

    /// <summary>A node that has not started.</summary>
    /// <param name="options">Settings.</param>
    /// <param name="boot">Short boot id of this start, unique for ever.</param>
    /// <param name="ringSequence">Highest ring sequence an earlier start may have used.</param>
    /// <param name="reservedUpTo">Sequences up to this are durable for this start.</param>
    /// <param name="frameBytes">Largest packet the links carry in one datagram.</param>
    public TotemNode(TotemOptions options, ulong boot, ulong ringSequence, ulong reservedUpTo, int frameBytes)
    {
        _options = options;
        _nodes = options.Nodes;
        _self = _nodes.Position(options.Self);
        _boot = boot;
        _peers = new Peer[_nodes.Count];
        for (var i = 0; i < _peers.Length; i++) _peers[i] = new Peer();
        _peers[_self].Boot = boot;
        _queue = new SendQueue(options.QueueBytesMax);
        _flow = new FlowControl(options.WindowBytes, options.VisitBytes);
        _cliques = new Cliques(_nodes.Count, options.Votes);
        _window = new MessageWindow(options.WindowFrames, _pool);
        _forming = new MessageWindow(options.WindowFrames, _pool);
        _join = new JoinMessage(_nodes);
        _received = new JoinMessage(_nodes);
        _commit = new CommitToken(_nodes);
        _receivedCommit = new CommitToken(_nodes);
        _joins = new JoinState[_nodes.Count];
        _reassembly = new Reassembly[_nodes.Count];
        for (var i = 0; i < _reassembly.Length; i++) _reassembly[i] = new Reassembly(options.MessageBytesMax + TotemOptions.HeaderBytesMax);
        _ringSequenceMax = ringSequence;
        _reservedUpTo = reservedUpTo;
        _frameBytes = frameBytes;
    }

    /// <summary>The state of the protocol.</summary>
    public TotemState State { get; private set; } = TotemState.Gather;

    /// <summary>The regular view in force; null before the first.</summary>
    public View? View => _view;

    /// <summary>When <see cref="OnTick"/> is next due.</summary>
    public Instant NextDeadline => _timers.Earliest;

    /// <summary>Counters since the start.</summary>
    public TotemCounters Counters { get; } = new();

    /// <summary>Payload bytes waiting for the token.</summary>
    public int QueuedBytes => _queue.Bytes;

    /// <summary>Messages waiting for the token.</summary>
    public int QueuedMessages => _queue.Count;

    private bool IsRunning { get; set; }

    private bool IsAlone => _members.Count == 1;

    /// <summary>Gathers the first ring.</summary>
    public void Start(Instant now, ITotemEffects effects)
    {
        IsRunning = true;
        _startedAt = now;
        EnsureReserved(effects);
        EnterGather(now, GatherReason.Started, null, effects);
    }

    /// <summary>A packet of an authentic peer.</summary>
    public void OnPacket(Instant now, NodeId from, BootId boot, ReadOnlySpan<byte> packet, ITotemEffects effects)
    {
        if (!IsRunning || HasSaidGoodbye || !_nodes.TryPosition(from, out var peer) || peer == _self) return;
        if (packet.IsEmpty || _peers[peer].Boot != boot.Short) return;
        switch ((PacketKind)packet[0])
        {
            case PacketKind.Token: OnToken(now, peer, packet[1..], effects); break;
            case PacketKind.Data: OnData(now, peer, packet, effects); break;
            case PacketKind.Join: OnJoin(now, peer, packet[1..], effects); break;
            case PacketKind.CommitToken: OnCommitToken(now, peer, packet[1..], effects); break;
            case PacketKind.Leave: OnLeave(now, peer, packet[1..], effects); break;
            case PacketKind.Announce: OnAnnounce(now, peer, packet[1..], effects); break;
            case PacketKind.HoldCancel: OnHoldCancel(now, peer, packet[1..], effects); break;
            default: Malformed(peer, "unknown packet kind", effects); break;
        }

        CheckInvariants();
    }

    /// <summary>Does what is due.</summary>
    public void OnTick(Instant now, ITotemEffects effects)
    {
        if (!IsRunning || _timers.Earliest > now) return;
        if (_timers.TryTake(TotemTimer.TokenLoss, now)) OnTokenLoss(now, effects);
        if (_timers.TryTake(TotemTimer.TokenRetransmit, now)) OnTokenRetransmit(now, effects);
        if (_timers.TryTake(TotemTimer.Hold, now)) ReleaseHeld(now, effects);
        if (_timers.TryTake(TotemTimer.Linger, now)) ReleaseHeld(now, effects);
        if (_timers.TryTake(TotemTimer.HoldCancel, now)) AskForToken(now, effects);
        if (_timers.TryTake(TotemTimer.Join, now)) OnJoinTimer(now, effects);
        if (_timers.TryTake(TotemTimer.Consensus, now)) OnConsensusTimer(now, effects);
        if (_timers.TryTake(TotemTimer.HoldDown, now)) OnHoldDownTimer(now, effects);
        if (_timers.TryTake(TotemTimer.Settle, now)) OnSettleTimer(now, effects);
        if (_timers.TryTake(TotemTimer.Announce, now)) OnAnnounceTimer(now, effects);
        if (_timers.TryTake(TotemTimer.Leave, now)) OnLeaveTimer(now, effects);
        CheckInvariants();
    }

    /// <summary>A message of this node. It is ordered at the next visit of the token; <see cref="OnSubmitted"/> follows a batch of submits.</summary>
    public SubmitResult Submit(ReadOnlySpan<byte> payload, DeliveryLevel level, byte service) => Submit([], payload, level, service);

    /// <summary>The same for a message that a layer above wrote a header of at most <see cref="TotemOptions.HeaderBytesMax"/> for.</summary>
    public SubmitResult Submit(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, DeliveryLevel level, byte service)
    {
        if (!IsRunning || _isLeaving) return new SubmitResult(SubmitStatus.NotRunning, 0);
        if (payload.Length > _options.MessageBytesMax) return new SubmitResult(SubmitStatus.TooLarge, 0);
        if (!_queue.TryAdd(_counter + 1, level, service, header, payload)) return new SubmitResult(SubmitStatus.QueueFull, 0);
        return new SubmitResult(SubmitStatus.Accepted, ++_counter);
    }

    /// <summary>A batch of submits is complete: a held token is used, or asked for.</summary>
    public void OnSubmitted(Instant now, ITotemEffects effects)
    {
        if (!IsRunning || HasSaidGoodbye || _queue.IsEmpty || State != TotemState.Operational) return;
        if (_isHolding) UseHeld(now, effects);
        else if (!_timers.IsArmed(TotemTimer.HoldCancel)) ScheduleAsking(now, effects);
        CheckInvariants();
    }

    /// <summary>The reservation asked for is durable.</summary>
    public void OnReserved(Instant now, ulong upTo, ITotemEffects effects)
    {
        _reservedUpTo = Math.Max(_reservedUpTo, upTo);
        _reserving = 0;
        EnsureReserved(effects);
        if (IsRunning && State == TotemState.Gather) CheckConsensus(now, effects);
    }

    /// <summary>This node slept. After a long sleep nothing it knows of the ring holds: it gathers anew.</summary>
    public void OnStall(Instant now, TimeSpan slept, bool isLong, ITotemEffects effects)
    {
        if (!IsRunning || HasSaidGoodbye) return;
        effects.Fact(new TotemFact.Stalled(slept, isLong));
        _timers.Postpone(now + StallGrace);
        if (isLong && !_isLeaving) EnterGather(now, GatherReason.OwnStall, null, effects);
    }

    /// <summary>The largest packet that travels in one datagram changed.</summary>
    public void OnFrameLimit(int frameBytes) => _frameBytes = Math.Min(frameBytes, FrameBytesMax);

    /// <summary>After a stall the sockets are read before anything is declared lost.</summary>
    private static readonly TimeSpan StallGrace = TimeSpan.FromMilliseconds(50);

    /// <summary>Frames larger than this would not fit the pool's buffers.</summary>
    private const int FrameBytesMax = 60_000;

    /// <summary>Ring sequences are reserved in blocks of this size, half a block ahead of use.</summary>
    public const ulong ReservationBlock = 1024;

    private void EnsureReserved(ITotemEffects effects)
    {
        if (_reserving != 0 || _reservedUpTo >= _ringSequenceMax + (ReservationBlock / 2)) return;
        _reserving = _ringSequenceMax + ReservationBlock;
        effects.Reserve(_reserving);
    }

    private void SawRingSequence(ulong sequence, ITotemEffects effects)
    {
        if (sequence <= _ringSequenceMax) return;
        _ringSequenceMax = sequence;
        EnsureReserved(effects);
    }

    private void Malformed(int peer, string what, ITotemEffects effects)
    {
        Counters.Malformed++;
        effects.Fact(new TotemFact.Malformed(_nodes[peer], what));
    }

    private void ChangeState(TotemState to, ITotemEffects effects)
    {
        if (State == to) return;
        var from = State;
        State = to;
        effects.Fact(new TotemFact.StateChanged(from, to, to == TotemState.Commit || to == TotemState.Recovery ? _commit.Ring : _ring));
    }

    private int Successor(NodeSet members)
    {
        var next = members.NextFrom(_self + 1);
        return next >= 0 ? next : members.First;
    }

    private int Predecessor(NodeSet members)
    {
        var below = new NodeSet(members.Bits & ((1UL << _self) - 1));
        var from = below.IsEmpty ? members.Bits : below.Bits;
        return 63 - System.Numerics.BitOperations.LeadingZeroCount(from);
    }

    private void CheckInvariants()
    {
        Invariant.Holds(_window.Aru <= _window.High && _window.Released <= _window.Delivered, "TOTEM-4");
        if (State != TotemState.Operational) return;
        Invariant.Holds(_members.Contains(_self) && _view is not null, "TOTEM-5");
        Invariant.Holds(_window.Delivered <= _window.Aru, "TOTEM-6");
        Invariant.Holds(_ring.Sequence <= _reservedUpTo, "TOTEM-7");
    }
}
