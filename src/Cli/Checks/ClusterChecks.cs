using Membership.Cli.Status;
using Membership.V1;

namespace Membership.Cli.Checks;

/// <summary>Judges quorum and links by thresholds. Pure.</summary>
internal static class ClusterChecks
{
    /// <summary>Names that are listed; the rest is counted.</summary>
    public const int NamesMax = 6;

    /// <summary>Quorum: critical when lost or when fewer than <paramref name="critical"/> votes could be spared, a warning below <paramref name="warning"/> or when somebody is missing.</summary>
    public static CheckResult Quorum(Quorum quorum, long warning, long critical)
    {
        var spare = (double)quorum.Votes - quorum.VotesNeeded;
        var missing = quorum.Members.Where(static member => !member.Present).Select(static member => member.Name).ToList();
        var state = !quorum.Quorate || spare < critical ? CheckState.Critical
            : spare < warning || missing.Count > 0 ? CheckState.Warning
            : CheckState.Ok;
        var reason = quorum.Reason.Length > 0 ? $": {quorum.Reason}" : "";
        var message = $"{(quorum.Quorate ? "quorate" : "not quorate")}, {quorum.Votes} of {quorum.VotesExpected} votes, need {quorum.VotesNeeded}{reason}" +
            (missing.Count > 0 ? $"; missing: {Names(missing)}" : "");
        return new CheckResult("quorum", state, message,
            [("quorate", quorum.Quorate ? 1 : 0), ("votes", quorum.Votes), ("needed", quorum.VotesNeeded), ("expected", quorum.VotesExpected), ("spare", spare), ("missing", missing.Count)],
            [
                new CheckValue("quorate", "1 when this side may act.", quorum.Quorate ? 1 : 0),
                Votes("present", quorum.Votes), Votes("needed", quorum.VotesNeeded), Votes("expected", quorum.VotesExpected),
                .. quorum.Members.Select(static member => new CheckValue("member_present", "1 when the configured node is in the view.", member.Present ? 1 : 0, ("node", member.Name))),
            ]);
    }

    /// <summary>Whether this side may act while nobody else can: critical at any other time, so that a script can stop at exit code 0.</summary>
    public static CheckResult Exclusive(Quorum quorum, TimeSpan elapsed)
    {
        var time = ExclusiveTime.Of(quorum, elapsed);
        var reason = quorum.Reason.Length > 0 ? $": {quorum.Reason}" : "";
        return new CheckResult("exclusive", time.IsNow ? CheckState.Ok : CheckState.Critical, $"{time.Sentence}{reason}",
            [("exclusive", time.IsNow ? 1 : 0), ("quorate", quorum.Quorate ? 1 : 0), ("for_ms", Math.Floor(time.For.TotalMilliseconds)), ("in_ms", time.In.TotalMilliseconds)],
            [
                new CheckValue("exclusive", "1 when this side may act and nobody else can.", time.IsNow ? 1 : 0),
                new CheckValue("quorate", "1 when this side may act.", quorum.Quorate ? 1 : 0),
                new CheckValue("exclusive_left_seconds", "What is left of the time in which nobody else can act, were it not renewed.", time.For.TotalSeconds),
                new CheckValue("exclusive_begins_seconds", "What is left until the time in which nobody else can act begins.", time.In.TotalSeconds),
            ]);
    }

    /// <summary>Links of this node: critical from <paramref name="critical"/> links that are not up, or when a peer has none left; a warning from <paramref name="warning"/>.</summary>
    public static CheckResult Links(GetStatusResponse status, long warning, long? critical)
    {
        var links = status.Nodes.SelectMany(static node => node.Links.Select(link => (Peer: node.Name, Link: link))).ToList();
        var broken = links.Where(static each => each.Link.State != LinkState.Up).ToList();
        var lost = status.Nodes.Where(static node => node.Links.Count > 0 && node.Links.All(static link => link.State != LinkState.Up)).Select(static node => node.Name).ToList();
        var isCritical = critical is { } limit ? broken.Count >= limit && broken.Count > 0 : lost.Count > 0;
        var state = isCritical ? CheckState.Critical : broken.Count >= warning && broken.Count > 0 ? CheckState.Warning : CheckState.Ok;
        var message = $"{links.Count - broken.Count} of {links.Count} links up" +
            (broken.Count > 0 ? $"; not up: {Names([.. broken.Select(static each => $"{each.Peer}/{each.Link.Name}")])}" : "") +
            (lost.Count > 0 ? $"; without any link: {Names(lost)}" : "");
        return new CheckResult("links", state, message,
            [("up", links.Count - broken.Count), ("down", broken.Count), ("peers_without_link", lost.Count), ("loss_max", links.Count > 0 ? links.Max(static each => each.Link.Loss) : 0)],
            [
                .. links.Select(static each => new CheckValue("link_up", "1 when the link to the peer is up in both directions.", each.Link.State == LinkState.Up ? 1 : 0, ("peer", each.Peer), ("link", each.Link.Name))),
                .. links.Where(static each => each.Link.RttUs > 0)
                    .Select(static each => new CheckValue("link_rtt_seconds", "Round trip on the link.", each.Link.RttUs / 1e6, ("peer", each.Peer), ("link", each.Link.Name))),
                .. links.Select(static each => new CheckValue("link_loss_ratio", "Loss on the link over the last minute.", each.Link.Loss, ("peer", each.Peer), ("link", each.Link.Name))),
            ]);
    }

    private static CheckValue Votes(string kind, ulong votes) => new("quorum_votes", "Votes by kind.", votes, ("kind", kind));

    private static string Names(List<string> names) =>
        string.Join(' ', names.Take(NamesMax)) + (names.Count > NamesMax ? $" and {names.Count - NamesMax} more" : "");
}
