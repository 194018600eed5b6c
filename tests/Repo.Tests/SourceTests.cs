using System.Text.RegularExpressions;
using Xunit;

namespace Membership.Repo.Tests;

/// <summary>Rules for every source file that the compiler does not know.</summary>
public partial class SourceTests
{
    /// <summary>A file beyond this usually hides a second idea.</summary>
    private const int LinesMax = 500;

    /// <summary>Files that may be longer, each with its reason.</summary>
    private static readonly Dictionary<string, string> MayBeLonger = new();

    /// <summary>Thousand of an event id -> the component whose facts it numbers (style: one range per component, never reused).</summary>
    private static readonly Dictionary<int, string> EventRanges = new()
    {
        [1] = "Totem and Links",
        [2] = "Quorum",
        [3] = "Cpg",
        [4] = "Dlm and Replication",
        [5] = "Failover and Agents",
        [6] = "Daemon",
        [7] = "Grpc",
        [8] = "Client",
        [9] = "Cli",
    };

    private static IEnumerable<string> Sources => Repository.Files("src", ".cs");

    [Fact]
    public void Every_public_type_says_what_it_is()
    {
        var documented = new Dictionary<string, bool>();
        foreach (var path in Sources)
        {
            var lines = Repository.Lines(path);
            var @namespace = lines.FirstOrDefault(line => line.StartsWith("namespace ", StringComparison.Ordinal)) ?? path;
            var isOuterPublic = false;
            for (var at = 0; at < lines.Length; at++)
            {
                if (OuterType().IsMatch(lines[at])) isOuterPublic = lines[at].StartsWith("public ", StringComparison.Ordinal);
                var found = PublicType().Match(lines[at]);
                if (!found.Success || !isOuterPublic) continue;
                var type = $"{@namespace.TrimEnd(';')}.{found.Groups["name"].Value}";
                documented[type] = documented.GetValueOrDefault(type) || HasDocstring(lines, at);
            }
        }

        Assert.Empty(documented.Where(type => !type.Value).Select(type => type.Key));
        Assert.NotEmpty(documented);
    }

    [Fact]
    public void Event_ids_are_unique_and_in_a_known_range()
    {
        var seen = new Dictionary<int, string>();
        var wrong = new List<string>();
        foreach (var path in Sources)
        {
            foreach (Match found in EventId().Matches(Repository.Read(path)))
            {
                var id = int.Parse(found.Groups["id"].Value, System.Globalization.CultureInfo.InvariantCulture);
                if (!seen.TryAdd(id, path)) wrong.Add($"event id {id} is used twice: {seen[id]} and {path}");
                if (!EventRanges.ContainsKey(id / 1000)) wrong.Add($"event id {id} in {path} is in no component's range");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Every_invariant_the_code_checks_is_listed()
    {
        var listed = Repository.Has("docs/protocol/invariants.md") ? Repository.Read("docs/protocol/invariants.md") : "";
        var unlisted =
            from path in Sources.Concat(Repository.Files("tests", ".cs"))
            from Match found in InvariantId().Matches(Repository.Read(path))
            let id = found.Groups["id"].Value
            where !Regex.IsMatch(listed, $@"(?<![\w-]){Regex.Escape(id)}(?![\w-])")
            select $"{id} in {path}";

        Assert.Empty(unlisted.Distinct());
    }

    [Fact]
    public void No_file_of_the_product_is_longer_than_one_idea()
    {
        var tooLong = Sources
            .Select(path => (Path: path, Lines: Repository.Lines(path).Length))
            .Where(file => file.Lines > LinesMax && !MayBeLonger.ContainsKey(file.Path));

        Assert.Empty(tooLong.Select(file => $"{file.Path}: {file.Lines} lines"));
        Assert.All(MayBeLonger.Keys, path => Assert.True(Repository.Has(path), path));
    }

    [Fact]
    public void Nothing_is_left_for_later()
    {
        var left =
            from path in Sources
            from line in Repository.Lines(path).Select((text, index) => (text, number: index + 1))
            where LeftForLater().IsMatch(line.text)
            select $"{path}:{line.number}: {line.text.Trim()}";

        Assert.Empty(left);
    }

    private static bool HasDocstring(string[] lines, int at)
    {
        var above = at - 1;
        while (above >= 0 && (lines[above].TrimStart().StartsWith('[') || lines[above].TrimEnd().EndsWith(")]", StringComparison.Ordinal))) above--;
        return above >= 0 && lines[above].TrimStart().StartsWith("///", StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^\s*public\s+(?:(?:static|sealed|abstract|partial|readonly|ref|unsafe)\s+)*(?:class|interface|enum|delegate\s+\S+|record(?:\s+(?:class|struct))?|struct)\s+(?<name>\w+)")]
    private static partial Regex PublicType();

    [GeneratedRegex(@"^(?:public|internal|file)\s.*\b(?:class|interface|enum|record|struct|delegate)\b")]
    private static partial Regex OuterType();

    [GeneratedRegex(@"\[LoggerMessage\(\s*(?:EventId\s*=\s*)?(?<id>\d+)")]
    private static partial Regex EventId();

    [GeneratedRegex(@"Invariant\.Holds\((?:[^;""]|""(?![\w-]+""\s*\)))*?""(?<id>[A-Z][\w-]*)""\s*\)")]
    private static partial Regex InvariantId();

    [GeneratedRegex(@"\b(TODO|FIXME|HACK|XXX|NotImplementedException)\b")]
    private static partial Regex LeftForLater();
}
