using Google.Protobuf;
using Membership.Daemon.Services.Groups;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services.Groups;

/// <summary>Clients that do not read lose their session; the daemon and its other clients go on.</summary>
public sealed class SlowClientTests
{
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Moment = TimeSpan.FromTicks(1);

    [Fact]
    public async Task A_client_that_gives_no_credit_gets_its_window_then_a_cut_and_others_get_everything()
    {
        const int Messages = 400;
        var time = new HandTime();
        await using var daemons = await TestDaemons.StartAsync(1, time);
        await using var good = await TestSession.OpenAsync(daemons[0]);
        await good.JoinAsync("g");
        await good.UntilMembersAsync(1);
        await using var stingy = await TestSession.OpenAsync(daemons[0], window: 64 * 1024, givesCredit: false);
        await stingy.JoinAsync("g");
        await good.UntilMembersAsync(2);

        await SendAsync(good, Messages);
        await MessagesAsync(good, Messages);
        var messages = await WindowAsync(stingy);
        time.Pass(GroupSession.StallMax - Moment);
        var early = await UntilRefusedAsync(stingy);
        time.Pass(Promised - GroupSession.StallMax + Moment);
        var end = await stingy.NextAsync();
        var gone = await good.NextMembershipAsync();

        Assert.InRange(messages.Count, 50, 70);
        Assert.Empty(early);
        Assert.Equal(messages[^1].Position, end.Cut?.Resume);
        Assert.Contains("credit", end.Cut?.Reason, StringComparison.Ordinal);
        Assert.Equal((Proto.GroupReason.ProcessDown, 1), (gone.Reason, gone.Members.Count));
        Assert.Null(await stingy.NextOrEndAsync());
    }

    [Fact]
    public async Task A_client_that_does_not_read_at_all_is_out_of_its_groups_within_five_seconds()
    {
        const int Messages = 4096;
        var time = new HandTime();
        await using var daemons = await TestDaemons.StartAsync(1, time);
        await using var good = await TestSession.OpenAsync(daemons[0], window: uint.MaxValue, givesCredit: false);
        await good.JoinAsync("g");
        await good.UntilMembersAsync(1);
        await using var deaf = await TestSession.OpenAsync(daemons[0], window: uint.MaxValue, givesCredit: false);
        await deaf.JoinAsync("g");
        await good.UntilMembersAsync(2);

        var reading = MessagesAsync(good, Messages);
        await SendAsync(good, Messages);
        await reading;
        await StandsStillAsync(daemons[0].Groups, good);
        time.Pass(GroupSession.StallMax - Moment);
        await SendAsync(good, 1);
        var early = await UntilMessageAsync(good);
        time.Pass(Promised - GroupSession.StallMax + Moment);
        var change = await good.NextMembershipAsync();

        Assert.DoesNotContain(Proto.GroupEvent.EventOneofCase.Membership, early);
        Assert.Equal((Proto.GroupReason.ProcessDown, deaf.Self), (change.Reason, Assert.Single(change.Left)));
        Proto.GroupEvent? last = null;
        while (await deaf.NextOrEndAsync() is { } happened) last = happened;
        Assert.Contains("did not read what was sent to it", last?.Cut?.Reason, StringComparison.Ordinal);
        Assert.Equal(1, daemons[0].Groups.SessionCount);
    }

    [Fact]
    public async Task Credit_beyond_what_was_sent_counts_for_nothing_and_the_window_goes_on_with_true_credit()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        await using var session = await TestSession.OpenAsync(daemons[0], window: 16 * 1024);
        await session.AskAsync(new Proto.GroupRequest { Credit = new Proto.Credit { Bytes = ulong.MaxValue } });
        await session.JoinAsync("g");
        await session.UntilMembersAsync(1);

        await session.SendAsync(Enumerable.Range(0, 500).Select(_ => ByteString.CopyFrom(new byte[1024])));

        for (var got = 0; got < 500; got++) Assert.Equal(1024, (await session.NextMessageAsync()).Payload.Length);
    }

    private static async Task SendAsync(TestSession session, int messages)
    {
        const int AtOnce = 256;
        for (var sent = 0; sent < messages; sent += AtOnce) await session.SendAsync(Enumerable.Range(0, Math.Min(AtOnce, messages - sent)).Select(_ => ByteString.CopyFrom(new byte[1024])));
    }

    private static async Task MessagesAsync(TestSession session, int count)
    {
        for (var got = 0; got < count; got++) await session.NextMessageAsync();
    }

    // Which events came before it.
    private static async Task<List<Proto.GroupEvent.EventOneofCase>> UntilMessageAsync(TestSession session)
    {
        List<Proto.GroupEvent.EventOneofCase> before = [];
        while (true)
        {
            var happened = await session.NextAsync();
            if (happened.EventCase == Proto.GroupEvent.EventOneofCase.Message) return before;
            before.Add(happened.EventCase);
        }
    }

    // A refusal is written by the same loop that writes events: once one comes with nothing before it, the session waits for credit.
    private static async Task<List<Proto.GroupEvent>> WindowAsync(TestSession session)
    {
        List<Proto.GroupEvent> window = [];
        for (var isFull = false; !isFull;)
        {
            var more = await UntilRefusedAsync(session);
            isFull = window.Count > 0 && more.Count == 0;
            window.AddRange(more);
        }
        return [.. window.Where(happened => happened.EventCase == Proto.GroupEvent.EventOneofCase.Message)];
    }

    // Asks for what is always refused; what came before the answer.
    private static async Task<List<Proto.GroupEvent>> UntilRefusedAsync(TestSession session)
    {
        List<Proto.GroupEvent> before = [];
        await session.JoinAsync("", handle: 99);
        while (true)
        {
            var happened = await session.NextAsync();
            if (happened.EventCase == Proto.GroupEvent.EventOneofCase.Refused) return before;
            before.Add(happened);
        }
    }

    // Until a message makes what is unread longer: whoever has not read it takes nothing more.
    private static async Task StandsStillAsync(GroupApi groups, TestSession sender)
    {
        while (true)
        {
            var before = groups.Clients.QueuedBytes;
            await SendAsync(sender, 1);
            await sender.NextMessageAsync();
            if (before > 0 && groups.Clients.QueuedBytes >= before + 1024) return;
        }
    }
}
