using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Checks;

/// <summary>What a running daemon's status and verdict say about the health of the cluster. Pure.</summary>
internal static class ClusterFindings
{
    /// <summary>A path that passes less than this many bytes is told: an Ethernet passes 1472.</summary>
    public const uint DatagramBytesExpected = 1372;

    /// <summary>Everything but quorum.</summary>
    public static IEnumerable<Finding> Of(GetStatusResponse status) =>
        [Nodes(status), Links(status), PathMtu(status), Versions(status), Keys(status), Digests(status), .. FaultInjection(status)];

    /// <summary>The verdict of quorum.</summary>
    public static Finding Quorum(Quorum quorum)
    {
        var text = quorum.Reason.Length > 0 ? quorum.Reason : $"{quorum.Votes} of {quorum.VotesExpected} votes, need {quorum.VotesNeeded}";   // the reason has the votes in it
        return quorum.Quorate ? Finding.Good("quorum", text) : Finding.Bad("quorum", $"not quorate: {text}", "see mbr quorum status and mbr link matrix");
    }

    /// <summary>What the file would change in the running daemon.</summary>
    public static Finding Drift(ReloadResponse answer)
    {
        if (answer.Mistakes.Count > 0)
            return Finding.Bad("drift", $"the daemon's configuration file has {answer.Mistakes.Count} mistakes now; line {answer.Mistakes[0].Line}: {answer.Mistakes[0].Message}", "mbr config check; the daemon would not start again");
        if (answer.Differences.Count == 0)
            return Finding.Good("drift", "the daemon runs with what its configuration file says");
        var names = string.Join(", ", answer.Differences.Select(static each => each.What));
        return Finding.Warning("drift", $"the configuration file differs from what runs: {names}",
            answer.Differences.Any(static each => each.NeedsRestart) ? "restart the daemon when that is meant, one node at a time" : "kill -HUP the daemon, or systemctl reload membershipd");
    }

    private static Finding Nodes(GetStatusResponse status)
    {
        var missing = status.Nodes.Where(static node => node.State != NodeState.Member).ToList();
        return missing.Count == 0
            ? Finding.Good("nodes", $"all {status.Nodes.Count} nodes are members")
            : Finding.Warning("nodes", $"not members: {string.Join(", ", missing.Select(static node => $"{node.Name} (for {Durations.Age(node.SinceMs)})"))}", "see mbr status; run mbr doctor there");
    }

    private static Finding Links(GetStatusResponse status)
    {
        var result = ClusterChecks.Links(status, 1, null);
        return result.State == CheckState.Ok ? Finding.Good("links", result.Message) : Finding.Warning("links", result.Message, "see mbr link list, cables and firewalls");
    }

    private static Finding PathMtu(GetStatusResponse status)
    {
        var small = status.Nodes.SelectMany(static node => node.Links.Where(static link => link is { State: LinkState.Up, DatagramBytes: > 0 and < DatagramBytesExpected })
            .Select(link => $"{node.Name}/{link.Name} {link.DatagramBytes} B")).ToList();
        return small.Count == 0
            ? Finding.Good("mtu", "every link passes full datagrams")
            : Finding.Warning("mtu", $"less than {DatagramBytesExpected} bytes pass to {string.Join(", ", small)}", "look for a tunnel or a wrong MTU on the way (tracepath ADDRESS)");
    }

    private static Finding Versions(GetStatusResponse status)
    {
        var known = status.Nodes.Select(node => (node.Name, Version: node.Node == status.Node ? status.Version : node.Version)).Where(static each => each.Version.Length > 0).ToList();
        return known.Select(static each => each.Version).Distinct().Count() <= 1
            ? Finding.Good("versions", $"{known.Count} of {status.Nodes.Count} nodes are known to run {status.Version}")
            : Finding.Warning("versions", string.Join(", ", known.Select(static each => $"{each.Name} {each.Version}")), "bring all nodes to one version");
    }

    private static Finding Keys(GetStatusResponse status)
    {
        var (unknown, bad) = (status.Dropped.GetValueOrDefault("unknown_key"), status.Dropped.GetValueOrDefault("bad_tag"));
        return unknown + bad == 0
            ? Finding.Good("keys", "no datagram was sealed with another key")
            : Finding.Warning("keys", $"datagrams dropped since the start: {unknown} with an unknown key, {bad} with a wrong seal", "compare the key files of all nodes (sha256sum); SIGHUP reads them again");
    }

    private static Finding Digests(GetStatusResponse status)
    {
        var differs = status.Dropped.GetValueOrDefault("configuration_differs");
        return differs == 0
            ? Finding.Good("digests", "no other node came with another configuration")
            : Finding.Warning("digests", $"{differs} handshakes were refused because the other node has another cluster or configuration", "compare mbr config show --effective on all nodes (config_digest)");
    }

    private static IEnumerable<Finding> FaultInjection(GetStatusResponse status)
    {
        if (status.FaultInjection)
            yield return Finding.Warning("faults", "the daemon was started with --allow-fault-injection", "start it without, in production");
    }
}
