using System.Diagnostics;
using Membership.Namespaces;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>Clusters that fall apart: at most one side may act, each side knows which it is, and says who is missing.</summary>
public class SplitTests(ITestOutputHelper output) : QuorumTest(output)
{
    /// <summary>Five runtimes start at once; a busy machine takes long for that.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(45);

    private static readonly TimeSpan CutStep = TimeSpan.FromMilliseconds(100);

    [RootFact]
    public async Task Three_of_five_go_on_and_two_stop()
    {
        await StartAsync(new ClusterPlan { Nodes = 5 });
        Record();

        Cluster.Network.Split([1, 2, 3], [4, 5]);
        await SettledAsync(quorate: [1, 2, 3], stopped: [4, 5]);

        Says(1, Quorate, missing: ["n4", "n5"]);
        Says(4, NotQuorate, missing: ["n1", "n2", "n3"]);
        Cluster.Network.Heal();
        await SettledAsync(quorate: [1, 2, 3, 4, 5], stopped: []);
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task Of_two_halves_without_tie_breaker_none_goes_on()
    {
        await StartAsync(new ClusterPlan { Nodes = 4 });
        Record();

        Cluster.Network.Split([1, 2], [3, 4]);
        await SettledAsync(quorate: [], stopped: [1, 2, 3, 4]);

        Says(1, NotQuorate, missing: ["n3", "n4"]);
        Says(4, NotQuorate, missing: ["n1", "n2"]);
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task Of_two_halves_with_tie_breaker_the_one_with_the_lowest_node_goes_on()
    {
        await StartAsync(new ClusterPlan { Nodes = 4, Quorum = "{ mode: majority, tie_breaker: lowest }" });
        await SettledBeforeAsync(4);
        Record();

        Cluster.Network.Split([1, 3], [2, 4]);
        await SettledAsync(quorate: [1, 3], stopped: [2, 4]);

        Says(3, Quorate, missing: ["n2", "n4"]);
        Says(2, NotQuorate, missing: ["n1", "n3"]);
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task Of_three_parts_of_five_only_one_with_a_majority_goes_on()
    {
        await StartAsync(new ClusterPlan { Nodes = 5 });
        Record();

        Cluster.Network.Split([1, 2], [3, 4], [5]);
        await SettledAsync(quorate: [], stopped: [1, 2, 3, 4, 5]);
        Says(1, NotQuorate, missing: ["n3", "n4", "n5"]);
        Says(3, NotQuorate, missing: ["n1", "n2", "n5"]);
        Says(5, NotQuorate, missing: ["n1", "n2", "n3", "n4"]);
        Cluster.Network.Heal();
        await SettledAsync(quorate: [1, 2, 3, 4, 5], stopped: []);

        Cluster.Network.Split([1], [3], [2, 4, 5]);
        await SettledAsync(quorate: [2, 4, 5], stopped: [1, 3]);
        Says(5, Quorate, missing: ["n1", "n3"]);
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task Two_nodes_without_a_witness_both_stop_when_they_lose_each_other()
    {
        await StartAsync(new ClusterPlan { Nodes = 2 });
        Record();

        Cluster.Network.Split([1], [2]);
        await SettledAsync(quorate: [], stopped: [1, 2]);

        Says(1, NotQuorate, missing: ["n2"]);
        Says(2, NotQuorate, missing: ["n1"]);
        await NeverTwoSidesAsync();
    }

    [RootFact]
    public async Task Mode_two_node_makes_two_sides_as_its_configuration_says_and_the_recording_shows_them()
    {
        await StartAsync(new ClusterPlan { Nodes = 2, Quorum = "{ mode: two-node }" });
        await SettledBeforeAsync(2);
        Record();

        Cluster.Network.Split([1], [2]);
        await Eventually.HoldsAsync("both quorate alone", SettleLimit, () => Recorders.All(recorder => recorder.Current is { Quorate: true, View.Members.Count: 1 }));

        var told = await Assert.ThrowsAsync<Xunit.Sdk.XunitException>(NeverTwoSidesAsync);

        Assert.Matches("^two sides were quorate for [0-9.]+ ms: node (?<one>[12]) in \\S+ of \\k<one>/\\S+ \\(.+\\) from [0-9]+ and node (?!\\k<one>)(?<other>[12]) in \\S+ of \\k<other>/\\S+ \\(.+\\) from [0-9]+$", told.Message);
    }

    [RootFact]
    public Task A_cut_in_the_first_500_ms_of_a_start_never_makes_two_sides() => CutsDuringStartAsync(0, 5);

    [RootFact]
    public Task A_cut_between_500_and_1000_ms_of_a_start_never_makes_two_sides() => CutsDuringStartAsync(5, 10);

    [RootFact]
    public Task A_cut_between_1000_and_1500_ms_of_a_start_never_makes_two_sides() => CutsDuringStartAsync(10, 15);

    [RootFact]
    public Task A_cut_between_1500_and_2000_ms_of_a_start_never_makes_two_sides() => CutsDuringStartAsync(15, 20);

    [RootFact]
    public Task A_cut_between_2000_and_2500_ms_of_a_start_never_makes_two_sides() => CutsDuringStartAsync(20, 25);

    [RootFact]
    public Task A_cut_between_2500_and_3000_ms_of_a_start_never_makes_two_sides() => CutsDuringStartAsync(25, 31);

    /// <summary>Five daemons start; at each multiple of 100 ms the network is cut 3|2; the three must find quorum, the two must not, and never two sides.</summary>
    private async Task CutsDuringStartAsync(int first, int end)
    {
        Prepare(new ClusterPlan { Nodes = 5 });
        Record();
        for (var cut = first; cut < end; cut++)
        {
            var started = Stopwatch.GetTimestamp();
            foreach (var node in Cluster.Nodes) node.Start();
            var rest = (CutStep * cut) - Stopwatch.GetElapsedTime(started);
            if (rest > TimeSpan.Zero) await Task.Delay(rest);
            Cluster.Network.Split([1, 2, 3], [4, 5]);
            Output.WriteLine($"cut {cut * 100} ms after the start took effect within {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms of it");
            await SettledAsync(quorate: [1, 2, 3], stopped: [4, 5], StartLimit);

            foreach (var node in Cluster.Nodes) node.Daemon.Kill();
            foreach (var node in Cluster.Nodes) await node.Daemon.ExitAsync(SettleLimit);
            await Eventually.HoldsAsync("no verdict of a dead daemon", SettleLimit, () => Recorders.All(recorder => recorder.Current is null));
            Cluster.Network.Heal();
        }

        await NeverTwoSidesAsync();
    }
}
