using Membership.Links;

namespace Membership.Totem;

// Old-ring messages are exchanged on the new ring, then the views are installed (TOCS'95, "Recovery Protocol"; reference §2.8, §2.9).
public sealed partial class TotemNode
{
    private const int QuietVisitsToComplete = 2;
    private const int QuietVisitsToInstall = 3;

    private readonly SortedSet<ulong> _recoveryQueue = [];
    private MessageWindow _forming;
    private NodeSet _companions;
    private NodeSet _owed;
    private Seq _regularEnd;
    private int _quietVisits;
    private Seq _installSeq;

    private void EnterRecovery(Instant now, ITotemEffects effects)
    {
        ChangeState(TotemState.Recovery, effects);
        _timers.Arm(TotemTimer.TokenLoss, now + _options.Token);
        _quietVisits = 0;
        _stuckSince = default;
        _installSeq = Seq.None;
        _flow.Reset();
        _companions = Companions();
        PlanRecovery(effects);
    }

    /// <summary>Members of the new ring that come from this node's old ring: same old ring id, not only the same node.</summary>
    private NodeSet Companions()
    {
        var set = NodeSet.Of(_self);
        if (_ring == RingId.None) return set;
        foreach (var member in _commit.Members)
        {
            if (_commit.State(member).Old == _ring) set = set.With(member);
        }

        return set;
    }

    /// <summary>Decides from the commit token, equally at every companion, who resends what and where the regular view ends.</summary>
    private void PlanRecovery(ITotemEffects effects)
    {
        _recoveryQueue.Clear();
        var (low, high, best) = (_window.Aru, Seq.None, _self);
        _regularEnd = Seq.None;
        foreach (var member in _companions)
        {
            var state = _commit.State(member);
            if (state.Aru < low) low = state.Aru;
            if (state.High > high) high = state.High;
            if (state.Delivered > _regularEnd) _regularEnd = state.Delivered;
            if (state.Aru > _commit.State(best).Aru || (state.Aru == _commit.State(best).Aru && member < best)) best = member;
        }

        // What the best holder has without a gap it resends alone; beyond that nobody knows who has what, so every holder offers it
        // and takes back what it sees resent (deviation D10).
        var bestAru = _commit.State(best).Aru;
        var first = best == _self ? low.Next : bestAru.Next;
        if (first <= _window.Released) first = _window.Released.Next;
        if (high > _window.High) high = _window.High;
        for (var seq = first; seq <= high; seq = seq.Next)
        {
            if (_window.Contains(seq)) _recoveryQueue.Add(seq.Value);
        }

        if (_companions.Count == 1) _recoveryQueue.Clear();
        effects.Fact(new TotemFact.Recovering(_commit.Ring, _ring, _recoveryQueue.Count));
    }

    private void TakeRecovered(in DataFrame wrapper)
    {
        var inner = DataFrame.Trusted(wrapper.Body);
        if (inner.Ring != _ring || _ring == RingId.None) return;
        if (!_nodes.TryPosition(inner.Sender, out var sender) || !_members.Contains(sender)) return;

        // Kept even if this recovery fails: the next one starts from here.
        if (sender != _self) _window.TryAdd(inner.Seq, inner.Bytes);
        _recoveryQueue.Remove(inner.Seq.Value);
    }

    private void RecoveryVisit(Instant now, Seq stable, ref int sent, ITotemEffects effects)
    {
        var allowance = _flow.Allowance(_token.FlowBytes, _token.BacklogBytes, _queue.Bytes) - sent;
        sent += ResendOldRing(allowance, effects);
        if (_recoveryQueue.Count > 0)
        {
            if (_token.RecoveringNode == default) _token.RecoveringNode = _options.Self;
        }
        else if (_token.RecoveringNode == _options.Self) _token.RecoveringNode = default;

        _quietVisits = _token.RecoveringNode == default ? _quietVisits + 1 : 0;
        if (_quietVisits == QuietVisitsToComplete) _installSeq = _token.Seq;
        if (_quietVisits >= QuietVisitsToComplete && _forming.Aru >= _installSeq) _owed |= _companions | OwedByCompanions();
        if (_quietVisits >= QuietVisitsToInstall && stable >= _installSeq && _forming.Aru >= _installSeq) Install(now, effects);
    }

    private int ResendOldRing(int allowance, ITotemEffects effects)
    {
        var sent = 0;
        while (sent < allowance && _recoveryQueue.Count > 0 && Seq.Distance(_token.Aru, _token.Seq) < (ulong)_options.WindowFrames / 4)
        {
            var seq = new Seq(_recoveryQueue.Min);
            _recoveryQueue.Remove(seq.Value);
            var original = _window[seq];
            var length = DataFrame.HeaderBytes + original.Length;
            var buffer = _pool.Rent(length);
            _token.Seq = _token.Seq.Next;
            DataFrame.WriteHeader(buffer, DataFrame.EncapsulatedFlag, _options.Self, _commit.Ring, _token.Seq, 0);
            original.CopyTo(buffer.AsSpan(DataFrame.HeaderBytes));
            _forming.Put(_token.Seq, buffer, length);
            effects.Send(_commit.Members, buffer.AsSpan(0, length));
            Counters.FramesSent++;
            sent += length;
        }

        return sent;
    }

