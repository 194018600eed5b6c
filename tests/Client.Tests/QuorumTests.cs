using Xunit;

namespace Membership.Client.Tests;

public sealed class QuorumTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Quorum_is_told_as_the_daemon_sees_it_now()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Quorum.Decide(true, 3);
        await using var client = daemon.Client();

        var quorum = await client.GetQuorumAsync().WaitAsync(Patience);

        Assert.True(quorum.Quorate);
        Assert.Equal("3 of 3 votes, need 2", quorum.Reason);
    }

    [Fact]
    public async Task Watch_goes_on_after_a_lost_connection_without_gap_or_repetition()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Quorum.Decide(true, 3);
        await using var client = daemon.Client();
        await using var records = client.WatchQuorumAsync().GetAsyncEnumerator();
        Assert.Equal(1UL, (await NextAsync(records)).Revision);

        await daemon.GoAsync();
        var next = NextAsync(records);
        daemon.Quorum.Decide(true, 2);
        daemon.Quorum.Decide(false, 1);
        await daemon.ListenAsync();

        Assert.Equal(2UL, (await next).Revision);
        var last = await NextAsync(records);
        Assert.Equal((3UL, false), (last.Revision, last.Quorate));
    }

    [Fact]
    public async Task Watch_follows_a_daemon_that_counts_from_one_again()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        for (int number = 0; number < 4; number++) daemon.Quorum.Decide(true, 3);
        await using var client = daemon.Client();
        await using var records = client.WatchQuorumAsync().GetAsyncEnumerator();
        Assert.Equal(4UL, (await NextAsync(records)).Revision);

        var next = NextAsync(records);
        await daemon.RebornAsync("00000000000000b2");
        daemon.Quorum.Decide(false, 1);

        Assert.Equal((1UL, false), ((await next).Revision, records.Current.Quorate));
        Assert.Equal((4UL, "00000000000000a1"), (daemon.Quorum.WatchRequests[^1].AfterRevision, daemon.Quorum.WatchRequests[^1].Boot));
    }

    private static async Task<V1.Quorum> NextAsync(IAsyncEnumerator<V1.Quorum> records)
    {
        Assert.True(await records.MoveNextAsync().AsTask().WaitAsync(Patience));
        return records.Current;
    }
}
