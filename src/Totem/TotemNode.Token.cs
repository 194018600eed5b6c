using Membership.Links;

namespace Membership.Totem;

// Ordering: what a visit of the token does (TOCS'95, "Total Ordering Protocol").
public sealed partial class TotemNode
{
    private static readonly TimeSpan RetransmitMin = TimeSpan.FromMilliseconds(5);
    // The first quiet visit counts one: two whole rotations without news have passed at the third, and every member has seen the last frames stable.
    private const int IdleRotationsToHold = 3;

    private readonly Token _token = new();
    private readonly Token _incoming = new();
    private readonly byte[] _tokenPacket = new byte[Math.Max(Token.BytesMax, CommitToken.BytesMax)];
    private int _tokenPacketLength;
    private int _tokenTarget;
    private ulong _tokenSeq;
    private Seq _previousAru;
    private Seq _previousSeq;
    private Seq _requestLimit;
    private Instant _lastTokenAt;
    private Instant? _passedAt;
    private bool _wasBusy;
    private TimeSpan _rotation;
    private TimeSpan _retransmitAfter;
    private Seq _lastOwnSeq;
    private Seq _stuckAru;
    private Instant _stuckSince;

    private MessageWindow TokenWindow => State == TotemState.Recovery ? _forming : _window;

    private NodeSet TokenMembers => State == TotemState.Recovery ? _commit.Members : _members;

    private void OnToken(Instant now, int peer, ReadOnlySpan<byte> packet, ITotemEffects effects)
    {
        if (!_incoming.TryRead(packet))
        {
            Malformed(peer, "token", effects);
            return;
        }

        var isMine = (State == TotemState.Operational && _incoming.Ring == _ring) || (State == TotemState.Recovery && _incoming.Ring == _commit.Ring);
        if (!isMine || _incoming.TokenSeq <= _tokenSeq)
        {
            Counters.TokensDropped++;
            return;
        }

        if (peer != Predecessor(TokenMembers) || !IsMemberOrNobody(_incoming.AruNode) || !IsMemberOrNobody(_incoming.RecoveringNode))
        {
            Malformed(peer, "token not of the predecessor, or naming strangers", effects);
            return;
        }

        if (Seq.Distance(TokenWindow.Released, _incoming.Seq) > (ulong)_options.WindowFrames)
        {
            Malformed(peer, "token beyond the window", effects);
            return;
        }

        if (_incoming.Seq < TokenWindow.High)
        {
            // Somebody numbered frames without the token: no number on this ring is safe to give.
            Malformed(peer, "token behind the frames", effects);
            EnterGather(now, GatherReason.NewInformation, peer, effects);
            return;
        }

        Counters.TokensReceived++;
        _token.CopyFrom(_incoming);
        _tokenSeq = _token.TokenSeq;
        _timers.Cancel(TotemTimer.TokenRetransmit);
        _timers.Cancel(TotemTimer.HoldCancel);
        _hasAsked = false;
        _timers.Arm(TotemTimer.TokenLoss, now + _options.Token);
        MeasureRotation(now);
        if (_passedAt is { } passed) effects.RingConfirmed(_token.Ring, passed);
        Visit(now, effects);
    }

    private bool IsMemberOrNobody(NodeId node) => node == default || (_nodes.TryPosition(node, out var position) && TokenMembers.Contains(position));

    /// <summary>One visit: serve, ask, recover, send, settle aru, pass on or hold, deliver.</summary>
    private void Visit(Instant now, ITotemEffects effects)
    {
        var stable = _token.Aru < _previousAru ? _token.Aru : _previousAru;
        _requestLimit = _options.PostTokenBytes > 0 ? _previousSeq : _token.Seq;
        if (State == TotemState.Recovery) PassOverRecovered();
        TokenWindow.Release(stable);
        if (LeavesOutWhoDoesNotReceive(now, effects)) return;

        var sent = ServeRequests(effects);
        RequestMissing();
        if (State == TotemState.Recovery) RecoveryVisit(now, stable, ref sent, effects);
        if (State == TotemState.Recovery) FinishVisit(now, sent, default, effects);
        else OperationalVisit(now, sent, effects);
    }

    private void OperationalVisit(Instant now, int sent, ITotemEffects effects)
    {
        var isQuiet = sent == 0 && _token.RequestCount == 0 && _window.Aru == _token.Seq && _token.Aru == _token.Seq;
        var newBytes = 0;
        var tail = Seq.None;
        if (MaySendNew())
        {
            var allowance = _flow.Allowance(_token.FlowBytes, _token.BacklogBytes, _queue.Bytes) - sent;
            newBytes = SendNew(allowance, ref tail, effects);
        }

        CollectHeldOut(now);
        if (newBytes > 0)
        {
            _token.LastSender = _options.Self;
            _token.IdleRotations = 0;
        }
        else if (!isQuiet) _token.IdleRotations = 0;
        else if (_token.LastSender == _options.Self && _token.IdleRotations < byte.MaxValue) _token.IdleRotations++;

        FinishVisit(now, sent + newBytes, tail, effects);
    }

