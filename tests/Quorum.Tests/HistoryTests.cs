using Membership.Links;
using Xunit.Abstractions;

namespace Membership.Quorum.Tests;

/// <summary>Thousands of drawn histories: splits, merges, crashes with stale or lost disks, clean leaves, changes of votes, a witness.</summary>
public sealed class HistoryTests(ITestOutputHelper output)
{
    /// <summary>What is allowed to happen in a history.</summary>
    /// <param name="Changes">Operators change votes and expected votes where there is quorum.</param>
    /// <param name="Overrides">Operators lower expected votes where there is none: excepted from I29 from then on.</param>
    /// <param name="LostDisks">How many different nodes may lose their state directory.</param>
    private sealed record Setting(string Name, int Nodes, Func<QuorumOptions, QuorumOptions> Options, bool Changes, bool Overrides, int LostDisks);

    private static readonly Setting[] Settings =
    [
        new("majority", 5, o => o, false, false, 5),
        new("majority, changes", 5, o => o, true, false, 0),
        new("majority, overrides", 4, o => o, true, true, 0),
        new("majority, wait for all", 3, o => o with { WaitForAll = true }, false, false, 3),
        new("weighted", 4, o => o with { Voters = [.. o.Voters.Select(v => v with { Votes = v.Node.Value })] }, true, false, 0),
        new("tie-breaker lowest", 4, o => o with { TieBreaker = TieBreakerKind.Lowest }, false, false, 1),
        new("tie-breaker highest, changes", 4, o => o with { TieBreaker = TieBreakerKind.Highest }, true, false, 0),
        new("tie-breaker list", 6, o => o with { TieBreaker = TieBreakerKind.List, TieBreakerNodes = [new NodeId(4), new NodeId(2)] }, false, false, 1),
        new("last man standing", 5, o => o with { Mode = QuorumMode.LastManStanding, LastManStandingWindow = TimeSpan.FromSeconds(1) }, false, false, 1),
        new("last man standing, tie-breaker, wait for all, changes", 4, o => o with { Mode = QuorumMode.LastManStanding, LastManStandingWindow = TimeSpan.FromMilliseconds(300), TieBreaker = TieBreakerKind.Lowest, WaitForAll = true }, true, false, 0),
        new("allow downscale", 5, o => o with { AllowDownscale = true }, false, false, 1),
        new("allow downscale to two, changes", 5, o => o with { AllowDownscale = true, ExpectedVotes = 2 }, true, false, 0),
        new("tracking", 3, o => o with { TrackExpectedVotes = true }, true, false, 0),
        new("witness ffsplit", 4, o => o with { Witness = WitnessAlgorithm.FiftyFiftySplit, WitnessVotes = 1 }, false, false, 4),
        new("witness lms", 3, o => o with { Witness = WitnessAlgorithm.LastManStanding, WitnessVotes = 2 }, false, false, 3),
        new("two nodes and a witness", 2, o => o with { Witness = WitnessAlgorithm.FiftyFiftySplit, WitnessVotes = 1 }, false, false, 2),
    ];

