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

    [Theory]
    [InlineData(60_000, 0, true)]
    [InlineData(60_000, 30_000, false)]
    [InlineData(0, 0, false)]
    public async Task The_exclusive_time_is_now_when_it_has_begun_and_something_is_left(long forMs, long inMs, bool isNow)
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Quorum.Decide(true, 3);
        daemon.Quorum.Tell(forMs, inMs);
        await using var client = daemon.Client();

        var time = await client.GetExclusiveTimeAsync().WaitAsync(Patience);

        Assert.Equal(isNow, time.IsNow);
        Assert.InRange(time.Left, TimeSpan.Zero, TimeSpan.FromMilliseconds(forMs));
        Assert.InRange(time.BeginsIn, TimeSpan.Zero, TimeSpan.FromMilliseconds(inMs));
        Assert.Equal("3 of 3 votes, need 2", time.Quorum.Reason);
    }

    [Fact]
    public void An_exclusive_time_runs_out_by_the_clock_of_the_program_counted_from_the_question()
    {
        var clock = new HandClock();
        var answer = new V1.Quorum { Quorate = true, QuorateUntilNs = 2, ExclusiveFromNs = 1, QuorateForMs = 2000, ExclusiveInMs = 0 };
        var asked = clock.GetTimestamp();
        clock.Now += TimeSpan.FromMilliseconds(300); // the answer took so long

        var time = ExclusiveTime.Of(answer, clock, asked, isLocal: true);

        Assert.Equal((true, TimeSpan.FromMilliseconds(1700)), (time.IsNow, time.Left));
        clock.Now += TimeSpan.FromMilliseconds(1699);
        Assert.True(time.IsNow);
        clock.Now += TimeSpan.FromMilliseconds(1);
        Assert.Equal((false, TimeSpan.Zero), (time.IsNow, time.Left));
    }

    [Fact]
    public void The_clock_of_another_machine_may_run_unlike_by_an_eighth()
    {
        var clock = new HandClock();
        var answer = new V1.Quorum { Quorate = true, QuorateUntilNs = 2, ExclusiveFromNs = 1, QuorateForMs = 8000, ExclusiveInMs = 800 };

        var time = ExclusiveTime.Of(answer, clock, clock.GetTimestamp(), isLocal: false);

        Assert.Equal((TimeSpan.FromMilliseconds(7000), TimeSpan.FromMilliseconds(900)), (time.Left, time.BeginsIn));
        clock.Now += TimeSpan.FromMilliseconds(899);
        Assert.False(time.IsNow);
        clock.Now += TimeSpan.FromMilliseconds(1);
        Assert.True(time.IsNow);
    }

    /// <summary>A monotonic clock that a test moves.</summary>
    private sealed class HandClock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
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
