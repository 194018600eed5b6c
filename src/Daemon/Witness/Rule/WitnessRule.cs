using System.Globalization;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Witness.Rule;

/// <summary>Who gets the witness's votes: one pure function over the reports of all nodes of a cluster.</summary>
/// <remarks>
/// Three steps. Which rings are alive: one that a member has left, or whose member was started anew, is not. Which of them is best, by the algorithm.
/// Whether it may have the votes already: every answer given for a ring that shares no living member with it must have ended, so that two sides
/// without a common member never have the votes at the same time. All members of a ring get the same answer.
/// </remarks>
internal static class WitnessRule
{
    /// <summary>Decides as of <paramref name="now"/>.</summary>
    public static WitnessDecision Decide(WitnessPicture picture, Instant now)
    {
        var live = Parts(picture);
        var best = Best(picture, live);
        if (Unheard(picture, live, best, now) is { } unheard) return unheard;
        if (best is null)
        {
            var why = live.Count == 0 ? "no node has reported a view" : "no part has half of the votes";
            return new WitnessDecision(null, null, false, Instant.Never, why);
        }

        return Blocked(picture, best, now) ?? new WitnessDecision(best.Ring, null, false, Instant.Never, $"{best.Name}: {WhyBest(picture, live, best)}");
    }

    /// <summary>A ring is alive while none of its members with a session has a later ring or a later boot.</summary>
    public static bool IsLeft(IReadOnlyList<NodeReport> reports, RingId ring, IReadOnlyList<ViewMember> members)
    {
        foreach (var report in reports)
        {
            foreach (var member in members)
            {
                if (member.Node != report.Node) continue;
                if (member.Boot != report.Boot || (report.Ring != ring && report.Ring.Sequence >= ring.Sequence)) return true;
            }
        }

        return false;
    }

    private static List<Part> Parts(WitnessPicture picture)
    {
        var parts = new List<Part>();
        foreach (var ring in picture.Reports.GroupBy(report => report.Ring))
        {
            NodeReport[] reports = [.. ring];
            if (!IsLeft(picture.Reports, ring.Key, [.. reports[0].Members.Select(member => member.Identity)])) parts.Add(new Part(picture, reports));
        }

        return parts;
    }

    /// <summary>Reports are still under way: of nodes whose ring is dead and that will soon be in another one, and of heuristics that run.</summary>
    private static WitnessDecision? Unheard(WitnessPicture picture, List<Part> live, Part? best, Instant now)
    {
        if (live.Count == 0) return null;
        if (live.Any(part => part.Ring == picture.Holder?.Ring) && best?.Ring == picture.Holder?.Ring) return null; // it goes on as it is; nobody gains by waiting
        if (best is { HasMajority: true } && picture.Algorithm is WitnessAlgorithm.FiftyFiftySplit) return null;
        var deadline = live.Max(part => part.Since) + picture.Settle;
        if (now >= deadline) return null;
        NodeReport[] missing =
        [
            .. picture.Reports.Where(report => report.Heuristics is HeuristicsResult.Running || live.All(part => part.Ring != report.Ring)),
        ];
        if (missing.Length == 0) return null;
        var whom = Names(missing.Select(report => report.Node));
        return new WitnessDecision(null, best?.Ring, true, deadline, $"waiting at most {Seconds(deadline - now)} for {whom} to report after a change of views");
    }

    private static WitnessDecision? Blocked(WitnessPicture picture, Part best, Instant now)
    {
        var until = now;
        var holders = new SortedSet<NodeId>();
        foreach (var answer in picture.Outstanding)
        {
            if (answer.Until <= now || answer.Ring == best.Ring || answer.Members.Any(best.Has)) continue;
            if (answer.Until > until) until = answer.Until;
            foreach (var member in answer.Members) holders.Add(member.Node);
        }

        if (until == now) return null;
        var whose = holders.Count == 0 ? "answers of an earlier start of the witness" : $"the votes {Names(holders)} may still have";
        return new WitnessDecision(null, best.Ring, false, until, $"{best.Name}: waiting {Seconds(until - now)} for the end of {whose}");
    }

    private static Part? Best(WitnessPicture picture, List<Part> live)
    {
        Part? best = null;
        foreach (var part in live)
        {
            if (picture.Algorithm is WitnessAlgorithm.FiftyFiftySplit && !part.HasHalf) continue;
            if (best is null || Compare(picture, part, best, out _) > 0) best = part;
        }

        return best;
    }

