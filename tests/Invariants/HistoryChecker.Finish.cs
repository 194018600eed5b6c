using Membership.Totem;

namespace Membership.Invariants;

/// <summary>What only the whole history shows: I10, I12 to I16, I21, I24, I25 and I28.</summary>
public sealed partial class HistoryChecker
{
    /// <summary>Checks what needs the whole history. Call once, after the last event.</summary>
    public void Finish(HistoryEnding ending)
    {
        CheckTransitionalMembersMoved();
        CheckInstallOrder();
        CheckAcyclic();
        CheckCausality();
        foreach (var ring in _rings.Values) CheckDuties(ring, ending.IsQuiesced);
        FinishGroups(ending.IsQuiesced);
        if (ending.CalmSince is { } since) CheckCalm(since);
        if (!ending.IsQuiesced) return;
        CheckEverybodyEntered();
        CheckTermination();
        if (ending.Cliques is { } cliques) CheckCliques(cliques);
    }

    private IEnumerable<IncarnationRecord> Healthy => _incarnations.Where(node => node.IsObserved && node.Stopped is null);

    /// <summary>I10: whoever is named in a transitional view and enters the ring it leads to came through that view.</summary>
    private void CheckTransitionalMembersMoved()
    {
        foreach (var view in _views.Values.Where(view => view.Id.IsTransitional).OrderBy(view => view.Graph))
        {
            if (!_rings.TryGetValue(view.Id.Ring, out var next)) continue;
            foreach (var node in view.Members.Select(Incarnation))
            {
                if (node.JoinsLate || node.EpochOf(next) is not { } entered || view.InstalledBy.Contains(node.Index)) continue;
                Broken("I10", $"{view} names {node}, who entered ring {entered.Ring.Id} another way");
            }
        }
    }

    /// <summary>I12: two nodes install the same two views in the same order.</summary>
    private void CheckInstallOrder()
    {
        var places = new Dictionary<int, int>();
        for (var first = 0; first < _incarnations.Count; first++)
        {
            places.Clear();
            foreach (var happened in _incarnations[first].Events)
            {
                if (happened.Kind == HistoryEventKind.View) places.TryAdd(happened.Subject, places.Count);
            }
            for (var second = first + 1; second < _incarnations.Count; second++) CompareInstalls(_incarnations[first], places, _incarnations[second]);
        }
    }

    private void CompareInstalls(IncarnationRecord first, Dictionary<int, int> places, IncarnationRecord second)
    {
        var (highest, highestView) = (-1, -1);
        foreach (var happened in second.Events)
        {
            if (happened.Kind != HistoryEventKind.View || !places.TryGetValue(happened.Subject, out var place)) continue;
            if (place < highest)
            {
                Broken("I12", $"{second} installed {_graph[highestView]} before {_graph[happened.Subject]}, {first} the other way round");
                return;
            }
            (highest, highestView) = (place, happened.Subject);
        }
    }

    /// <summary>I16: deliveries and views of all nodes fit into one order: the union of all "next at the same node" edges has no cycle.</summary>
    private void CheckAcyclic()
    {
        var edges = new HashSet<(int From, int To)>();
        var incoming = new int[_graph.Count];
        var outgoing = new List<int>?[_graph.Count];
        foreach (var node in _incarnations)
        {
            var last = -1;
            foreach (var happened in node.Events)
            {
                if (happened.Kind is not (HistoryEventKind.Deliver or HistoryEventKind.View)) continue;
                if (last >= 0 && last != happened.Subject && edges.Add((last, happened.Subject)))
                {
                    (outgoing[last] ??= []).Add(happened.Subject);
                    incoming[happened.Subject]++;
                }
                last = happened.Subject;
            }
        }
        var ready = new Stack<int>(Enumerable.Range(0, _graph.Count).Where(vertex => incoming[vertex] == 0));
        var sorted = 0;
        while (ready.TryPop(out var vertex))
        {
            sorted++;
            foreach (var next in outgoing[vertex] ?? [])
            {
                if (--incoming[next] == 0) ready.Push(next);
            }
        }
        if (sorted == _graph.Count) return;
        var cycle = Cycle(incoming, outgoing);
        Broken("I16", $"no order of all events agrees with every node: a cycle of {cycle.Length}", [.. cycle.Take(20)]);
    }

    /// <summary>Vertices that the topological sort left over contain a cycle: walks backwards along them until one repeats.</summary>
    private string[] Cycle(int[] incoming, List<int>?[] outgoing)
    {
        var before = new Dictionary<int, int>();
        for (var vertex = 0; vertex < incoming.Length; vertex++)
        {
            if (incoming[vertex] == 0) continue;
            foreach (var next in outgoing[vertex] ?? []) before.TryAdd(next, vertex);
        }
        var walk = new List<int> { before.Keys.First(vertex => incoming[vertex] > 0) };
        while (true)
        {
            var previous = before[walk[^1]];
            var start = walk.IndexOf(previous);
            if (start >= 0)
            {
                walk.RemoveRange(0, start);
                walk.Reverse();
                return [.. walk.Select(vertex => _graph[vertex].ToString()!)];
            }
            walk.Add(previous);
        }
    }

    /// <summary>I21 across views: who delivers what p sent in a later ring has delivered what p had delivered in the earlier ring both were in.</summary>
    private void CheckCausality()
    {
        foreach (var sender in _incarnations)
        {
            foreach (var reader in _incarnations)
            {
                if (sender == reader) continue;
                for (var i = 0; i < reader.Epochs.Count - 1; i++)
                {
                    var epoch = reader.Epochs[i];
                    if (epoch.IsPartial || sender.EpochOf(epoch.Ring) is not { IsPartial: false } seen) continue;
                    if (!ReadsLaterMessage(reader, i, sender)) continue;
                    CheckSeen(seen, epoch);
                }
            }
        }
    }

