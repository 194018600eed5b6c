using Grpc.Core;
using Membership.Exploration.Hosts.Daemons;
using Membership.Exploration.Hosts.Steering;
using Membership.Explorer;
using Proto = Membership.V1;

namespace Membership.Exploration.Hosts.Suites;

/// <summary>Sessions of one daemon whose ring thread, sessions, disk and clients go on in any order.</summary>
/// <remarks>
/// Invariant: what <see cref="SessionClient"/> checks of each session; members of one group at one daemon see the same messages in the same order.
/// Liveness: every message that was taken has a receipt, a refusal or the end of its stream; no task hangs; nothing is delivered after the end.
/// </remarks>
internal static class Sessions
{
    /// <summary>Sessions join and send on one node of two while the other one leaves or dies.</summary>
    public static void Subscribe(IExploration exploration) => Run(exploration, 2, async (world, nodes) =>
    {
        var node = nodes[0];
        var first = SessionClient.Open(world, node, "first");
        first.Join("g");
        var second = world.Spawn("second comes", async () =>
        {
            var late = SessionClient.Open(world, node, "second");
            late.Join("g");
            late.Send(2);
            await late.UntilAsync(() => late.IsIn() && late.Receipts.Count == 2);
            await CheckAlikeAsync(world, first, late);
            late.Leave();
            late.Complete();
            await late.Reading;
            world.Check(late.Ended?.StatusCode is StatusCode.OK, "a session that is complete ends well");
        });
        var change = world.Spawn("view change", async () =>
        {
            if (world.DrawBoolean()) nodes[1].Kill();
            else await nodes[1].StopAsync();
        });
        first.Send(2);
        await first.UntilAsync(() => first.Receipts.Count >= 2);
        await change;
        await second;
        first.Send(1);
        await first.UntilAsync(() => first.Receipts.Count == first.Sent);
        world.Check(first.Ended is null, "a view change ends no session");
        first.Complete();
        await first.Serving;
        await node.StopAsync();
    });

    /// <summary>Two sessions join, send and leave, with a thread for each task: any may be overtaken wherever it touches what others do.</summary>
    public static void Threads(IExploration exploration) => Run(new World(exploration) { HasThreads = true }, 1, async (world, nodes) =>
    {
        var node = nodes[0];
        world.Preemptions = 6;
        SessionClient[] clients = [SessionClient.Open(world, node, "one"), SessionClient.Open(world, node, "two")];
        foreach (var client in clients) client.Join("g");
        foreach (var client in clients) client.Send(2);
        foreach (var client in clients) await client.UntilAsync(() => client.IsIn() && client.Receipts.Count == 2);
        await CheckAlikeAsync(world, clients[0], clients[1]);
        clients[0].Leave();
        clients[1].Send(1);
        await clients[1].UntilAsync(() => clients[1].Receipts.Count == clients[1].Sent && clients[1].Members == 1);
        foreach (var client in clients)
        {
            world.Check(client.Ended is null, "no session ends by itself");
            client.Complete();
            await client.Serving;
            await client.Reading;
        }

        await node.StopAsync();
    });

    /// <summary>A client dies in the middle of sending; another one in the group sees its end.</summary>
    public static void Cancel(IExploration exploration) => Run(exploration, 1, async (world, nodes) =>
    {
        var node = nodes[0];
        var witness = SessionClient.Open(world, node, "witness");
        witness.Join("g");
        await witness.UntilAsync(() => witness.IsIn());
        var dying = SessionClient.Open(world, node, "dying");
        dying.Join("g");
        var sending = world.Spawn("sending", () =>
        {
            for (var i = 0; i < 3; i++) dying.Send(3);
            return Task.CompletedTask;
        });
        var death = world.Spawn("death", async () =>
        {
            if (world.DrawBoolean()) await dying.UntilAsync(() => dying.IsIn());
            dying.Vanish();
        });
        await sending;
        await death;
        await dying.Serving;
        await witness.CatchUpAsync();   // whatever the dead one did was ordered before this
        var hadJoined = witness.Events.Any(happened => happened.Membership is { Joined.Count: > 0 } change && change.Members.Count == 2);
        if (hadJoined) await witness.UntilAsync(() => witness.Events.LastOrDefault(happened => happened.Membership is not null)?.Membership is { Members.Count: 1, Reason: Proto.GroupReason.ProcessDown });
        world.Check(node.Groups.SessionCount == 1, "a session whose client has died is not counted any more");
        witness.Send(1);
        await witness.UntilAsync(() => witness.Receipts.Count == witness.Sent);
        witness.Complete();
        await witness.Serving;
        await node.StopAsync();
    });

    /// <summary>A client that does not read is gone while the daemon writes to it.</summary>
    public static void Vanish(IExploration exploration) => Run(exploration, 1, async (world, nodes) =>
    {
        var node = nodes[0];
        var silent = SessionClient.Open(world, node, "silent", buffer: 1);
        silent.Join("g");
        await silent.UntilAsync(() => silent.IsIn());
        silent.StopReading();
        var sender = SessionClient.Open(world, node, "sender");
        sender.Join("g");
        sender.Send(2);
        sender.Send(2);
        var gone = world.Spawn("gone", () =>
        {
            silent.Vanish();
            return Task.CompletedTask;
        });
        await sender.UntilAsync(() => sender.Receipts.Count == 4);
        await gone;
        await silent.Serving;
        await silent.Reading;
        sender.Complete();
        await sender.Serving;
        world.Check(node.Groups.SessionCount == 0, "no session is left behind");
        await node.StopAsync();
    });

