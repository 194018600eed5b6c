using System.Text;
using Grpc.Core;
using Membership.Namespaces;
using Membership.V1;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>A cluster comes together and orders messages.</summary>
public class FormationTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const int MessagesPerNode = 3334;
    private const int MessageBytesMax = 16 * 1024 * 1024;
    private static readonly TimeSpan DeliveryLimit = TimeSpan.FromSeconds(30);

    [RootFact]
    public async Task Three_daemons_form_one_quorate_view_over_two_links()
    {
        var view = await StartAsync(new ClusterPlan { Links = 2 });

        Assert.Equal([1u, 2u, 3u], view.Members.Select(member => member.Node));
        Assert.False(view.Transitional);
        await Eventually.HoldsAsync("all links up at all nodes and a quorate, healthy cluster", TimeSpan.FromSeconds(5), async () =>
        {
            var statuses = await Task.WhenAll(Cluster.Nodes.Select(node => node.Api.GetStatusAsync()));
            return statuses.All(status => status is { State: ClusterState.Healthy, Quorate: true, Votes: 3 }
                && status.Nodes.SelectMany(node => node.Links).Count(link => link.State == LinkState.Up) == 4);
        });
    }

    [RootFact]
    public async Task Ten_thousand_messages_from_all_nodes_arrive_everywhere_once_and_in_one_order()
    {
        await StartAsync();
        var recorders = await Cluster.RecordAsync([.. Cluster.Nodes]);

        var receipts = await Task.WhenAll(Cluster.Nodes.Select(node =>
            node.Api.SendAsync([.. Enumerable.Range(0, MessagesPerNode).Select(number => Encoding.ASCII.GetBytes($"{node.Name} {number}"))])));
        var wanted = MessagesPerNode * Cluster.Nodes.Count;
        await Eventually.HoldsAsync($"{wanted} messages at each node", DeliveryLimit, () => recorders.All(recorder => recorder.MessageCount >= wanted),
            () => string.Join(", ", recorders.Select(recorder => recorder.MessageCount)));

        Assert.All(receipts.SelectMany(all => all), receipt => Assert.Equal("", receipt.Failure));
        foreach (var recorder in recorders)
        {
            Assert.Equal(Places(recorders[0]), Places(recorder));
            Assert.Equal(wanted, Places(recorder).Distinct().Count());
        }

        HistoryAssert.Holds(recorders);
    }

    [RootFact]
    public async Task A_message_above_the_limit_is_refused_definitely_and_the_largest_one_arrives()
    {
        await StartAsync();
        var recorders = await Cluster.RecordAsync([.. Cluster.Nodes]);

        var largest = await Node(1).Api.SendAsync([new byte[MessageBytesMax]]);
        var error = await Record.ExceptionAsync(async () =>
        {
            var receipts = await Node(1).Api.SendAsync([new byte[MessageBytesMax + 1]]);
            Assert.NotEqual("", Assert.Single(receipts).Failure);
        });

        Assert.Equal("", Assert.Single(largest).Failure);
        Assert.True(error is null or RpcException { StatusCode: StatusCode.ResourceExhausted or StatusCode.InvalidArgument or StatusCode.OutOfRange }, $"{error}");
        await Eventually.HoldsAsync("the largest message at each node", DeliveryLimit, () => recorders.All(recorder => recorder.MessageCount == 1));
        Assert.All(recorders, recorder => Assert.Equal((uint)MessageBytesMax, recorder.Messages[0].Event.Message.Size));
    }

    private static List<(string, ulong, uint, uint, ulong)> Places(RingRecorder recorder) =>
        [.. recorder.Messages.Select(item => (item.RingId, item.Event.Message.Seq, item.Event.Message.Index, item.Event.Message.Sender, item.Event.Message.Counter))];
}
