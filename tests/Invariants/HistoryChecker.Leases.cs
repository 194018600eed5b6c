using Membership.Totem;

namespace Membership.Invariants;

/// <summary>What the times at which nodes may act alone can break: I31.</summary>
public sealed partial class HistoryChecker
{
    private readonly List<ToldTimes> _told = [];

    /// <summary>Nobody vouches for nodes that run, and no disk that quorum needs was lost: I31 applies.</summary>
    public bool HasExclusiveTimes { get; set; } = true;

    /// <summary>Exclusive times that were told, counted once for each node and view.</summary>
    public long ExclusiveTimes { get; private set; }

    /// <summary>What a node told about one of its primary views, or anybody who asked it could know.</summary>
    private sealed record ToldTimes(IncarnationRecord Node, View View, long From)
    {
        public long Until { get; set; }

        public bool IsExclusive { get; set; }
    }

    /// <summary>
    /// A node tells when in its primary view it may act while nobody outside the view does. It holds whatever becomes of the node: somebody may have read it.
    /// Of two views of which one lacks the other's node, the earlier one's times have to end before those of the later one begin.
    /// </summary>
    /// <param name="incarnation">Who tells it.</param>
    /// <param name="at">When, in the time that all incarnations share; so are the others.</param>
    /// <param name="view">Its primary view.</param>
    /// <param name="from">Exclusive from then.</param>
    /// <param name="until">Quorate until then.</param>
    public void MayActAlone(int incarnation, long at, View view, long from, long until)
    {
        if (!HasExclusiveTimes) return;
        var told = Told(_incarnations[incarnation], at, view, from);
        told.Until = Math.Max(told.Until, until);
        if (!told.IsExclusive && told.Until > told.From)
        {
            told.IsExclusive = true;
            ExclusiveTimes++;
        }

        foreach (var other in _told)
        {
            if (!ReferenceEquals(other.View, view) && other.View.Id != view.Id) CheckTimes(told, other);
        }
    }

    /// <summary>What was told before of these times, or a new entry for them; what has run out meanwhile is forgotten. Called at each return of the token: it must cost little.</summary>
    private ToldTimes Told(IncarnationRecord node, long at, View view, long from)
    {
        ToldTimes? told = null;
        for (var i = _told.Count - 1; i >= 0; i--)
        {
            var times = _told[i];
            if (ReferenceEquals(times.Node, node) && times.From == from && (ReferenceEquals(times.View, view) || times.View.Id == view.Id)) told = times;
            else if (times.Until < at && times.From < at) _told.RemoveAt(i);
        }

        if (told is null) _told.Add(told = new ToldTimes(node, view, from));
        return told;
    }

    private void CheckTimes(ToldTimes one, ToldTimes other)
    {
        var (earlier, later) = one.View.Number < other.View.Number ? (one, other) : (other, one);
        // Numbers of views begin anew where all disks were lost: then the times themselves tell which view was the earlier one.
        if (earlier.Until <= later.From || later.Until <= earlier.From || (Has(earlier.View, later.Node) && Has(later.View, earlier.Node))) return;
        Broken(
            "I31",
            $"{later.Node} may act alone in {Members(later.View)} from {later.From / 1e6:F3} ms, but {earlier.Node} in {Members(earlier.View)} vouches for itself until {earlier.Until / 1e6:F3} ms");
    }

    private static bool Has(View view, IncarnationRecord node)
    {
        foreach (var member in view.Members)
        {
            if (member.Node == node.Name.Node) return true;
        }

        return false;
    }
}