    /// <summary>The daemon stops in the middle of joins, sends and leaves.</summary>
    public static void Stop(IExploration exploration) => Run(exploration, 1, async (world, nodes) =>
    {
        var node = nodes[0];
        world.EarlyTimers = 2;
        SessionClient[] clients = [SessionClient.Open(world, node, "one"), SessionClient.Open(world, node, "two")];
        foreach (var client in clients) client.Join("g");
        var sending = world.Spawn("sending", async () =>
        {
            foreach (var client in clients)
            {
                client.Send(3);
                await Task.Yield();
                client.Send(2, bytes: 20_000);
            }

            clients[0].Leave();
        });
        var stopping = world.Spawn("stop", node.StopAsync);
        await sending;
        await stopping;
        foreach (var client in clients)
        {
            await client.Serving;
            await client.Reading;
            var told = client.Ended?.StatusCode;
            world.Check(told is StatusCode.Unavailable, $"a session of a daemon that stops ends with UNAVAILABLE, not with {client.Ended}");
        }

        world.Check(node.Groups.SessionCount == 0, "no session outlives its daemon");
        var late = SessionClient.Open(world, node, "late");
        await late.Reading;
        world.Check(late.Ended?.StatusCode is StatusCode.Unavailable && !late.IsOpen, "nobody gets in any more");
    }, submitCapacity: 2);

    /// <summary>The daemon stops while messages of more bytes than may wait for the ring thread are being taken.</summary>
    public static void StopLarge(IExploration exploration) => Run(exploration, 1, async (world, nodes) =>
    {
        var node = nodes[0];
        var client = SessionClient.Open(world, node, "one");
        client.Join("g");
        client.Send(2, bytes: 5_000_000);
        var stopping = world.Spawn("stop", async () =>
        {
            if (world.DrawBoolean()) await client.UntilAsync(() => client.IsIn());
            await node.StopAsync();
        });
        await stopping;
        await client.Serving;
        await client.Reading;
        world.Check(client.Ended?.StatusCode is StatusCode.Unavailable, $"a session of a daemon that stops ends with UNAVAILABLE, not with {client.Ended}");
    });

    /// <summary>A client with a small window gives credit late and in parts.</summary>
    public static void Credit(IExploration exploration) => Run(exploration, 1, async (world, nodes) =>
    {
        const int Messages = 8;
        var node = nodes[0];
        var slow = SessionClient.Open(world, node, "slow", window: 150);
        slow.GivesCredit = false;
        slow.Join("g");
        var sender = SessionClient.Open(world, node, "sender");
        sender.Join("g");
        var crediting = world.Spawn("credit", async () =>
        {
            var given = 0L;
            while (slow.Messages.Count() < Messages && slow.Ended is null)
            {
                var read = slow.Events.Sum(happened => (long)happened.CalculateSize());
                var due = world.DrawBoolean() ? read - given : (read - given + 1) / 2;
                if (due > 0)
                {
                    given += due;
                    slow.Credit(due);
                }

                var seen = slow.Events.Count;
                if (given == read) await slow.UntilAsync(() => slow.Events.Count > seen);
                else await Task.Yield();
            }
        });
        await sender.UntilAsync(() => sender.IsIn());
        await slow.UntilAsync(() => slow.IsIn());
        for (var i = 0; i < Messages; i++) sender.Send(1, bytes: 10);
        await crediting;
        world.Check(slow.Messages.Count() == Messages, "with credit every message comes");
        slow.Complete();
        sender.Complete();
        await slow.Serving;
        await sender.Serving;
        await node.StopAsync();
    });

    private static void Run(IExploration exploration, int nodes, Func<World, HostedNode[], Task> body, int submitCapacity = 4096) => Run(new World(exploration), nodes, body, submitCapacity);

    private static void Run(World made, int nodes, Func<World, HostedNode[], Task> body, int submitCapacity = 4096) => World.Run(made, async world =>
    {
        var ring = new MemoryRing(world);
        HostedNode[] hosted = [.. Enumerable.Range(1, nodes).Select(id => new HostedNode(ring, (ushort)id, nodes, submitCapacity: submitCapacity))];
        await world.SettleAsync(() => Array.TrueForAll(hosted, node => node.Members == nodes && node.Verdicts.Current is { } verdict), "one view of all");
        await body(world, hosted);
        foreach (var node in hosted.Where(node => !node.Host.Completion.IsCompleted && !node.HasStopped)) await node.StopAsync();
    });

    // From the first message that both were there for they see the same, up to the last one that both have said.
    private static async Task CheckAlikeAsync(World world, SessionClient one, SessionClient other)
    {
        await one.CatchUpAsync();
        await other.CatchUpAsync();
        var (left, right) = (Places(one), Places(other));
        var from = left.FindIndex(right.Contains);
        world.Check(from >= 0, "members of one group have a message in common");
        left = left[from..];
        right = right[right.IndexOf(left[0])..];
        var both = Math.Min(left.Count, right.Count);
        world.Check(left[..both].SequenceEqual(right[..both]), "members of one group see the same messages in the same order");
    }

    private static List<(ulong View, ulong Seq, uint Index)> Places(SessionClient client) => [.. client.Messages.Select(message => (message.ViewNumber, message.Seq, message.Index))];
}
