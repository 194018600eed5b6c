// A dictionary that every member has: changes travel as ordered messages, a joiner gets the state from a member that has it.
using System.Text.Json;
using Membership.Client;

using var stop = new UntilStopped();
await using var client = MembershipClient.Create();
await using var group = await client.JoinAsync(args.Length > 0 ? args[0] : "cache", cancellationToken: stop.Token);
var replica = new Replica();
var commands = ReadCommandsAsync();

try
{
    await foreach (var update in group.ReadAllAsync(stop.Token))
    {
        var snapshot = replica.Apply(update);
        Console.WriteLine(replica.IsComplete ? $"state {replica}" : "waiting for the state");
        if (snapshot is not null) await SendAsync(snapshot);
    }
}
catch (OperationCanceledException)
{
    Console.WriteLine("stopped");
}
await commands;

async Task ReadCommandsAsync()
{
    await Task.Yield();
    while (!stop.Token.IsCancellationRequested && await Task.Run(Console.ReadLine) is { Length: > 0 } line)
    {
        string[] words = line.Split('=', 2);
        await SendAsync(words.Length == 2 ? new Operation(words[0], words[1], null, null) : new Operation(words[0], null, null, null));
    }
}

// Nobody waits for the receipt: the message itself comes back in the one order, and that is when it counts.
async Task SendAsync(Operation operation) => await group.PostAsync(JsonSerializer.SerializeToUtf8Bytes(operation), cancellationToken: stop.Token);
