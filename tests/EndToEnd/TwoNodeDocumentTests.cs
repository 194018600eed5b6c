using System.Diagnostics;
using System.Text.RegularExpressions;
using Membership.Namespaces;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>docs/operating/two-node.md, done as written: its files, its commands, in their order, each on its machine.</summary>
public sealed partial class TwoNodeDocumentTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const string Authority = "authority";
    private static readonly TimeSpan CommandLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan EventuallyLimit = TimeSpan.FromSeconds(40);

    private readonly Dictionary<string, DaemonProcess> _services = [];

    [RootFact]
    public async Task Every_file_and_command_of_the_document_works_as_written()
    {
        Prepare(new ClusterPlan { Nodes = 2, Strangers = 1, ClusterName = "web" });
        foreach (var machine in new[] { Authority, "n1", "n2", "witness" }) Directory.CreateDirectory(Path.Combine(FolderOf(machine), "etc"));
        var document = await File.ReadAllTextAsync(Path.Combine(DaemonProgram.RepositoryRoot, "docs", "operating", "two-node.md"));
        var run = 0;
        foreach (Match block in Fence().Matches(document))
        {
            var info = block.Groups["info"].Value.Split(' ');
            var machines = Value(info, "on").Split(',');
            foreach (var machine in machines)
            {
                var text = For(machine, block.Groups["text"].Value);
                if (info[0] == "yaml") await File.WriteAllTextAsync(For(machine, Value(info, "file")), text);
                else if (info.Contains("service")) Start(machine, text);
                else await RunAsync(machine, text, isEventual: info.Contains("eventually"));
                run++;
            }
        }

        Assert.Equal(11, run); // a block whose fence says nothing is not run
        Assert.Equal(run, Fence().Matches(document).Sum(block => Value(block.Groups["info"].Value.Split(' '), "on").Split(',').Length));
        Assert.DoesNotContain(document.Split('\n'), line => line is "```sh" or "```yaml" or "```bash");
        Assert.All(["n1", "n2"], (string node) => Assert.Contains("heuristics: all commands succeed", _services[node].Log, StringComparison.Ordinal));
        Assert.All(_services, service => Assert.True(service.Value.IsRunning, $"{service.Key}: {service.Value.Log}"));
    }

    /// <inheritdoc/>
    protected override void BeforeCluster()
    {
        foreach (var (machine, service) in _services)
        {
            Output.WriteLine($"---- {machine} ----\n{service.Log}");
            service.Dispose();
        }
    }

    private void Start(string machine, string command)
    {
        var words = command.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("membershipd", words[0]);
        _services.Add(machine, DaemonProcess.Start(NamespaceOf(machine), words.AsSpan(1)));
    }

    private async Task RunAsync(string machine, string script, bool isEventual)
    {
        var (code, printed, error) = Execute(machine, script);
        for (var from = Stopwatch.GetTimestamp(); isEventual && code != 0 && Stopwatch.GetElapsedTime(from) < EventuallyLimit; (code, printed, error) = Execute(machine, script))
            await Task.Delay(TimeSpan.FromMilliseconds(200));
        Output.WriteLine($"{machine}$ {script}\n{printed}{error}");
        Assert.True(code == 0, $"{machine}: exit {code}: {script}\n{printed}{error}");
        if (machine != Authority) return;
        foreach (var to in new[] { "n1", "n2", "witness" })
        {
            foreach (var file in Directory.GetFiles(Path.Combine(FolderOf(Authority), "etc", to))) File.Copy(file, Path.Combine(FolderOf(to), "etc", Path.GetFileName(file)));
        }
    }

    private (int Code, string Output, string Error) Execute(string machine, string script)
    {
        var path = $"PATH={Path.GetDirectoryName(DaemonProgram.Daemon)}:{Path.GetDirectoryName(DaemonProgram.Cli)}:{Environment.GetEnvironmentVariable("PATH")}";
        var root = $"DOTNET_ROOT={DaemonProgram.DotnetRoot}";
        var inFolder = $"cd {Path.Combine(FolderOf(machine), "etc")}\n{script}";
        return NamespaceOf(machine) is { } name
            ? Command.Execute("ip", CommandLimit, "netns", "exec", name, "env", path, root, "sh", "-euc", inFolder)
            : Command.Execute("env", CommandLimit, path, root, "sh", "-euc", inFolder);
    }

    /// <summary>The document's addresses and places as they are on a machine of this test.</summary>
    private string For(string machine, string text) => text
        .Replace("10.0.0.", "10.98.0.", StringComparison.Ordinal)
        .Replace("/eth0/", "/l0/", StringComparison.Ordinal)
        .Replace("/etc/membership", Path.Combine(FolderOf(machine), "etc"), StringComparison.Ordinal)
        .Replace("/var/lib/membership", Path.Combine(FolderOf(machine), "state"), StringComparison.Ordinal)
        .Replace("/run/membership/api.sock", Path.Combine(FolderOf(machine), "api.sock"), StringComparison.Ordinal);

    private string FolderOf(string machine) => Path.Combine(Cluster.Folder, machine);

    private string? NamespaceOf(string machine) => machine switch
    {
        "n1" => Cluster.Network.Namespace(1),
        "n2" => Cluster.Network.Namespace(2),
        "witness" => Cluster.Network.Namespace(VirtualNetwork.StrangerFirst),
        _ => null,
    };

    private static string Value(string[] info, string key) =>
        info.FirstOrDefault(word => word.StartsWith($"{key}=", StringComparison.Ordinal))?[(key.Length + 1)..] ?? throw new InvalidDataException($"a fence without {key}=: {string.Join(' ', info)}");

    [GeneratedRegex(@"^```(?<info>(?:sh|yaml) [^\n]+)\n(?<text>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();
}
