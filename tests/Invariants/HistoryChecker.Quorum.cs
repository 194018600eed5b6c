using Membership.Quorum;
using Membership.Totem;

namespace Membership.Invariants;

/// <summary>What a verdict about quorum can break: I29, I30, I32.</summary>
public sealed partial class HistoryChecker
{
    private readonly Dictionary<int, (View View, bool IsQuorate)> _verdicts = [];
    private readonly Dictionary<RingId, List<string>> _verdictsOfRing = [];
    private readonly Dictionary<(int Incarnation, RingId Ring), int> _verdictsTold = [];
    private readonly HashSet<RingId> _primaries = [];
    private View? _lastPrimary;

    /// <summary>The settings promise one quorate side at any instant, and nothing happened that they except: I29 and I30 apply.</summary>
    public bool HasOneQuorateSide { get; set; } = true;

    /// <summary>Each primary view has a member of the last one (I30). A witness may give its votes to a side that was cut off, once nobody counts them any more: not so there.</summary>
    public bool HasContinuity { get; set; } = true;

    /// <summary>Verdicts told, counted at every incarnation.</summary>
    public long Verdicts { get; private set; }

    /// <summary>Views that were quorate somewhere.</summary>
    public int Primaries => _primaries.Count;

    /// <summary>A node tells its verdict.</summary>
    public void QuorumChanged(int incarnation, long at, QuorumState state)
    {
        Verdicts++;
        if (state.View is not { } view) return;
        var node = _incarnations[incarnation];
        _verdicts[incarnation] = (view, state.IsQuorate);
        if (!view.Members.Contains(node.Name)) Broken("I32", $"{node} tells a verdict about view {view.Id}, which it is not in");
        if (state.IsQuorate && state.IsSynchronizing) Broken("I32", $"{node} tells that it is quorate in view {view.Id} before all reports are there");
        if (!state.IsSynchronizing) CheckAgreement(node, view, state);
        if (state.IsQuorate) CheckUniqueness(node, view, at);
    }

    /// <summary>All members of a ring tell the same verdicts about it in the same order, each as far as it gets.</summary>
    private void CheckAgreement(IncarnationRecord node, View view, QuorumState state)
    {
        var ring = view.Id.Ring;
        var verdict = $"{(state.IsQuorate ? "quorate" : "not quorate")} {state.Votes}/{state.Needed}/{state.Expected} epoch {state.Epoch}: {state.Reason}";
        if (!_verdictsOfRing.TryGetValue(ring, out var verdicts)) _verdictsOfRing.Add(ring, verdicts = []);
        var place = _verdictsTold.GetValueOrDefault((node.Index, ring));
        _verdictsTold[(node.Index, ring)] = place + 1;
        if (place == verdicts.Count) verdicts.Add(verdict);
        else if (verdicts[place] != verdict) Broken("I32", $"in ring {ring} {node} tells as verdict {place + 1} '{verdict}', another member '{verdicts[place]}'");
    }

    private void CheckUniqueness(IncarnationRecord node, View view, long at)
    {
        if (!HasOneQuorateSide) return;
        foreach (var (other, verdict) in _verdicts)
        {
            if (!verdict.IsQuorate || _incarnations[other].Stopped is not null || Shares(verdict.View, view)) continue;
            Broken("I29", $"at {at / 1e6:F3} ms {node} is quorate in {Members(view)} while {_incarnations[other]} is in {Members(verdict.View)}");
        }

        if (!_primaries.Add(view.Id.Ring)) return;
        if (HasContinuity && _lastPrimary is { } last && !Shares(last, view)) Broken("I30", $"primary view {Members(view)} has no member of the one before, {Members(last)}");
        _lastPrimary = view;
    }

    private static bool Shares(View left, View right) => left.Members.Any(member => right.Members.Any(other => other.Node == member.Node));

    private static string Members(View view) => $"({string.Join(',', view.Members.Select(member => member.Node))})";
}
