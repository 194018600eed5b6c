using Membership.Links;

namespace Membership.Totem;

// Evidence of the links, other rings, damping, and when to try a merge (design §5; deviations D7, D8, D11).
public sealed partial class TotemNode
{
    private static readonly TimeSpan AnnouncePace = TimeSpan.FromMilliseconds(500);

    /// <summary>Links knows something new of a peer.</summary>
    public void OnPeer(Instant now, NodeId node, BootId boot, PeerState state, PeerReason reason, ITotemEffects effects)
    {
        if (!_nodes.TryPosition(node, out var position) || position == _self) return;
        var peer = _peers[position];
        var isReachable = state == PeerState.Reachable;
        if (isReachable && peer.Boot != boot.Short) peer.Renew(boot.Short);
        if (peer.Boot != boot.Short || peer.IsReachable == isReachable) return;
        peer.IsReachable = isReachable;
        _mergeBackoff = TimeSpan.Zero;
        if (!isReachable) peer.Hears = null;
        if (!IsRunning || HasSaidGoodbye) return;
        if (isReachable) OnPeerGained(now, position, effects);
        else OnPeerLost(now, position, reason, effects);
        CheckInvariants();
    }

    /// <summary>A peer reports whom it has two-way contact with.</summary>
    public void OnRow(Instant now, NodeId node, BootId boot, NodeSet hears, ITotemEffects effects)
    {
        if (!_nodes.TryPosition(node, out var position) || _peers[position].Boot != boot.Short) return;
        if (_peers[position].Hears == hears) return;
        _peers[position].Hears = hears;
        _peers[position].RebuffedUntil = default;
        _mergeBackoff = TimeSpan.Zero;
        if (!IsRunning || HasSaidGoodbye) return;
        if (State == TotemState.Gather) Propose(now, false, effects);
        else ReconsiderMerge(now);
    }

    private void OnPeerGained(Instant now, int position, ITotemEffects effects)
    {
        switch (State)
        {
            case TotemState.Gather:
                // It may have missed what was said before it was heard.
                Propose(now, true, effects);
                break;
            case TotemState.Operational:
                if (!_members.Contains(position)) SendAnnounce(now, effects);
                ReconsiderMerge(now);
                break;
            default:
                break;
        }
    }

    private void OnPeerLost(Instant now, int position, PeerReason reason, ITotemEffects effects)
    {
        var why = reason switch
        {
            PeerReason.Restarted => GatherReason.MemberRestarted,
            PeerReason.Left => GatherReason.MemberLeft,
            _ => GatherReason.MemberLost,
        };
        switch (State)
        {
            case TotemState.Operational when _members.Contains(position) && _memberBoots[position] == _peers[position].Boot:
            case TotemState.Commit or TotemState.Recovery when _commit.Members.Contains(position):
                EnterGather(now, why, position, effects);
                break;
            case TotemState.Gather:
                Propose(now, false, effects);
                break;
            default:
                ReconsiderMerge(now);
                break;
        }
    }

    /// <summary>Keeps a node out of memberships for a while.</summary>
    private void HoldOut(Instant now, int position, TimeSpan time, ITotemEffects effects)
    {
        if (time <= TimeSpan.Zero) return;
        var peer = _peers[position];
        peer.HeldUntil = now + time;
        effects.Fact(new TotemFact.HeldOut(_nodes[position], time));
        if (peer.HeldUntil < _timers.Due(TotemTimer.HoldDown)) _timers.Arm(TotemTimer.HoldDown, peer.HeldUntil);
    }

    /// <summary>Every member learns whom some member keeps out, so that nobody tries a merge that must fail.</summary>
    private void CollectHeldOut(Instant now)
    {
        if (_members.First == _self)
        {
            _token.HeldOut = _token.HeldOutSoFar;
            _token.HeldOutSoFar = NodeSet.Empty;
        }

        _token.HeldOutSoFar |= HeldOutNow(now);
        if (_token.HeldOut == _heldOut) return;
        _heldOut = _token.HeldOut;
        ReconsiderMerge(now);
    }

    private NodeSet _heldOut;

    /// <summary>A hold-down is about letting a node in: a member stays one. What one member holds out, all do, or they would part over it.</summary>
    private bool IsHeldOut(Instant now, int position) =>
        !_members.Contains(position) && (_peers[position].HeldUntil > now || _heldOut.Contains(position));

