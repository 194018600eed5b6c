using Xunit;

namespace Membership.Client.Tests;

public sealed class SubscribeTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Subscription_goes_on_after_lost_connections_without_gap_or_repetition(bool daemonRepeats)
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.Repeats = daemonRepeats;
        await using var client = daemon.Client(options => options with { ConnectFor = Patience });
        var received = new List<string>();
        var reading = ReadAsync(client, received, until: 60);

        for (int round = 0; round < 3; round++)
        {
            for (int number = 0; number < 20; number++) daemon.Service.Deliver($"{(round * 20) + number}");
            await daemon.RestartAsync();
        }
        await reading.WaitAsync(Patience);

        Assert.Equal(Enumerable.Range(0, 60).Select(number => $"{number}"), received);
    }

    [Fact]
    public async Task Events_carry_ring_and_boot_also_where_the_daemon_left_them_out()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.Deliver("a", ring: 1);
        daemon.Service.Deliver("b", ring: 1);
        daemon.Service.Deliver("c", ring: 2);
        daemon.Service.Deliver("d", ring: 2);
        await using var client = daemon.Client();
        await using var batches = client.SubscribeAsync().GetAsyncEnumerator();

        Assert.True(await batches.MoveNextAsync().AsTask().WaitAsync(Patience));
        var messages = batches.Current.Select(item => item.Message).ToList();

        Assert.Equal(["1.1.00000000", "1.1.00000000", "1.2.00000000", "1.2.00000000"], messages.Select(message => message.RingId));
        Assert.All(messages, message => Assert.Equal("00000000000000a1", message.Boot));
    }

    [Fact]
    public async Task Slow_reader_is_told_where_it_may_go_on()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.Deliver("1");
        await using var client = daemon.Client();
        await using var batches = client.SubscribeAsync().GetAsyncEnumerator();
        Assert.True(await batches.MoveNextAsync().AsTask().WaitAsync(Patience));

        await daemon.GoAsync();
        for (int number = 2; number <= 10; number++) daemon.Service.Deliver($"{number}");
        daemon.Service.ForgottenUpTo = 7;
        await daemon.ListenAsync();
        var cut = await Assert.ThrowsAsync<SubscriptionCutException>(async () => await batches.MoveNextAsync().AsTask().WaitAsync(Patience));

        Assert.Equal(7UL, cut.ResumePosition);
        Assert.Equal(1UL, cut.LastPosition);
        Assert.Contains("too slow", cut.Message, StringComparison.Ordinal);
        await using var resumed = client.SubscribeAsync(new SubscribeOptions { AfterPosition = cut.ResumePosition }).GetAsyncEnumerator();
        Assert.True(await resumed.MoveNextAsync().AsTask().WaitAsync(Patience));
        Assert.Equal([8UL, 9UL, 10UL], resumed.Current.Select(item => item.Position));
    }

    [Fact]
    public async Task Restarted_daemon_is_a_cut_because_it_counts_from_one_again()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.Deliver("1");
        await using var client = daemon.Client();
        await using var batches = client.SubscribeAsync().GetAsyncEnumerator();
        Assert.True(await batches.MoveNextAsync().AsTask().WaitAsync(Patience));

        var next = batches.MoveNextAsync().AsTask();
        await daemon.RebornAsync("00000000000000b2");
        var cut = await Assert.ThrowsAsync<SubscriptionCutException>(() => next.WaitAsync(Patience));

        Assert.Equal(0UL, cut.ResumePosition);
        Assert.Equal(1UL, cut.LastPosition);
    }

    private static async Task ReadAsync(MembershipClient client, List<string> received, int until)
    {
        await foreach (var batch in client.SubscribeAsync())
        {
            foreach (var item in batch) received.Add(item.Message.Payload.ToStringUtf8());
            if (received.Count >= until) return;
        }
    }
}