    private static bool ReadsLaterMessage(IncarnationRecord reader, int epoch, IncarnationRecord sender)
    {
        var first = sender.Epochs.FindIndex(own => own.Ring == reader.Epochs[epoch].Ring);
        for (var later = epoch + 1; later < reader.Epochs.Count; later++)
        {
            var ring = reader.Epochs[later].Ring;
            if (sender.Epochs.FindIndex(own => own.Ring == ring) <= first) continue;
            foreach (var message in ring.Order)
            {
                if (message.Sender == sender && message.DeliveredBy.Contains(reader.Index)) return true;
            }
        }
        return false;
    }

    private void CheckSeen(Epoch seen, Epoch epoch)
    {
        if (seen.Count == epoch.Count && seen.Chain == epoch.Chain) return;
        foreach (var message in seen.Ring.Order)
        {
            if (!message.DeliveredBy.Contains(seen.Owner.Index) || message.DeliveredBy.Contains(epoch.Owner.Index)) continue;
            if (epoch.Transitional?.MemberSet.Contains(message.Sender.Index) != true) continue;
            Broken("I21", $"{epoch.Owner} delivered what {seen.Owner} sent after {message}, but not {message} itself, though its sender came along", Who(message));
            return;
        }
    }

    /// <summary>I25 and I28: what a node answered for in a view that others installed, it delivers, or it stops.</summary>
    private void CheckDuties(RingRecord ring, bool isQuiesced)
    {
        foreach (var epoch in ring.Epochs)
        {
            var owner = epoch.Owner;
            if (epoch.IsPartial || !owner.IsObserved || (!epoch.IsClosed && (!isQuiesced || owner.Stopped is not null))) continue;
            var start = epoch.FirstSkipped >= 0 ? epoch.FirstSkipped : Math.Max(epoch.Position, 0);
            for (var place = start; place < ring.Order.Count; place++)
            {
                var message = ring.Order[place];
                if (message.DeliveredBy.Contains(owner.Index) || !CheckDuty(epoch, message)) continue;
                break;
            }
        }
    }

    private bool CheckDuty(Epoch epoch, MessageRecord message)
    {
        var owner = epoch.Owner;
        if (message.Level == DeliveryLevel.Safe && message.InRegular)
        {
            Broken("I25", $"{owner} was in {epoch.Ring.Regular}, where safe {message} was delivered, and did not deliver it", Who(message));
            return true;
        }
        if (message.InTransitional?.Find(view => view.MemberSet.Contains(owner.Index) && view != epoch.Transitional) is not { } elsewhere) return false;
        var rule = message.Level == DeliveryLevel.Safe ? "I25" : "I28";
        Broken(rule, $"{owner} is named in {elsewhere}, where {message} was delivered, and did not deliver it in {epoch.Transitional?.ToString() ?? "its ring"}", Who(message));
        return true;
    }

    private void CheckCalm(long since)
    {
        foreach (var node in _incarnations)
        {
            foreach (var happened in node.Events)
            {
                if (happened.Kind != HistoryEventKind.View || happened.At <= since) continue;
                Broken("I15", $"{node} installed {_graph[happened.Subject]} {(happened.At - since) / 1e6:F0} ms after the last reason for a change");
                return;
            }
        }
    }

    /// <summary>I13: nobody stays in a view that a healthy member of it never enters.</summary>
    private void CheckEverybodyEntered()
    {
        foreach (var node in Healthy)
        {
            if (node.Epoch is not { Ring.Regular: { } view }) continue;
            foreach (var member in view.Members.Select(Incarnation))
            {
                if (member.IsObserved && member.Stopped is null && !view.InstalledBy.Contains(member.Index))
                    Broken("I13", $"{node} stays in {view}, which healthy {member} never entered");
            }
        }
    }

    /// <summary>I24: every accepted message is delivered at its sender and at all that stay with it.</summary>
    private void CheckTermination()
    {
        foreach (var sender in Healthy)
        {
            foreach (var message in sender.Messages)
            {
                if (message is not { IsSent: true, IsFailed: false }) continue;
                if (!message.DeliveredBy.Contains(sender.Index))
                {
                    Broken("I24", $"{sender} accepted {message} and never delivered it", Who(message));
                    return;
                }
                var absent = Healthy.FirstOrDefault(node => node.Epoch?.Ring == message.Ring && node.View == sender.View &&
                    !node.Epoch!.IsPartial && !message.DeliveredBy.Contains(node.Index));
                if (absent is null || sender.Epoch?.Ring != message.Ring) continue;
                Broken("I24", $"{absent} stays with {sender} and never delivered {message}", Who(message));
                return;
            }
        }
    }

    /// <summary>I14: each clique sits in one regular view that equals it.</summary>
    private void CheckCliques(IReadOnlyList<IReadOnlyList<int>> cliques)
    {
        foreach (var clique in cliques)
        {
            var members = clique.Select(index => _incarnations[index]).ToList();
            foreach (var node in members)
            {
                var fits = node.View is { Id.IsTransitional: false } view && view.Members.Length == members.Count &&
                    members.TrueForAll(member => view.MemberSet.Contains(member.Index));
                if (fits && node.View == members[0].View) continue;
                Broken("I14", $"{node} ends in {node.View?.ToString() ?? "no view"}; it should share one view of ({string.Join(' ', members)})");
                return;
            }
        }
    }
}
