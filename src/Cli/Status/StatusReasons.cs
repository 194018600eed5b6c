using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Status;

/// <summary>Says in sentences why a cluster is not healthy, and what to type next.</summary>
internal static class StatusReasons
{
    /// <summary>Sentences are cut here and the rest counted, so that one dead switch does not fill the screen.</summary>
    public const int LinkSentencesMax = 6;

    /// <summary>One sentence for each thing that is wrong, the gravest first; empty when healthy.</summary>
    public static IReadOnlyList<string> Of(GetStatusResponse status)
    {
        var sentences = new List<string>();
        if (!status.Quorate && status.QuorumReason.Length > 0)
            sentences.Add(Sentence($"quorum: {status.QuorumReason}"));
        if (status.View is null)
            sentences.Add("this node has not been a member of any view since its daemon started.");
        if (status.RingState is not ("operational" or ""))
            sentences.Add($"the ring is being formed anew ({status.RingState}); messages wait.");
        AddUnreachable(status, sentences);
        AddHeldOut(status, sentences);
        AddLinks(status, sentences);
        if (sentences.Count == 0 && status.State != ClusterState.Healthy)
            sentences.Add(Sentence($"the daemon reports it so: {status.QuorumReason}"));
        return sentences;
    }

    /// <summary>Commands worth typing next, or a sentence when there is nothing to type.</summary>
    public static IReadOnlyList<string> Next(GetStatusResponse status)
    {
        var next = new List<string>();
        if (status.Nodes.Any(static node => node.State != NodeState.Member || node.Links.Any(static link => link.State != LinkState.Up)))
            next.Add("mbr link matrix");
        if (status.Nodes.Any(static node => node.State != NodeState.Member))
            next.Add("mbr node list");
        if (!status.Quorate)
            next.Add("after repair nothing needs to be typed");
        return next.Count > 0 ? next : ["mbr watch"];
    }

    private static void AddUnreachable(GetStatusResponse status, List<string> sentences)
    {
        var missing = status.Nodes.Where(static node => node.State == NodeState.Unreachable).ToList();
        if (missing.Count == 0)
            return;
        var links = missing.SelectMany(static node => node.Links).Where(static link => link.State != LinkState.Up)
            .Select(static link => link.Name).Distinct().Order(StringComparer.Ordinal).ToList();
        var on = links.Count == 0 ? "" : $" on link {string.Join(" and ", links)}";
        var since = Durations.Age(missing.Max(static node => node.SinceMs));
        var guess = Guess(status, missing);
        sentences.Add($"{string.Join(' ', missing.Select(static node => node.Name))} unreachable{on} for {since}{guess}.");
    }

    // The likely cause, by who is missing; a guess, and said so.
    private static string Guess(GetStatusResponse status, List<NodeStatus> missing)
    {
        var others = status.Nodes.Count(node => node.Node != status.Node);
        if (missing.Count == others && others > 1)
            return $" - {status.NodeName} hears nobody: probably its own cable, switch or firewall";
        if (missing.Count > 1)
            return status.Quorate ? " - probably a network split, or these nodes are down" : " - probably a network split with this node on the smaller side, or these nodes are down";
        return others == 1 ? " - its daemon or machine is down, or the cable between the two" : " - probably its daemon or machine is down, or its cables";
    }

    private static void AddHeldOut(GetStatusResponse status, List<string> sentences)
    {
        foreach (var node in status.Nodes.Where(static node => node.State == NodeState.HeldOut))
            sentences.Add($"{node.Name} can be reached but is not a member for {Durations.Age(node.SinceMs)}: " +
                "it is joining, is kept out, or not every member hears it.");
    }

    private static void AddLinks(GetStatusResponse status, List<string> sentences)
    {
        var broken = status.Nodes.Where(static node => node.State != NodeState.Unreachable)
            .SelectMany(static node => node.Links.Where(static link => link.State is LinkState.Down or LinkState.OneWay)
                .Select(link => (Node: node, Link: link))).ToList();
        foreach (var (node, link) in broken.Take(LinkSentencesMax))
            sentences.Add(link.State == LinkState.Down
                ? $"link {link.Name} to {node.Name} is down{Heard(link)}."
                : $"link {link.Name} to {node.Name} is one-way: {OneWay(status.NodeName, node.Name, link)}. Usually a firewall or a wrong port.");
        if (broken.Count > LinkSentencesMax)
            sentences.Add($"{broken.Count - LinkSentencesMax} more links are not up.");
    }

    private static string OneWay(string self, string peer, LinkStatus link) => link.HeardByPeer && !link.Hears
        ? $"{self} does not hear {peer}, but {peer} hears {self}"
        : $"{peer} does not hear {self}, but {self} hears {peer}";

    private static string Heard(LinkStatus link) =>
        link.LastHeardMs < 0 ? " and was never heard" : $", last heard {Durations.Age(link.LastHeardMs)} ago";

    private static string Sentence(string text) => text.EndsWith('.') ? text : text + ".";
}
