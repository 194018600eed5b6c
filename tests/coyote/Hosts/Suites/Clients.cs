using Membership.Client;
using Membership.Exploration.Hosts.Daemons;
using Membership.Exploration.Hosts.Steering;
using Membership.Explorer;
using Membership.V1;

namespace Membership.Exploration.Hosts.Suites;

/// <summary>The SDK's sessions against a real daemon in memory: losses, reconnects, cancels and disposal in any order.</summary>
/// <remarks>
/// Invariant: a send ends with a receipt or with a failure that says whether it may have been delivered; what was said not to have been sent is delivered
/// to nobody, what has a receipt to everybody; updates of one membership come in one order, with an interruption where something may be missing.
/// Liveness: disposal ends within its limits whatever the daemon does; no task hangs.
/// </remarks>
internal static class Clients
{
    /// <summary>A client is disposed while its connection is lost, comes back, or never comes back.</summary>
    public static void Dispose(IExploration exploration) => Run(exploration, async (world, invoker, client, node) =>
    {
        var group = await client.JoinAsync("g");
        var sends = Enumerable.Range(0, 3).Select(_ => Outcome(group, world)).ToArray();
        var loss = world.Spawn("loss", async () =>
        {
            if (world.DrawBoolean()) invoker.Node = null;
            await Task.Yield();
            invoker.BreakAll();
            if (world.DrawBoolean()) await Task.Yield();
            invoker.Node = node;
        });
        var begun = world.Time.Now;
        var disposal = world.Spawn("dispose", () => world.DrawBoolean() ? group.DisposeAsync().AsTask() : client.DisposeAsync().AsTask());
        await disposal;
        world.Check(world.Time.Now - begun < new MembershipClientOptions().CallTimeout, "disposal waits for no answer that cannot come");
        await loss;
        foreach (var send in sends) await send;
        await client.DisposeAsync();
        world.Check(client.GroupsOnTheirWay == 0 && client.GroupBytesUnread == 0, "nothing is left of a client that is disposed");
    });

    /// <summary>Sends are cancelled while the connection is lost and comes back; another member compares what it sees with what the sender was told.</summary>
    public static void CancelSend(IExploration exploration) => Run(exploration, async (world, invoker, client, node) =>
    {
        var witness = SessionClient.Open(world, node, "witness");
        witness.Join("g");
        var group = await client.JoinAsync("g", new GroupOptions { WithoutUpdates = true });
        await witness.UntilAsync(() => witness.IsIn());
        using var cancel = new CancellationTokenSource();
        var sends = Enumerable.Range(1, 3).Select(number => Outcome(group, world, (byte)number, cancellationToken: number == 2 ? cancel.Token : CancellationToken.None)).ToArray();
        var cancelling = world.Spawn("cancel", () =>
        {
            cancel.Cancel();
            return Task.CompletedTask;
        });
        var loss = world.Spawn("loss", () =>
        {
            if (world.DrawBoolean()) invoker.BreakAll();
            return Task.CompletedTask;
        });
        await cancelling;
        await loss;
        foreach (var send in sends) await send;
        await client.DisposeAsync();
        foreach (var serving in invoker.Serving) await serving;
        await witness.CatchUpAsync();
        world.Check(witness.Members == 1, "who is disposed is out of its groups");
        for (var number = 1; number <= 3; number++)
        {
            Compare(world, await sends[number - 1], witness.Messages.Count(message => message.Payload.Length == 1 && message.Payload[0] == number));
        }

        witness.Complete();
        await witness.Serving;
    });

