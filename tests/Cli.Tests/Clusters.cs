using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>States of a cluster as a daemon reports them.</summary>
internal static class Clusters
{
    /// <summary>Five nodes, two links, seen from n2, all well for 3 h 12 min.</summary>
    public static GetStatusResponse Healthy()
    {
        const long age = ((3 * 60) + 12) * 60_000L;
        var status = Status(ClusterState.Healthy, self: 2, members: [1, 2, 3, 4, 5], age);
        foreach (var node in status.Nodes)
            Describe(node, NodeState.Member, age, node.Node == 2 ? [] : [Up("A", 180 + (node.Node * 10)), Up("B", 320)]);
        foreach (var node in status.Nodes) node.Groups = 10 + node.Node;
        status.Counters["rotation_ns"] = 175_400;
        return status;
    }

    /// <summary>Quorate without n3, and link B to n4 is down.</summary>
    public static GetStatusResponse Degraded()
    {
        var status = Status(ClusterState.Degraded, self: 2, members: [1, 2, 4, 5], 14_000);
        foreach (var node in status.Nodes)
            Describe(node, NodeState.Member, 14_000, node.Node == 2 ? [] : [Up("A", 200), Up("B", 300)]);
        Describe(status.Nodes[2], NodeState.Unreachable, 14_000, [Down("A", 14_000), Down("B", 14_000)]);
        Describe(status.Nodes[3], NodeState.Member, 14_000, [Up("A", 200), Down("B", 5_000)]);
        return status;
    }

    /// <summary>The minority of a split, seen from n4.</summary>
    public static GetStatusResponse NoQuorum()
    {
        var status = Status(ClusterState.NoQuorum, self: 4, members: [4, 5], 14_000);
        foreach (var node in status.Nodes)
            Describe(node, NodeState.Unreachable, 14_000, [Down("A", 14_000), Down("B", 14_000)]);
        Describe(status.Nodes[3], NodeState.Member, 14_000, []);
        Describe(status.Nodes[4], NodeState.Member, 14_000, [Up("A", 200), Up("B", 200)]);
        return status;
    }

    /// <summary>n1 does not hear n2 on its only link, n2 hears n1; between n2 and n3 n3 is deaf.</summary>
    public static GetStatusResponse OneWay()
    {
        var status = Status(ClusterState.Degraded, self: 1, members: [1, 3], 12_000, nodes: 3);
        var oneWay = new LinkStatus { Name = "A", State = LinkState.OneWay, Hears = false, HeardByPeer = true, LastHeardMs = 12_000, DatagramBytes = 1472 };
        Describe(status.Nodes[0], NodeState.Member, 12_000, []);
        Describe(status.Nodes[1], NodeState.HeldOut, 12_000, [oneWay]);
        Describe(status.Nodes[2], NodeState.Member, 12_000, [Up("A", 240)]);
        status.Nodes[1].Hears.Clear();
        status.Nodes[1].Hears.Add(3);
        status.Nodes[2].Hears.Clear();
        status.Nodes[2].Hears.Add(1);
        return status;
    }

    /// <summary>A view as a daemon sends it.</summary>
    public static View View(ulong revision, uint[] members, bool transitional = false, uint[]? joined = null, uint[]? left = null)
    {
        var id = $"{members[0]}.{41 + revision:x}.9f3c51d0";
        var view = new View
        {
            Id = transitional ? $"t:{id}/1.29.9f3c51d0" : id,
            Transitional = transitional,
            Number = 41 + revision,
            Previous = revision == 1 ? "" : "1.29.9f3c51d0",
            TNs = (long)revision * 1_000_000_000,
            Revision = revision,
        };
        view.Members.AddRange(members.Select(Member));
        view.Joined.AddRange((joined ?? []).Select(Member));
        view.Left.AddRange((left ?? []).Select(Member));
        return view;
    }

    public static ViewMember Member(uint node) => new() { Node = node, Name = $"n{node}", Boot = $"9f3c00000000000{node}" };

    private static GetStatusResponse Status(ClusterState state, uint self, uint[] members, long age, uint nodes = 5)
    {
        var needed = (nodes / 2) + 1;
        var quorate = members.Length >= needed;
        var status = new GetStatusResponse
        {
            Cluster = "web",
            State = state,
            Node = self,
            NodeName = $"n{self}",
            Version = "0.1.0",
            View = View(1, members),
            ViewSinceMs = age,
            Quorate = quorate,
            Votes = (ulong)members.Length,
            VotesNeeded = needed,
            VotesExpected = nodes,
            QuorumReason = $"{members.Length} of {nodes} votes, need {needed}",
            RingState = "operational",
            Profile = "lan",
            Boot = "9f3c000000000002",
            UptimeMs = 20_000_000,
            TNs = 21_000_000_000,
        };
        status.Counters.Add("tokens_received", 12345);
        status.Dropped.Add("bad_tag", 1);
        for (uint node = 1; node <= nodes; node++)
            status.Nodes.Add(new NodeStatus { Node = node, Name = $"n{node}", Votes = 1, Version = "0.1.0" });
        return status;
    }

    private static void Describe(NodeStatus node, NodeState state, long since, LinkStatus[] links)
    {
        node.State = state;
        node.SinceMs = since;
        node.Links.Clear();
        node.Links.AddRange(links);
        node.Hears.Clear();
        if (state == NodeState.Member)
            node.Hears.AddRange(Enumerable.Range(1, 5).Select(static other => (uint)other).Where(other => other != node.Node));
    }

    private static LinkStatus Up(string name, long rttUs) => new()
    {
        Name = name,
        State = LinkState.Up,
        RttUs = rttUs,
        Hears = true,
        HeardByPeer = true,
        DatagramBytes = 1472,
        LastHeardMs = 40,
    };

    private static LinkStatus Down(string name, long lastHeard) => new() { Name = name, State = LinkState.Down, LastHeardMs = lastHeard, Loss = 1 };
}
