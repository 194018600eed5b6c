using Membership.V1;
using Xunit;

namespace Membership.Client.Tests;

public sealed class WatchTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Watch_begins_with_the_current_view_and_gives_every_later_one()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.InstallView();
        daemon.Service.InstallView();
        await using var client = daemon.Client();
        await using var views = client.WatchViewsAsync().GetAsyncEnumerator();

        Assert.Equal(2UL, await NextAsync(views));
        daemon.Service.InstallView();
        daemon.Service.InstallView();

        Assert.Equal(3UL, await NextAsync(views));
        Assert.Equal(4UL, await NextAsync(views));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_goes_on_after_a_lost_connection_without_gap_or_repetition(bool daemonRepeats)
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.InstallView();
        daemon.Service.Repeats = daemonRepeats;
        var changes = new List<ConnectionState>();
        await using var client = daemon.Client(options => options with { ConnectionChanged = changes.Add });
        await using var views = client.WatchViewsAsync().GetAsyncEnumerator();
        Assert.Equal(1UL, await NextAsync(views));

        await daemon.GoAsync();
        var next = NextAsync(views);
        daemon.Service.InstallView();
        daemon.Service.InstallView();
        await daemon.ListenAsync();

        Assert.Equal(2UL, await next);
        Assert.Equal(3UL, await NextAsync(views));
        Assert.True(changes[0].IsConnected);
        Assert.False(changes[1].IsConnected);
        Assert.True(changes[^1].IsConnected);
    }

    [Fact]
    public async Task Watch_follows_a_daemon_that_counts_from_one_again()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        for (int number = 0; number < 5; number++) daemon.Service.InstallView();
        await using var client = daemon.Client();
        await using var views = client.WatchViewsAsync().GetAsyncEnumerator();
        Assert.Equal(5UL, await NextAsync(views));

        var next = views.MoveNextAsync().AsTask();
        await daemon.RebornAsync("00000000000000b2");
        daemon.Service.InstallView();
        Assert.True(await next.WaitAsync(Patience));

        Assert.Equal("1.1.00000000", views.Current.Id);
        Assert.Equal(1UL, views.Current.Revision);
        Assert.Equal("00000000000000a1", daemon.Service.WatchRequests[^1].Boot);
    }

    [Fact]
    public async Task First_failure_is_thrown_when_nobody_listens()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await daemon.GoAsync();
        await using var client = daemon.Client();
        await using var views = client.WatchViewsAsync().GetAsyncEnumerator();

        var failure = await Assert.ThrowsAsync<MembershipException>(async () => await views.MoveNextAsync());

        Assert.Equal(MembershipReason.Unavailable, failure.Reason);
        Assert.True(failure.IsTransient);
    }

    [Fact]
    public async Task Watch_waits_for_a_daemon_that_is_not_there_yet_when_told_to()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await daemon.GoAsync();
        await using var client = daemon.Client(options => options with { ConnectFor = Patience });
        await using var views = client.WatchViewsAsync().GetAsyncEnumerator();

        var next = NextAsync(views);
        daemon.Service.InstallView();
        await daemon.ListenAsync();

        Assert.Equal(1UL, await next);
    }

    [Fact]
    public async Task Cancelling_a_watch_is_no_failure_of_the_cluster()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var client = daemon.Client();
        using var cancel = new CancellationTokenSource();
        await using var views = client.WatchViewsAsync(cancellationToken: cancel.Token).GetAsyncEnumerator();

        var next = views.MoveNextAsync().AsTask();
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next.WaitAsync(Patience));
    }

    private static async Task<ulong> NextAsync(IAsyncEnumerator<View> views)
    {
        Assert.True(await views.MoveNextAsync().AsTask().WaitAsync(Patience));
        return views.Current.Revision;
    }
}