    /// <summary>A member reads while its connection is lost again and again.</summary>
    public static void Reconnect(IExploration exploration) => Run(exploration, async (world, invoker, client, node) =>
    {
        var other = SessionClient.Open(world, node, "other");
        other.Join("g");
        var group = await client.JoinAsync("g");
        var numbers = new List<byte>();
        var reading = world.Spawn("reading", async () =>
        {
            var isSure = true;
            await foreach (var update in group.ReadAllAsync())
            {
                if (update is GroupUpdate.Interrupted) isSure = false;
                if (update is not GroupUpdate.Message { Payload: var payload }) continue;
                var number = payload.Span[0];
                world.Check(numbers.Count == 0 || number > numbers[^1], "messages come once and in order");
                world.Check(!isSure || number == (numbers.Count == 0 ? number : numbers[^1] + 1), "nothing is missing without an interruption");
                numbers.Add(number);
                isSure = true;
                if (number >= 6) return;
            }
        });
        var loss = world.Spawn("loss", async () =>
        {
            for (var i = world.Draw(3); i > 0; i--)
            {
                invoker.BreakAll();
                await Task.Yield();
            }
        });
        await other.UntilAsync(() => other.IsIn());
        for (byte number = 1; number <= 5; number++) other.SendNumbered(number);
        await loss;
        for (byte number = 6; !reading.IsCompleted; number++)
        {
            other.SendNumbered(number);
            await world.Time.Delay(TimeSpan.FromMilliseconds(100));
        }

        await reading;
        other.Complete();
        await other.Serving;
        await client.DisposeAsync();
    });

    /// <summary>The daemon leaves while its client sends; a member at the other node compares what it sees with what the sender was told.</summary>
    public static void StopDaemon(IExploration exploration) => World.Run(exploration, async world =>
    {
        var ring = new MemoryRing(world);
        HostedNode[] nodes = [new(ring, 1, 2), new(ring, 2, 2)];
        await world.SettleAsync(() => nodes[0].Members == 2 && nodes[1].Members == 2, "one view of both");
        var witness = SessionClient.Open(world, nodes[1], "witness");
        witness.Join("g");
        var client = Create(world, new MemoryInvoker(world) { Node = nodes[0] }, TimeSpan.Zero);
        var group = await client.JoinAsync("g", new GroupOptions { WithoutUpdates = true });
        await witness.UntilAsync(() => witness.Members == 2);
        var level = world.DrawBoolean() ? DeliveryLevel.Safe : DeliveryLevel.Agreed;
        Task<Told>[] sends = [.. Enumerable.Range(1, 3).Select(number => Outcome(group, world, (byte)number, level))];
        var stopping = world.Spawn("stop", nodes[0].StopAsync);
        foreach (var send in sends) await send;
        await stopping;
        await witness.UntilAsync(() => witness.Members == 1);
        await witness.CatchUpAsync();
        for (var number = 1; number <= 3; number++) Compare(world, await sends[number - 1], witness.Messages.Count(message => message.Payload.Length == 1 && message.Payload[0] == number));
        await client.DisposeAsync();
        witness.Complete();
        await witness.Serving;
        await nodes[1].StopAsync();
    });

    private enum Told
    {
        Delivered,
        NotSent,
        InDoubt,
    }

    private static void Compare(World world, Told told, int seen)
    {
        world.Check(seen <= 1, "a message is delivered once");
        world.Check(told is not Told.Delivered || seen == 1, "what has a receipt was delivered");
        world.Check(told is not Told.NotSent || seen == 0, "what was said not to have been delivered was delivered to nobody");
    }

    private static async Task<Told> Outcome(ProcessGroup group, World world, byte number = 1, DeliveryLevel level = DeliveryLevel.Agreed, CancellationToken cancellationToken = default)
    {
        try
        {
            await group.SendAsync(new[] { number }, level, cancellationToken);
            return Told.Delivered;
        }
        catch (GroupSendException failed)
        {
            return failed.IsIndeterminate ? Told.InDoubt : Told.NotSent;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return Told.InDoubt;
        }
        catch (ObjectDisposedException)
        {
            return Told.NotSent;
        }
    }

    private static MembershipClient Create(World world, MemoryInvoker invoker, TimeSpan reconnectFor) => MembershipClient.Create(
        new MembershipClientOptions { TimeProvider = world.Time, ProgramName = "test", ReconnectFor = reconnectFor }, static () => new Random(1), invoker);

    private static void Run(IExploration exploration, Func<World, MemoryInvoker, MembershipClient, HostedNode, Task> body) => World.Run(exploration, async world =>
    {
        var ring = new MemoryRing(world);
        var node = new HostedNode(ring, 1, 1);
        await world.SettleAsync(() => node.Members == 1, "a view of one");
        var invoker = new MemoryInvoker(world) { Node = node };
        var client = Create(world, invoker, Timeout.InfiniteTimeSpan);
        await body(world, invoker, client, node);
        foreach (var serving in invoker.Serving) await serving;
        await node.StopAsync();
    });
}
