using Membership.Totem;

namespace Membership.Invariants;

/// <summary>What views and the end of a history show of groups: I33, I37 and I39.</summary>
public sealed partial class HistoryChecker
{
    /// <summary>A view was installed, as far as groups are concerned.</summary>
    private void InstalledForGroups(IncarnationRecord node, ViewRecord? before, ViewRecord view)
    {
        var groups = node.Groups;
        if (view.Id.IsTransitional)
        {
            if (groups.Epoch is { } ending) ending.AtTransitional = ending.Shared.ToDictionary(shared => shared.Key, shared => shared.Value.Count);
            return;
        }

        HashSet<ViewMember> known = [node.Name];
        if (groups.Epoch is { } epoch && before is not null)
        {
            CloseGroups(node, epoch, before);
            known.UnionWith(epoch.KnowsAll ? epoch.Ring.Regular!.Members : epoch.Known);
            known.IntersectWith(before.Members);
            known.Add(node.Name);
        }

        var next = new GroupEpoch(node, Ring(view.Id.Ring), known);
        foreach (var group in groups.Groups.Values)
        {
            if (group.Members.Any(member => !next.IsKnown(member.Node))) next.Lost.Add(group.Name);
        }

        groups.Epoch = next;
        _groupEpochs.Add(next);
    }

    /// <summary>I33: who moves together saw the same changes and messages of groups, and has the same members.</summary>
    private void CloseGroups(IncarnationRecord node, GroupEpoch epoch, ViewRecord through)
    {
        CheckLostAreGone(node, epoch, "the next view");
        if (epoch.HasForeign && !epoch.KnowsAll) Broken("I36", $"{node} saw members of nodes in {epoch.Ring.Regular} whose join lists it did not have");
        epoch.MembersHash = node.Groups.MembersHash;
        if (!_closedThrough.TryGetValue(through.Id, out var others)) _closedThrough.Add(through.Id, others = []);
        foreach (var other in others)
        {
            // Who did not know each other before, and had not all join lists when the view ended, has nothing in common yet.
            if (epoch.KnowsAll != other.KnowsAll) Broken("I33", $"{other.Owner} and {epoch.Owner} went together through {through}, but one of them had all join lists and one had not");
            if (!KnowEachOther(epoch, other) && !epoch.KnowsAll) continue;
            var (mine, theirs) = (SharedWith(epoch, other), SharedWith(other, epoch));
            if (!mine.SequenceEqual(theirs))
            {
                Broken("I33", $"{other.Owner} and {epoch.Owner} went together through {through} but saw {theirs.Count} and {mine.Count} events of their groups in ring " +
                    $"{epoch.Ring.Id}, the same {mine.Zip(theirs).TakeWhile(pair => pair.First == pair.Second).Count()} first");
            }
            else if (epoch.MembersHash != other.MembersHash)
            {
                Broken("I33", $"{other.Owner} and {epoch.Owner} went together through {through} but their groups have other members");
            }
        }

        others.Add(epoch);
    }

    private void FinishGroups(bool isQuiesced)
    {
        foreach (var ring in _groupEpochs.GroupBy(epoch => epoch.Ring.Id))
        {
            var epochs = ring.ToList();
            for (var first = 0; first < epochs.Count; first++)
            {
                for (var second = first + 1; second < epochs.Count; second++) ComparePrefix(epochs[first], epochs[second]);
            }
        }

        if (!isQuiesced) return;
        foreach (var node in Healthy)
        {
            CheckOutcomes(node);
            CheckMembersAtRest(node);
        }
    }

    /// <summary>I33 in one regular view: whatever happens to them, two members see one sequence, of which one may have seen less.</summary>
    private void ComparePrefix(GroupEpoch first, GroupEpoch second)
    {
        if (!KnowEachOther(first, second) && !(first.HasForeign && second.HasForeign)) return;
        var (left, right) = (SharedWith(first, second), SharedWith(second, first));
        var common = Math.Min(InRegular(first, second, left.Count), InRegular(second, first, right.Count));
        for (var i = 0; i < common; i++)
        {
            if (left[i] == right[i]) continue;
            Broken("I33", $"{first.Owner} and {second.Owner} saw another event {i + 1} of their groups in {first.Ring.Regular}");
            return;
        }
    }

    private static int InRegular(GroupEpoch epoch, GroupEpoch other, int all) =>
        epoch.AtTransitional is { } counts ? counts.GetValueOrDefault(other.Owner.Name.Node) : all;

    /// <summary>I39: a sender that stays hears of each message.</summary>
    private void CheckOutcomes(IncarnationRecord node)
    {
        foreach (var (counter, sent) in node.Groups.Sent)
        {
            if (sent.Outcome is not null) continue;
            Broken("I39", $"{node} never learned what became of its group message {counter} to {node.Groups.Requests[sent.Slot].Group}");
            return;
        }
    }

    /// <summary>At rest a node's groups have the members that the nodes of its view want.</summary>
    private void CheckMembersAtRest(IncarnationRecord node)
    {
        if (node.View is not { } view || node.Groups.Epoch is not { } epoch) return;
        CheckLostAreGone(node, epoch, "the end");
        var owners = view.Members.Select(Incarnation).ToList();
        if (owners.Exists(owner => !owner.IsObserved)) return;
        var wanted = owners.SelectMany(owner => owner.Groups.Requests.Values.Where(request => request.IsWanted).Select(request => (request.Group, request.Member))).ToHashSet();
        var seen = node.Groups.Groups.Values.SelectMany(group => group.Members.Select(member => (group.Name, member))).ToHashSet();
        if (wanted.SetEquals(seen)) return;
        var (missing, surplus) = (wanted.Except(seen).Order().ToList(), seen.Except(wanted).Order().ToList());
        Broken(
            "I33", $"{node} ends with {missing.Count} members missing and {surplus.Count} too many in its groups",
            [.. missing.Concat(surplus).Take(5).Select(one => $"{one.Item1}: {Text([one.Item2])}")]);
    }

    private static bool KnowEachOther(GroupEpoch first, GroupEpoch second) =>
        first.Known.Contains(second.Owner.Name) && second.Known.Contains(first.Owner.Name);

    private static List<ulong> SharedWith(GroupEpoch epoch, GroupEpoch other) => epoch.Shared.GetValueOrDefault(other.Owner.Name.Node) ?? [];
}
