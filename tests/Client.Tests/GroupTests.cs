using System.Text;
using Membership.V1;
using Xunit;

namespace Membership.Client.Tests;

public sealed class GroupTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Members_see_changes_and_messages_in_one_order()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var first = daemon.Client();
        await using var second = daemon.Client();
        await using var one = await first.JoinAsync("orders");
        await using var two = await second.JoinAsync("orders");

        var receipt = await one.SendAsync(Bytes("a"), DeliveryLevel.Safe).WaitAsync(Patience);
        await two.SendAsync(Bytes("b")).WaitAsync(Patience);
        var seenByOne = await ReadAsync(one, 4);
        var seenByTwo = await ReadAsync(two, 3);

        Assert.Equal(["+1 =1", "+1 =2", "a", "b"], seenByOne.Select(Describe));
        Assert.Equal(["+1 =2", "a", "b"], seenByTwo.Select(Describe));
        var message = Assert.IsType<GroupUpdate.Message>(seenByTwo[1]);
        Assert.Equal(receipt.Position, message.Position);
        Assert.Equal(DeliveryLevel.Safe, message.Level);
        Assert.Equal(((GroupUpdate.Message)seenByOne[3]).Position, ((GroupUpdate.Message)seenByTwo[2]).Position);
        Assert.Equal("1.1.00000000", ((GroupUpdate.Message)seenByTwo[2]).Position.RingId);
        Assert.Equal(one.Self, message.Sender);
        Assert.Equal([one.Self, two.Self], two.Members);
    }

    [Fact]
    public async Task Disposing_leaves_and_the_others_see_it()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var first = daemon.Client();
        await using var second = daemon.Client();
        await using var one = await first.JoinAsync("orders");
        var two = await second.JoinAsync("orders");
        var unfinished = two.SendAsync(Bytes("last words"));

        await two.DisposeAsync();

        Assert.True(unfinished.IsCompletedSuccessfully);
        Assert.Equal(1, daemon.Groups.MembersOf("orders"));
        var seen = await ReadAsync(one, 4);
        Assert.Equal(["+1 =1", "+1 =2", "last words", "-1 =1"], seen.Select(Describe));
        Assert.Equal(GroupReason.Leave, Assert.IsType<GroupUpdate.MembersChanged>(seen[3]).Reason);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => two.SendAsync(Bytes("more")));
        await foreach (var _ in two.ReadAllAsync()) Assert.Fail("what was left gives nothing more");
    }

    [Fact]
    public async Task Disposing_the_client_leaves_all_its_groups()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var watcher = daemon.Client();
        await using var seen = await watcher.JoinAsync("b");
        var client = daemon.Client();
        await client.JoinAsync("a");
        await client.JoinAsync("b");

        await client.DisposeAsync();

        Assert.Equal((0, 1), (daemon.Groups.MembersOf("a"), daemon.Groups.MembersOf("b")));
        var changes = await ReadAsync(seen, 3);
        Assert.Equal(GroupReason.Leave, ((GroupUpdate.MembersChanged)changes[2]).Reason);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.JoinAsync("a"));
    }

    [Fact]
    public async Task Several_groups_share_one_stream()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        var groups = await Task.WhenAll(Enumerable.Range(0, 20).Select(number => client.JoinAsync($"g{number:d2}"))).WaitAsync(Patience);

        await Task.WhenAll(groups.Select(group => group.SendAsync(Bytes(group.Name)))).WaitAsync(Patience);

        Assert.Equal(1, daemon.Groups.SessionsOpened);
        foreach (var group in groups) Assert.Equal(["+1 =1", group.Name], (await ReadAsync(group, 2)).Select(Describe));
        Assert.Equal(groups.Select(group => group.Name), (await client.ListGroupsAsync()).Select(group => group.Name));
    }

    [Fact]
    public async Task Group_can_be_joined_again_after_it_was_left_but_not_twice_at_once()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        var group = await client.JoinAsync("orders");

        var twice = await Assert.ThrowsAsync<MembershipException>(() => client.JoinAsync("orders"));
        await group.DisposeAsync();
        await using var again = await client.JoinAsync("orders");

        Assert.Equal(MembershipReason.NotPossibleNow, twice.Reason);
        Assert.Equal(["+1 =1"], (await ReadAsync(again, 1)).Select(Describe));
    }

    [Fact]
    public async Task Refused_join_is_a_typed_failure_and_other_groups_are_unaffected()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Groups.Closed = "closed";
        await using var client = daemon.Client();
        await using var open = await client.JoinAsync("open");

        var refused = await Assert.ThrowsAsync<MembershipException>(() => client.JoinAsync("closed").WaitAsync(Patience));

        Assert.Equal(MembershipReason.Invalid, refused.Reason);
        Assert.False(refused.IsTransient);
        Assert.Contains("nobody may join it", refused.Message, StringComparison.Ordinal);
        await open.SendAsync(Bytes("still here")).WaitAsync(Patience);
    }

    [Fact]
    public async Task Own_messages_do_not_come_back_when_not_wanted()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var first = daemon.Client();
        await using var second = daemon.Client();
        await using var one = await first.JoinAsync("orders", new GroupOptions { WithoutOwnMessages = true });
        await using var two = await second.JoinAsync("orders");

        await one.SendAsync(Bytes("mine")).WaitAsync(Patience);
        await two.SendAsync(Bytes("yours")).WaitAsync(Patience);

        Assert.Equal(["+1 =1", "+1 =2", "yours"], (await ReadAsync(one, 3)).Select(Describe));
    }

    [Fact]
    public async Task Joining_fails_at_once_when_nobody_listens()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await daemon.GoAsync();
        await using var client = daemon.Client();

        var failure = await Assert.ThrowsAsync<MembershipException>(() => client.JoinAsync("orders").WaitAsync(Patience));

        Assert.Equal(MembershipReason.Unavailable, failure.Reason);
        Assert.True(failure.IsTransient);
        await daemon.ListenAsync();
        await using var group = await client.JoinAsync("orders").WaitAsync(Patience);
    }

    [Fact]
    public async Task Joining_waits_for_a_daemon_that_is_not_there_yet_when_told_to()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await daemon.GoAsync();
        await using var client = daemon.Client(options => options with { ConnectFor = Patience });

        var joining = client.JoinAsync("orders");
        await daemon.ListenAsync();

        await using var group = await joining.WaitAsync(Patience);
        Assert.Equal(1, daemon.Groups.MembersOf("orders"));
    }

    [Fact]
    public async Task Cancelled_join_leaves_nothing_behind()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await daemon.GoAsync();
        await using var client = daemon.Client(options => options with { ConnectFor = Patience });
        using var cancel = new CancellationTokenSource();

        var joining = client.JoinAsync("orders", cancellationToken: cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => joining.WaitAsync(Patience));
        await daemon.ListenAsync();
        await using var other = await client.JoinAsync("other").WaitAsync(Patience);

        Assert.Equal(0, daemon.Groups.MembersOf("orders"));
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Describe(GroupUpdate update) => GroupReading.Describe(update);

    private static Task<List<GroupUpdate>> ReadAsync(ProcessGroup group, int count) => GroupReading.ReadAsync(group, count, Patience);
}

/// <summary>What tests do with the updates of a group.</summary>
internal static class GroupReading
{
    /// <summary>A message is its text; a change is who came, who went, and how many there are then.</summary>
    public static string Describe(GroupUpdate update) => update switch
    {
        GroupUpdate.Message message => message.Text,
        GroupUpdate.MembersChanged { Left.Count: > 0 } changed => $"-{changed.Left.Count} ={changed.Members.Count}",
        GroupUpdate.MembersChanged changed => $"+{changed.Joined.Count} ={changed.Members.Count}",
        GroupUpdate.Interrupted interrupted => $"interrupted {interrupted.Cause.Reason}",
        _ => "?",
    };

    public static async Task<List<GroupUpdate>> ReadAsync(ProcessGroup group, int count, TimeSpan patience)
    {
        using var limit = new CancellationTokenSource(patience);
        var updates = new List<GroupUpdate>();
        await foreach (var update in group.ReadAllAsync(limit.Token))
        {
            updates.Add(update);
            if (updates.Count == count) break;
        }
        return updates;
    }
}
