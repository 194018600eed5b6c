// What daemons cost that have nothing to do. Writes a markdown table.
//
//   dotnet run -c Release --project bench/idle -- [--nodes 3,5,8,16] [--timing lan,fast] [--links 1] [--look 20] [--settle 30]
//
// Needs root, iproute2 and nftables. CPU is user and system time of the daemon in percent of one core; packets are those of the node's
// own interface, counted by the kernel; both over the look, after the cluster
// was left alone for the settling time, in which the runtime still compiles what the start of a daemon made hot.
using System.Diagnostics;
using System.Globalization;
using Membership.Namespaces;

int[] sizes = [3, 5, 8, 16];
string[] timings = ["lan", "fast"];
var (links, look, settle) = (1, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(30));
for (var i = 0; i + 1 < args.Length; i += 2)
{
    switch (args[i])
    {
        case "--nodes": sizes = [.. args[i + 1].Split(',').Select(text => int.Parse(text, CultureInfo.InvariantCulture))]; break;
        case "--timing": timings = args[i + 1].Split(','); break;
        case "--links": links = int.Parse(args[i + 1], CultureInfo.InvariantCulture); break;
        case "--look": look = TimeSpan.FromSeconds(int.Parse(args[i + 1], CultureInfo.InvariantCulture)); break;
        case "--settle": settle = TimeSpan.FromSeconds(int.Parse(args[i + 1], CultureInfo.InvariantCulture)); break;
        default:
            Console.Error.WriteLine("usage: idle [--nodes 3,5] [--timing lan,fast] [--links N] [--look SECONDS] [--settle SECONDS]");
            return 64;
    }
}

if (Requirements.Missing() is { } missing)
{
    Console.Error.WriteLine($"idle: {missing}");
    return 77;
}

Console.WriteLine($"{links} link(s) a node, {Environment.ProcessorCount} cores, {look.TotalSeconds:0} s, after {settle.TotalSeconds:0} s of settling");
Console.WriteLine();
Console.WriteLine("| profile | nodes | CPU % a node | packets/s sent, a node and link | packets/s received | bytes/s sent | RSS MiB a node |");
Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- |");
foreach (var timing in timings)
{
    foreach (var size in sizes)
    {
        await using var cluster = await NamespaceCluster.StartAsync(new ClusterPlan { Nodes = size, Links = links, Timing = timing });
        await Task.Delay(settle);
        var cpu = Cpu(cluster);
        var traffic = Traffic(cluster);
        var started = Stopwatch.GetTimestamp();
        await Task.Delay(look);
        var elapsed = Stopwatch.GetElapsedTime(started).TotalSeconds;
        cpu = Cpu(cluster) - cpu;
        var after = Traffic(cluster);
        var each = (double)size * links * elapsed;
        var resident = cluster.Nodes.Average(node => node.Daemon.ResidentBytes) / (1 << 20);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {timing} | {size} | {100 * cpu.TotalSeconds / elapsed / size:0.00} | {(after.Sent - traffic.Sent) / each:0.0} | {(after.Received - traffic.Received) / each:0.0} | {(after.Bytes - traffic.Bytes) / each:0} | {resident:0.0} |"));
    }
}

return 0;

static TimeSpan Cpu(NamespaceCluster cluster) => cluster.Nodes.Aggregate(TimeSpan.Zero, (sum, node) => sum + node.Daemon.ProcessorTime);

static (long Sent, long Received, long Bytes) Traffic(NamespaceCluster cluster)
{
    var (sent, received, bytes) = (0L, 0L, 0L);
    foreach (var node in cluster.Nodes)
    {
        for (var link = 0; link < cluster.Plan.Links; link++)
        {
            var counted = cluster.Network.Traffic(node.Id, link);
            sent += counted.SentPackets;
            received += counted.ReceivedPackets;
            bytes += counted.SentBytes;
        }
    }

    return (sent, received, bytes);
}
