using System.Text;
using Membership.Totem;
using Xunit;
using Xunit.Abstractions;

namespace Membership.Cpg.Tests;

/// <summary>Random histories of several nodes under all that EVS allows, judged by the invariant library (I33 to I40).</summary>
public sealed class ModelTests(ITestOutputHelper output)
{
    private const int Runs = 300;
    private const int Steps = 1000;

    private static readonly string[] Names = ["a", "b", "größe", "\U0001F980", "a b"];

    [Fact]
    public void No_history_breaks_an_invariant()
    {
        var first = Random.Shared.Next(1 << 30);
        output.WriteLine($"seeds {first} to {first + Runs - 1}");
        var total = new Tally();
        for (var seed = first; seed < first + Runs; seed++) total = total.Plus(Run(seed));
        output.WriteLine(total.ToString());

        Assert.True(total.Deliveries > 50 * Runs && total.Changes > 100 * Runs, $"too little happened: {total}");
        Assert.True(total.Synchronisations > Runs && total.Cut > Runs, $"too few views began with strangers: {total}");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Fixed_seeds_break_nothing(int seed) => Run(seed);

    private static Tally Run(int seed)
    {
        var random = new Random(seed);
        var count = random.Next(2, 6);
        var channel = new OrderedChannel(count, seed + 1);
        var all = Enumerable.Range(0, count).ToArray();
        var eager = random.NextDouble();
        var changeful = random.NextDouble() * random.NextDouble() * 0.05;
        channel.Form(all);
        for (var step = 0; step < Steps; step++)
        {
            if (random.NextDouble() < changeful) ChangeViews(channel, random);
            else Act(channel.Nodes[random.Next(count)], random, eager);
        }

        foreach (var position in all)
        {
            if (channel.Nodes[position].Ring is null) channel.Form([position]);
        }

        channel.Form(all);
        channel.Settle();
        channel.History.Finish(new Invariants.HistoryEnding { IsQuiesced = true });
        Assert.True(channel.History.Violations.Count == 0, $"seed {seed}: {string.Join('\n', channel.History.Violations)}");
        var counters = channel.Nodes.Select(node => node.Core.Counters).ToList();
        foreach (var error in Enum.GetValues<GroupError>().Except([GroupError.StaleJoinList, GroupError.NotSynchronised]))
            Assert.True(counters.TrueForAll(one => one.Dropped(error) == 0), $"seed {seed}: {error}");
        Assert.True(counters.TrueForAll(one => one.Ghosts == 0), $"seed {seed}: ghosts");
        return new Tally(
            channel.History.GroupDeliveries, channel.History.GroupChanges, counters.Sum(one => one.Synchronisations), counters.Sum(one => one.SynchronisationsCut),
            counters.Sum(one => one.Dropped(GroupError.NotSynchronised)), counters.Sum(one => one.Dropped(GroupError.StaleJoinList)));
    }

    private static void Act(ChannelNode node, Random random, double eager)
    {
        var slot = node.Slot(random.Next(6));
        switch (random.Next(20))
        {
            case 0: node.Join(node.Session(random.Next(3)), Names[random.Next(Names.Length)]); break;
            case 1: node.Leave(slot); break;
            case 2 when random.Next(6) == 0: node.EndSession(node.Session(random.Next(3))); break;
            case < 8: node.Send(slot, Encoding.UTF8.GetBytes($"{random.Next()}"), random.Next(2) == 0 ? DeliveryLevel.Safe : DeliveryLevel.Agreed); break;
            case < 13: node.OrderNext(); break;
            default:
                node.DeliverNext();
                while (random.NextDouble() < eager && node.DeliverNext())
                {
                }

                break;
        }
    }

    private static void ChangeViews(OrderedChannel channel, Random random)
    {
        while (random.Next(4) == 0) channel.Restart(random.Next(channel.Nodes.Count));
        var sides = random.Next(1, 4);
        var components = Enumerable.Range(0, channel.Nodes.Count).GroupBy(_ => random.Next(sides)).Select(side => side.ToArray()).ToList();
        if (random.Next(4) == 0)
        {
            // Only some install their view before the next one forms.
            foreach (var component in components) channel.FormPartly(component, [.. component.Where(_ => random.Next(2) == 0)]);
            var again = random.Next(1, 4);
            components = [.. Enumerable.Range(0, channel.Nodes.Count).GroupBy(_ => random.Next(again)).Select(side => side.ToArray())];
        }

        foreach (var component in components) channel.Form(component);
    }

    private readonly record struct Tally(long Deliveries, long Changes, long Synchronisations, long Cut, long NotSynchronised, long Stale)
    {
        public Tally Plus(Tally other) => new(
            Deliveries + other.Deliveries, Changes + other.Changes, Synchronisations + other.Synchronisations, Cut + other.Cut,
            NotSynchronised + other.NotSynchronised, Stale + other.Stale);
    }
}
