using Membership.V1;

namespace Membership.Cli.Demo;

/// <summary>The faults of the whole cluster at one time, and what each node's test transport must do for them.</summary>
/// <param name="Minority">Nodes cut off from all others; empty: no split.</param>
/// <param name="OneWay">The first hears nothing of the second, which still hears the first; null: no one-way cut.</param>
/// <param name="Loss">Share of datagrams every node drops on arrival, 0 to 1.</param>
internal sealed record FaultPlan(IReadOnlyList<int> Minority, (int Deaf, int Unheard)? OneWay, double Loss)
{
    /// <summary>Nothing is wrong.</summary>
    public static FaultPlan None { get; } = new([], null, 0);

    /// <summary>Is anything wrong?</summary>
    public bool IsNone => Minority.Count == 0 && OneWay is null && Loss == 0;

    /// <summary>The rules for one node of a cluster of <paramref name="nodes"/>.</summary>
    public IReadOnlyList<Fault> Of(int node, int nodes)
    {
        var faults = new List<Fault>();
        for (var peer = 1; peer <= nodes; peer++)
        {
            if (peer != node && Minority.Contains(peer) != Minority.Contains(node)) faults.Add(Cut(peer, Direction.Unspecified));
        }

        if (OneWay is { } cut && cut.Deaf == node) faults.Add(Cut(cut.Unheard, Direction.In));
        if (Loss > 0) faults.Add(new Fault { Direction = Direction.In, Loss = Loss });
        return faults;
    }

    /// <summary>In words, for the screen.</summary>
    public string Describe(int nodes)
    {
        var parts = new List<string>();
        if (Minority.Count > 0)
        {
            var others = Enumerable.Range(1, nodes).Except(Minority);
            parts.Add($"split {DemoText.Nodes(others)} | {DemoText.Nodes(Minority)}");
        }

        if (OneWay is { } cut) parts.Add($"n{cut.Deaf} does not hear n{cut.Unheard}");
        if (Loss > 0) parts.Add($"{Loss:P0} loss everywhere");
        return parts.Count == 0 ? "none" : string.Join(", ", parts);
    }

    private static Fault Cut(int peer, Direction direction) => new() { Peer = (uint)peer, Direction = direction, Loss = 1 };
}
