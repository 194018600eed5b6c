using Membership.Links;

namespace Membership.Totem;

// Agreeing on who forms the next ring: everybody computes the same clique of the same matrix (deviations D7, D8).
public sealed partial class TotemNode
{
    private readonly JoinMessage _join;
    private readonly JoinMessage _received;
    private readonly JoinState[] _joins;
    private readonly HearingMatrix _matrix = new();
    private uint _epoch;
    private uint _rowVersion;
    private NodeSet _row;
    private NodeSet _proposal;
    private Instant _startedAt;
    private Instant _proposedSince;
    private Instant _joinSentAt;
    private int _consensusExpiries;

    /// <summary>What a peer said in this gather.</summary>
    private struct JoinState
    {
        public bool IsKnown;
        public uint Epoch;
        public NodeSet Proposal;
    }

    private void EnterGather(Instant now, GatherReason reason, int? cause, ITotemEffects effects)
    {
        BeginGather(now, reason, cause, effects);
        Propose(now, true, effects);
    }

    /// <summary>The same, but what is proposed waits for the Join that caused it: without it the proposal would lack its sender.</summary>
    private void EnterGatherWithJoin(Instant now, GatherReason reason, int peer, ITotemEffects effects)
    {
        BeginGather(now, reason, peer, effects);
        TakeJoin(now, peer, effects);
    }

    private void BeginGather(Instant now, GatherReason reason, int? cause, ITotemEffects effects)
    {
        Counters.Gathers++;
        _isMerging = reason == GatherReason.Merge;
        effects.Fact(new TotemFact.Gathering(reason, cause is { } position ? _nodes[position] : null, _ring, now - _lastTokenAt));
        HoldOutWhoDoesNotReceive(now, effects);
        StopHolding();
        foreach (var timer in TokenTimers) _timers.Cancel(timer);
        _forming.Clear();
        _recoveryQueue.Clear();
        _tokenPacketLength = 0;
        ChangeState(TotemState.Gather, effects);
        _epoch++;
        _consensusExpiries = 0;
        Array.Clear(_joins);
        _join.ClearRows();
        _proposal = NodeSet.Empty;
        _timers.Arm(TotemTimer.Consensus, now + _options.Consensus);
        if (reason is GatherReason.TokenLost or GatherReason.MemberLost or GatherReason.CommitLost or GatherReason.RecoveryLost) effects.Suspect();
    }

    private static readonly TotemTimer[] TokenTimers =
        [TotemTimer.TokenLoss, TotemTimer.TokenRetransmit, TotemTimer.HoldCancel, TotemTimer.Settle, TotemTimer.Announce];

    /// <summary>Until then a starting node waits for every configured node before it settles for fewer.</summary>
    private TimeSpan StartGrace => _options.LinkDown;

    private void OnJoin(Instant now, int peer, ReadOnlySpan<byte> packet, ITotemEffects effects)
    {
        if (!_received.TryRead(packet) || _received.RingSequenceMax > RingSequenceLimit || !_received.Proposal.Contains(peer))
        {
            Malformed(peer, "join", effects);
            return;
        }

        SawRingSequence(_received.RingSequenceMax, effects);
        switch (State)
        {
            case TotemState.Operational: OnJoinWhileOperational(now, peer, effects); break;
            case TotemState.Gather: TakeJoin(now, peer, effects); break;
            default: OnJoinWhileForming(now, peer, effects); break;
        }
    }

    /// <summary>A member that claims a sequence beyond this is broken: the ring could never count on.</summary>
    private const ulong RingSequenceLimit = ulong.MaxValue / 4;

    private void OnJoinWhileOperational(Instant now, int peer, ITotemEffects effects)
    {
        if (_members.Contains(peer) && _memberBoots[peer] == _peers[peer].Boot)
        {
            if (_received.Epoch <= _memberEpochs[peer]) return;
            EnterGatherWithJoin(now, GatherReason.JoinFromMember, peer, effects);
            return;
        }

        _peers[peer].IsGathering = true;
        if (_peers[peer].RebuffedUntil > now || !IsMergeWanted(now)) return;
        EnterGatherWithJoin(now, GatherReason.Merge, peer, effects);
    }

    private void OnJoinWhileForming(Instant now, int peer, ITotemEffects effects)
    {
        // A Join sent before its sender agreed to the ring being formed is old news.
        if (!_commit.Members.Contains(peer) || _received.Epoch <= _commit.Epoch(peer)) return;
        EnterGatherWithJoin(now, GatherReason.JoinFromMember, peer, effects);
    }

