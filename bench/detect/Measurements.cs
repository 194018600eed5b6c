using System.Diagnostics;
using Membership.Namespaces;

namespace Membership.Bench.Detect;

/// <summary>The measurements by name. Times are taken on the machine's one monotonic clock: from the fault to the installation of the view, by the daemons' own stamps.</summary>
internal static class Measurements
{
    public const int LoadPerSecond = 300;
    public const int LoadBytes = 300;
    private const int Seed = 5;

    private static readonly TimeSpan ViewLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RejoinLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan PauseLength = TimeSpan.FromMilliseconds(300);

    /// <summary>A node whose memberships keep ending within 5 s is held out on purpose; runs of this measurement shall not look like that.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(5.5);
    private static readonly TimeSpan SettleLimit = TimeSpan.FromSeconds(6);

    /// <summary>In the order of the table.</summary>
    public static IReadOnlyDictionary<string, Func<DetectOptions, IAsyncEnumerable<Row>>> All { get; } =
        new Dictionary<string, Func<DetectOptions, IAsyncEnumerable<Row>>>
        {
            ["kill"] = KillAsync,
            ["cut"] = CutAsync,
            ["stop"] = StopAsync,
            ["restart"] = RestartAllAsync,
            ["loss"] = LossAsync,
            ["pauses"] = PausesAsync,
            ["one-way"] = options => SettleAsync("one-way cut", options, network => network.Deafen(2, towards: 1)),
            ["mesh"] = options => SettleAsync("one pair of three cut", options, network => network.Separate(1, 2)),
        };

    private static async IAsyncEnumerable<Row> KillAsync(DetectOptions options)
    {
        await using var cluster = await NamespaceCluster.StartAsync(Plan(options));
        List<TimeSpan> killed = [], back = [];
        for (var run = 0; run < options.Runs; run++)
        {
            var victim = cluster.Nodes[run % cluster.Nodes.Count];
            ClusterNode[] others = [.. cluster.Nodes.Where(node => node != victim)];
            await using var load = new TwoLoads(others);
            await using var views = await ViewWatch.StartAsync(cluster, others);

            var at = Stopwatch.GetTimestamp();
            victim.Daemon.Kill();
            killed.Add(await views.FirstAsync(at, others, ViewLimit));

            await victim.Daemon.ExitAsync(ViewLimit);
            at = Stopwatch.GetTimestamp();
            victim.Start();
            back.Add(await views.FirstAsync(at, cluster.Nodes, RejoinLimit));
            await cluster.OneViewAsync(RejoinLimit);
        }

        yield return Row.OfTimes("SIGKILL: view at all survivors", killed, TimeSpan.FromSeconds(0.2));
        yield return Row.OfTimes("start after SIGKILL: member again (with the start of the process)", back, TimeSpan.FromSeconds(3));
    }

    private static async IAsyncEnumerable<Row> CutAsync(DetectOptions options)
    {
        await using var cluster = await NamespaceCluster.StartAsync(Plan(options));
        List<TimeSpan> cut = [], alone = [], healed = [];
        for (var run = 0; run < options.Runs; run++)
        {
            var victim = cluster.Nodes[run % cluster.Nodes.Count];
            ClusterNode[] others = [.. cluster.Nodes.Where(node => node != victim)];
            await using var load = new TwoLoads(others);
            await using var views = await ViewWatch.StartAsync(cluster, cluster.Nodes);

            cluster.Network.SetCable(victim.Id, link: 0, plugged: false);
            var at = Stopwatch.GetTimestamp();
            cluster.Network.SetCable(victim.Id, link: 1, plugged: false);
            cut.Add(await views.FirstAsync(at, others, ViewLimit));
            alone.Add(await views.FirstAsync(at, [victim], ViewLimit));

            cluster.Network.SetCable(victim.Id, link: 0, plugged: true);
            at = Stopwatch.GetTimestamp();
            cluster.Network.SetCable(victim.Id, link: 1, plugged: true);
            healed.Add(await views.FirstAsync(at, cluster.Nodes, RejoinLimit));
            await cluster.OneViewAsync(RejoinLimit);
            await Task.Delay(Rest);
        }

        yield return Row.OfTimes("both cables of a node pulled: view at all others", cut, TimeSpan.FromSeconds(1));
        yield return Row.OfTimes("the same: view of the node alone", alone, TimeSpan.FromSeconds(1));
        yield return Row.OfTimes("cables plugged in: one view at all", healed, TimeSpan.FromSeconds(1.5));
    }

