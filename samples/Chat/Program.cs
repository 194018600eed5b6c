// A chat over a group: everybody sees the same lines in the same order, and who came and went between them.
using System.Text;
using Membership.Client;

string name = args.Length > 0 ? args[0] : Environment.UserName;
string room = args.Length > 1 ? args[1] : "chat";

using var stop = new UntilStopped();
await using var client = MembershipClient.Create();
await using var group = await client.JoinAsync(room, cancellationToken: stop.Token);
var typing = SendLinesAsync();

try
{
    await foreach (var update in group.ReadAllAsync(stop.Token))
    {
        Console.WriteLine(update switch
        {
            GroupUpdate.Message message => message.Text,
            GroupUpdate.MembersChanged changed => $"* {changed.Members.Count} here{Names(" came", changed.Joined)}{Names(" went", changed.Left)}",
            GroupUpdate.Interrupted interrupted => $"* lines may be missing here: {interrupted.Cause.Message}",
            _ => "",
        });
    }
}
catch (OperationCanceledException)
{
    Console.WriteLine("* bye");
}
await typing;

async Task SendLinesAsync()
{
    await Task.Yield();
    // Input that ends (a pipe) ends the typing, not the listening.
    while (!stop.Token.IsCancellationRequested && await ReadLineAsync() is { } line)
    {
        try
        {
            await group.SendAsync(Encoding.UTF8.GetBytes($"{name}: {line}"), cancellationToken: stop.Token);
        }
        catch (GroupSendException failure)
        {
            Console.WriteLine(failure.IsIndeterminate ? $"* perhaps not sent: {line}" : $"* not sent: {line}");
        }
    }
}

async Task<string?> ReadLineAsync()
{
    try
    {
        return await Task.Run(Console.ReadLine).WaitAsync(stop.Token);   // a terminal cannot be read with a token
    }
    catch (OperationCanceledException)
    {
        return null;
    }
}

static string Names(string what, IReadOnlyList<Member> members) => members.Count == 0 ? "" : $",{what}: {string.Join(' ', members)}";
