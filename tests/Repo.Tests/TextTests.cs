using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace Membership.Repo.Tests;

/// <summary>What the documents say must be there, and what must not be in any file.</summary>
public partial class TextTests
{
    /// <summary>A README of a source folder says what it decides and where to begin; more belongs into docs/.</summary>
    private const int FolderReadmeLinesMax = 40;

    public static TheoryData<string> Documents => [.. Repository.TextFiles.Where(path => path.EndsWith(".md", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Links_inside_the_repository_lead_somewhere(string path)
    {
        var folder = Path.GetDirectoryName(path) ?? "";
        var broken = Link().Matches(WithoutCode(Repository.Read(path)))
            .Select(found => found.Groups["target"].Value)
            .Where(target => !target.Contains("://", StringComparison.Ordinal) && !target.StartsWith('#') && !target.StartsWith("mailto:", StringComparison.Ordinal))
            .Select(target => target.Split('#')[0])
            .Where(target => !Repository.Has(Path.Combine(folder, target)));

        Assert.Empty(broken);
    }

    [Fact]
    public void No_file_names_a_machine_its_folders_or_a_package_registry()
    {
        var found =
            from path in Repository.TextFiles
            from line in Repository.Lines(path).Select((text, index) => (text, number: index + 1))
            where MachineTrace().IsMatch(line.text)
            select $"{path}:{line.number}: {line.text.Trim()}";

        Assert.Empty(found);
    }

    [Fact]
    public void Every_dependency_has_its_reason()
    {
        var reasons = Repository.Read("docs/adr/0002-dependencies.md");
        var packages = XDocument.Load(Path.Combine(Repository.Root, "Directory.Packages.props"))
            .Descendants("PackageVersion").Select(version => version.Attribute("Include")!.Value).ToList(); // a PackageVersion without Include does not restore

        Assert.NotEmpty(packages);
        Assert.All(packages, package => Assert.Matches($@"(?m)^\| `{Regex.Escape(package)}` \|.+\|", reasons));
    }

    [Fact]
    public void Every_guarantee_names_tests_that_exist()
    {
        var projects = Repository.Files("tests", ".cs").GroupBy(path => path.Split('/')[1]).ToDictionary(group => group.Key, group => string.Concat(group.Select(Repository.Read)));
        var wrong = new List<string>();
        foreach (var line in Repository.Lines("docs/guarantees.md").Where(line => line.StartsWith("| ", StringComparison.Ordinal) && !line.StartsWith("| promise", StringComparison.Ordinal)))
        {
            var project = "";
            var named = 0;
            foreach (var name in InlineCode().Matches(line.Split('|')[2]).Select(found => found.Value.Trim('`')))
            {
                if (projects.ContainsKey(name)) project = name;
                else if (projects.TryGetValue(project, out var code) && Regex.IsMatch(code, $@"(void|Task) {Regex.Escape(name)}\(")) named++;
                else wrong.Add($"{name} is no test of \"{project}\": {line}");
            }

            if (named == 0) wrong.Add($"no test: {line}");
        }

        Assert.Empty(wrong);
    }

    // That the suites exist is tested where they are.
    [Fact]
    public void Every_guarantee_names_a_suite_that_searches_for_its_violation_or_says_that_there_is_none()
    {
        var rows = Repository.Lines("docs/guarantees.md").Where(line => line.StartsWith("| ", StringComparison.Ordinal) && !line.StartsWith("| promise", StringComparison.Ordinal)).ToList();

        Assert.NotEmpty(rows);
        Assert.All(rows, row => Assert.Matches(@"^ (`[a-z0-9-]+`|no suite: \S.+)", row.Split('|').ElementAtOrDefault(3) ?? ""));
    }

    [Fact]
    public void Every_source_folder_has_a_short_readme()
    {
        var missing = Repository.Files("src", ".csproj").Select(path => path.Split('/')[1]).Distinct().Where(folder => !Repository.Has($"src/{folder}/README.md"));
        Assert.Empty(missing);

        var tooLong = Repository.Files("src", "/README.md").Where(path => Repository.Lines(path).Length > FolderReadmeLinesMax);

        Assert.Empty(tooLong);
    }

    private static string WithoutCode(string markdown) => InlineCode().Replace(CodeBlock().Replace(markdown, ""), "");

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"(?ms)^\s*```.*?^\s*```")]
    private static partial Regex CodeBlock();

    [GeneratedRegex("`[^`\n]*`")]
    private static partial Regex InlineCode();

    // One letter of each word stands in a class, so that this file does not match itself.
    [GeneratedRegex(@"(?<![\w.}])/([w]ork|[r]oot|[h]ome)/\w|[n]uget\.org|[n]pmjs\.(org|com)|[p]ypi\.org|[p]ythonhosted\.org|proxy\.[g]olang\.org|[c]rates\.io|[d]eb\.debian\.org")]
    private static partial Regex MachineTrace();
}