    private NodeSet HeldOutNow(Instant now)
    {
        var set = NodeSet.Empty;
        for (var i = 0; i < _peers.Length; i++)
        {
            if (_peers[i].HeldUntil > now && !_members.Contains(i)) set = set.With(i);
        }

        return set;
    }

    private NodeSet HeldOutByMembers()
    {
        var set = NodeSet.Empty;
        foreach (var member in _commit.Members) set |= _commit.State(member).HeldOut;
        return set;
    }

    private void OnHoldDownTimer(Instant now, ITotemEffects effects)
    {
        var next = Instant.Never;
        foreach (var peer in _peers)
        {
            if (peer.HeldUntil > now && peer.HeldUntil < next) next = peer.HeldUntil;
        }

        _timers.Arm(TotemTimer.HoldDown, next);
        if (State == TotemState.Gather) Propose(now, false, effects);
        else ReconsiderMerge(now);
    }

    /// <summary>A new ring: whose membership ended, and was it a short one?</summary>
    /// <remarks>Only the larger part of the old ring counts, and only nodes whose links failed: who lost all the others is the one that flaps, and a
    /// membership that a merge ended says nothing about its links.</remarks>
    private void NoteMemberships(Instant now, ITotemEffects effects)
    {
        var isLargerPart = 2 * (_members & _commit.Members).Count > _members.Count;
        for (var i = 0; i < _peers.Length; i++)
        {
            var peer = _peers[i];
            if (i == _self) continue;
            var isMember = _commit.Members.Contains(i);
            if (isMember && peer.MemberSince == Instant.Never) peer.MemberSince = now;
            if (isMember || peer.MemberSince == Instant.Never) continue;
            var lasted = now - peer.MemberSince;
            peer.MemberSince = Instant.Never;
            if (lasted >= HoldDown.Forgiven) peer.HoldDown.Reset();
            else if (lasted < HoldDown.ShortMembership && isLargerPart && !peer.IsReachable && !peer.HasLeft) HoldOut(now, i, peer.HoldDown.Strike(now), effects);
        }
    }

    private void OnAnnounce(Instant now, int position, ReadOnlySpan<byte> packet, ITotemEffects effects)
    {
        var reader = new PacketReader(packet);
        var ring = reader.Ring();
        var isRead = TableMap.TryRead(ref reader, _nodes, out var map);
        var members = isRead ? map.Translate(reader.UInt64()) : NodeSet.Empty;
        var heldOut = isRead ? map.Translate(reader.UInt64()) : NodeSet.Empty;
        if (!reader.IsComplete || !members.Contains(position) || ring.Sequence > RingSequenceLimit)
        {
            Malformed(position, "announce", effects);
            return;
        }

        var peer = _peers[position];
        if (peer.Ring.Sequence > ring.Sequence) return;
        (peer.Ring, peer.RingMembers, peer.IsGathering, peer.HoldsOutSelf) = (ring, members, false, heldOut.Contains(_self));
        SawRingSequence(ring.Sequence, effects);
        if (State == TotemState.Gather) ForgetJoin(now, position, effects);
        if (State != TotemState.Operational) return;

        // A member of this ring that is in a later one has left this ring without a word that arrived.
        if (_members.Contains(position) && _memberBoots[position] == peer.Boot && ring.Sequence > _ring.Sequence)
            EnterGather(now, GatherReason.NewInformation, position, effects);
        else ReconsiderMerge(now);
    }

    private void OnAnnounceTimer(Instant now, ITotemEffects effects)
    {
        if (State == TotemState.Operational) SendAnnounce(now, effects);
    }

    /// <summary>Tells reachable nodes outside which ring this is; nothing is sent while there are none.</summary>
    private void SendAnnounce(Instant now, ITotemEffects effects)
    {
        var outside = ReachablePeers() - _members;
        if (outside.IsEmpty)
        {
            _timers.Cancel(TotemTimer.Announce);
            return;
        }

        var writer = new PacketWriter(_packet);
        writer.Byte((byte)PacketKind.Announce);
        writer.Ring(_ring);
        JoinMessage.WriteTable(ref writer, _nodes);
        writer.UInt64(_members.Bits);
        writer.UInt64(_heldOut.Bits);
        effects.Send(outside, _packet.AsSpan(0, writer.Length));
        effects.Flush();
        _timers.Arm(TotemTimer.Announce, now + AnnouncePace);
    }

