using Grpc.Core;
using Membership.Grpc.Errors;
using Xunit;

namespace Membership.Client.Tests;

public sealed class GroupWatchTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_of_a_group_goes_on_after_lost_connections_without_gap_or_repetition(bool daemonRepeats)
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Groups.Repeats = daemonRepeats;
        await using var client = daemon.Client(options => options with { ConnectFor = Patience });
        await using var watch = client.WatchGroupAsync("g").GetAsyncEnumerator();
        var beginning = Assert.IsType<GroupUpdate.MembersChanged>(await NextAsync(watch));
        Assert.Equal((1UL, default), (beginning.StreamPosition, beginning.Self));

        int read = 0;
        for (int round = 1; round <= 3; round++)
        {
            for (int number = 0; number < 20; number++) daemon.Groups.Happen($"{(20 * (round - 1)) + number}");
            while (read < 15 * round) await NextMessageAsync();
            await daemon.RestartAsync();
        }
        while (read < 60) await NextMessageAsync();

        async Task NextMessageAsync()
        {
            var message = Assert.IsType<GroupUpdate.Message>(await NextAsync(watch));
            Assert.Equal(($"{read}", (ulong)read + 2, "1.1.00000000"), (message.Text, message.StreamPosition, message.Position.RingId));
            read++;
        }

        Assert.All(daemon.Groups.WatchRequests.Skip(1), request => Assert.Equal(("g", true, "00000000000000a1"), (request.Group, request.Payloads, request.Boot)));
        Assert.InRange(daemon.Groups.WatchRequests.Count, 2, 40);
    }

    [Fact]
    public async Task Watch_that_is_cut_off_gives_what_came_before_and_then_says_where_it_may_go_on()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        await using var watch = client.WatchGroupAsync("g").GetAsyncEnumerator();
        await NextAsync(watch);
        daemon.Groups.Happen("a");
        Assert.Equal(2UL, (await NextAsync(watch)).StreamPosition);

        daemon.Groups.CutWatches(2);
        var cut = await Assert.ThrowsAsync<SubscriptionCutException>(() => watch.MoveNextAsync().AsTask().WaitAsync(Patience));
        daemon.Groups.Happen("b");

        Assert.Equal((2UL, 2UL, MembershipReason.CutOff), (cut.ResumePosition, cut.LastPosition, cut.Reason));
        Assert.Contains("too slow", cut.Message, StringComparison.Ordinal);
        await using var again = client.WatchGroupAsync("g", new GroupWatchOptions { AfterPosition = cut.ResumePosition }).GetAsyncEnumerator();
        Assert.Equal("b", Assert.IsType<GroupUpdate.Message>(await NextAsync(again)).Text);
    }

    [Fact]
    public async Task Watch_whose_place_is_gone_says_what_is_left()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        await using var watch = client.WatchGroupAsync("g").GetAsyncEnumerator();
        await NextAsync(watch);

        await daemon.GoAsync();
        for (int number = 0; number < 9; number++) daemon.Groups.Happen($"{number}");
        daemon.Groups.ForgottenUpTo = 7;
        await daemon.ListenAsync();
        var cut = await Assert.ThrowsAsync<SubscriptionCutException>(() => watch.MoveNextAsync().AsTask().WaitAsync(Patience));

        Assert.Equal((7UL, 1UL, "POSITION_GONE"), (cut.ResumePosition, cut.LastPosition, cut.Word));
    }

    [Fact]
    public async Task Watch_whose_call_ended_before_the_notice_came_may_go_on_where_it_was()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        await using var watch = client.WatchGroupAsync("g").GetAsyncEnumerator();
        await NextAsync(watch);
        daemon.Groups.Happen("a");
        await NextAsync(watch);

        daemon.Groups.EndWatches(RichError.Of(StatusCode.ResourceExhausted, "WATCH_CUT", "the client did not read").ToException());
        var cut = await Assert.ThrowsAsync<SubscriptionCutException>(() => watch.MoveNextAsync().AsTask().WaitAsync(Patience));

        Assert.Equal((2UL, 2UL), (cut.ResumePosition, cut.LastPosition));
    }

    [Fact]
    public async Task Restarted_daemon_is_a_cut_because_it_counts_anew()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        await using var watch = client.WatchGroupAsync("g").GetAsyncEnumerator();
        await NextAsync(watch);

        var next = watch.MoveNextAsync().AsTask();
        await daemon.RebornAsync("00000000000000b2");
        var cut = await Assert.ThrowsAsync<SubscriptionCutException>(() => next.WaitAsync(Patience));

        Assert.Equal((0UL, 1UL), (cut.ResumePosition, cut.LastPosition));
    }

    [Fact]
    public async Task Daemon_too_old_to_resume_is_a_cut_and_no_silent_gap()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Groups.IsOld = true;
        await using var client = daemon.Client();
        await using var watch = client.WatchGroupAsync("g").GetAsyncEnumerator();
        await NextAsync(watch);

        var next = watch.MoveNextAsync().AsTask();
        await daemon.RestartAsync();
        var cut = await Assert.ThrowsAsync<SubscriptionCutException>(() => next.WaitAsync(Patience));

        Assert.Equal((0UL, 1UL), (cut.ResumePosition, cut.LastPosition));
        Assert.Contains("too old", cut.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_come_with_size_and_hash_in_place_of_the_payload()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        await using var watch = client.WatchGroupAsync("g", new GroupWatchOptions { HeadersOnly = true }).GetAsyncEnumerator();
        await NextAsync(watch);
        daemon.Groups.Happen("hello");

        var message = Assert.IsType<GroupUpdate.Message>(await NextAsync(watch));

        Assert.Equal((0, 5U), (message.Payload.Length, message.Size));
        Assert.Equal("2cf24dba5fb0a30e", System.Convert.ToHexStringLower(message.Sha256.Span));
    }

    [Fact]
    public async Task Interruption_names_the_position_and_the_boot_that_what_was_missed_is_read_after()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client(options => options with { ConnectFor = Patience });
        await using var group = await client.JoinAsync("g").WaitAsync(Patience);
        await using var updates = group.ReadAllAsync().GetAsyncEnumerator();
        await group.SendAsync("1"u8.ToArray()).WaitAsync(Patience);
        await group.SendAsync("2"u8.ToArray()).WaitAsync(Patience);
        ulong last = 0;
        for (int update = 0; update < 3; update++) last = (await NextAsync(updates)).StreamPosition;

        daemon.Groups.CutAll();
        var interrupted = Assert.IsType<GroupUpdate.Interrupted>(await NextAsync(updates));

        Assert.Equal((last, "00000000000000a1", MembershipReason.CutOff), (interrupted.StreamPosition, interrupted.Boot, interrupted.Cause.Reason));
        Assert.NotEqual(0UL, last);
        Assert.True(Assert.IsType<GroupUpdate.MembersChanged>(await NextAsync(updates)).IsOwnJoin);
    }

    private static async Task<GroupUpdate> NextAsync(IAsyncEnumerator<GroupUpdate> updates)
    {
        Assert.True(await updates.MoveNextAsync().AsTask().WaitAsync(Patience));
        return updates.Current;
    }
}
