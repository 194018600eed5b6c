using Membership.Links;
using Membership.Totem;

namespace Membership.Cpg;

// How views and groups go together.
//
// "Known" nodes are those whose memberships this node has. The rule behind everything here: nodes that know each other know the same nodes, and the
// same memberships of them, at every place of the order. It holds because
//  - messages change memberships only when they come from a known node, and nodes that know each other get the same messages at the same places;
//  - at a regular view exactly the nodes stay known that were known and came along (the others' members leave, NodeDown): nodes that know each other
//    were in one view, so the transitional view between is the same at all that come along, and so is what is kept;
//  - others become known only all at once, when the join lists of all members have been ordered: from then on all members that got this far know all.
// When every member of a view is known nothing has to be exchanged; all its members find that alike, for they know each other.
//
// A view may end before its lists are in. The end is the transitional view (all that come along see it at the same place, see I16 and I23): there the
// exchange is given up. What waited is processed at once, in the old view, under the old knowledge: the messages of known nodes take effect, those of
// others do not, because their members never became members here (I36). The others do the same with theirs: for the groups, the two sides of a merge
// that did not last never met. Nothing waits across a view, so that each message is delivered in the view that ordered it (I38), and a sender learns of
// each of its messages before the next view (I39), for a node always knows itself. Lists of the lost view that are ordered later carry its ring id and are
// dropped. The next regular view starts over, with a list of each member as it is then.
public sealed partial class CpgNode
{
    /// <summary>A view, regular or transitional, in its place of the order.</summary>
    /// <remarks>Members of nodes that did not come along leave here (I37); an exchange begins when some member of the view is not known.</remarks>
    public void OnView(View view, ICpgEffects effects)
    {
        ArgumentNullException.ThrowIfNull(view);
        if (_lists.IsActive) CutSynchronisation(effects);
        if (view.Transitional) return;
        _view = view.Id;
        var kept = new HashSet<ViewMember>(view.Members);
        kept.ExceptWith(view.Joined);
        _self = Self(view);
        kept.Add(_self);
        _table.StageOnly(kept);
        Emit(GroupReason.NodeDown, effects);
        if (!_table.TryNode(_self.Node, _self.Boot, out _)) _table.AddNode(_self);
        Invariant.Holds(_table.NodeCount <= view.Members.Count, "CPG-2");
        if (_table.NodeCount == view.Members.Count) return;
        _lists.Begin(view);
        _owesList = true;
        WriteOwedList(effects);
    }

    /// <summary>Writes this node's list as soon as nothing of an earlier one waits to be ordered: however often views change, one list waits at most.</summary>
    /// <remarks>Its content does not depend on when: while lists are awaited nothing changes this node's memberships.</remarks>
    private void WriteOwedList(ICpgEffects effects)
    {
        if (!_owesList || _ownParts > 0 || !_lists.IsActive) return;
        Invariant.Holds(_table.TryNode(_self.Node, _self.Boot, out var own), "CPG-1");
        _owesList = false;
        _ownParts = new JoinListWriter(_view.Ring, ControlBytes, effects).Write(_table.Groups(), own!);   // known, as just seen
    }

    /// <summary>A part of an own list has been ordered, maybe in a later view than the one it was written for.</summary>
    private void OnOwnPart(ICpgEffects effects)
    {
        if (_ownParts > 0) _ownParts--;
        WriteOwedList(effects);
    }

    private void OnJoinList(in Delivery delivery, ReadOnlySpan<byte> payload, ICpgEffects effects)
    {
        if (_lists.Take(delivery, payload) is { } error) Counters.Drop(error);
        if (_lists.IsComplete) EndSynchronisation(effects);
    }

    /// <summary>All lists are in: the joined nodes' members come in, what is no member any more goes, and the messages that waited follow.</summary>
    private void EndSynchronisation(ICpgEffects effects)
    {
        Counters.Synchronisations++;
        _table.BeginConfirmation();
        foreach (var (name, list) in _lists.All)
        {
            if (!_table.TryNode(name.Node, name.Boot, out var node)) node = _table.AddNode(name);
            foreach (var part in list.Parts) TakeList(node, part);
        }

        Emit(GroupReason.NodeUp, effects);
        RemoveGhosts(effects);
        _lists.End();
        ProcessWaiting(effects);
    }

    private void TakeList(NodeMembers node, byte[] part)
    {
        var reader = new JoinListReader(part);
        while (reader.TryNext(out var entry))
        {
            if (_table.IsConfirmed(node, entry.Slot)) continue;
            if (_table.StageJoin(node, entry.Slot, entry.Session, entry.Pid, reader.Name) is { } error) Counters.Drop(error);
        }
    }

    /// <summary>What a node's own list does not have is no membership, whatever was known here.</summary>
    private void RemoveGhosts(ICpgEffects effects)
    {
        foreach (var (name, _) in _lists.All)
        {
            if (!_table.TryNode(name.Node, name.Boot, out var node)) continue;
            foreach (var ghost in _table.Unconfirmed(node))
            {
                Counters.Ghosts++;
                _table.StageLeave(node, ghost);
                if (name.Node == _options.Self) _local.Remove(ghost.Slot);
            }
        }

        Emit(GroupReason.ProcessDown, effects);
    }

    private void CutSynchronisation(ICpgEffects effects)
    {
        Counters.SynchronisationsCut++;
        _lists.End();
        ProcessWaiting(effects);
    }

    private void ProcessWaiting(ICpgEffects effects)
    {
        for (var index = 0; index < _waiting.Count; index++)
        {
            var payload = _waiting.Read(index, out var delivery);
            Process(delivery, payload, effects);
        }

        _waiting.Clear();
    }

    private ViewMember Self(View view)
    {
        foreach (var member in view.Members)
        {
            if (member.Node == _options.Self) return member;
        }

        throw new InvariantBrokenException("CPG-1");
    }
}