    /// <summary>Carriers of old-ring frames have done their work on arrival: they make room, so that a recovery may be longer than one window.</summary>
    private void PassOverRecovered()
    {
        while (_forming.Delivered < _forming.Aru && DataFrame.Trusted(_forming[_forming.Delivered.Next]).IsEncapsulated)
            _forming.MarkDelivered(_forming.Delivered.Next);
    }

    private NodeSet OwedByCompanions()
    {
        var owed = NodeSet.Empty;
        foreach (var member in _companions) owed |= _commit.State(member).Owed;
        return owed;
    }

    /// <summary>Nobody else is there: the exchange is complete before it began.</summary>
    private void FormAlone(Instant now, RingId ring, ITotemEffects effects)
    {
        _commit.Begin(ring);
        _commit.AddMember(_self, _boot, _epoch, NodeSet.Of(_self));
        _commit.SetState(_self, OwnState(now));
        foreach (var timer in GatherTimers) _timers.Cancel(timer);
        SawRingSequence(ring.Sequence, effects);
        _tokenSeq = 0;
        _passedAt = null;
        _previousAru = _previousSeq = Seq.None;
        EnterRecovery(now, effects);
        MakeFirstToken();
        effects.RingConfirmed(ring, now);
        Install(now, effects);
        Hold(now, Instant.Never);
        if (!_queue.IsEmpty) UseHeld(now, effects);
    }

    /// <summary>In this order: rest of the old regular view, transitional view, what is owed in it, new regular view.</summary>
    private void Install(Instant now, ITotemEffects effects)
    {
        Invariant.Holds(_commit.Ring.Sequence > _ring.Sequence, "TOTEM-10");
        var old = _view;
        if (old is not null)
        {
            DeliverRegularRest(effects);
            var transitional = TransitionalView(old);
            effects.InstallView(transitional);
            DeliverTransitional(_companions | OwedByCompanions(), effects);
            old = transitional;
        }

        AdoptRing(now, effects);
        _view = RegularView(old);
        Counters.Views++;
        effects.InstallView(_view);
        effects.Neighbours(NeighbourSet());
        SendAnnounce(now, effects);
        ReconsiderMerge(now);
    }

    /// <summary>Old-ring messages without a gap, up to the first safe one that nobody is known to have delivered: equal at all companions.</summary>
    private void DeliverRegularRest(ITotemEffects effects)
    {
        while (_window.Delivered < _window.Aru)
        {
            var seq = _window.Delivered.Next;
            var frame = DataFrame.Trusted(_window[seq]);
            if (frame.IsSafe && seq > _regularEnd) break;
            _window.MarkDelivered(seq);
            DeliverFrame(frame, effects);
        }
    }

    /// <summary>The remaining old-ring messages; behind a gap only those of nodes whose every message is known to be here.</summary>
    private void DeliverTransitional(NodeSet senders, ITotemEffects effects)
    {
        for (var seq = _window.Delivered.Next; seq <= _window.High; seq = seq.Next)
        {
            if (!_window.Contains(seq)) continue;
            var frame = DataFrame.Trusted(_window[seq]);
            var isBehindGap = seq > _window.Aru;
            _window.MarkDelivered(seq);
            if (!isBehindGap || senders.Contains(_nodes.Position(frame.Sender))) DeliverFrame(frame, effects);
        }
    }

    private void AdoptRing(Instant now, ITotemEffects effects)
    {
        _queue.Rewind();
        foreach (var reassembly in _reassembly) reassembly.Reset();
        NoteMemberships(now, effects);
        NoteMergeResult(now);
        _ring = _commit.Ring;
        _members = _commit.Members;
        foreach (var member in _members)
        {
            _memberBoots[member] = _commit.Boot(member);
            _memberEpochs[member] = _commit.Epoch(member);
            _peers[member].IsGathering = _peers[member].HoldsOutSelf = false;
        }

        (_window, _forming) = (_forming, _window);
        _forming.Clear();
        _recoveryQueue.Clear();
        _owed = NodeSet.Empty;
        _heldOut = IsAlone ? NodeSet.Empty : HeldOutByMembers();
        _lastOwnSeq = Seq.None;
        _stuckSince = default;
        foreach (var peer in _peers) peer.IsSilent = peer.IsFailed = false;
        foreach (var timer in GatherTimers) _timers.Cancel(timer);
        ChangeState(TotemState.Operational, effects);
    }

    private View TransitionalView(View old)
    {
        var members = Members(_companions, _memberBoots);
        ViewMember[] left = [.. old.Members.Except(members)];
        return new View(new ViewId(_commit.Ring, _ring), members, old.Id, [], left) { LeftCleanly = [.. left.Where(HasSaidGoodbyeHere)] };
    }

    private bool HasSaidGoodbyeHere(ViewMember member)
    {
        var peer = _peers[_nodes.Position(member.Node)];
        return peer.HasLeft && peer.Boot == member.Boot;
    }

    private View RegularView(View? transitional)
    {
        var members = Members(_members, _memberBoots);
        IEnumerable<ViewMember> joined = transitional is null ? members : members.Except(transitional.Members);
        return new View(ViewId.Regular(_ring), members, transitional?.Id, [.. joined], []);
    }

    private ViewMember[] Members(NodeSet set, ulong[] boots)
    {
        var members = new ViewMember[set.Count];
        var i = 0;
        foreach (var position in set) members[i++] = new ViewMember(_nodes[position], boots[position]);
        return members;
    }

    private NodeSet NeighbourSet() =>
        (NodeSet.Of(Successor(_members)) | NodeSet.Of(Predecessor(_members))).Without(_self);
}
