using Membership.Links;

namespace Membership.Totem;

// The commit token: first round collects, second round spreads (TOCS'95, "Membership Protocol").
public sealed partial class TotemNode
{
    private readonly CommitToken _commit;
    private readonly CommitToken _receivedCommit;
    private bool _hasOriginatedToken;

    /// <summary>The representative: all agree, so the commit token starts here.</summary>
    private void SendFirstCommit(Instant now, RingId ring, ITotemEffects effects)
    {
        _commit.Begin(ring);
        foreach (var member in _proposal)
        {
            var epoch = member == _self ? _epoch : _joins[member].Epoch;
            _commit.AddMember(member, _peers[member].Boot, epoch, _join.Row(member).Hears);
        }

        _commit.SetState(_self, OwnState(now));
        _commit.Visits = 1;
        EnterCommit(now, effects);
    }

    private OldRingState OwnState(Instant now) => new(_ring, _window.Aru, _window.High, _window.Delivered, _owed, HeldOutNow(now));

    private void EnterCommit(Instant now, ITotemEffects effects)
    {
        _forming.Clear();
        _hasOriginatedToken = false;
        _tokenSeq = 0;
        _passedAt = null;
        _previousAru = _previousSeq = Seq.None;
        foreach (var timer in GatherTimers) _timers.Cancel(timer);
        SawRingSequence(_commit.Ring.Sequence, effects);
        ChangeState(TotemState.Commit, effects);
        ForwardCommit(now, effects);
    }

    private static readonly TotemTimer[] GatherTimers = [TotemTimer.Join, TotemTimer.Consensus];

    private void ForwardCommit(Instant now, ITotemEffects effects)
    {
        _tokenPacketLength = _commit.Write(_tokenPacket);
        _tokenTarget = Successor(_commit.Members);
        _retransmitAfter = RetransmitStart;
        _timers.Arm(TotemTimer.TokenLoss, now + _options.Token);
        SendStoredToken(now + _retransmitAfter, effects);
    }

    private void OnCommitToken(Instant now, int peer, ReadOnlySpan<byte> packet, ITotemEffects effects)
    {
        if (!_receivedCommit.TryRead(packet) || _receivedCommit.Ring.Sequence > RingSequenceLimit)
        {
            Malformed(peer, "commit token", effects);
            return;
        }

        if (!_receivedCommit.Members.Contains(_self) || !_receivedCommit.Members.Contains(peer)) return;
        switch (State)
        {
            case TotemState.Gather: OnFirstCommit(now, effects); break;
            case TotemState.Commit: OnCommitWhileCommitting(now, effects); break;
            case TotemState.Recovery: OnCommitWhileRecovering(now, effects); break;
            default: break;
        }
    }

    private void OnFirstCommit(Instant now, ITotemEffects effects)
    {
        var token = _receivedCommit;
        var isStale = token.IsFilled
            || token.Ring.Sequence <= _ring.Sequence
            || token.Epoch(_self) != _epoch
            || token.Boot(_self) != _boot
            || token.Ring.Representative != _nodes[token.Members.First];
        if (isStale) return;
        if (!IsAcceptable(token))
        {
            effects.Fact(new TotemFact.CommitRefused(token.Ring, token.Members, _proposal));
            EnterGather(now, GatherReason.CommitRefused, null, effects);
            return;
        }

        SawRingSequence(token.Ring.Sequence, effects);
        if (token.Ring.Sequence > _reservedUpTo) return;
        CopyCommit(token);
        _commit.SetState(_self, OwnState(now));
        _commit.Visits++;
        effects.Fact(new TotemFact.Committing(token.Ring, token.Members, _proposal));
        EnterCommit(now, effects);
    }

    /// <summary>The same members, the same boots, and the fixed rule gives the same answer on the matrix that came along.</summary>
    private bool IsAcceptable(CommitToken token)
    {
        if (token.Members != _proposal) return false;
        _matrix.Clear();
        foreach (var left in token.Members)
        {
            if (left != _self && token.Boot(left) != _peers[left].Boot) return false;
            foreach (var right in token.Members)
            {
                if (left < right && token.Hears(left).Contains(right) && token.Hears(right).Contains(left)) _matrix.Connect(left, right);
            }
        }

        return _cliques.Of(_self, token.Members, _matrix) == token.Members;
    }

    private void CopyCommit(CommitToken token)
    {
        _commit.Begin(token.Ring);
        _commit.Visits = token.Visits;
        foreach (var member in token.Members)
        {
            _commit.AddMember(member, token.Boot(member), token.Epoch(member), token.Hears(member));
            _commit.SetState(member, token.State(member));
        }
    }

    /// <summary>Back again, filled: everybody's state is known.</summary>
    private void OnCommitWhileCommitting(Instant now, ITotemEffects effects)
    {
        if (_receivedCommit.Ring != _commit.Ring || _receivedCommit.Members != _commit.Members || !_receivedCommit.IsFilled) return;
        CopyCommit(_receivedCommit);
        _commit.Visits++;
        EnterRecovery(now, effects);
        ForwardCommit(now, effects);
    }

    /// <summary>Round twice: the representative makes the first token of the ring, once.</summary>
    private void OnCommitWhileRecovering(Instant now, ITotemEffects effects)
    {
        var isDone = _receivedCommit.Ring == _commit.Ring && _receivedCommit.Visits == 2 * _commit.Members.Count;
        if (!isDone || _commit.Members.First != _self || _hasOriginatedToken) return;
        _hasOriginatedToken = true;
        MakeFirstToken();
        _timers.Cancel(TotemTimer.TokenRetransmit);
        _timers.Arm(TotemTimer.TokenLoss, now + _options.Token);
        Visit(now, effects);
    }

    private void MakeFirstToken()
    {
        _token.Ring = _commit.Ring;
        _token.TokenSeq = 1;
        _tokenSeq = 1;
        _token.Seq = _token.Aru = Seq.None;
        _token.AruNode = default;
        _token.FlowBytes = _token.BacklogBytes = 0;
        _token.RecoveringNode = default;
        _token.LastSender = _options.Self;
        _token.IdleRotations = 0;
        _token.HeldOut = _token.HeldOutSoFar = HeldOutByMembers();
        _token.ClearRequests();
    }
}