    private void FinishVisit(Instant now, int sent, Seq tail, ITotemEffects effects)
    {
        _token.FlowBytes = _flow.FlowAfter(_token.FlowBytes, sent);
        _token.BacklogBytes = _flow.BacklogAfter(_token.BacklogBytes, _queue.Bytes);
        UpdateAru(tail);
        if (MayHold()) Hold(now, now + HoldTime);
        else
        {
            PassToken(now, effects);
            if (tail != Seq.None) SendTail(tail, effects);
        }

        if (State == TotemState.Operational) DeliverReady(effects);
    }

    private TimeSpan HoldTime => _options.LinkDown / 3;

    private bool MayHold() =>
        State == TotemState.Operational
        && _queue.IsEmpty
        && (IsAlone || (_token.LastSender == _options.Self && _token.IdleRotations >= IdleRotationsToHold));

    private bool MaySendNew() =>
        !_queue.IsEmpty && Seq.Distance(_token.Aru, _token.Seq) < (ulong)_options.WindowFrames / 2;

    /// <summary>Multicasts again what others miss and this node has; what it lacks too stays on the token.</summary>
    private int ServeRequests(ITotemEffects effects)
    {
        if (_token.RequestCount == 0) return 0;
        var window = TokenWindow;
        var sent = 0;
        _incoming.CopyFrom(_token);
        _token.ClearRequests();
        for (var i = 0; i < _incoming.RequestCount; i++)
        {
            var range = _incoming.Request(i);
            var openFirst = Seq.None;
            for (var k = 0; k < range.Count; k++)
            {
                var seq = new Seq(range.First.Value + (ulong)k);
                if (window.Contains(seq) && sent < _options.VisitBytes)
                {
                    var frame = window[seq];
                    effects.Send(TokenMembers, frame);
                    sent += frame.Length;
                    Counters.FramesResent++;
                    CloseRange(ref openFirst, seq);
                }
                else if (seq > window.Stable && openFirst == Seq.None) openFirst = seq;
            }

            CloseRange(ref openFirst, new Seq(range.First.Value + (ulong)range.Count));
        }

        return sent;
    }

    private void CloseRange(ref Seq first, Seq end)
    {
        if (first == Seq.None) return;
        _token.TryAddRequest(new SeqRange(first, (int)(end.Value - first.Value)));
        first = Seq.None;
    }

    /// <summary>Asks for every frame this node misses up to the limit, unless somebody asked already.</summary>
    private void RequestMissing()
    {
        var window = TokenWindow;
        if (window.Aru >= _requestLimit) return;
        var after = window.Aru;
        while (window.TryMissing(after, _requestLimit, out var missing))
        {
            if (!IsRequested(missing) && !_token.TryAddRequest(missing)) return;
            after = new Seq(missing.First.Value + (ulong)missing.Count - 1);
        }
    }

    private bool IsRequested(SeqRange range)
    {
        for (var i = 0; i < _token.RequestCount; i++)
        {
            var asked = _token.Request(i);
            if (asked.First <= range.First && asked.First.Value + (ulong)asked.Count >= range.First.Value + (ulong)range.Count) return true;
        }

        return false;
    }

    /// <summary>Numbers, stores and multicasts new frames; the part that may follow the token is left for <see cref="SendTail"/>.</summary>
    private int SendNew(int allowance, ref Seq tail, ITotemEffects effects)
    {
        var sent = 0;
        var before = _token.Seq;
        while (sent < allowance && !_queue.IsEmpty && _window.Fits(_token.Seq.Next)) sent += AddFrame();
        if (sent == 0) return 0;
        var tailBytes = Math.Min(_options.PostTokenBytes, sent);
        var seq = before.Next;
        var early = sent - tailBytes;
        for (; seq <= _token.Seq && early > 0 && !IsAlone; seq = seq.Next)
        {
            var frame = _window[seq];
            effects.Send(_members, frame);
            early -= frame.Length;
        }

        if (seq <= _token.Seq && !IsAlone) tail = seq;
        return sent;
    }

    private void SendTail(Seq tail, ITotemEffects effects)
    {
        for (var seq = tail; seq <= _token.Seq; seq = seq.Next) effects.Send(_members, _window[seq]);
        effects.Flush();
    }

    /// <summary>Packs the next frame of this node and stores it; returns its length.</summary>
    private int AddFrame()
    {
        // Every frame leaves room for the header that carries it through a recovery.
        var limit = Math.Min(_frameBytes, FrameBytesMax) - DataFrame.HeaderBytes;
        var buffer = _pool.Rent(limit);
        var body = _queue.Pack(buffer.AsSpan(DataFrame.HeaderBytes, limit - DataFrame.HeaderBytes), out var firstCounter, out var isSafe);
        _token.Seq = _token.Seq.Next;
        DataFrame.WriteHeader(buffer, isSafe ? DataFrame.SafeFlag : (byte)0, _options.Self, _ring, _token.Seq, firstCounter);
        _window.Put(_token.Seq, buffer, DataFrame.HeaderBytes + body);
        _lastOwnSeq = _token.Seq;
        Counters.FramesSent++;
        return DataFrame.HeaderBytes + body;
    }

