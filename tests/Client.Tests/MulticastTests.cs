using System.Text;
using Grpc.Core;
using Xunit;

namespace Membership.Client.Tests;

public sealed class MulticastTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Receipts_come_in_the_order_of_sending_and_many_messages_share_a_request()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        await using var stream = await client.OpenMulticastAsync(new MulticastOptions { MaxOutstanding = 500 });
        var reading = ReadAsync(stream);

        for (int number = 0; number < 10_000; number++) await stream.SendAsync(new byte[20]).AsTask().WaitAsync(Patience);
        await stream.CompleteAsync().WaitAsync(Patience);
        var receipts = await reading.WaitAsync(Patience);

        Assert.Equal(Enumerable.Range(1, 10_000).Select(number => (long)number), receipts.Select(receipt => receipt.Number));
        Assert.Equal(receipts.Select(receipt => (ulong)receipt.Number), receipts.Select(receipt => receipt.Seq));
        Assert.Equal(10_000, daemon.Service.MulticastMessages);
        Assert.True(daemon.Service.MulticastRequests < 5_000, $"{daemon.Service.MulticastRequests} requests for 10000 messages");
    }

    [Fact]
    public async Task Sending_waits_while_too_many_messages_are_on_their_way()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.HoldReceipts = new TaskCompletionSource();
        await using var client = daemon.Client();
        await using var stream = await client.OpenMulticastAsync(new MulticastOptions { MaxOutstanding = 3 });
        for (int number = 0; number < 3; number++) Assert.True(stream.SendAsync(new byte[1]).AsTask().IsCompletedSuccessfully);

        var fourth = stream.SendAsync(new byte[1]).AsTask();
        Assert.False(fourth.IsCompleted);
        daemon.Service.HoldReceipts.SetResult();
        await foreach (var _ in stream.ReadReceiptsAsync()) break;

        await fourth.WaitAsync(Patience);
        Assert.Equal(4, stream.AcceptedCount);
    }

    [Fact]
    public async Task Refused_message_has_a_receipt_that_says_why()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.Refuse = "b";
        await using var client = daemon.Client();
        await using var stream = await client.OpenMulticastAsync();

        foreach (string text in (string[])["a", "b", "c"]) await stream.SendAsync(Encoding.UTF8.GetBytes(text));
        await stream.CompleteAsync().WaitAsync(Patience);
        var receipts = await ReadAsync(stream).WaitAsync(Patience);

        Assert.Equal([true, false, true], receipts.Select(receipt => receipt.IsDelivered));
        Assert.Equal("the message is not wanted", receipts[1].Failure);
    }

    [Fact]
    public async Task Failure_on_the_way_tells_what_is_confirmed_and_what_is_not_known()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.FailMulticastAfter = 7;
        await using var client = daemon.Client();
        await using var stream = await client.OpenMulticastAsync();
        for (int number = 0; number < 10; number++) await stream.SendAsync(new byte[1]);

        var receipts = new List<MulticastReceipt>();
        var interrupted = await Assert.ThrowsAsync<MulticastInterruptedException>(async () =>
        {
            await foreach (var receipt in stream.ReadReceiptsAsync()) receipts.Add(receipt);
        });
        var later = await Assert.ThrowsAsync<MulticastInterruptedException>(async () => await stream.SendAsync(new byte[1]));

        Assert.Equal(7, receipts.Count);
        Assert.Equal(7, interrupted.Confirmed);
        Assert.Equal(3, interrupted.Unconfirmed);
        Assert.True(interrupted.IsTransient);
        Assert.Equal(interrupted.Confirmed, later.Confirmed);
    }

    [Fact]
    public async Task Sender_that_waits_for_room_hears_of_a_lost_connection()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.HoldReceipts = new TaskCompletionSource();
        await using var client = daemon.Client();
        await using var stream = await client.OpenMulticastAsync(new MulticastOptions { MaxOutstanding = 1 });
        await stream.SendAsync(new byte[1]);

        var waiting = stream.SendAsync(new byte[1]).AsTask();
        await daemon.GoAsync();

        var interrupted = await Assert.ThrowsAsync<MulticastInterruptedException>(() => waiting.WaitAsync(Patience));
        Assert.Equal(1, interrupted.Unconfirmed);
    }

    [Fact]
    public async Task Disposing_flushes()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        var stream = await client.OpenMulticastAsync();
        for (int number = 0; number < 1000; number++) await stream.SendAsync(new byte[100]);

        await stream.DisposeAsync();

        Assert.Equal(1000, daemon.Service.MulticastMessages);
        Assert.Equal(1000, stream.ConfirmedCount);
    }

    [Fact]
    public async Task Single_message_of_the_largest_size_gets_its_receipt()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();

        var receipt = await client.MulticastAsync(new byte[16 << 20]).WaitAsync(Patience);

        Assert.True(receipt.IsDelivered);
        Assert.Equal(1UL, receipt.Seq);
    }

    [Fact]
    public async Task Status_and_its_failures_are_typed()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();

        Assert.Equal("fake", (await client.GetStatusAsync()).Cluster);
        daemon.Service.StatusFailure = new Status(StatusCode.PermissionDenied, "you are not an operator");
        var denied = await Assert.ThrowsAsync<MembershipException>(() => client.GetStatusAsync());
        var unsupported = await Assert.ThrowsAsync<MembershipException>(() => client.Faults.ClearAsync());

        Assert.Equal(MembershipReason.Denied, denied.Reason);
        Assert.False(denied.IsTransient);
        Assert.Contains("you are not an operator", denied.Message, StringComparison.Ordinal);
        Assert.Equal(MembershipReason.Unsupported, unsupported.Reason);
    }

    private static async Task<List<MulticastReceipt>> ReadAsync(MulticastStream stream)
    {
        var receipts = new List<MulticastReceipt>();
        await foreach (var receipt in stream.ReadReceiptsAsync()) receipts.Add(receipt);
        return receipts;
    }
}
