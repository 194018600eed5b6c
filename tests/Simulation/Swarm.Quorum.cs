using Membership.Links;
using Membership.Quorum;
using Membership.Virtual;

namespace Membership.Simulation;

/// <content>How quorum is decided in a run, and what operators do about it.</content>
public sealed partial record Swarm
{
    private const int VotesAsked = 3;

    /// <summary>Mean time between two changes that operators ask for, in nanoseconds; null: none do.</summary>
    public long? QuorumChangeEvery { get; init; }

    /// <summary>I29 holds in every instant for a majority of fixed votes; where votes change, a node that does not yet know that it was left behind may
    /// still call itself quorate beside those who went on (docs/operating/quorum.md).</summary>
    public bool HasOneQuorateSide => QuorumChangeEvery is null && World.Quorum is null or { Mode: QuorumMode.Majority, AllowDownscale: false, TieBreaker: TieBreakerKind.None };

    /// <summary>I31 holds whatever votes do, but for a node that lost the disk on which its changed votes were (docs/operating/quorum.md).</summary>
    public bool HasExclusiveTimes => HasOneQuorateSide || !Kinds.Contains(StepKind.CrashWithoutDisk);

    /// <summary>Clocks drift as far as leases allow for (QuorumOptions.ClockMargin), not as quartz does.</summary>
    public bool HasWildClocks { get; init; }

    /// <summary>Two clocks of which one is fast and one slow by this differ by almost an eighth.</summary>
    private const int WildDriftPpm = 58_000;

    /// <summary>The drift of a clock in millionths, from that of a quartz.</summary>
    public long DriftOf(long quartzPpm) => HasWildClocks ? Math.Sign(quartzPpm) * WildDriftPpm : quartzPpm;

    private static Swarm WithQuorum(Swarm swarm, ulong seed)
    {
        var random = new SeededRandom(seed).Fork(12);
        var nodes = swarm.World.Nodes;
        var plain = new QuorumOptions
        {
            Self = new NodeId(1),
            Voters = [.. Enumerable.Range(1, nodes).Select(i => new Voter(new NodeId((ushort)i), random.Chance(0.8) ? 1UL : (ulong)random.Between(0, VotesAsked)))],
            WaitForAll = random.Chance(0.3),
        };
        if (plain.Voters.All(voter => voter.Votes == 0)) plain = plain with { Voters = [.. plain.Voters.Select(voter => voter with { Votes = 1 })] };
        var quorum = random.Next(8) switch
        {
            0 => plain with { Mode = QuorumMode.LastManStanding, LastManStandingWindow = TimeSpan.FromSeconds(random.LogBetween(0.1, 10)), TieBreaker = random.Chance(0.5) ? TieBreakerKind.Highest : TieBreakerKind.None },
            1 => plain with { TieBreaker = TieBreakerKind.Lowest },
            2 => plain with { AllowDownscale = true },
            3 => plain with { TieBreaker = TieBreakerKind.List, TieBreakerNodes = [plain.Voters[^1].Node, plain.Voters[0].Node], TrackExpectedVotes = true },
            _ => plain,
        };
        return swarm with
        {
            HasWildClocks = new SeededRandom(seed).Fork(14).Chance(0.7),
            World = swarm.World with { Quorum = quorum },
            QuorumChangeEvery = random.Chance(0.3) ? (long)random.LogBetween(0.5e9, 10e9) : null,
        };
    }

    /// <summary>Operators set votes at nodes that are awake, until the faults end.</summary>
    internal void ScheduleQuorumChanges(World world, ulong seed)
    {
        if (QuorumChangeEvery is not { } every) return;
        var random = new SeededRandom(seed).Fork(13);
        for (var at = (double)every; at < FaultyTime.TotalNanoseconds; at += -Math.Log(1 - random.NextDouble()) * every)
        {
            var host = world.Hosts[random.Next(world.Hosts.Count)];
            var node = world.Nodes[random.Next(world.Hosts.Count)];
            QuorumChange change = random.Chance(0.8)
                ? new QuorumChange.SetVotes(node, (ulong)random.Between(0, VotesAsked))
                : new QuorumChange.SetExpected((ulong)random.Between(1, 2 * world.Hosts.Count));
            world.At((long)at, () => AskForChange(host, change));
        }
    }

    // Lowering expected votes without quorum is an operator's word that the others do not run, and here they do.
    private static void AskForChange(Host host, QuorumChange change)
    {
        if (change is QuorumChange.SetVotes || host.Node is { Quorum.IsQuorate: true }) host.ChangeQuorum(change);
    }
}