    private void TakeJoin(Instant now, int peer, ITotemEffects effects)
    {
        // A copy that was overtaken (over a slower link) must not bring back what its sender no longer proposes.
        if (_joins[peer].IsKnown && _received.Epoch < _joins[peer].Epoch) return;
        _peers[peer].IsGathering = true;
        _peers[peer].IsSilent = false;
        _joins[peer] = new JoinState { IsKnown = true, Epoch = _received.Epoch, Proposal = _received.Proposal };
        var isNews = false;
        foreach (var origin in _received.Rows)
        {
            if (origin == _self || !IsNewer(origin, _received.Row(origin), origin == peer)) continue;
            _join.SetRow(origin, _received.Row(origin));

            // Who is in the proposal is heard by all of it; a row from outside may be known to nobody else: pass it on.
            isNews |= !_proposal.Contains(origin);
        }

        Propose(now, isNews, effects);
    }

    /// <summary>The newest row of a boot counts. Of two boots of a node that is not heard here, the one known first stays unless the node itself says
    /// otherwise: two peers that know different ones would tell each other for ever.</summary>
    private bool IsNewer(int origin, HearingRow row, bool isFirstHand)
    {
        if (_peers[origin].Boot != 0 && _peers[origin].IsReachable && row.Boot != _peers[origin].Boot) return false;
        if (!_join.Rows.Contains(origin)) return true;
        return _join.Row(origin).Boot == row.Boot ? row.Version > _join.Row(origin).Version : isFirstHand;
    }

    /// <summary>Computes the proposal anew; tells the others when it, or this node's row, changed; goes on when all agree.</summary>
    private void Propose(Instant now, bool isNews, ITotemEffects effects)
    {
        if (State != TotemState.Gather) return;
        var row = OwnRow(now);
        if (row != _row)
        {
            _row = row;
            _rowVersion++;
            isNews = true;
        }

        _join.SetRow(_self, new HearingRow(_boot, _rowVersion, _row));
        FillMatrix();
        var proposal = _cliques.Of(_self, Candidates(), _matrix);
        if (proposal != _proposal)
        {
            _proposal = proposal;
            _proposedSince = now;
            isNews = true;
        }

        if (isNews) SendJoinSoon(now, effects);
        CheckConsensus(now, effects);
    }

    /// <summary>News leaves at once, but Joins answer Joins: without a distance between them a disagreement would multiply at network speed.</summary>
    private void SendJoinSoon(Instant now, ITotemEffects effects)
    {
        var earliest = _joinSentAt + JoinSpacing;
        if (now >= earliest) SendJoin(now, effects);
        else if (_timers.Due(TotemTimer.Join) > earliest) _timers.Arm(TotemTimer.Join, earliest);
    }

    private static readonly TimeSpan JoinSpacing = TimeSpan.FromMilliseconds(1);

    /// <summary>Nodes this node would form a ring with.</summary>
    private NodeSet OwnRow(Instant now)
    {
        var row = NodeSet.Of(_self);
        for (var i = 0; i < _peers.Length; i++)
        {
            var peer = _peers[i];
            if (i != _self && peer.IsReachable && !peer.HasLeft && !peer.IsSilent && !peer.IsFailed && !IsHeldOut(now, i)) row = row.With(i);
        }

        return row;
    }

    /// <summary>Who gathers: this node, whoever sent a Join, and the members of its ring that have not gone into another one.</summary>
    /// <remarks>A node of another ring that says nothing may have its reasons; cliques of such nodes must not decide who is left out here.</remarks>
    private NodeSet Candidates()
    {
        var candidates = NodeSet.Of(_self) | _join.Rows;
        foreach (var member in _members & _row)
        {
            if (_peers[member].Ring.Sequence <= _ring.Sequence) candidates = candidates.With(member);
        }

        return candidates;
    }

    private void FillMatrix()
    {
        _matrix.Clear();
        var candidates = Candidates();
        foreach (var left in candidates)
        {
            foreach (var right in candidates)
            {
                if (left < right && GatherHears(left, right) && GatherHears(right, left)) _matrix.Connect(left, right);
            }
        }
    }

    /// <summary>By its Join, else by its heartbeats; a member of this ring that has said nothing is believed to hear the others of it.</summary>
    private bool GatherHears(int who, int whom)
    {
        if (_join.Rows.Contains(who)) return _join.Row(who).Hears.Contains(whom);
        if (whom == _self) return true;
        return _peers[who].IsReachable && _peers[who].Hears is { } hears ? hears.Contains(whom) : RingOf(who).Contains(whom);
    }

