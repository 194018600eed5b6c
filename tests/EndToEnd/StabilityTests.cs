using Membership.Namespaces;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>What the lan profile must survive without a view change. The minute-long versions are in bench/detect.</summary>
public class StabilityTests(ITestOutputHelper output) : ClusterTest(output)
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PauseLength = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan DeliveryLimit = TimeSpan.FromSeconds(10);
    private const int Seed = 7;

    [RootFact]
    public async Task Ten_percent_loss_under_load_changes_no_view_and_loses_no_message()
    {
        await StartAsync(new ClusterPlan { Nodes = 5 });
        var recorders = await Cluster.RecordAsync([.. Cluster.Nodes]);
        foreach (var node in Cluster.Nodes) Cluster.Network.Lose(node.Id, percent: 10);

        await UnderLoadAsync(recorders, () => Task.Delay(Look));
    }

    [RootFact]
    public async Task Pauses_of_300_ms_at_random_nodes_change_no_view_and_lose_no_message()
    {
        await StartAsync(new ClusterPlan { Nodes = 5 });
        var recorders = await Cluster.RecordAsync([.. Cluster.Nodes]);
        var random = new Random(Seed);

        await UnderLoadAsync(recorders, async () =>
        {
            for (var pauses = Look / (PauseLength * 2); pauses > 0; pauses--)
            {
                var daemon = Cluster.Nodes[random.Next(Cluster.Nodes.Count)].Daemon;
                daemon.Pause();
                await Task.Delay(PauseLength);
                daemon.Resume();
                await Task.Delay(PauseLength * random.NextDouble() * 2);
            }
        });
    }

    [RootFact]
    public async Task Half_of_all_datagrams_doubled_and_one_in_twenty_spoiled_change_no_view_and_lose_no_message()
    {
        await StartAsync(new ClusterPlan { Nodes = 5 });
        var recorders = await Cluster.RecordAsync([.. Cluster.Nodes]);
        foreach (var node in Cluster.Nodes)
        {
            Cluster.Network.Duplicate(node.Id, link: 0, percent: 50);
            Cluster.Network.Corrupt(node.Id, percent: 5);
        }

        await UnderLoadAsync(recorders, () => Task.Delay(Look / 2));

        Assert.All(await Task.WhenAll(Cluster.Nodes.Select(node => node.Api.GetStatusAsync())), status => Assert.NotEmpty(status.Dropped));
    }

    private async Task UnderLoadAsync(IReadOnlyList<RingRecorder> recorders, Func<Task> fault)
    {
        await using var one = new RingLoad(Node(1), perSecond: 300, sizeBytes: 300);
        await using var other = new RingLoad(Node(4), perSecond: 300, sizeBytes: 300);
        await fault();
        await one.StopAsync();
        await other.StopAsync();

        HistoryAssert.NoViewChange(recorders);
        Assert.Equal((one.Sent, null), (one.Delivered, one.Broken));
        Assert.Equal((other.Sent, null), (other.Delivered, other.Broken));
        await Eventually.HoldsAsync("all messages at each node", DeliveryLimit, () => recorders.All(recorder => recorder.MessageCount == one.Sent + other.Sent),
            () => $"{one.Sent + other.Sent} sent; {string.Join(", ", recorders.Select(recorder => recorder.MessageCount))}");
        HistoryAssert.Holds(recorders);
    }
}