    /// <summary>Arms or cancels the settle timer: a merge is tried when it has looked worthwhile for a while.</summary>
    private void ReconsiderMerge(Instant now)
    {
        if (State != TotemState.Operational || _isLeaving) return;
        if (!IsMergeWanted(now))
        {
            _timers.Cancel(TotemTimer.Settle);
            _settleEnd = default;
            return;
        }

        if (_settleEnd == default) _settleEnd = now + _options.LinkDown + _mergeBackoff;
        var until = now + (_options.LinkDown / 4) + _mergeBackoff;
        _timers.Arm(TotemTimer.Settle, until < _settleEnd ? until : _settleEnd);
    }

    private Instant _settleEnd;

    private void OnSettleTimer(Instant now, ITotemEffects effects)
    {
        _settleEnd = default;
        if (State == TotemState.Operational && IsMergeWanted(now)) EnterGather(now, GatherReason.Merge, null, effects);
    }

    /// <summary>A merge that changed nothing is tried again later and later, until the evidence changes.</summary>
    private void NoteMergeResult(Instant now)
    {
        if (!_isMerging) return;
        _isMerging = false;
        if (_commit.Members != _members)
        {
            _mergeBackoff = TimeSpan.Zero;
            return;
        }

        _mergeBackoff = _mergeBackoff == TimeSpan.Zero ? MergeBackoffMin : _mergeBackoff * 2 < MergeBackoffMax ? _mergeBackoff * 2 : MergeBackoffMax;
        foreach (var peer in _peers)
        {
            if (peer.IsGathering) peer.RebuffedUntil = now + MergeBackoffMin;
        }
    }

    private static readonly TimeSpan MergeBackoffMin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MergeBackoffMax = TimeSpan.FromSeconds(30);

    private TimeSpan _mergeBackoff;
    private bool _isMerging;

    /// <summary>Would gathering now end in a membership that is stronger for every one of its members than the ring it is in? Then nobody loses by it.</summary>
    private bool IsMergeWanted(Instant now)
    {
        var outside = NodeSet.Empty;
        for (var i = 0; i < _peers.Length; i++)
        {
            if (IsCandidate(now, i) && !_members.Contains(i)) outside = outside.With(i);
        }

        if (outside.IsEmpty) return false;
        var candidates = _members | outside;
        foreach (var position in outside) candidates |= _peers[position].RingMembers;
        _matrix.Clear();
        foreach (var left in candidates)
        {
            foreach (var right in candidates)
            {
                if (left < right && HearEachOther(now, left, right)) _matrix.Connect(left, right);
            }
        }

        var predicted = _cliques.Of(_self, candidates, _matrix);
        if (predicted == _members) return false;
        foreach (var member in predicted)
        {
            if (!_cliques.IsStronger(predicted, RingOf(member))) return false;
        }

        return true;
    }

    private bool IsCandidate(Instant now, int position)
    {
        var peer = _peers[position];
        return position != _self && peer.IsReachable && !peer.HasLeft && !peer.HoldsOutSelf && !IsHeldOut(now, position);
    }

    private NodeSet RingOf(int position)
    {
        if (_members.Contains(position)) return _members;
        var peer = _peers[position];
        return peer.IsGathering || peer.RingMembers.IsEmpty ? NodeSet.Of(position) : peer.RingMembers;
    }

    private bool HearEachOther(Instant now, int left, int right)
    {
        var (first, second) = (RowOf(now, left), RowOf(now, right));
        if (first is { } mine && !mine.Contains(right)) return false;
        if (second is { } theirs && !theirs.Contains(left)) return false;
        return first is not null || second is not null || RingOf(left).Contains(right);
    }

    /// <summary>Whom a node hears, as far as this one can know it now; null when it cannot.</summary>
    private NodeSet? RowOf(Instant now, int position)
    {
        if (position != _self) return _peers[position].Hears;
        var row = NodeSet.Of(_self);
        for (var i = 0; i < _peers.Length; i++)
        {
            if (IsCandidate(now, i)) row = row.With(i);
        }

        return row;
    }
}
