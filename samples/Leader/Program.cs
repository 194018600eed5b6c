// One of several processes leads: the first member of the group, and only while its side of the cluster has quorum.
using Membership.Client;

string name = args.Length > 0 ? args[0] : "leader";
using var stop = new UntilStopped();
var gate = new Lock();
bool isConnected = false, isQuorate = false, isFirst = false, isLeading = false;

await using var client = MembershipClient.Create(new MembershipClientOptions
{
    ConnectionChanged = state => Decide(() => isConnected = state.IsConnected),   // without news nobody leads
});
await using var group = await client.JoinAsync(name, cancellationToken: stop.Token);

try
{
    await Task.WhenAll(FollowQuorumAsync(), FollowGroupAsync());
}
catch (OperationCanceledException)
{
    Decide(() => isConnected = false);
}

async Task FollowQuorumAsync()
{
    await foreach (var quorum in client.WatchQuorumAsync(cancellationToken: stop.Token))
        Decide(() => isQuorate = quorum.Quorate);
}

async Task FollowGroupAsync()
{
    await foreach (var update in group.ReadAllAsync(stop.Token))
    {
        if (update is GroupUpdate.MembersChanged changed) Decide(() => isFirst = changed.Members[0] == changed.Self);
        else if (update is GroupUpdate.Interrupted) Decide(() => isFirst = false);
    }
}

// Two streams tell two facts; the decision is made in one place, whatever came last.
void Decide(Action learn)
{
    lock (gate)
    {
        learn();
        bool leads = isConnected && isQuorate && isFirst;
        if (leads == isLeading) return;
        isLeading = leads;
        Console.WriteLine(leads ? "leading" : $"not leading: connected={isConnected} quorate={isQuorate} first={isFirst}");
    }
}
