// Whether all members of many groups see one order while many clients come and go, and how fast that is. Writes a markdown table.
//
//   dotnet run -c Release --project bench/groups -- [--groups 1000] [--clients 200] [--seconds 30] [--seed N]
//
// Three daemons on loopback addresses, no root. Exit code 0: everybody saw the same; 1: somebody did not, or nobody joined; 2: the ring changed
// or a client lost its daemon meanwhile (an overloaded machine), so that the run says nothing.
using System.Globalization;
using Membership.Bench.Groups;
using Membership.Client;
using Membership.Namespaces;

const int Nodes = 3;
const double Mebibyte = 1 << 20;
var options = new ChurnOptions(1000, 200, TimeSpan.FromSeconds(30), Environment.TickCount & 0xffff);
for (var i = 0; i < args.Length; i += 2)
{
    var isNumber = int.TryParse(i + 1 < args.Length ? args[i + 1] : "", NumberStyles.None, CultureInfo.InvariantCulture, out var number);
    options = args[i] switch
    {
        "--groups" when isNumber && number is >= 1 and <= 4096 => options with { Groups = number },
        "--clients" when isNumber && number is >= 1 and <= 900 => options with { Clients = number },
        "--seconds" when isNumber && number >= 1 => options with { Time = TimeSpan.FromSeconds(number) },
        "--seed" when isNumber => options with { Seed = number },
        _ => options with { Groups = 0 },
    };
    if (options.Groups > 0) continue;
    Console.Error.WriteLine("usage: groups [--groups 1..4096] [--clients 1..900] [--seconds N] [--seed N]");
    return 64;
}

await using var cluster = new LoopbackCluster(Nodes);
await cluster.StartAllAsync();
var before = Enumerable.Range(1, Nodes).Max(node => cluster.Daemon(node).ResidentBytes) / Mebibyte;
var churn = new GroupChurn(
    node => MembershipClient.Create(new MembershipClientOptions { Endpoint = cluster.Socket(node), ConnectFor = TimeSpan.FromSeconds(30), CallTimeout = TimeSpan.FromSeconds(30), ReconnectFor = TimeSpan.Zero }), Nodes, options);
var result = await churn.RunAsync();
var after = Enumerable.Range(1, Nodes).Max(node => cluster.Daemon(node).ResidentBytes) / Mebibyte;

Console.WriteLine($"{options.Groups} groups, {options.Clients} clients at {Nodes} daemons, {options.Time.TotalSeconds:0} s, seed {options.Seed}, {Environment.ProcessorCount} cores");
Console.WriteLine();
Console.WriteLine("| joins/s | leaves/s | messages/s | events/s seen | events compared | mismatches | largest daemon RSS MiB before, after |");
Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- |");
var seconds = result.Took.TotalSeconds;
Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"| {result.Joins / seconds:0} | {result.Leaves / seconds:0} | {result.Messages / seconds:0} | {result.Ledger.Events / seconds:0} | {result.Ledger.Distinct} x {(double)result.Ledger.Events / Math.Max(1, result.Ledger.Distinct):0.0} members | {result.Ledger.Mismatches} | {before:0.0}, {after:0.0} |"));
foreach (var finding in result.Ledger.Findings) Console.WriteLine($"- {finding}");
if (result.Disturbance is { } disturbance) Console.WriteLine($"- disturbed, says nothing: {disturbance}");
if (result.Ledger.Mismatches > 0) return 1;
if (result.Disturbance is not null) return 2;
return result.Joins == 0 ? 1 : 0;
