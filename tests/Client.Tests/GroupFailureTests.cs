using System.Globalization;
using System.Text;
using Xunit;

namespace Membership.Client.Tests;

public sealed class GroupFailureTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Group_is_joined_again_after_a_loss_and_the_stream_says_where()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        await using var group = await client.JoinAsync("orders");
        await group.SendAsync(Bytes("before")).WaitAsync(Patience);
        var before = group.Self;

        await daemon.RebornAsync("00000000000000b2");
        var seen = await GroupReading.ReadAsync(group, 4, Patience);
        await group.SendAsync(Bytes("after")).WaitAsync(Patience);
        seen.AddRange(await GroupReading.ReadAsync(group, 1, Patience));

        Assert.Equal(["+1 =1", "before", "interrupted Unavailable", "+1 =1", "after"], seen.Select(GroupReading.Describe));
        Assert.True(Assert.IsType<GroupUpdate.MembersChanged>(seen[3]).IsOwnJoin);
        Assert.Equal(((GroupUpdate.MembersChanged)seen[3]).Self, group.Self);
        Assert.Equal(1U, before.Session);
    }

    [Fact]
    public async Task Message_on_its_way_is_in_doubt_after_a_loss_and_one_behind_it_was_not_sent()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Groups.Hold = new TaskCompletionSource();
        await using var client = daemon.Client(options => options with { GroupOutstandingMax = 1 });
        await using var group = await client.JoinAsync("orders");
        var written = group.SendAsync(Bytes("written"));
        await EventuallyAsync(() => written.IsCompleted || client.GroupsOnTheirWay == 1);
        var waiting = group.SendAsync(Bytes("waiting"));

        await daemon.GoAsync();

        var doubt = await Assert.ThrowsAsync<GroupSendException>(() => written.WaitAsync(Patience));
        var unsent = await Assert.ThrowsAsync<GroupSendException>(() => waiting.WaitAsync(Patience));
        Assert.True(doubt.IsIndeterminate);
        Assert.False(unsent.IsIndeterminate);
        Assert.True(doubt.IsTransient);
    }

    [Fact]
    public async Task Refused_message_is_a_definite_failure_and_the_next_one_is_not_touched()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Groups.Refuse = "b";
        await using var client = daemon.Client();
        await using var group = await client.JoinAsync("orders");

        var sends = new[] { "a", "b", "c" }.Select(text => group.SendAsync(Bytes(text))).ToArray();

        await sends[0].WaitAsync(Patience);
        await sends[2].WaitAsync(Patience);
        var refused = await Assert.ThrowsAsync<GroupSendException>(() => sends[1]);
        Assert.False(refused.IsIndeterminate);
        Assert.Contains("the message is not wanted", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Message_beyond_the_limit_is_refused_before_it_is_sent()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Groups.MessageBytesMax = 100;
        await using var client = daemon.Client();
        await using var group = await client.JoinAsync("orders");

        var tooLarge = await Assert.ThrowsAsync<GroupSendException>(() => group.SendAsync(new byte[101]));

        Assert.Equal((MembershipReason.LimitReached, false), (tooLarge.Reason, tooLarge.IsIndeterminate));
        await group.SendAsync(new byte[100]).WaitAsync(Patience);
    }

    [Fact]
    public async Task Silent_daemon_ends_a_send_at_its_limit_and_says_that_it_is_in_doubt()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Groups.Hold = new TaskCompletionSource();
        await using var client = daemon.Client(options => options with { SendTimeout = TimeSpan.FromMilliseconds(300), CallTimeout = TimeSpan.FromMilliseconds(500) });
        await using var group = await client.JoinAsync("orders");

        var slow = await Assert.ThrowsAsync<GroupSendException>(() => group.SendAsync(Bytes("a")).WaitAsync(Patience));

        Assert.Equal((MembershipReason.TimedOut, true), (slow.Reason, slow.IsIndeterminate));
    }

    [Fact]
    public async Task Cancelled_send_that_stood_in_line_is_taken_back()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Groups.Hold = new TaskCompletionSource();
        await using var client = daemon.Client(options => options with { GroupOutstandingMax = 1 });
        await using var group = await client.JoinAsync("orders");
        var first = group.SendAsync(Bytes("first"));
        using var cancel = new CancellationTokenSource();
        var second = group.SendAsync(Bytes("second"), cancellationToken: cancel.Token);
        var third = group.SendAsync(Bytes("third"));

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second.WaitAsync(Patience));
        daemon.Groups.Hold.SetResult();
        await Task.WhenAll(first, third).WaitAsync(Patience);

        Assert.Equal(["+1 =1", "first", "third"], (await GroupReading.ReadAsync(group, 3, Patience)).Select(GroupReading.Describe));
    }

    [Fact]
    public async Task Group_ends_for_good_when_the_client_is_told_not_to_come_back()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client(options => options with { ReconnectFor = TimeSpan.Zero });
        await using var group = await client.JoinAsync("orders");

        await daemon.GoAsync();

        var ended = await EndOfAsync(group).WaitAsync(Patience);
        Assert.Equal(MembershipReason.Unavailable, ended.Reason);
        var unsent = await Assert.ThrowsAsync<GroupSendException>(() => group.SendAsync(Bytes("a")));
        Assert.False(unsent.IsIndeterminate);
    }

    [Fact]
    public async Task Callback_that_throws_when_the_connection_is_lost_ends_the_groups_and_the_next_one_begins_anew()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client(options => options with { ConnectionChanged = state => Assert.True(state.IsConnected, "the callback broke") });
        await using var group = await client.JoinAsync("orders");

        await daemon.GoAsync();

        var ended = await EndOfAsync(group).WaitAsync(Patience);
        Assert.Equal(MembershipReason.Internal, ended.Reason);
        Assert.Contains("ConnectionChanged threw: the callback broke", ended.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<GroupSendException>(() => group.SendAsync(Bytes("a")));
        await daemon.ListenAsync();
        await using var next = await client.JoinAsync("orders").WaitAsync(Patience);
    }

    [Fact]
    public async Task Callback_that_throws_when_the_connection_is_there_ends_the_joining_for_good()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client(options => options with { ConnectionChanged = static _ => throw new InvalidOperationException("the callback broke") });

        var refused = await Assert.ThrowsAsync<MembershipException>(() => client.JoinAsync("orders").WaitAsync(Patience));

        Assert.Equal(MembershipReason.Internal, refused.Reason);
        Assert.Contains("ConnectionChanged threw: the callback broke", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, daemon.Groups.SessionsOpened);
    }

    [Fact]
    public async Task Client_that_does_not_read_gives_no_credit_and_holds_no_more_than_its_window()
    {
        const int window = 64 * 1024;
        await using var daemon = await FakeDaemon.StartAsync();
        await using var slow = daemon.Client(options => options with { GroupWindowBytes = window });
        await using var sender = daemon.Client();
        await using var reading = await slow.JoinAsync("orders");
        await using var sending = await sender.JoinAsync("orders", new GroupOptions { WithoutUpdates = true });

        for (int number = 0; number < 200; number++) await sending.SendAsync(Numbered(number, 1000)).WaitAsync(Patience);
        Assert.True(daemon.Groups.UnderWayMax <= window, $"{daemon.Groups.UnderWayMax} bytes under way");
        Assert.True(slow.GroupBytesUnread is > window / 2 and <= window, $"{slow.GroupBytesUnread} bytes unread");

        var seen = await GroupReading.ReadAsync(reading, 202, Patience);
        Assert.Equal(Enumerable.Range(0, 200), seen.OfType<GroupUpdate.Message>().Select(message => int.Parse(message.Text, CultureInfo.InvariantCulture)));
        await EventuallyAsync(() => daemon.Groups.UnderWay == 0);
        Assert.Equal(0, slow.GroupBytesUnread);
    }

    [Fact]
    public async Task Client_that_is_cut_off_comes_back_only_after_it_has_read()
    {
        const int window = 64 * 1024;
        await using var daemon = await FakeDaemon.StartAsync();
        await using var slow = daemon.Client(options => options with { GroupWindowBytes = window });
        await using var sender = daemon.Client();
        await using var reading = await slow.JoinAsync("orders");
        await using (var sending = await sender.JoinAsync("orders", new GroupOptions { WithoutUpdates = true }))
        {
            for (int number = 0; number < 200; number++) await sending.SendAsync(Numbered(number, 1000)).WaitAsync(Patience);
        }
        await sender.DisposeAsync();
        await EventuallyAsync(() => slow.GroupBytesUnread > window * 9 / 10);

        daemon.Groups.CutAll();
        var seen = new List<GroupUpdate>();
        using var limit = new CancellationTokenSource(Patience);
        await foreach (var update in reading.ReadAllAsync(limit.Token))
        {
            if (seen.Count == 0) Assert.Equal(2, daemon.Groups.SessionsOpened);   // it has not come back yet
            seen.Add(update);
            if (seen.Count > 3 && update is GroupUpdate.MembersChanged) break;
        }

        Assert.Equal(3, daemon.Groups.SessionsOpened);
        Assert.Equal("interrupted CutOff", GroupReading.Describe(seen[^2]));
        Assert.Equal("+1 =1", GroupReading.Describe(seen[^1]));
    }

    private static Task<MembershipException> EndOfAsync(ProcessGroup group) => Assert.ThrowsAsync<MembershipException>(async () =>
    {
        await foreach (var _ in group.ReadAllAsync()) { }
    });

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] Numbered(int number, int size) => Bytes(number.ToString(CultureInfo.InvariantCulture).PadLeft(size));

    private static async Task EventuallyAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!condition()) await Task.Delay(5, limit.Token);
    }
}
