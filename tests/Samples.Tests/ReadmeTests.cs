using System.Text.RegularExpressions;
using Membership.Namespaces;
using Xunit;

namespace Membership.Samples.Tests;

/// <summary>The program on the first page, taken from there letter by letter, built against the packed SDK and run.</summary>
public sealed partial class ReadmeTests(SampleCluster cluster) : IClassFixture<SampleCluster>
{
    private static readonly TimeSpan BuildLimit = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task Program_of_the_readme_has_ten_lines_at_most_joins_a_group_and_prints_messages()
    {
        string program = ProgramOf("README.md");
        Assert.True(program.Split('\n').Length <= 10, program);
        string folder = Directory.CreateTempSubdirectory("readme-").FullName;
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "hello.cs"), program);
            Pack(folder);

            await using var first = SampleRun.StartFile(Path.Combine(folder, "hello.cs"), cluster.Socket(1));
            await first.PrintsAsync("its own message", line => OwnMessage(1).IsMatch(line));
            await using var second = SampleRun.StartFile(Path.Combine(folder, "hello.cs"), cluster.Socket(2));
            await first.PrintsAsync("the other's message", line => OwnMessage(2).IsMatch(line));
            await second.PrintsAsync("its own message", line => OwnMessage(2).IsMatch(line));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Program_of_the_package_is_that_of_the_readme()
    {
        string withoutDirectives = string.Join('\n', ProgramOf("README.md").Split('\n').Where(line => !line.StartsWith("#:", StringComparison.Ordinal)));

        Assert.Equal(withoutDirectives, ProgramOf("src/Client/PACKAGE.md"));
    }

    private static string ProgramOf(string document) =>
        CodeBlock().Match(File.ReadAllText(Path.Combine(DaemonProgram.RepositoryRoot, document))).Groups["code"].Value.TrimEnd();

    // The package is found in this folder alone, and unpacked here; what it depends on is taken from where the build of the tests has it.
    private static void Pack(string folder)
    {
        string project = Path.Combine(DaemonProgram.RepositoryRoot, "src", "Client");
        var (code, output, _) = Command.Execute(
            "dotnet", BuildLimit, "pack", project, "-c", SampleRun.Metadata("Configuration"), "--no-build", "-o", Path.Combine(folder, "feed"), "-nodeReuse:false");
        Assert.True(code == 0, output);
        string built = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } named
            ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        File.WriteAllText(Path.Combine(folder, "nuget.config"), $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{Path.Combine(folder, "unpacked")}" /></config>
              <fallbackPackageFolders><clear /><add key="built" value="{built}" /></fallbackPackageFolders>
              <packageSources><clear /><add key="feed" value="{Path.Combine(folder, "feed")}" /></packageSources>
            </configuration>
            """);
    }

    private static Regex OwnMessage(int node) => new($"^n{node}/[0-9]+\\.[0-9]+: hello$");

    [GeneratedRegex("(?s)```csharp\n(?<code>.*?)```")]
    private static partial Regex CodeBlock();
}
