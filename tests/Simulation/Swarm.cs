using Membership.Links;
using Membership.Virtual;

namespace Membership.Simulation;

/// <summary>What one run is like. Drawn from its seed: most runs have a few kinds of trouble, not all of them (swarm testing).</summary>
public sealed partial record Swarm
{
    /// <summary>Faults stop here at the latest; then the cluster has to come together.</summary>
    public static readonly TimeSpan FaultyTime = TimeSpan.FromSeconds(70);

    public required WorldOptions World { get; init; }

    public required NetworkOptions Network { get; init; }

    /// <summary>The faults that this run uses.</summary>
    public required IReadOnlyList<StepKind> Kinds { get; init; }

    /// <summary>Mean time between two faults, in nanoseconds.</summary>
    public required long FaultEvery { get; init; }

    /// <summary>Messages a second, over all nodes.</summary>
    public required double Rate { get; init; }

    public required double SafeShare { get; init; }

    /// <summary>Share of messages of several frames, to 200 KB.</summary>
    public required double LargeShare { get; init; }

    /// <summary>Sessions at a time on each node.</summary>
    public const int Sessions = Host.Sessions;

    /// <summary>Groups they share.</summary>
    public const int Groups = 4;

    /// <summary>What sessions do, a second, over all nodes.</summary>
    public required double GroupRate { get; init; }

    public required bool HasDrift { get; init; }

    /// <summary>Real AES-GCM instead of the keyed hash.</summary>
    public required bool HasRealCipher { get; init; }

    public static Swarm Draw(ulong seed, int nodes)
    {
        var random = new SeededRandom(seed).Fork(7);
        var isFast = random.Chance(0.3);
        var hop = random.Chance(0.6) ? 2_000_000 : (long)random.LogBetween(100_000, isFast ? 4_000_000 : 10_000_000);
        return WithQuorum(new Swarm
        {
            World = new WorldOptions
            {
                Nodes = nodes,
                Links = random.Chance(0.5) ? 1 : random.Chance(0.7) ? 2 : 3,
                Policy = (LinkPolicy)random.Next(3),
                Token = TimeSpan.FromMilliseconds(isFast ? 250 : 1000),
                Consensus = TimeSpan.FromMilliseconds(isFast ? 300 : 1200),
                LinkDown = TimeSpan.FromMilliseconds(isFast ? 150 : 600),
                PostTokenBytes = random.Chance(0.5) ? 0 : (int)random.Between(2_000, 100_000),
                ShufflesTies = random.Chance(0.3),
                Votes = random.Chance(0.8) ? [] : [.. Enumerable.Range(0, nodes).Select(_ => (ulong)random.Next(3))],
            },
            Network = new NetworkOptions
            {
                Hop = hop,
                Jitter = random.Chance(0.5) ? 0 : hop / 2,
                Loss = random.Chance(0.5) ? 0 : random.LogBetween(0.0005, random.Chance(0.2) ? 0.2 : 0.03),
                Duplication = random.Chance(0.6) ? 0 : random.LogBetween(0.001, 0.2),
                Reordering = random.Chance(0.6) ? 0 : random.LogBetween(0.001, 0.2),
                ReorderBy = random.Between(hop, isFast ? 20_000_000 : 100_000_000),
                Corruption = random.Chance(0.7) ? 0 : random.LogBetween(0.0005, 0.02),
                Replay = random.Chance(0.7) ? 0 : random.LogBetween(0.001, 0.1),
                Unreachable = random.Chance(0.3) ? 0 : random.NextDouble(),
                PathBytes = random.Chance(0.5) ? 1472 : 8952,
            },
            Kinds = WithCutAtInstall(DrawKinds(random), new SeededRandom(seed).Fork(10)),
            FaultEvery = (long)random.LogBetween(0.7e9, 12e9),
            Rate = random.Chance(0.1) ? 2 : random.LogBetween(10, 150),
            SafeShare = random.Chance(0.3) ? 0.5 : random.NextDouble(),
            LargeShare = random.Chance(0.5) ? 0 : random.LogBetween(0.002, 0.03),
            GroupRate = new SeededRandom(seed).Fork(11).LogBetween(2, 40),
            HasDrift = random.Chance(0.5),
            HasRealCipher = random.Chance(0.1),
        }, seed);
    }

    private static List<StepKind> DrawKinds(SeededRandom random)
    {
        var share = random.LogBetween(0.1, 0.9);
        var kinds = Timed.Where(_ => random.Chance(share)).ToList();
        return kinds.Count > 0 ? kinds : [Timed[random.Next(Timed.Length)]];
    }

    /// <summary>Faults that come at a time of their own.</summary>
    private static readonly StepKind[] Timed = [.. Plan.Faults.Where(kind => kind is not (StepKind.CutAtInstall or StepKind.LastFramesLost))];

    /// <summary>Some runs meet every recovery with the next fault while some members are through and others are not, and leave gaps behind by what reached nobody.</summary>
    private static List<StepKind> WithCutAtInstall(List<StepKind> kinds, SeededRandom random)
    {
        if (!random.Chance(0.2)) return kinds;
        kinds.AddRange(StepKind.CutAtInstall, StepKind.LastFramesLost, StepKind.LastFramesLost);
        return kinds;
    }
}
