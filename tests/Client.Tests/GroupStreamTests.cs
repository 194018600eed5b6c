using System.Globalization;
using System.Text;
using Xunit;

namespace Membership.Client.Tests;

public sealed class GroupStreamTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Many_messages_share_a_request_and_keep_the_order_of_sending()
    {
        const int count = 20_000;
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client(options => options with { GroupOutstandingMax = 500 });
        await using var group = await client.JoinAsync("orders");
        var reading = GroupReading.ReadAsync(group, count + 1, Patience);

        var receipts = new List<Task<GroupReceipt>>();
        for (int number = 0; number < count; number++)
        {
            receipts.Add(await group.PostAsync(Encoding.UTF8.GetBytes(number.ToString(CultureInfo.InvariantCulture))));
            Assert.True(client.GroupsOnTheirWay <= 500);
        }
        var places = await Task.WhenAll(receipts).WaitAsync(Patience);
        var seen = (await reading).OfType<GroupUpdate.Message>().ToList();

        Assert.Equal(Enumerable.Range(0, count).Select(number => number.ToString(CultureInfo.InvariantCulture)), seen.Select(message => message.Text));
        Assert.Equal(places.Select(place => place.Position), seen.Select(message => message.Position));
        Assert.True(daemon.Groups.SendRequests < count / 2, $"{daemon.Groups.SendRequests} requests for {count} messages");
    }

    [Fact]
    public async Task Sends_that_are_not_awaited_keep_their_order_also_when_they_stand_in_line()
    {
        const int count = 2000;
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client(options => options with { GroupOutstandingMax = 3 });
        await using var group = await client.JoinAsync("orders");

        var sends = Enumerable.Range(0, count).Select(number => group.SendAsync(Encoding.UTF8.GetBytes($"{number}"))).ToArray();
        var seen = await GroupReading.ReadAsync(group, count + 1, Patience);
        await Task.WhenAll(sends).WaitAsync(Patience);

        Assert.Equal(Enumerable.Range(0, count).Select(number => $"{number}"), seen.OfType<GroupUpdate.Message>().Select(message => message.Text));
    }

    [Fact]
    public async Task Daemons_window_of_messages_is_kept()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Groups.SendWindow = 2;
        daemon.Groups.Hold = new TaskCompletionSource();
        await using var client = daemon.Client();
        await using var group = await client.JoinAsync("orders");

        var sends = Enumerable.Range(0, 5).Select(_ => group.SendAsync(new byte[1])).ToArray();
        Assert.Equal(2, client.GroupsOnTheirWay);
        daemon.Groups.Hold.SetResult();

        await Task.WhenAll(sends).WaitAsync(Patience);
        Assert.Equal(5, daemon.Groups.Messages);
    }

    [Fact]
    public async Task Largest_message_passes()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        await using var group = await client.JoinAsync("orders");

        await group.SendAsync(new byte[16 << 20]).WaitAsync(Patience);
        var seen = await GroupReading.ReadAsync(group, 2, Patience);

        Assert.Equal(16 << 20, ((GroupUpdate.Message)seen[1]).Payload.Length);
    }

    [Fact]
    public async Task Reading_may_be_stopped_and_taken_up_again_but_not_by_two_at_once()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        await using var group = await client.JoinAsync("orders");
        foreach (string text in (string[])["a", "b", "c"]) await group.SendAsync(Encoding.UTF8.GetBytes(text));

        var first = await GroupReading.ReadAsync(group, 2, Patience);
        await foreach (var _ in group.ReadAllAsync())
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => GroupReading.ReadAsync(group, 1, Patience));
            break;
        }
        var last = await GroupReading.ReadAsync(group, 1, Patience);

        Assert.Equal(["+1 =1", "a", "c"], first.Concat(last).Select(GroupReading.Describe));
    }
}
