using System.Diagnostics;
using Membership.Namespaces;
using Membership.V1;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>Two nodes, or four, and a witness on a third site, with real daemons: one side goes on, whatever is cut, killed or started anew.</summary>
public class WitnessTests(ITestOutputHelper output) : QuorumTest(output)
{
    /// <summary>A witness without a past waits one lease and one settling time, then a node must ask.</summary>
    private static readonly TimeSpan FirstGrantLimit = TimeSpan.FromSeconds(25);

    /// <summary>The other side must wait for the whole lease and the settling time.</summary>
    private static readonly TimeSpan TakeOverLimit = TimeSpan.FromSeconds(25);

    /// <summary>Four nodes, and the votes of all of them less one.</summary>
    private const ulong LastManVotes = 7;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    /// <summary>At most one; removed before the cluster's network is.</summary>
    private readonly List<WitnessFixture> _witnesses = [];

    private WitnessFixture Witness => _witnesses[0];

    [RootFact]
    public async Task When_the_nodes_lose_each_other_exactly_one_goes_on_and_they_join_again()
    {
        await StartWithWitnessAsync();

        Cluster.Network.Split([1], [2]);
        await SettledAsync(quorate: [1], stopped: [2]);

        Says(1, Quorate, missing: ["n2"]);
        Says(2, NotQuorate, missing: ["n1"]);
        Assert.True((await VerdictAsync(1)).Witness is { Granted: true, Connected: true, Epoch: > 0, LeaseMs: > 0 });
        Assert.True((await VerdictAsync(2)).Witness is { Granted: false, Connected: true });
        Cluster.Network.Heal();
        await SettledAsync(quorate: [1, 2], stopped: []);
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task A_node_whose_partner_crashed_goes_on_at_once()
    {
        await StartWithWitnessAsync();

        Node(1).Daemon.Kill();
        await Eventually.HoldsAsync("node 2 quorate alone", SettleLimit, () => Recorders[1].Current is { Quorate: true, View.Members.Count: 1 });

        Says(2, Quorate, missing: ["n1"]);
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task A_tie_breaker_that_was_started_anew_and_is_alone_does_not_take_the_votes_from_the_other()
    {
        await StartWithWitnessAsync();
        Node(1).Daemon.Kill();
        await Eventually.HoldsAsync("node 2 quorate alone", SettleLimit, () => Recorders[1].Current is { Quorate: true, View.Members.Count: 1 });

        Cluster.Network.Split([1], [2]);
        await Node(1).Daemon.ExitAsync(SettleLimit);
        Node(1).Start();
        await Eventually.HoldsAsync("the witness's refusal at node 1", FirstGrantLimit, () => Node(1).Daemon.Log.Contains("refused", StringComparison.Ordinal));
        await HoldsForAsync(WitnessFixture.Lease * 2, "node 2 quorate and node 1 not", () => Recorders[1].Current?.Quorate == true && Recorders[0].Current?.Quorate != true);

        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task Whoever_loses_the_witness_stops_at_the_end_of_the_lease_and_only_then_the_other_begins()
    {
        await StartWithWitnessAsync();
        Cluster.Network.Split([1], [2]);
        await SettledAsync(quorate: [1], stopped: [2]);

        Cluster.Network.Separate(1, WitnessFixture.Host);
        await SettledAsync(quorate: [2], stopped: [1], TakeOverLimit);

        Assert.Contains(Node(1).Daemon.Lines, line => line.Text.Contains("ended without renewal", StringComparison.Ordinal));
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task Without_the_witness_both_go_on_while_they_have_each_other_and_stop_when_they_have_not()
    {
        await StartWithWitnessAsync();

        Witness.Process.Kill();
        await Eventually.HoldsAsync("nodes without the witness's vote, but quorate", TakeOverLimit, () => Recorders.All(recorder => recorder.Current is { Quorate: true, Votes: 2 }));
        await HoldsForAsync(WitnessFixture.Lease, "both quorate", () => Recorders.All(recorder => recorder.Current?.Quorate == true));
        Cluster.Network.Split([1], [2]);
        await SettledAsync(quorate: [], stopped: [1, 2]);

        Witness.Start();
        await SettledAsync(quorate: [1], stopped: [2], TakeOverLimit);
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task A_witness_that_was_started_anew_with_its_disk_goes_on_with_whom_it_had_before()
    {
        await StartWithWitnessAsync();
        Cluster.Network.Split([1], [2]);
        await SettledAsync(quorate: [1], stopped: [2]);
        var before = (await VerdictAsync(1)).Witness.Epoch;

        Witness.Process.Kill();
        await Witness.Process.ExitAsync(SettleLimit);
        Witness.Start();
        await HoldsForAsync(WitnessFixture.Lease * 2, "node 1 quorate and node 2 not", () => Recorders[0].Current?.Quorate == true && Recorders[1].Current?.Quorate == false);

        Assert.Equal(before, (await VerdictAsync(1)).Witness.Epoch);
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task Of_two_halves_of_four_nodes_last_man_standing_gives_all_its_votes_to_one_and_nothing_to_the_other()
    {
        await StartWithWitnessAsync(nodes: 4, "lms", LastManVotes);

        Cluster.Network.Split([1, 2], [3, 4]);
        await SettledAsync(quorate: [1, 2], stopped: [3, 4], TakeOverLimit);

        Says(2, Quorate, missing: ["n3", "n4"]);
        Says(3, NotQuorate, missing: ["n1", "n2"]);
        Assert.True((await VerdictAsync(1)).Witness is { Granted: true, Algorithm: "lms", Votes: 3 });
        Assert.True((await VerdictAsync(4)).Witness is { Granted: false, Connected: true });
        Cluster.Network.Heal();
        await SettledAsync(quorate: [1, 2, 3, 4], stopped: [], TakeOverLimit);
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task Of_three_and_one_last_man_standing_prefers_the_three_and_goes_on_with_the_last_of_them_and_then_with_the_one()
    {
        await StartWithWitnessAsync(nodes: 4, "lms", LastManVotes);

        Cluster.Network.Split([1], [2, 3, 4]);
        await SettledAsync(quorate: [2, 3, 4], stopped: [1], TakeOverLimit);
        Says(1, NotQuorate, missing: ["n2", "n3", "n4"]);

        Node(3).Daemon.Kill();
        Node(4).Daemon.Kill();
        await Eventually.HoldsAsync("node 2 quorate alone", TakeOverLimit, () => Recorders[1].Current is { Quorate: true, View.Members.Count: 1 });
        Assert.False(Recorders[0].Current?.Quorate);

        Node(2).Daemon.Kill();
        await Eventually.HoldsAsync("node 1 quorate, who was alone all the time", TakeOverLimit, () => Recorders[0].Current is { Quorate: true, View.Members.Count: 1 });
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task A_node_with_the_certificate_of_another_does_not_start()
    {
        Prepare(new ClusterPlan { Nodes = 2, Strangers = 1, Quorum = WitnessFixture.Quorum });
        using var witness = new WitnessFixture(Cluster);
        Node(1).ConfigurationPath = Node(2).ConfigurationPath;

        Node(1).Start();

        Assert.Equal(78, await Node(1).Daemon.ExitAsync(SettleLimit));
        Assert.Contains("membership://e2e/node/n1", Node(1).Daemon.Log, StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    protected override void BeforeCluster()
    {
        foreach (var witness in _witnesses)
        {
            Output.WriteLine(witness.Log);
            witness.Dispose();
        }
    }

    private async Task StartWithWitnessAsync(int nodes = 2, string algorithm = "ffsplit", ulong votes = 3)
    {
        Prepare(new ClusterPlan { Nodes = nodes, Strangers = 1, Quorum = WitnessFixture.QuorumBy(algorithm) });
        _witnesses.Add(new WitnessFixture(Cluster));
        Witness.Start();
        Record();
        foreach (var node in Cluster.Nodes) node.Start();
        await Eventually.HoldsAsync($"{nodes} nodes quorate with the witness's votes", FirstGrantLimit, () => Recorders.All(recorder => recorder.Current is { Quorate: true } verdict && verdict.Votes == votes),
            () => string.Join("; ", Recorders.Select(recorder => recorder.Current?.Reason)));
    }

    private async Task<V1.Quorum> VerdictAsync(int node) => (await Node(node).Api.Quorum.GetQuorumAsync(new GetQuorumRequest())).Quorum;

    private static async Task HoldsForAsync(TimeSpan time, string what, Func<bool> condition)
    {
        var from = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(from) < time)
        {
            Assert.True(condition(), $"no longer {what}");
            await Task.Delay(Look);
        }
    }
}