    /// <summary>The aru rule (TOCS'95; reference §1.3). A frame counts as received here only once it was handed to the network.</summary>
    private void UpdateAru(Seq tail)
    {
        var aru = TokenWindow.Aru;
        if (tail != Seq.None && aru >= tail) aru = new Seq(tail.Value - 1);
        var noOne = default(NodeId);
        if (aru < _token.Aru || _token.AruNode == _options.Self || _token.AruNode == noOne)
        {
            _token.Aru = aru < _token.Seq ? aru : _token.Seq;
            _token.AruNode = _token.Aru == _token.Seq ? noOne : _options.Self;
        }
    }

    private void PassToken(Instant now, ITotemEffects effects)
    {
        _previousSeq = _token.Seq;
        _previousAru = _token.Aru;
        _token.TokenSeq++;
        _tokenSeq = _token.TokenSeq;
        _tokenPacketLength = _token.Write(_tokenPacket);
        _tokenTarget = Successor(TokenMembers);
        _retransmitAfter = RetransmitStart;
        _passedAt = now;

        // Somebody will hold this token: it is late only after that.
        var isHeldNext = State == TotemState.Operational && _token.IdleRotations >= IdleRotationsToHold - 1 && _token.LastSender != _options.Self;
        SendStoredToken(now + (isHeldNext ? (HoldTime * 1.1) + _retransmitAfter : _retransmitAfter), effects);
    }

    /// <summary>Sends the stored token or commit token; it is sent again until there is a sign of progress.</summary>
    private void SendStoredToken(Instant again, ITotemEffects effects)
    {
        effects.SendTo(_tokenTarget, _tokenPacket.AsSpan(0, _tokenPacketLength));
        effects.Flush();
        _timers.Arm(TotemTimer.TokenRetransmit, again);
    }

    private TimeSpan RetransmitStart
    {
        get
        {
            var floor = RetransmitMin > _options.Token / 100 ? RetransmitMin : _options.Token / 100;
            var start = _rotation * 4;
            return start < floor ? floor : start > RetransmitCeiling ? RetransmitCeiling : start;
        }
    }

    private TimeSpan RetransmitCeiling => _options.Token / 5;

    private void OnTokenRetransmit(Instant now, ITotemEffects effects)
    {
        if (State == TotemState.Gather) return;
        Counters.TokensResent++;
        SendStoredToken(now + _retransmitAfter, effects);
        _retransmitAfter = _retransmitAfter * 1.5 < RetransmitCeiling ? _retransmitAfter * 1.5 : RetransmitCeiling;
    }

    private void OnTokenLoss(Instant now, ITotemEffects effects)
    {
        if (State == TotemState.Gather) return;
        Counters.TokenLosses++;
        var reason = State switch
        {
            TotemState.Operational => GatherReason.TokenLost,
            TotemState.Commit => GatherReason.CommitLost,
            _ => GatherReason.RecoveryLost,
        };
        EnterGather(now, reason, null, effects);
    }

    /// <summary>Time between two visits of a token that nobody held meanwhile. Falls at once and rises slowly: a rotation that waited for a lost token
    /// must not make the next lost token wait longer.</summary>
    private void MeasureRotation(Instant now)
    {
        var rotation = now - _lastTokenAt;
        var wasBusy = _wasBusy;
        _lastTokenAt = now;
        _wasBusy = _token.IdleRotations == 0;
        if (!wasBusy || !_wasBusy || rotation > _options.Token) return;
        var raised = _rotation * 9 / 8;
        _rotation = _rotation == TimeSpan.Zero || rotation < raised ? rotation : raised;
        Counters.Rotations++;
        Counters.RotationNanoseconds = rotation.Ticks * 100;
    }

    /// <summary>The group decides: a member that does not receive what the others have for too long is left out (deviation D9).</summary>
    private bool LeavesOutWhoDoesNotReceive(Instant now, ITotemEffects effects)
    {
        if (_token.AruNode == default || _token.Aru != _stuckAru || _stuckSince == default)
        {
            _stuckAru = _token.Aru;
            _stuckSince = now;
            return false;
        }

        if (now - _stuckSince < FailToReceive || _token.AruNode == _options.Self) return false;
        EnterGather(now, GatherReason.FailedToReceive, _nodes.Position(_token.AruNode), effects);
        return true;
    }

    /// <summary>Whoever begins to gather, every member that saw aru stand still keeps the same node out: else the rule for cliques could leave out a witness.</summary>
    private void HoldOutWhoDoesNotReceive(Instant now, ITotemEffects effects)
    {
        var (since, node) = (_stuckSince, _token.AruNode);
        _stuckSince = default;
        if (State is not (TotemState.Operational or TotemState.Recovery) || since == default || _lastTokenAt - since < FailToReceive - _options.Token) return;
        if (node == default || node == _options.Self || !_nodes.TryPosition(node, out var peer)) return;
        effects.Fact(new TotemFact.FailedToReceive(node, _token.Aru));
        _peers[peer].IsFailed = true;
        HoldOut(now, peer, _peers[peer].HoldDown.Deaf(now), effects);
    }

    private TimeSpan FailToReceive => _options.Token * 3;
}