    /// <summary>Positive: <paramref name="one"/> is to be preferred. The criterion that told them apart is in <paramref name="why"/>.</summary>
    private static int Compare(WitnessPicture picture, Part one, Part other, out string why)
    {
        var isSplit = picture.Algorithm is WitnessAlgorithm.FiftyFiftySplit;
        Span<(int Order, string Why)> criteria =
        [
            (isSplit ? one.HasMajority.CompareTo(other.HasMajority) : 0, "it has more than half of the votes"),
            (one.Score.CompareTo(other.Score), "its heuristics are better"),
            (one.Continues.CompareTo(other.Continues), "it goes on from the view that had the votes"),
            (one.PrimaryEpoch.CompareTo(other.PrimaryEpoch), "it took part in the latest primary view"),
            (one.WasQuorate.CompareTo(other.WasQuorate), "it was quorate until now"),
            (isSplit ? 0 : one.Votes.CompareTo(other.Votes), "it has more votes"),
            (isSplit ? 0 : one.Members.Count.CompareTo(other.Members.Count), "it has more nodes"),
            (one.Clients.CompareTo(other.Clients), "more of its nodes reach the witness"),
            (ByTieBreaker(picture.TieBreaker, one, other), $"the tie-breaker ({Word(picture.TieBreaker)}) is for it"),
            (other.Members[0].Node.CompareTo(one.Members[0].Node), "it has the lowest node"),
            (one.Ring.Sequence.CompareTo(other.Ring.Sequence), "its view is the newer one"),
            (one.Ring.Incarnation.CompareTo(other.Ring.Incarnation), "its view has the higher incarnation"),
        ];
        foreach (var (order, reason) in criteria)
        {
            why = reason;
            if (order != 0) return order;
        }

        why = "";
        return 0;
    }

    private static int ByTieBreaker(WitnessTieBreaker tie, Part one, Part other) => tie.Kind switch
    {
        TieBreakerKind.Highest => one.Members[^1].Node.CompareTo(other.Members[^1].Node),
        TieBreakerKind.List => other.RankIn(tie.Nodes).CompareTo(one.RankIn(tie.Nodes)),
        _ => other.Members[0].Node.CompareTo(one.Members[0].Node),
    };

    private static string WhyBest(WitnessPicture picture, List<Part> live, Part best)
    {
        Part? second = null;
        foreach (var part in live)
        {
            if (part.Ring == best.Ring || (picture.Algorithm is WitnessAlgorithm.FiftyFiftySplit && !part.HasHalf)) continue;
            if (second is null || Compare(picture, part, second, out _) > 0) second = part;
        }

        if (second is null) return "no other part asks";
        _ = Compare(picture, best, second, out var why);
        return $"preferred to {second.Name} because {why}";
    }

    private static string Word(WitnessTieBreaker tie) =>
        tie.Kind is TieBreakerKind.List ? Names(tie.Nodes) : tie.Kind is TieBreakerKind.Highest ? "highest" : "lowest";

    /// <summary>"node 1" or "nodes 1, 2".</summary>
    internal static string Names(IEnumerable<NodeId> nodes)
    {
        NodeId[] all = [.. nodes];
        return $"{(all.Length == 1 ? "node" : "nodes")} {string.Join(", ", all)}";
    }

    private static string Seconds(TimeSpan span) => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.0} s");

    /// <summary>A living ring with what speaks for it.</summary>
    private sealed class Part
    {
        private readonly HashSet<ViewMember> _identities;

        public Part(WitnessPicture picture, NodeReport[] reports)
        {
            Ring = reports[0].Ring;
            Members = reports[0].Members;
            _identities = [.. Members.Select(member => member.Identity)];
            foreach (var member in Members) Votes += member.Votes;
            var total = reports.Max(report => report.TotalVotes);
            HasHalf = Votes > 0 && Votes >= total - Votes;
            HasMajority = Votes > total - Votes;
            Score = reports.Sum(report => report.Heuristics switch { HeuristicsResult.Passed => 1, HeuristicsResult.Failed => -1, _ => 0 });
            Continues = picture.Holder is { } holder && holder.Members.Any(Has);
            PrimaryEpoch = reports.Max(report => report.PrimaryEpoch);
            WasQuorate = reports.Any(report => report.WasQuorate);
            Clients = reports.Length;
            Since = reports.Min(report => report.Since);
        }

        public RingId Ring { get; }

        public IReadOnlyList<WeightedMember> Members { get; }

        public ulong Votes { get; }

        public bool HasHalf { get; }

        public bool HasMajority { get; }

        public int Score { get; }

        /// <summary>A member, in the same incarnation, was in the view that had the votes last.</summary>
        public bool Continues { get; }

        public ulong PrimaryEpoch { get; }

        public bool WasQuorate { get; }

        public int Clients { get; }

        /// <summary>When the witness first heard of it.</summary>
        public Instant Since { get; }

        public string Name => Names(Members.Select(member => member.Node));

        public bool Has(ViewMember member) => _identities.Contains(member);

        /// <summary>Place in a list of the first node that is a member; the length of the list when none is.</summary>
        public int RankIn(IReadOnlyList<NodeId> nodes)
        {
            var rank = 0;
            while (rank < nodes.Count && !Members.Any(member => member.Node == nodes[rank])) rank++;
            return rank;
        }
    }
}
