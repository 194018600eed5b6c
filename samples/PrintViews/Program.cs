// Prints who is in and whether this side has quorum, now and on every change, through restarts of the daemon.
using Membership.Client;

using var stop = new UntilStopped();
await using var client = MembershipClient.Create(new MembershipClientOptions
{
    ConnectFor = Timeout.InfiniteTimeSpan,   // wait for a daemon that is not there yet
    ConnectionChanged = state => Console.WriteLine(state.IsConnected ? "connected" : $"not connected: {state.Failure?.Message}"),
});

try
{
    await Task.WhenAll(PrintViewsAsync(), PrintQuorumAsync());
}
catch (OperationCanceledException)
{
    Console.WriteLine("stopped");
}

async Task PrintViewsAsync()
{
    await foreach (var view in client.WatchViewsAsync(cancellationToken: stop.Token))
    {
        if (view.Transitional) continue;   // on the way from one view to the next
        Console.WriteLine($"view {view.Id} members={string.Join(',', view.Members.Select(member => member.Name))}");
    }
}

async Task PrintQuorumAsync()
{
    await foreach (var quorum in client.WatchQuorumAsync(cancellationToken: stop.Token))
    {
        Console.WriteLine($"quorum {(quorum.Quorate ? "yes" : "no")} votes={quorum.Votes}/{quorum.VotesExpected} {quorum.Reason}");
    }
}
