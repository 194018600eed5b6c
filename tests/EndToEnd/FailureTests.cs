using System.Text;
using Membership.Namespaces;
using Membership.V1;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>Processes end, on purpose or not, and come back.</summary>
/// <remarks>Limits are what must happen on a busy machine; the promised times are measured by bench/detect.</remarks>
public class FailureTests(ITestOutputHelper output) : ClusterTest(output)
{
    /// <summary>token + consensus of the lan profile, plus half a second: the bound even where link evidence fails.</summary>
    private static readonly TimeSpan DetectionLimit = TimeSpan.FromMilliseconds(2700);

    private static readonly TimeSpan RestartLimit = TimeSpan.FromSeconds(8);
    private const int Repetitions = 3;
    private const int QueuedMessages = 10_000;

    [RootFact]
    public async Task A_killed_daemon_is_out_of_the_survivors_view_and_comes_back_after_a_restart()
    {
        await StartAsync(new ClusterPlan { Nodes = 5 });
        for (var i = 0; i < Repetitions; i++)
        {
            Node(3).Daemon.Kill();
            var view = await Cluster.OneViewAsync(DetectionLimit, NodesOf(1, 2, 4, 5));
            Assert.Equal([1u, 2u, 4u, 5u], view.Members.Select(member => member.Node));

            await Node(3).Daemon.ExitAsync(DetectionLimit);
            Node(3).Start();
            await Cluster.OneViewAsync(RestartLimit);
        }
    }

    [RootFact]
    public async Task A_stopped_daemon_leaves_cleanly_with_exit_code_0()
    {
        await StartAsync();

        Node(3).Daemon.Terminate();
        await Cluster.OneViewAsync(DetectionLimit, NodesOf(1, 2));

        Assert.Equal(0, await Node(3).Daemon.ExitAsync(DetectionLimit));
    }

    [RootFact]
    public async Task A_daemon_restarted_faster_than_its_death_can_be_noticed_comes_back_as_a_new_boot()
    {
        var before = await StartAsync();
        var recorders = await Cluster.RecordAsync(NodesOf(1, 2));

        Node(3).Daemon.Kill();
        await Node(3).Daemon.ExitAsync(DetectionLimit);
        Node(3).Start();
        await Eventually.HoldsAsync("a view with the new boot", RestartLimit, async () =>
            await Node(1).ViewAsync() is { } view && view.Members.Any(member => member.Node == 3 && member.Boot != BootOf(before, 3)));
        var after = await Cluster.OneViewAsync(RestartLimit);

        Assert.NotEqual(BootOf(before, 3), BootOf(after, 3));
        Assert.Equal(BootOf(before, 1), BootOf(after, 1));
        Assert.All(recorders, recorder => Assert.InRange(recorder.RegularViews.Count, 2, 3));
        HistoryAssert.Holds(recorders);
    }

    [RootFact]
    public async Task All_killed_and_restarted_find_one_view_with_a_higher_number()
    {
        var before = await StartAsync();

        foreach (var node in Cluster.Nodes) node.Daemon.Kill();
        foreach (var node in Cluster.Nodes) await node.Daemon.ExitAsync(DetectionLimit);
        foreach (var node in Cluster.Nodes) node.Start();
        var after = await Cluster.OneViewAsync(RestartLimit);

        Assert.True(after.Number > before.Number, $"{after.Number} after {before.Number}");
    }

    [RootFact]
    public async Task A_stop_with_ten_thousand_messages_under_way_loses_none()
    {
        await StartAsync();
        var survivors = await Cluster.RecordAsync(NodesOf(1, 2));

        var sending = Node(3).Api.TrySendAsync([.. Enumerable.Range(0, QueuedMessages).Select(number => Encoding.ASCII.GetBytes($"{number,64}"))]);
        await Eventually.HoldsAsync("the first messages", DetectionLimit, () => survivors[0].MessageCount > 0);
        Node(3).Daemon.Terminate();
        var (receipts, broken) = await sending;
        var code = await Node(3).Daemon.ExitAsync(RestartLimit);
        await Cluster.OneViewAsync(DetectionLimit, NodesOf(1, 2));

        // Nothing is unknown: what the survivors have was confirmed, what was confirmed the survivors have.
        var confirmed = receipts.Where(receipt => receipt.Failure.Length == 0).Select(receipt => receipt.Counter).Order().ToArray();
        Output.WriteLine($"{receipts.Count} receipts, {confirmed.Length} of them confirmations; survivors have {survivors[0].MessageCount}; {broken?.Status.Detail}");
        foreach (var refused in receipts.Where(receipt => receipt.Failure.Length > 0).GroupBy(receipt => (IsTaken: receipt.Counter > 0, receipt.Failure)))
            Output.WriteLine($"{refused.Count()} {(refused.Key.IsTaken ? "taken and then" : "")} refused: {refused.Key.Failure}");
        await Eventually.HoldsAsync("exactly the confirmed messages at each survivor", DetectionLimit, () =>
            survivors.All(survivor => survivor.Messages.Select(item => item.Event.Message.Counter).Order().SequenceEqual(confirmed)),
            () => $"{confirmed.Length} confirmed, {receipts.Count} receipts, survivors have {string.Join(", ", survivors.Select(survivor => survivor.MessageCount))}");
        Assert.DoesNotContain(receipts, receipt => receipt.Counter > 0 && receipt.Failure.Length > 0);
        Assert.Equal(0, code);
        HistoryAssert.Holds(survivors);
    }

    private static string BootOf(View view, uint node) => view.Members.Single(member => member.Node == node).Boot;
}