    private static async IAsyncEnumerable<Row> StopAsync(DetectOptions options)
    {
        await using var cluster = await NamespaceCluster.StartAsync(Plan(options));
        List<TimeSpan> stopped = [];
        for (var run = 0; run < options.Runs; run++)
        {
            var victim = cluster.Nodes[run % cluster.Nodes.Count];
            ClusterNode[] others = [.. cluster.Nodes.Where(node => node != victim)];
            await using var load = new TwoLoads(others);
            await using var views = await ViewWatch.StartAsync(cluster, others);

            var at = Stopwatch.GetTimestamp();
            victim.Daemon.Terminate();
            stopped.Add(await views.FirstAsync(at, others, ViewLimit));

            await victim.Daemon.ExitAsync(ViewLimit);
            victim.Start();
            await cluster.OneViewAsync(RejoinLimit);
        }

        yield return Row.OfTimes("SIGTERM: view at all others", stopped, TimeSpan.FromSeconds(0.3));
    }

    private static async IAsyncEnumerable<Row> RestartAllAsync(DetectOptions options)
    {
        await using var cluster = await NamespaceCluster.StartAsync(Plan(options));
        List<TimeSpan> times = [];
        for (var run = 0; run < options.Runs; run++)
        {
            foreach (var node in cluster.Nodes) node.Daemon.Kill();
            foreach (var node in cluster.Nodes) await node.Daemon.ExitAsync(ViewLimit);
            foreach (var node in cluster.Nodes) node.Start();
            var at = Stopwatch.GetTimestamp();
            await cluster.OneViewAsync(RejoinLimit);
            times.Add(Stopwatch.GetElapsedTime(at));
        }

        yield return Row.OfTimes("all killed and started: one view at all (with the start of the processes)", times, TimeSpan.FromSeconds(5));
    }

    private static async IAsyncEnumerable<Row> LossAsync(DetectOptions options)
    {
        await using var cluster = await NamespaceCluster.StartAsync(Plan(options));
        foreach (var node in cluster.Nodes) cluster.Network.Lose(node.Id, percent: 10);

        yield return await LookAsync("10 % loss at every node", cluster, options.Look, () => Task.Delay(options.Look));
    }

    private static async IAsyncEnumerable<Row> PausesAsync(DetectOptions options)
    {
        await using var cluster = await NamespaceCluster.StartAsync(Plan(options));
        var random = new Random(Seed);

        yield return await LookAsync("300 ms pauses (SIGSTOP) at random nodes", cluster, options.Look, async () =>
        {
            var started = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(started) < options.Look)
            {
                var daemon = cluster.Nodes[random.Next(cluster.Nodes.Count)].Daemon;
                daemon.Pause();
                await Task.Delay(PauseLength);
                daemon.Resume();
                await Task.Delay(PauseLength * random.NextDouble() * 2);
            }
        });
    }

    private static async IAsyncEnumerable<Row> SettleAsync(string what, DetectOptions options, Action<VirtualNetwork> fault)
    {
        await using var cluster = await NamespaceCluster.StartAsync(Plan(options) with { Nodes = 3 });
        await using var views = await ViewWatch.StartAsync(cluster, cluster.Nodes);
        await using var load = new TwoLoads([cluster.Node(1), cluster.Node(3)]);

        var at = Stopwatch.GetTimestamp();
        fault(cluster.Network);
        var settled = await views.FirstAsync(at, [cluster.Node(1), cluster.Node(3)], ViewLimit);
        await Task.Delay(SettleLimit - settled is { Ticks: > 0 } rest ? rest : TimeSpan.Zero);
        var before = views.Count;
        await Task.Delay(options.Look);

        var after = views.Count - before;
        yield return Row.OfLook($"{what}: settled after, further views after 6 s", $"{options.Look.TotalSeconds:0} s", $"{settled.TotalSeconds:0.00} s, {after}", "<= 6 s, 0", settled <= SettleLimit && after == 0);
    }

    private static async Task<Row> LookAsync(string what, NamespaceCluster cluster, TimeSpan look, Func<Task> fault)
    {
        await using var views = await ViewWatch.StartAsync(cluster, cluster.Nodes);
        var before = views.Count;
        await using var load = new TwoLoads(cluster.Nodes);
        await fault();
        await load.StopAsync();

        var changes = views.Count - before;
        var lost = load.Sent - load.Delivered;
        return Row.OfLook($"{what}: view changes, messages without a receipt", $"{look.TotalSeconds:0} s", $"{changes}, {lost} of {load.Sent}", "0, 0", changes == 0 && lost == 0);
    }

    private static ClusterPlan Plan(DetectOptions options) => new() { Nodes = options.Nodes, Links = 2, Timing = options.Timing };
}
