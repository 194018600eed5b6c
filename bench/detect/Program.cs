// How fast a cluster of real daemons notices failures, and what it does not mistake for one. Writes a markdown table.
//
//   dotnet run -c Release --project bench/detect -- [--runs 50] [--look 60] [--only kill,cut,...] [--nodes 5] [--timing lan]
//
// Each node has two links. Two nodes send 300 messages/s of 300 bytes all the time. Needs root, iproute2 and nftables.
using Membership.Bench.Detect;
using Membership.Namespaces;

if (Requirements.Missing() is { } missing)
{
    Console.Error.WriteLine($"detect: {missing}");
    return 77;
}

var options = DetectOptions.Parse(args);
if (options is null)
{
    Console.Error.WriteLine($"usage: detect [--runs N] [--look SECONDS] [--only {string.Join(',', Measurements.All.Keys)}] [--nodes N] [--timing lan|fast]");
    return 64;
}

Console.WriteLine($"{options.Nodes} nodes, two links each, profile {options.Timing}, load 2 x {Measurements.LoadPerSecond} messages/s of {Measurements.LoadBytes} bytes, {Environment.ProcessorCount} cores, {options.Runs} runs");
Console.WriteLine();
Console.WriteLine("| what | runs | p50 | p99 | max | target | |");
Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- |");
var failed = 0;
foreach (var name in options.Only)
{
    try
    {
        await foreach (var row in Measurements.All[name](options))
        {
            Console.WriteLine(row.Text);
            if (!row.IsMet) failed++;
        }
    }
    catch (Exception e)
    {
        Console.WriteLine($"| {name} | | | | | | broke off: {e.Message.ReplaceLineEndings(" ")} |");
        failed++;
    }
}

return failed == 0 ? 0 : 1;
