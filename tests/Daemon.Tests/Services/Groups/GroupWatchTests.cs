using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Grpc.Errors;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services.Groups;

/// <summary>Watches of groups that were cut off, or lost, go on where they were: nothing is left out, nothing comes twice, or they are told that it cannot be.</summary>
public sealed class GroupWatchTests
{
    private static readonly TimeSpan Moment = TimeSpan.FromTicks(1);

    [Fact]
    public async Task A_watch_after_any_position_gives_what_followed_then_what_comes()
    {
        await using var daemons = await TestDaemons.StartAsync(2);
        await using var sender = await TestSession.OpenAsync(daemons[1]);
        await sender.JoinAsync("g");
        await sender.JoinAsync("other", handle: 2);
        await sender.UntilMembersAsync(1);
        await sender.UntilMembersAsync(1);
        using var channel = daemons[0].Connect();
        await using var first = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", Payloads = true });
        await using var beside = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "other", Payloads = true });
        for (var i = 0; i < 40; i++) await sender.SendAsync($"{i}", handle: i % 4 == 0 ? 2U : 1U);
        await sender.SendAsync([ByteString.CopyFrom(new byte[40_000])]);   // beside the ring
        await sender.LeaveAsync();
        var all = await first.UntilAsync(happened => happened.Membership is { Members.Count: 0 });
        Assert.Equal(33, all.Count);   // the members now, 30 messages, a large one, and the leave

        for (var at = 0; at < all.Count; at++)
        {
            await using var again = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", Payloads = true, AfterPosition = all[at].Position, Boot = first.Boot });
            foreach (var expected in all.Skip(at + 1)) Assert.Equal(Told(expected), Told(await again.NextAsync()));
            if (at == all.Count - 1)
            {
                await sender.JoinAsync("g", handle: 3);
                Assert.Single((await again.NextAsync()).Membership.Members);
            }
        }

        static (ulong, long, string, int) Told(Proto.GroupEvent happened) =>
            (happened.Position, happened.TNs, happened.Message?.Payload.ToStringUtf8() ?? $"{happened.Membership.Reason}", (int)(happened.Message?.Seq ?? 0));
    }

    [Fact]
    public async Task A_watch_begins_with_a_position_that_it_can_be_resumed_after_also_where_nothing_has_happened()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        using var channel = daemons[0].Connect();
        await using var first = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g" });
        var begin = await first.NextAsync();
        await first.DisposeAsync();
        await using var session = await TestSession.OpenAsync(daemons[0]);
        await session.JoinAsync("g");
        await session.UntilMembersAsync(1);

        await using var again = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", AfterPosition = begin.Position, Boot = first.Boot });

        Assert.NotEqual(0UL, begin.Position);
        Assert.Equal(Proto.GroupReason.Join, (await again.NextAsync()).Membership.Reason);
    }

    [Fact]
    public async Task Positions_that_cannot_be_resumed_after_are_refused_in_the_words_of_the_raw_ring_with_the_oldest_that_can()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        using var channel = daemons[0].Connect();
        await using var watch = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "other" });
        var last = (await watch.NextAsync()).Position;

        var nobody = await RefusedAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", AfterPosition = last, Boot = watch.Boot });
        await using var begun = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g" });
        var since = (await begun.NextAsync()).Position;
        var before = await RefusedAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", AfterPosition = last });
        var ahead = await RefusedAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", AfterPosition = since + 1 });
        var beyondAll = await RefusedAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", AfterPosition = ulong.MaxValue });
        var elsewhere = await RefusedAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", AfterPosition = since, Boot = "00000000000000ff" });
        await OverwriteAsync(daemons[0], "g");
        var overwritten = await RefusedAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", AfterPosition = since });

        Assert.Equal(("POSITION_GONE", "0"), (nobody.Reason, nobody.Oldest));
        Assert.Contains("group g was not recorded here in the whole time since position", nobody.Sentence, StringComparison.Ordinal);
        Assert.Equal(("POSITION_GONE", $"{since}"), (before.Reason, before.Oldest));
        Assert.Contains($"Watch again with after_position {since}, or with 0 from now on.", before.Sentence, StringComparison.Ordinal);
        Assert.Equal(("POSITION_AHEAD", $"{since}"), (ahead.Reason, ahead.Oldest));
        Assert.Equal(("POSITION_AHEAD", $"{since}"), (beyondAll.Reason, beyondAll.Oldest));
        Assert.Equal(("POSITION_GONE", "0"), (elsewhere.Reason, elsewhere.Oldest));
        Assert.Contains(watch.Boot, elsewhere.Sentence, StringComparison.Ordinal);
        Assert.Equal("POSITION_GONE", overwritten.Reason);
        Assert.Contains("no longer kept", overwritten.Sentence, StringComparison.Ordinal);
        await using var resumed = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", AfterPosition = ulong.Parse(overwritten.Oldest), Payloads = true });
        Assert.Equal(ulong.Parse(overwritten.Oldest) + 1, (await resumed.NextAsync()).Position);
    }

    [Fact]
    public async Task A_watch_that_does_not_read_is_cut_off_and_goes_on_after_the_position_it_was_told()
    {
        var time = new HandTime();
        await using var daemons = await TestDaemons.StartAsync(1, time);
        await using var sender = await TestSession.OpenAsync(daemons[0]);
        var held = new HeldWriter();
        var watching = daemons[0].Groups.WatchGroup(new Proto.WatchGroupRequest { Group = "g", Payloads = true }, held, new NoContext());
        await held.IsHeld.WaitAsync(TestDaemons.Limit);
        await sender.JoinAsync("g");
        await sender.UntilMembersAsync(1);
        await sender.SendAsync("1");
        await sender.NextMessageAsync();

        time.Pass(GroupSession.StallMax - Moment);
        Assert.Equal(0, daemons[0].Groups.Clients.Cut);
        time.Pass(TimeSpan.FromSeconds(1));
        await UntilAsync(() => daemons[0].Log.Of(6018).Count == 1);
        held.GoOn();
        await watching.WaitAsync(TestDaemons.Limit);
        await sender.LeaveAsync();
        Assert.Empty((await sender.NextMembershipAsync()).Members);
        await using var other = await TestSession.OpenAsync(daemons[0]);
        await other.JoinAsync("g");
        await other.UntilMembersAsync(1);
        using var channel = daemons[0].Connect();
        var cut = held.Events[^1].Cut;
        await using var again = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", Payloads = true, AfterPosition = cut.Resume, Boot = held.Boot });
        var missed = await again.UntilAsync(happened => happened.Membership?.Joined.Contains(other.Self) == true);

        Assert.Equal((1, "did not read"), (daemons[0].Groups.Clients.Cut, cut.Reason.Contains("did not read", StringComparison.Ordinal) ? "did not read" : cut.Reason));
        Assert.Contains($"Watch again with after_position {cut.Resume}.", cut.Reason, StringComparison.Ordinal);
        var all = held.Events.Where(happened => happened.Cut is null).Concat(missed).Skip(1).ToList();   // the first is the members as it began
        Assert.Equal(all.Select(happened => happened.Position).Distinct().Order(), all.Select(happened => happened.Position));
        Assert.Equal(["join", "1", "leave", "join"], all.Select(happened => happened.Message?.Payload.ToStringUtf8() ?? $"{happened.Membership.Reason}".ToLowerInvariant()));
    }

    [Fact]
    public async Task A_watch_that_does_not_even_take_the_notice_ends_with_a_status_that_says_what_to_do()
    {
        var time = new HandTime();
        await using var daemons = await TestDaemons.StartAsync(1, time);
        var held = new HeldWriter();
        var watching = daemons[0].Groups.WatchGroup(new Proto.WatchGroupRequest { Group = "g" }, held, new NoContext());
        await held.IsHeld.WaitAsync(TestDaemons.Limit);

        while (!watching.IsCompleted)
        {
            time.Pass(TimeSpan.FromSeconds(5));
            await Task.WhenAny(watching, Task.Delay(1));   // until the cut has come to the call
        }

        var ended = await Assert.ThrowsAsync<RpcException>(() => watching);
        Assert.Equal((StatusCode.ResourceExhausted, "WATCH_CUT"), (ended.StatusCode, RichError.From(ended)?.Reason));
        Assert.Contains("Watch again after the position of the last event that came.", ended.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(0, daemons[0].Groups.WatchCount);
    }

    [Fact]
    public async Task A_session_that_was_cut_off_reads_up_to_its_next_join_what_it_missed()
    {
        var time = new HandTime();
        await using var daemons = await TestDaemons.StartAsync(2, time);
        await using var sender = await TestSession.OpenAsync(daemons[1], window: uint.MaxValue, givesCredit: false);
        await sender.JoinAsync("g");
        await sender.UntilMembersAsync(1);
        await using var stingy = await TestSession.OpenAsync(daemons[0], window: 8 * 1024, givesCredit: false);
        await stingy.JoinAsync("g");
        await sender.UntilMembersAsync(2);
        await sender.SendAsync(Enumerable.Range(0, 50).Select(number => ByteString.CopyFromUtf8($"{number}".PadRight(1000))));
        await sender.ReceiptsAsync(50);
        var (own, cut) = await UntilCutAsync(stingy, time);

        await sender.SendAsync("while nobody here was in it");
        await sender.ReceiptsAsync(1);
        await using var again = await TestSession.OpenAsync(daemons[0]);
        await again.JoinAsync("g");
        var join = await again.NextAsync(Proto.GroupEvent.EventOneofCase.Membership);
        using var channel = daemons[0].Connect();
        await using var watch = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g", Payloads = true, AfterPosition = cut.Resume, Boot = again.Opened.Boot });
        var missed = await watch.UntilAsync(happened => happened.Position >= join.Position);

        Assert.Contains("Open another session and join again; what was missed of a group is read with WatchGroup after that position", cut.Reason, StringComparison.Ordinal);
        Assert.Equal(own[^1].Position, cut.Resume);
        Assert.Equal(join.Position, missed[^1].Position);
        var texts = own.Concat(missed).Where(happened => happened.Message is not null).Select(happened => happened.Message.Payload.ToStringUtf8().TrimEnd());
        Assert.Equal([.. Enumerable.Range(0, 50).Select(number => $"{number}"), "while nobody here was in it"], texts);
        Assert.Equal(
            [Proto.GroupReason.Join, Proto.GroupReason.ProcessDown, Proto.GroupReason.Join],
            own.Concat(missed).Where(happened => happened.Membership is not null).Select(happened => happened.Membership.Reason));
    }

    [Fact]
    public async Task A_group_is_recorded_for_a_client_that_was_cut_off_for_thirty_seconds_and_no_longer()
    {
        var time = new HandTime();
        await using var daemons = await TestDaemons.StartAsync(1, time);
        using var channel = daemons[0].Connect();
        await using var watch = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g" });
        var begin = (await watch.NextAsync()).Position;
        await watch.DisposeAsync();
        await UntilAsync(() => daemons[0].Groups.WatchCount == 0);
        var request = new Proto.WatchGroupRequest { Group = "g", AfterPosition = begin };

        time.Pass(KeptGroups.KeepFor - KeptGroups.ReleasePace);
        await using (var early = await Watch.BeginAsync(daemons[0], channel, request)) Assert.Equal(watch.Boot, early.Boot);
        await UntilAsync(() => daemons[0].Groups.WatchCount == 0);
        time.Pass(KeptGroups.KeepFor - KeptGroups.ReleasePace);   // counted from the latest watch
        await using (var later = await Watch.BeginAsync(daemons[0], channel, request)) Assert.Equal(watch.Boot, later.Boot);
        await UntilAsync(() => daemons[0].Groups.WatchCount == 0);
        await UntilAsync(() =>
        {
            time.Pass(KeptGroups.KeepFor + KeptGroups.ReleasePace);
            return !daemons[0].Groups.KeepsGroups;
        });

        Assert.Equal("POSITION_GONE", (await RefusedAsync(daemons[0], channel, request)).Reason);
    }

    [Fact]
    public async Task Of_many_groups_a_daemon_keeps_those_of_the_latest_cuts()
    {
        await using var daemons = await TestDaemons.StartAsync(1, new HandTime());
        using var channel = daemons[0].Connect();
        ulong first = 0;
        for (var i = 0; i <= KeptGroups.Max; i++)
        {
            await using var watch = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = $"g{i}" });
            var begin = (await watch.NextAsync()).Position;
            if (i == 0) first = begin;
            await watch.DisposeAsync();
            await UntilAsync(() => daemons[0].Groups.WatchCount == 0);
        }

        Assert.Equal("0", (await RefusedAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g0", AfterPosition = first })).Oldest);
        await using var second = await Watch.BeginAsync(daemons[0], channel, new Proto.WatchGroupRequest { Group = "g1", AfterPosition = first + 1 });
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        using var limit = new CancellationTokenSource(TestDaemons.Limit);
        while (!isSo()) await Task.Delay(1, limit.Token);
    }

    private static async Task<(List<Proto.GroupEvent> Events, Proto.Cut Cut)> UntilCutAsync(TestSession session, HandTime time)
    {
        List<Proto.GroupEvent> events = [];
        while (true)
        {
            var next = session.NextAsync();
            while (!next.IsCompleted)
            {
                time.Pass(GroupSession.StallMax / 4);
                await Task.WhenAny(next, Task.Delay(1));   // a moment for what became due
            }
            var happened = await next;
            if (happened.Cut is { } cut) return (events, cut);
            if (happened.Position > 0) events.Add(happened);
        }
    }

    private static async Task<(string? Reason, string Oldest, string Sentence)> RefusedAsync(TestDaemon daemon, GrpcChannel channel, Proto.WatchGroupRequest request)
    {
        using var call = daemon.Client(channel).WatchGroup(request);
        var refused = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TestDaemons.Limit));
        Assert.Equal(StatusCode.OutOfRange, refused.StatusCode);
        var error = RichError.From(refused);
        return (error?.Reason, error?.Metadata["oldest_position"] ?? "", refused.Status.Detail);
    }

    private static async Task OverwriteAsync(TestDaemon daemon, string group)
    {
        await using var sender = await TestSession.OpenAsync(daemon);
        await sender.JoinAsync(group, withoutOwn: true);
        await sender.UntilMembersAsync(1);
        var payload = ByteString.CopyFrom(new byte[16 * 1000]);
        for (var sent = 0; sent < 1200; sent += 100)
        {
            await sender.SendAsync(Enumerable.Repeat(payload, 100));
            await sender.ReceiptsAsync(100);
        }
    }

    /// <summary>A client of WatchGroup whose first response is there.</summary>
    private sealed class Watch : IAsyncDisposable
    {
        private readonly AsyncServerStreamingCall<Proto.WatchGroupResponse> _call;
        private readonly Queue<Proto.GroupEvent> _events = new();

        private Watch(AsyncServerStreamingCall<Proto.WatchGroupResponse> call) => _call = call;

        public string Boot { get; private set; } = "";

        public static async Task<Watch> BeginAsync(TestDaemon daemon, GrpcChannel channel, Proto.WatchGroupRequest request)
        {
            var watch = new Watch(daemon.Client(channel).WatchGroup(request));
            await watch.MoveAsync();
            watch.Boot = watch._call.ResponseStream.Current.Boot;
            Assert.Equal(16, watch.Boot.Length);
            return watch;
        }

        public async Task<Proto.GroupEvent> NextAsync()
        {
            while (_events.Count == 0) await MoveAsync();
            return _events.Dequeue();
        }

        /// <summary>Events up to one of this kind, with it.</summary>
        public async Task<List<Proto.GroupEvent>> UntilAsync(Func<Proto.GroupEvent, bool> isLast)
        {
            List<Proto.GroupEvent> events = [];
            do events.Add(await NextAsync());
            while (!isLast(events[^1]));
            return events;
        }

        public ValueTask DisposeAsync()
        {
            _call.Dispose();
            return ValueTask.CompletedTask;
        }

        private async Task MoveAsync()
        {
            Assert.True(await _call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TestDaemons.Limit));
            foreach (var happened in _call.ResponseStream.Current.Events) _events.Enqueue(happened);
        }
    }

    /// <summary>A client of WatchGroup that takes its first response when the test lets it, the others at once.</summary>
    private sealed class HeldWriter : IServerStreamWriter<EncodedResponse>
    {
        private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task IsHeld => _held.Task;

        public List<Proto.GroupEvent> Events { get; } = [];

        public string Boot { get; private set; } = "";

        public WriteOptions? WriteOptions { get; set; }

        public void GoOn() => _goOn.SetResult();

        public Task WriteAsync(EncodedResponse message) => WriteAsync(message, CancellationToken.None);

        public Task WriteAsync(EncodedResponse message, CancellationToken cancellationToken)
        {
            var response = Proto.WatchGroupResponse.Parser.ParseFrom(message.Bytes.Span);
            if (response.Boot.Length > 0) Boot = response.Boot;
            Events.AddRange(response.Events);
            _held.TrySetResult();
            return _goOn.Task.WaitAsync(cancellationToken);
        }
    }
}
