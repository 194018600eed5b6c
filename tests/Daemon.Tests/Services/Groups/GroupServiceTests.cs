using Google.Protobuf;
using Grpc.Core;
using Membership.Grpc.Errors;
using Membership.Tests.Groups;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services.Groups;

/// <summary>Sessions over real Unix sockets, on one or several nodes in this process.</summary>
public sealed class GroupServiceTests
{
    [Fact]
    public async Task A_process_joins_sends_to_itself_and_gets_events_and_receipt_for_one_place()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        await using var session = await TestSession.OpenAsync(daemons[0]);

        await session.JoinAsync("chat", handle: 7);
        await session.SendAsync("hello", handle: 7);
        var joined = await session.NextMembershipAsync();
        var message = await session.NextMessageAsync();
        await session.SendAsync("again", handle: 7);
        var receipt = Assert.Single(await session.ReceiptsAsync(1));

        Assert.Equal((7U, "chat", Proto.GroupReason.Join), (joined.Handle, joined.Group, joined.Reason));
        Assert.Equal([session.Self], joined.Members);
        Assert.Equal(joined.Members, joined.Joined);
        Assert.Equal((uint)Environment.ProcessId, session.Self.Pid);
        Assert.Equal((7U, "hello", session.Self, 5U), (message.Handle, message.Payload.ToStringUtf8(), message.Sender, message.Size));
        Assert.Equal((joined.View.Number, joined.View.Id), (message.ViewNumber, message.RingId));
        Assert.Equal("", receipt.Failure);
        Assert.NotEqual(0UL, receipt.Seq);
    }

    [Fact]
    public async Task Members_at_three_nodes_get_the_same_messages_and_changes_in_the_same_order()
    {
        const int PerSession = 500;
        await using var daemons = await TestDaemons.StartAsync(3);
        var sessions = new List<TestSession>();
        foreach (var daemon in daemons.All)
        {
            sessions.Add(await TestSession.OpenAsync(daemon));
            await sessions[^1].JoinAsync("orders");
        }
        foreach (var session in sessions) await session.UntilMembersAsync(3);

        foreach (var session in sessions)
        {
            for (var i = 0; i < PerSession; i += 50)
                await session.SendAsync(Enumerable.Range(i, 50).Select(n => ByteString.CopyFromUtf8($"{session.Self.Node}:{n}")));
        }
        var seen = await Task.WhenAll(sessions.Select(session => MessagesAsync(session, 3 * PerSession)));

        Assert.Equal(seen[0], seen[1]);
        Assert.Equal(seen[0], seen[2]);
        Assert.Equal(3 * PerSession, seen[0].Distinct().Count());
        foreach (var node in new[] { 1, 2, 3 })
            Assert.Equal(Enumerable.Range(0, PerSession).Select(n => $"{node}:{n}"), seen[0].Select(m => m.Text).Where(t => t.StartsWith($"{node}:", StringComparison.Ordinal)));
        foreach (var session in sessions) await session.DisposeAsync();
    }

    [Fact]
    public async Task Every_message_has_its_receipt_in_order_and_it_names_the_place_where_others_saw_it()
    {
        await using var daemons = await TestDaemons.StartAsync(2);
        await using var sender = await TestSession.OpenAsync(daemons[0]);
        await using var reader = await TestSession.OpenAsync(daemons[1]);
        await reader.JoinAsync("g");
        await reader.UntilMembersAsync(1);
        await sender.JoinAsync("g", withoutOwn: true);
        await reader.UntilMembersAsync(2);

        await sender.SendAsync(Enumerable.Range(0, 1000).Select(n => ByteString.CopyFromUtf8($"{n}")), level: Proto.DeliveryLevel.Safe);
        var receipts = await sender.ReceiptsAsync(1000);
        var messages = new List<Proto.GroupMessage>();
        while (messages.Count < 1000) messages.Add(await reader.NextMessageAsync());

        Assert.Equal(messages.Select(m => (m.Counter, m.Seq, m.Index)), receipts.Select(r => (r.Counter, r.Seq, r.Index)));
        Assert.Equal(Enumerable.Range(0, 1000).Select(n => $"{n}"), messages.Select(m => m.Payload.ToStringUtf8()));
        Assert.Equal(messages[0].RingId, receipts[0].RingId);
        Assert.All(messages, m => Assert.Equal(Proto.DeliveryLevel.Safe, m.Level));
        Assert.All(messages.Skip(1), m => Assert.Equal("", m.RingId));
    }

    [Fact]
    public async Task A_session_that_ends_without_leaving_is_process_down_for_the_others_at_once()
    {
        await using var daemons = await TestDaemons.StartAsync(2);
        await using var witness = await TestSession.OpenAsync(daemons[1]);
        await witness.JoinAsync("g");
        await witness.UntilMembersAsync(1);
        var dying = await TestSession.OpenAsync(daemons[0]);
        await dying.JoinAsync("g");
        await witness.UntilMembersAsync(2);

        await dying.DisposeAsync();
        var change = await witness.NextMembershipAsync().WaitAsync(TimeSpan.FromSeconds(2));

        Assert.Equal((Proto.GroupReason.ProcessDown, 1), (change.Reason, change.Members.Count));
        Assert.Equal([dying.Self], change.Left);
    }

    [Fact]
    public async Task Leaving_is_the_last_event_of_a_membership_and_the_handle_is_free_again()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        await using var session = await TestSession.OpenAsync(daemons[0]);

        await session.JoinAsync("g");
        await session.SendAsync("before");
        await session.LeaveAsync();
        await session.SendAsync("after");
        List<Proto.GroupEvent> events = [];
        Proto.GroupRefused? refused = null;
        while (refused is null || events.Count(e => e.EventCase == Proto.GroupEvent.EventOneofCase.Membership) < 2)
        {
            var happened = await session.NextAsync();
            refused ??= happened.Refused;
            if (happened.Position > 0) events.Add(happened);
        }
        await session.JoinAsync("h");
        var again = await session.NextMembershipAsync();

        Assert.Equal(["membership", "message", "membership"], events.Select(e => e.EventCase.ToString().ToLowerInvariant()));
        Assert.Equal(("before", Proto.GroupReason.Leave, 0), (events[1].Message.Payload.ToStringUtf8(), events[2].Membership.Reason, events[2].Membership.Members.Count));
        Assert.Equal((1U, "NOT_JOINED"), (refused.Handle, refused.Reason));
        Assert.Equal((1U, "h"), (again.Handle, again.Group));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\u001b[31mred")]
    [InlineData("two\nlines")]
    [InlineData(" leading")]
    [InlineData("right\u202eleft")]
    public async Task A_hostile_name_is_refused_with_a_reason_and_the_session_goes_on(string name)
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        await using var session = await TestSession.OpenAsync(daemons[0]);

        await session.JoinAsync(name, handle: 3);
        var refused = await session.NextRefusalAsync();
        await session.JoinAsync("good", handle: 3);
        var joined = await session.NextMembershipAsync();

        Assert.Equal((3U, "GROUP_NAME"), (refused.Handle, refused.Reason));
        Assert.DoesNotContain('\u001b', refused.Message);
        Assert.Equal("good", joined.Group);
    }

    [Fact]
    public async Task A_name_of_four_kilobytes_and_a_handle_in_use_are_refused()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        await using var session = await TestSession.OpenAsync(daemons[0]);

        await session.JoinAsync(new string('x', 4096), handle: 1);
        var tooLong = await session.NextRefusalAsync();
        await session.JoinAsync("a", handle: 1);
        await session.JoinAsync("b", handle: 1);
        var inUse = await session.NextRefusalAsync();
        await session.JoinAsync("a", handle: 2);
        var twice = await session.NextRefusalAsync();

        Assert.Equal(["GROUP_NAME", "HANDLE_IN_USE", "ALREADY_JOINED"], new[] { tooLong, inUse, twice }.Select(r => r.Reason));
    }

    [Fact]
    public async Task A_message_of_sixteen_mebibytes_arrives_whole_and_one_byte_more_is_refused()
    {
        const int Max = 16 * 1024 * 1024;
        await using var daemons = await TestDaemons.StartAsync(2);
        await using var sender = await TestSession.OpenAsync(daemons[0]);
        await using var reader = await TestSession.OpenAsync(daemons[1]);
        await reader.JoinAsync("g");
        await reader.UntilMembersAsync(1);
        await sender.JoinAsync("g");
        await reader.UntilMembersAsync(2);
        var bytes = new byte[Max];
        Random.Shared.NextBytes(bytes);

        await sender.SendAsync([ByteString.CopyFrom(new byte[Max + 1]), ByteString.CopyFrom(bytes)]);
        var receipts = await sender.ReceiptsAsync(2);
        var message = await reader.NextMessageAsync();

        Assert.Contains("16777216 bytes", receipts[0].Failure, StringComparison.Ordinal);
        Assert.Equal("", receipts[1].Failure);
        Assert.True(message.Payload.Span.SequenceEqual(bytes), "the payload differs");
        Assert.Equal((ulong)Max, sender.Opened.MessageBytesMax);
    }

    [Fact]
    public async Task The_first_request_opens_the_session_or_the_call_ends_with_a_reason()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        using var channel = daemons[0].Connect();
        using var call = daemons[0].Client(channel).Session();
        await call.RequestStream.WriteAsync(new Proto.GroupRequest { Join = new Proto.JoinGroup { Handle = 1, Group = "g" } });

        var refused = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TestDaemons.Limit));

        Assert.Equal((StatusCode.InvalidArgument, "NOT_OPENED"), (refused.StatusCode, RichError.From(refused)?.Reason));
    }

    [Fact]
    public async Task A_node_full_of_memberships_refuses_the_next_join_and_takes_it_after_a_leave()
    {
        await using var daemons = await TestDaemons.StartAsync(1, memberships: 3);
        await using var first = await TestSession.OpenAsync(daemons[0]);
        await using var second = await TestSession.OpenAsync(daemons[0]);
        for (uint handle = 1; handle <= 3; handle++) await first.JoinAsync($"g{handle}", handle);
        for (var joined = 0; joined < 3; joined++) await first.NextMembershipAsync();

        await second.JoinAsync("g4", handle: 9);
        var refused = await second.NextRefusalAsync();
        await first.LeaveAsync(2);
        Assert.Equal(Proto.GroupReason.Leave, (await first.NextMembershipAsync()).Reason);
        await second.JoinAsync("g4", handle: 9);
        var taken = await second.UntilMembersAsync(1);

        Assert.Equal((9U, "MEMBERSHIPS_LIMIT"), (refused.Handle, refused.Reason));
        Assert.Contains("as many memberships as it can hold", refused.Message, StringComparison.Ordinal);
        Assert.Equal("g4", taken.Group);
    }

    [Fact]
    public async Task Every_refusal_of_a_join_is_that_of_a_test_cluster()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        using var channel = daemons[0].Connect();

        await SessionRefusals.HoldAsync(daemons[0].Client(channel));
    }

    [Theory]
    [InlineData(Proto.DeliveryLevel.Agreed)]
    [InlineData(Proto.DeliveryLevel.Safe)]
    public async Task When_a_node_leaves_every_message_it_took_has_a_place_where_it_was_delivered_or_a_failure_and_was_not(Proto.DeliveryLevel level)
    {
        await using var daemons = await TestDaemons.StartAsync(2);
        await using var reader = await TestSession.OpenAsync(daemons[1]);
        await reader.JoinAsync("g");
        await reader.UntilMembersAsync(1);
        await using var sender = await TestSession.OpenAsync(daemons[0], window: uint.MaxValue, givesCredit: false);   // one task writes, another one reads
        await sender.JoinAsync("g", withoutOwn: true);
        await reader.UntilMembersAsync(2);
        var sending = SendUntilTheEndAsync(sender, level);
        var receiving = UntilGoneAsync(reader, sender.Self);
        var receipts = new List<Proto.Receipt>();
        var underWay = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var end = ReceiptsUntilTheEndAsync(sender, receipts, underWay);
        await Task.WhenAny(end, underWay.Task).WaitAsync(TestDaemons.Limit);

        await daemons[0].LeaveAsync();
        var failure = await end.WaitAsync(TestDaemons.Limit);
        var sent = await sending.WaitAsync(TestDaemons.Limit);
        var delivered = await receiving.WaitAsync(TestDaemons.Limit);

        Assert.Equal((StatusCode.Unavailable, "NODE_LEAVING"), (failure.StatusCode, RichError.From(failure)?.Reason));
        Assert.InRange(receipts.Count, 1, sent);
        var ordered = receipts.TakeWhile(receipt => receipt.Failure.Length == 0).ToList();
        Assert.All(receipts.Skip(ordered.Count), receipt => Assert.NotEqual("", receipt.Failure));   // nothing is delivered behind a failure
        Assert.DoesNotContain(receipts, receipt => receipt.Failure.Contains("unknown", StringComparison.OrdinalIgnoreCase));
        Assert.Equal(ordered.Select(receipt => (receipt.Seq, receipt.Index)), delivered.Select(message => (message.Seq, message.Index)));
        Assert.Equal(Enumerable.Range(0, ordered.Count).Select(number => $"{number}"), delivered.Select(message => message.Payload.ToStringUtf8().TrimEnd()));
    }

    [Fact]
    public async Task A_call_that_does_not_open_its_session_in_time_ends_with_a_status_and_an_opened_one_goes_on()
    {
        await using var daemons = await TestDaemons.StartAsync(1, new HastyTime(50));
        using var channel = daemons[0].Connect();
        await using var opened = await TestSession.OpenAsync(daemons[0]);
        using var silent = daemons[0].Client(channel).Session();

        var late = await Assert.ThrowsAsync<RpcException>(() => silent.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TestDaemons.Limit));
        await opened.JoinAsync("g");
        await opened.UntilMembersAsync(1);

        Assert.Equal((StatusCode.DeadlineExceeded, "NOT_OPENED_IN_TIME", "5000"), (late.StatusCode, RichError.From(late)?.Reason, RichError.From(late)?.Metadata["limit_ms"]));
        Assert.Equal(1, daemons[0].Groups.SessionCount);
    }

    [Fact]
    public async Task Groups_are_listed_in_pages_and_described_and_a_missing_one_is_not_found()
    {
        await using var daemons = await TestDaemons.StartAsync(2);
        await using var session = await TestSession.OpenAsync(daemons[0]);
        for (uint i = 0; i < 25; i++) await session.JoinAsync($"g{i:d2}", handle: i + 1);
        for (var i = 0; i < 25; i++) await session.NextMembershipAsync();
        await using var other = await TestSession.OpenAsync(daemons[1]);
        await other.JoinAsync("g03");
        await other.UntilMembersAsync(2);
        using var channel = daemons[1].Connect();
        var client = daemons[1].Client(channel);

        var first = await client.ListGroupsAsync(new Proto.ListGroupsRequest { Limit = 10 });
        var last = await client.ListGroupsAsync(new Proto.ListGroupsRequest { After = "g19", WithMembers = true });
        var one = await client.GetGroupAsync(new Proto.GetGroupRequest { Group = "g03" });
        var missing = await Assert.ThrowsAsync<RpcException>(async () => await client.GetGroupAsync(new Proto.GetGroupRequest { Group = "nobody\nhere" }));

        Assert.Equal((10, "g00", "g09", true), (first.Groups.Count, first.Groups[0].Name, first.Groups[^1].Name, first.More));
        Assert.Equal((5, "g20", false), (last.Groups.Count, last.Groups[0].Name, last.More));
        Assert.All(last.Groups, g => Assert.Equal([session.Self], g.Members));
        Assert.Equal([session.Self, other.Self], one.Group.Members);
        Assert.Equal((StatusCode.NotFound, "GROUP_NOT_FOUND"), (missing.StatusCode, RichError.From(missing)?.Reason));
        Assert.DoesNotContain('\n', missing.Status.Detail);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_watch_at_a_node_without_members_sees_members_changes_and_messages_of_others(bool payloads)
    {
        await using var daemons = await TestDaemons.StartAsync(2);
        await using var session = await TestSession.OpenAsync(daemons[0]);
        await session.JoinAsync("g");
        await session.UntilMembersAsync(1);
        using var channel = daemons[1].Connect();
        using var watch = daemons[1].Client(channel).WatchGroup(new Proto.WatchGroupRequest { Group = "g", Payloads = payloads });
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TestDaemons.Limit));
        var begin = Assert.Single(watch.ResponseStream.Current.Events).Membership;

        await session.SendAsync("hello");
        await session.LeaveAsync();
        List<Proto.GroupEvent> events = [];
        List<ByteString> hashes = [];
        while (events.Count < 2)
        {
            Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TestDaemons.Limit));
            events.AddRange(watch.ResponseStream.Current.Events);
            hashes.AddRange(watch.ResponseStream.Current.Sha256);
        }

        Assert.Equal(("g", session.Self), (begin.Group, Assert.Single(begin.Members)));
        Assert.Equal((payloads ? "hello" : "", 5U, session.Self), (events[0].Message.Payload.ToStringUtf8(), events[0].Message.Size, events[0].Message.Sender));
        Assert.Equal((Proto.GroupReason.Leave, 0), (events[1].Membership.Reason, events[1].Membership.Members.Count));
        if (payloads) Assert.Empty(hashes);
        else Assert.Equal(System.Security.Cryptography.SHA256.HashData("hello"u8)[..8], Assert.Single(hashes));
    }

    private static async Task<int> SendUntilTheEndAsync(TestSession session, Proto.DeliveryLevel level)
    {
        for (var sent = 0; ; sent += 20)
        {
            try
            {
                await session.SendAsync(Enumerable.Range(sent, 20).Select(number => ByteString.CopyFromUtf8($"{number}".PadRight(16 * 1024))), level: level);   // large, so that many wait for the ring
            }
            catch (Exception ended) when (ended is RpcException or InvalidOperationException)
            {
                return sent + 20;   // of the last ones it is not known whether the daemon took them
            }
        }
    }

    private static async Task<RpcException> ReceiptsUntilTheEndAsync(TestSession session, List<Proto.Receipt> receipts, TaskCompletionSource underWay)
    {
        try
        {
            while (true)
            {
                receipts.AddRange((await session.NextAsync(Proto.GroupEvent.EventOneofCase.Receipts)).Receipts.Receipts);
                underWay.TrySetResult();   // messages flow, and more follow
            }
        }
        catch (RpcException ended)
        {
            return ended;
        }
    }

    private static async Task<List<Proto.GroupMessage>> UntilGoneAsync(TestSession session, Proto.GroupMember gone)
    {
        List<Proto.GroupMessage> messages = [];
        while (true)
        {
            var happened = await session.NextAsync();
            if (happened.EventCase == Proto.GroupEvent.EventOneofCase.Message) messages.Add(happened.Message);
            else if (happened.EventCase == Proto.GroupEvent.EventOneofCase.Membership && happened.Membership.Left.Contains(gone)) return messages;
        }
    }

    private static async Task<List<(string Text, ulong Seq, uint Index)>> MessagesAsync(TestSession session, int count)
    {
        List<(string, ulong, uint)> messages = [];
        while (messages.Count < count)
        {
            var message = await session.NextMessageAsync();
            messages.Add((message.Payload.ToStringUtf8(), message.Seq, message.Index));
        }
        return messages;
    }
}
