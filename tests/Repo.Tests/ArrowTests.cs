using System.Xml.Linq;
using Xunit;

namespace Membership.Repo.Tests;

/// <summary>The parts and arrows of docs/architecture.md, read from the project files.</summary>
public class ArrowTests
{
    /// <summary>What each project may reference directly; whatever those reference is allowed too (arrows are transitive).</summary>
    private static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["Links"] = [],
        ["Totem"] = ["Links"],
        ["Quorum"] = ["Totem"],
        ["Cpg"] = ["Totem", "Quorum"],
        ["Replication"] = ["Totem", "Quorum"],
        ["Dlm"] = ["Replication"],
        ["Failover"] = ["Replication"],
        ["Node"] = ["Links", "Totem", "Quorum", "Cpg", "Replication", "Dlm", "Failover"],
        ["Agents"] = ["Failover"],
        ["Grpc"] = [],
        ["Grpc.Server"] = ["Grpc"],
        ["Proto"] = ["Grpc"],
        ["Daemon"] = ["Node", "Agents", "Grpc", "Grpc.Server", "Proto"],
        ["Client"] = ["Grpc", "Proto"],
        ["Testing"] = ["Node", "Client", "Daemon"],
        ["Cli"] = ["Client"],
    };

    private static readonly string[] Cores = ["Links", "Totem", "Quorum", "Cpg", "Replication", "Dlm", "Failover", "Node"];

    public static TheoryData<string> Projects =>
        [.. Repository.Files("src", ".csproj").Concat(Repository.Files("proto", ".csproj"))];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_references_only_what_its_arrows_allow(string path)
    {
        var name = NameOf(path);

        Assert.True(Arrows.ContainsKey(name), $"{path} is not among the parts of docs/architecture.md");
        var allowed = Closure(name);
        var references = References(path, "ProjectReference").Select(NameOf);

        Assert.Empty(references.Except(allowed));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_core_is_marked_as_one_and_uses_no_package(string path)
    {
        var isCore = XDocument.Load(Path.Combine(Repository.Root, path)).Descendants("IsProtocolCore").Any(mark => mark.Value == "true");

        Assert.Equal(Cores.Contains(NameOf(path)), isCore);
        if (isCore) Assert.Empty(References(path, "PackageReference"));
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var solution = Repository.Read("Membership.sln").Replace('\\', '/');
        var missing = new[] { "src", "proto", "tests", "bench", "samples" }
            .SelectMany(folder => Repository.Files(folder, ".csproj"))
            .Where(path => !solution.Contains($"\"{path}\"", StringComparison.Ordinal));

        Assert.Empty(missing);
    }

    private static HashSet<string> Closure(string project)
    {
        var reached = new HashSet<string>();
        var open = new Queue<string>(Arrows[project]);
        while (open.TryDequeue(out var next))
        {
            if (!reached.Add(next)) continue;
            foreach (var further in Arrows[next]) open.Enqueue(further);
        }

        return reached;
    }

    private static IEnumerable<string> References(string path, string kind) =>
        XDocument.Load(Path.Combine(Repository.Root, path)).Descendants(kind).Select(element => element.Attribute("Include")?.Value ?? "?");

    private static string NameOf(string path) =>
        Path.GetFileNameWithoutExtension(path.Replace('\\', '/')).Replace("Membership.", "", StringComparison.Ordinal);
}