    private void SendJoin(Instant now, ITotemEffects effects)
    {
        _join.Epoch = _epoch;
        _join.Ring = _ring;
        _join.RingSequenceMax = _ringSequenceMax;
        _join.Proposal = _proposal;
        var length = _join.Write(_packet);
        effects.Send(ReachablePeers(), _packet.AsSpan(0, length));
        effects.Flush();
        _joinSentAt = now;
        _timers.Arm(TotemTimer.Join, now + _options.Join);
    }

    private NodeSet ReachablePeers()
    {
        var set = NodeSet.Empty;
        for (var i = 0; i < _peers.Length; i++)
        {
            if (i != _self && _peers[i].IsReachable) set = set.With(i);
        }

        return set;
    }

    private void OnJoinTimer(Instant now, ITotemEffects effects)
    {
        if (State != TotemState.Gather) return;
        SendJoin(now, effects);
        CheckConsensus(now, effects);
    }

    private void CheckConsensus(Instant now, ITotemEffects effects)
    {
        // A leaving node still forms the ring that orders what it accepted, but not one for itself alone.
        if (HasSaidGoodbye || (_isLeaving && _proposal.Count == 1) || !MayFormNow(now)) return;
        foreach (var member in _proposal)
        {
            if (member != _self && !Agrees(member)) return;
        }

        if (_proposal.First != _self) return;
        var sequence = _ringSequenceMax + RingSequenceStep;
        if (sequence > _reservedUpTo)
        {
            // Half a block ahead was not enough (a node that knows far higher rings came): wait for the disk, then go on.
            EnsureReserved(effects);
            return;
        }

        var ring = new RingId(_options.Self, sequence, _boot);
        effects.Fact(new TotemFact.Consensus(ring, _proposal));
        if (_proposal.Count == 1) FormAlone(now, ring, effects);
        else SendFirstCommit(now, ring, effects);
    }

    /// <summary>The paper leaves room for the ids of transitional configurations.</summary>
    private const ulong RingSequenceStep = 4;

    private bool Agrees(int member) => _joins[member].IsKnown && _joins[member].Proposal == _proposal && _peers[member].IsReachable;

    private bool MayFormNow(Instant now)
    {
        // A node that this one hears both ways may be about to send its Join, or rows are about to change: leaving it out must look right for a while.
        if (!(HeardBothWays() - _proposal).IsEmpty && now < _proposedSince + ExclusionDelay) return false;
        if (_ring != RingId.None || _proposal == _nodes.All || now - _startedAt >= StartGrace) return true;
        foreach (var member in _proposal)
        {
            if (member != _self && _peers[member].Ring != RingId.None && Agrees(member)) return true;
        }

        return false;
    }

    private NodeSet HeardBothWays()
    {
        var set = NodeSet.Empty;
        foreach (var position in _row)
        {
            if (position != _self && GatherHears(position, _self)) set = set.With(position);
        }

        return set;
    }

    private TimeSpan ExclusionDelay => _options.Join * 3;

    /// <summary>A node that announces a ring gathers no more: what it said in this gather is void.</summary>
    private void ForgetJoin(Instant now, int peer, ITotemEffects effects)
    {
        _joins[peer] = default;
        _join.RemoveRow(peer);
        Propose(now, false, effects);
    }

    /// <summary>Who said nothing is left out at once; who talks but does not agree, at the third time.</summary>
    private void OnConsensusTimer(Instant now, ITotemEffects effects)
    {
        if (State != TotemState.Gather) return;
        _consensusExpiries++;
        effects.Suspect();
        var all = true;
        foreach (var member in _proposal)
        {
            if (member == _self || Agrees(member)) continue;
            all = false;
            if (_joins[member].IsKnown && _consensusExpiries < ConsensusPatience) continue;
            if (_joins[member].IsKnown) _peers[member].IsFailed = true;
            else _peers[member].IsSilent = true;
        }

        // All agree, but the representative has sent no commit token.
        if (all && _proposal.First != _self && _consensusExpiries >= 2) _peers[_proposal.First].IsFailed = true;
        _timers.Arm(TotemTimer.Consensus, now + _options.Consensus);
        effects.Fact(new TotemFact.Gathering(GatherReason.ConsensusTimeout, null, _ring, now - _lastTokenAt));
        Propose(now, true, effects);
    }

    private const int ConsensusPatience = 3;
}
