using System.Runtime.InteropServices;
using Membership.Totem;

namespace Membership.Invariants;

/// <summary>What an installed view can break: I7 to I11, and at the end of an epoch I22 and I23.</summary>
public sealed partial class HistoryChecker
{
    /// <summary>A view was installed.</summary>
    public void Installed(int incarnation, long at, ViewId id, IReadOnlyList<ViewMember> members)
    {
        var node = _incarnations[incarnation];
        var view = Record(node, id, members);
        node.Events.Add(new HistoryEvent(HistoryEventKind.View, at, view.Graph));
        view.InstalledBy.Add(node.Index);
        if (!view.MemberSet.Contains(node.Index)) Broken("I8", $"{node} installed {view} without being in it");

        var before = node.View;
        node.View = view;
        if (!Alternates(node, before, view)) return;
        if (id.IsTransitional) EnterTransitional(node, before!, view);
        else EnterRegular(node, before, view);
        ForgetAbsentSenders(node, view);
        InstalledForGroups(node, before, view);
    }

    private ViewRecord Record(IncarnationRecord node, ViewId id, IReadOnlyList<ViewMember> members)
    {
        ref var known = ref CollectionsMarshal.GetValueRefOrAddDefault(_views, id, out var exists);
        if (exists)
        {
            if (!members.SequenceEqual(known!.Members))
                Broken("I7", $"{node} installed {id} with members ({string.Join(',', members.Select(member => member.Node.Value))}), others with {known}");
            return known;
        }
        known = new ViewRecord(_graph.Count, id, [.. members]);
        _graph.Add(known);
        if (!id.IsTransitional)
        {
            RegularViews++;
            Ring(id.Ring).Regular = known;
        }
        var view = known;
        foreach (var member in members) view.MemberSet.Add(Incarnation(member).Index);
        return view;
    }

    private bool Alternates(IncarnationRecord node, ViewRecord? before, ViewRecord view)
    {
        var mustBeRegular = before is null || before.Id.IsTransitional;
        if (mustBeRegular != view.Id.IsTransitional) return true;
        Broken("I9", before is null ? $"{node} began with {view}" : $"{node} installed {view} directly after {before}");
        return false;
    }

    private void EnterTransitional(IncarnationRecord node, ViewRecord before, ViewRecord view)
    {
        node.Epoch!.Transitional = view;
        if (view.Id.Old != before.Id.Ring) Broken("I10", $"{node} installed {view}, which does not lead out of {before}");
        Comes(node, view, before);
    }

    private void EnterRegular(IncarnationRecord node, ViewRecord? before, ViewRecord view)
    {
        if (before is not null)
        {
            if (view.Id.Ring != before.Id.Ring) Broken("I10", $"{node} installed {view}, to which {before} does not lead");
            Comes(node, before, view);
        }
        var identity = node.Identity;
        if (identity.HasInstalled && view.Id.Ring.Sequence <= identity.LastSequence)
            Broken("I11", $"{node} installed {view} after ring sequence {identity.LastSequence:x}");
        identity.LastSequence = Math.Max(identity.LastSequence, view.Id.Ring.Sequence);
        identity.HasInstalled = true;

        if (node.Epoch is { } epoch) Close(epoch);
        var ring = Ring(view.Id.Ring);
        if (node.EpochOf(ring) is not null) return;
        var next = new Epoch(node, ring, node.JoinsLate && before is null);
        ring.Epochs.Add(next);
        node.Epochs.Add(next);
    }

    /// <summary>Everybody of a transitional view is in the regular one beside it.</summary>
    private void Comes(IncarnationRecord node, ViewRecord transitional, ViewRecord regular)
    {
        foreach (var member in transitional.Members)
        {
            if (!regular.MemberSet.Contains(Incarnation(member).Index))
                Broken("I10", $"{node} installed {transitional} with {member.Node}/{(ushort)member.Boot:x4}, who is not in {regular}");
        }
    }

    private void Close(Epoch epoch)
    {
        epoch.IsClosed = true;
        if (epoch.IsPartial) return;
        CheckOwnMessages(epoch);
        if (epoch.Transitional is not { } through) return;
        if (through.FirstClosed is not { } first)
        {
            through.FirstClosed = epoch;
            return;
        }
        if (first.Count == epoch.Count && first.Chain == epoch.Chain) return;
        var difference = epoch.Ring.Order.Find(message => message.DeliveredBy.Contains(first.Owner.Index) != message.DeliveredBy.Contains(epoch.Owner.Index));
        Broken(
            "I23",
            $"{first.Owner} and {epoch.Owner} went together through {through} but delivered {first.Count} and {epoch.Count} messages of ring {epoch.Ring.Id}",
            difference is null ? "the same messages in another order" : Who(difference));
    }

    private void CheckOwnMessages(Epoch epoch)
    {
        var order = epoch.Ring.Order;
        for (var place = epoch.FirstSkipped >= 0 ? epoch.FirstSkipped : epoch.Position; place < order.Count; place++)
        {
            if (order[place].Sender != epoch.Owner || order[place].DeliveredBy.Contains(epoch.Owner.Index)) continue;
            Broken("I22", $"{epoch.Owner} left ring {epoch.Ring.Id} without delivering its own {order[place]}", Who(order[place]));
            return;
        }
    }

    /// <summary>A sender that does not come along may have sent what this node never sees: I20 starts anew when it returns.</summary>
    private static void ForgetAbsentSenders(IncarnationRecord node, ViewRecord view)
    {
        for (var sender = 0; sender < node.Fifo.Count; sender++)
        {
            if (!view.MemberSet.Contains(sender)) node.Fifo[sender] = (node.Fifo[sender].Counter, false);
        }
    }
}
