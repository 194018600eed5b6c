using System.Runtime.CompilerServices;
using Xunit;

namespace Membership.Scenarios.Tests;

/// <summary>Plays every file of tests/scenarios. REWRITE=1 writes what really happened into the files; commit it only if you can explain each line.</summary>
public class ScenarioTests
{
    public static TheoryData<string> Names => new(Directory.GetFiles(Folder(), "*.txt").Select(path => Path.GetFileNameWithoutExtension(path)).Order());

    [Theory]
    [MemberData(nameof(Names))]
    public void Plays_as_written(string name)
    {
        var path = Path.Combine(Folder(), name + ".txt");
        var scenario = Scenario.Parse(File.ReadAllText(path));
        var runner = new ScenarioRunner();

        List<IReadOnlyList<string>> outputs = [.. scenario.Blocks.Select(runner.Run)];

        Assert.Empty(runner.Finish());
        if (Environment.GetEnvironmentVariable("REWRITE") == "1") File.WriteAllText(path, scenario.Rewrite(outputs));
        else Assert.Equal(File.ReadAllText(path), scenario.Rewrite(outputs));
    }

    private static string Folder([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(here)!)!, "scenarios");
}
