using Membership.Cpg;
using Membership.Daemon.Services;
using Membership.Links;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services;

public sealed class ReceiptTests
{
    private static readonly RingId Ring = new(new NodeId(1), 4, 1UL << 40);

    private readonly ReceiptTable _table = new(16 * 1024 * 1024);

    [Fact]
    public async Task Receipts_come_in_order_of_submission_whatever_the_order_of_the_answers()
    {
        var window = new ReceiptWindow(_table, new BatchSignal());
        for (var i = 0; i < 3; i++) window.Submitted(await window.TakeAsync(default), new SendResult(GroupStatus.Accepted, (ulong)i + 1));

        _table.Delivered(Delivery(2), 20);
        Assert.Empty(Drained(window));
        _table.Delivered(Delivery(1), 10);
        Assert.Equal([1UL, 2UL], Drained(window).Select(r => r.Counter));
        _table.Failed(3, 30);

        var last = Assert.Single(Drained(window));
        Assert.Equal((3UL, true), (last.Counter, last.Failure.Contains("left the cluster", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_message_that_was_refused_has_a_receipt_with_the_limit_and_no_counter()
    {
        var window = new ReceiptWindow(_table, new BatchSignal());

        window.Submitted(await window.TakeAsync(default), new SendResult(GroupStatus.TooLarge, 0));

        var receipt = Assert.Single(Drained(window));
        Assert.Equal(0UL, receipt.Counter);
        Assert.Contains("16777216 bytes", receipt.Failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_window_makes_the_client_wait_until_receipts_are_taken()
    {
        var window = new ReceiptWindow(_table, new BatchSignal());
        for (var i = 0; i < ReceiptWindow.Capacity; i++) window.Submitted(await window.TakeAsync(default), new SendResult(GroupStatus.Accepted, (ulong)i + 1));

        var waiting = window.TakeAsync(default).AsTask();
        Assert.False(waiting.IsCompleted);
        _table.Delivered(Delivery(1), 1);
        Assert.False(waiting.IsCompleted);
        Assert.Single(Drained(window));

        Assert.Equal((ulong)ReceiptWindow.Capacity, await waiting.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task A_message_delivered_inside_its_own_submit_keeps_its_receipt()
    {
        var window = new ReceiptWindow(_table, new BatchSignal());
        var tag = await window.TakeAsync(default);

        _table.Delivered(Delivery(1), 5);
        window.Submitted(tag, new SendResult(GroupStatus.Accepted, 1));

        Assert.Equal(1UL, Assert.Single(Drained(window)).Counter);
    }

    [Fact]
    public async Task Messages_far_apart_by_counter_do_not_take_each_others_place()
    {
        var (one, other) = (new ReceiptWindow(_table, new BatchSignal()), new ReceiptWindow(_table, new BatchSignal()));
        one.Submitted(await one.TakeAsync(default), new SendResult(GroupStatus.Accepted, 1));
        other.Submitted(await other.TakeAsync(default), new SendResult(GroupStatus.Accepted, 1 + 4096 * 3));

        _table.Delivered(Delivery(1 + 4096 * 3), 2);
        _table.Delivered(Delivery(1), 3);

        Assert.Equal(1UL, Assert.Single(Drained(one)).Counter);
        Assert.Equal(1UL + 4096 * 3, Assert.Single(Drained(other)).Counter);
    }

    [Fact]
    public async Task When_the_daemon_stops_everything_that_waits_is_answered_and_the_stream_ends()
    {
        var window = new ReceiptWindow(_table, new BatchSignal());
        window.Submitted(await window.TakeAsync(default), new SendResult(GroupStatus.Accepted, 1));
        window.Complete();

        _table.FailAll("the daemon stopped", 9);

        Assert.True(await window.WaitAsync(default));
        Assert.Equal("the daemon stopped", Assert.Single(Drained(window)).Failure);
        Assert.False(await window.WaitAsync(default));
    }

    [Fact]
    public async Task A_receipt_that_is_used_again_keeps_nothing_of_the_message_before()
    {
        var (window, spare) = (new ReceiptWindow(_table, new BatchSignal()), new SpareReceipts());
        foreach (var status in new[] { GroupStatus.Accepted, GroupStatus.TooLarge, GroupStatus.Accepted })
        {
            var counter = status == GroupStatus.Accepted ? 7UL : 0;
            window.Submitted(await window.TakeAsync(default), new SendResult(status, counter));
            if (counter > 0) _table.Delivered(Delivery(counter), 10);
            var response = new Proto.MulticastResponse();

            Assert.True(window.Drain(response, spare));

            var expected = counter > 0
                ? new Proto.Receipt { Counter = 7, RingId = Ring.ToString(), Seq = 7, TNs = 10 }
                : new Proto.Receipt { Failure = _table.TooLarge };
            Assert.Equal(expected, Assert.Single(response.Receipts));
        }
    }

    [Fact]
    public async Task When_the_node_leaves_a_message_is_never_ordered_or_ordered_with_an_outcome_that_is_not_known_here()
    {
        var window = new ReceiptWindow(_table, new BatchSignal());
        for (var i = 0; i < 2; i++) window.Submitted(await window.TakeAsync(default), new SendResult(GroupStatus.Accepted, (ulong)i + 1));

        _table.Failed(2, 8);
        _table.Left(9);

        var receipts = Drained(window);
        Assert.Equal([(1UL, ReceiptTable.OrderedElsewhere), (2UL, ReceiptTable.NeverOrdered)], receipts.Select(r => (r.Counter, r.Failure)));
    }

    private static List<Proto.Receipt> Drained(ReceiptWindow window)
    {
        var response = new Proto.MulticastResponse();
        window.Drain(response, new SpareReceipts());
        return [.. response.Receipts];
    }

    private static Delivery Delivery(ulong counter) => new(Ring, new Seq(counter), 0, new NodeId(1), 7, counter, DeliveryLevel.Agreed, 0);
}
