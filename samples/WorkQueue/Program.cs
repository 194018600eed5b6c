// Members share work without asking each other: everybody sees tasks and members in one order, so everybody computes the same owner.
using System.Security.Cryptography;
using System.Text;
using Membership.Client;

using var stop = new UntilStopped();
await using var client = MembershipClient.Create();
await using var group = await client.JoinAsync(args.Length > 0 ? args[0] : "work", cancellationToken: stop.Token);
var open = new List<WorkItem>();   // announced and not reported done, in the one order
var submitting = SubmitAsync();

try
{
    await foreach (var update in group.ReadAllAsync(stop.Token)) await HandleAsync(update);
}
catch (OperationCanceledException)
{
    Console.WriteLine($"stopped with {open.Count} open");
}
await submitting;

async Task HandleAsync(GroupUpdate update)
{
    switch (update)
    {
        case GroupUpdate.Message message when message.Text.StartsWith("do ", StringComparison.Ordinal):
            var item = new WorkItem(message.Text[3..], [.. group.Members]);
            open.Add(item);
            await WorkIfMineAsync(item);
            break;
        case GroupUpdate.Message message when message.Text.StartsWith("done ", StringComparison.Ordinal):
            open.RemoveAll(known => known.Name == message.Text[5..]);
            break;
        case GroupUpdate.MembersChanged changed when changed.IsOwnJoin:
            open.Clear();   // others know what was announced before
            break;
        case GroupUpdate.MembersChanged changed:
            // What a member has left undone falls to another of those who were there when it was announced.
            foreach (var orphan in open.Where(known => known.Remove(changed.Left)).ToList()) await WorkIfMineAsync(orphan);
            break;
    }
}

async Task WorkIfMineAsync(WorkItem item)
{
    if (item.Owner != group.Self) return;
    Console.WriteLine($"did {item.Name}");   // the work itself; a crash before the next line repeats it elsewhere
    await group.PostAsync(Encoding.UTF8.GetBytes($"done {item.Name}"), cancellationToken: stop.Token);
}

async Task SubmitAsync()
{
    await Task.Yield();
    while (!stop.Token.IsCancellationRequested && await Task.Run(Console.ReadLine) is { Length: > 0 } name)
        await group.SendAsync(Encoding.UTF8.GetBytes($"do {name}"), cancellationToken: stop.Token);
}

/// <summary>A task, who does it, and who else could: the members at its place of the order that are still there.</summary>
internal sealed class WorkItem(string name, List<Member> members)
{
    public string Name => name;

    public Member Owner { get; private set; } = OwnerOf(name, members);

    /// <summary>True: its owner has left and it is somebody else's now.</summary>
    public bool Remove(IReadOnlyList<Member> left)
    {
        members.RemoveAll(left.Contains);
        if (!left.Contains(Owner) || members.Count == 0) return false;
        Owner = OwnerOf(name, members);
        return true;
    }

    // The same in every process, unlike string.GetHashCode.
    private static Member OwnerOf(string name, List<Member> members) =>
        members[(int)(BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes(name))) % (uint)members.Count)];
}
