using System.Text;
using Membership.Daemon.Configuration;

namespace Membership.Daemon.Tests.Configuration;

/// <summary>Each wrong file of wrong-files.txt is refused with exactly the lines written there.</summary>
public sealed class WrongFileTests
{
    private const string GoodNodes = "nodes:\n  - { name: n1, id: 1, links: [\"10.0.0.1:5405\"] }\n  - { name: n2, id: 2, links: [\"10.0.0.2:5405\"] }\n";

    private static readonly string DataFile = Path.Combine(AppContext.BaseDirectory, "Configuration", "wrong-files.txt");

    public static TheoryData<string> Titles => [.. Cases().Select(c => c.Title)];

    [Theory]
    [MemberData(nameof(Titles))]
    public void A_wrong_file_is_refused_with_place_value_limit_and_remedy(string title)
    {
        var wrong = Cases().Single(c => c.Title == title);

        var told = Told(wrong);

        Assert.Equal(wrong.Expected, told);
        Assert.NotEmpty(told);
    }

    [Fact]
    public void There_are_enough_cases_and_the_data_is_up_to_date()
    {
        var cases = Cases();
        if (Environment.GetEnvironmentVariable("REWRITE") == "1") Rewrite(cases);

        Assert.True(cases.Count >= 40, $"only {cases.Count} wrong files");
        Assert.Equal(cases.Count, cases.Select(c => c.Title).Distinct().Count());
    }

    private static List<string> Told(Case wrong)
    {
        var bytes = Encoding.UTF8.GetBytes(wrong.File.Replace("@GOOD\n", GoodNodes, StringComparison.Ordinal));
        var result = ConfigurationReader.Read("m.yaml", bytes, self: null);
        Assert.Null(result.Configuration);
        return [.. result.Mistakes.Select(m => m.ToString())];
    }

    private static List<Case> Cases()
    {
        List<Case> cases = [];
        foreach (var part in File.ReadAllText(DataFile).Split("=== ")[1..])
        {
            var title = part[..part.IndexOf('\n')];
            var halves = part[(title.Length + 1)..].Split("----\n");
            cases.Add(new Case(title, halves[0], halves.Length > 1 ? [.. halves[1].Split('\n', StringSplitOptions.RemoveEmptyEntries)] : []));
        }
        return cases;
    }

    private static void Rewrite(List<Case> cases)
    {
        var text = new StringBuilder(File.ReadAllText(DataFile).Split("=== ")[0]);
        foreach (var wrong in cases) text.Append($"=== {wrong.Title}\n{wrong.File}----\n{string.Join('\n', Told(wrong))}\n");
        File.WriteAllText(Path.Combine(SourceFolder(), "wrong-files.txt"), text.ToString());
    }

    private static string SourceFolder([System.Runtime.CompilerServices.CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;

    private sealed record Case(string Title, string File, IReadOnlyList<string> Expected);
}