    public static TheoryData<string> Names => [.. Settings.Select(setting => setting.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Drawn_histories_have_one_quorate_side_and_one_verdict_per_place_of_the_order(string name)
    {
        var setting = Settings.Single(s => s.Name == name);
        var seeds = int.Parse(Environment.GetEnvironmentVariable("QUORUM_HISTORIES") ?? "150", System.Globalization.CultureInfo.InvariantCulture);
        var (primaries, changes) = (0, 0);
        for (var seed = 1; seed <= seeds; seed++)
        {
            try
            {
                var world = Run(setting, seed);
                primaries += world.Primaries;
                changes += world.Changes;
            }
            catch (Exception broken) when (broken is BrokenPromiseException or InvariantBrokenException)
            {
                Assert.Fail($"{name}, seed {seed}: {broken.Message}");
            }
        }

        output.WriteLine($"{name}: {seeds} histories, {primaries} primary views, {changes} changes done");
        Assert.True(primaries > seeds, "the histories show hardly any quorum");
    }

    private static HistoryWorld Run(Setting setting, int seed)
    {
        var random = new Random(seed * 7919);
        var voters = Enumerable.Range(1, setting.Nodes).Select(i => new Voter(new NodeId((ushort)i), 1)).ToList();
        QuorumOptions Options(NodeId self) => setting.Options(new QuorumOptions { Self = self, Voters = voters });
        Assert.Empty(QuorumValidator.Check(Options(new NodeId(1))));
        var world = new HistoryWorld(seed, setting.Nodes, Options);
        HashSet<HistoryNode> forgetful = [.. world.Nodes.OrderBy(_ => random.Next()).Take(setting.LostDisks)];
        foreach (var node in world.Nodes)
        {
            if (random.Next(4) != 0) world.Start(node);
        }

        for (var round = 0; round < 30; round++)
        {
            Disturb(world, setting, forgetful, random);
            var steps = random.Next(2) == 0 ? random.Next(30) : random.Next(400);
            for (var step = 0; step < steps; step++) world.Step();
        }

        End(world, setting);
        return world;
    }

    private static void Disturb(HistoryWorld world, Setting setting, HashSet<HistoryNode> forgetful, Random random)
    {
        foreach (var node in world.Nodes)
        {
            if (node.Core is null && random.Next(3) == 0) world.Start(node);
            else if (node.Core is not null && random.Next(10) == 0)
            {
                node.SaidGoodbye = random.Next(2) == 0;
                world.Stop(node, forgetful.Contains(node) && random.Next(2) == 0);
            }
        }

        if (setting.Changes && random.Next(2) == 0) AskForChange(world, setting, random);
        var sides = random.Next(3) switch { 0 => 1, 1 => 2, _ => 3 };
        var groups = Enumerable.Range(0, sides).Select(_ => new List<HistoryNode>()).ToList();
        foreach (var node in world.Running) groups[random.Next(sides)].Add(node);
        world.Split([.. groups.Where(group => group.Count > 0).Select(group => group.ToArray())]);
    }

    private static void AskForChange(HistoryWorld world, Setting setting, Random random)
    {
        var node = world.Nodes[random.Next(world.Nodes.Count)];
        if (node.Core is null) return;
        var isOverride = !node.Core.State.IsQuorate;
        switch (random.Next(3))
        {
            case 0:
                node.Change(new QuorumChange.SetVotes(new NodeId((ushort)(1 + random.Next(setting.Nodes))), (ulong)random.Next(4)));
                break;
            case 1 when setting.Overrides || !isOverride:
                world.ChecksUniqueness &= !isOverride;
                node.Change(new QuorumChange.SetExpected((ulong)(1 + random.Next(setting.Nodes + 2))));
                break;
            default:
                node.Change(new QuorumChange.CancelWaitForAll());
                break;
        }
    }

    /// <summary>All run, all see each other, all is quiet: there is quorum, nothing is unfinished, every change has its answer.</summary>
    private static void End(HistoryWorld world, Setting setting)
    {
        foreach (var node in world.Nodes)
        {
            if (node.Core is null) world.Start(node);
        }

        world.Split([[.. world.Nodes]]);
        world.Quiesce();
        foreach (var node in world.Nodes)
        {
            var state = node.Core!.State;
            if (state.IsSynchronizing) throw new BrokenPromiseException($"node {node.Id} synchronizes for ever\n{string.Join('\n', world.Trace.TakeLast(40))}");
            if (!setting.Overrides && !state.IsQuorate && !world.HasWitness) throw new BrokenPromiseException($"all nodes are together, and node {node.Id} has no quorum: {state.Reason}\n{string.Join('\n', world.Trace.TakeLast(60))}");
            if (state.IsQuorate && node.Durable is not { Pending.Count: 0, Terms.Out.Count: 0 }) throw new BrokenPromiseException($"node {node.Id} has unfinished terms: {node.Durable}");
            if (node.Done.Count != node.Asked) throw new BrokenPromiseException($"node {node.Id} asked for {node.Asked} changes, {node.Done.Count} ended\n{string.Join('\n', world.Trace.TakeLast(60))}");
        }
    }
}
