using System.Text.RegularExpressions;
using Membership.Namespaces;
using Xunit;

namespace Membership.Samples.Tests;

/// <summary>The program on the first page and the commands around it, taken from there letter by letter and typed in their order; only the places are those of the test.</summary>
public sealed partial class ReadmeTests(SampleCluster cluster) : IClassFixture<SampleCluster>
{
    private static readonly TimeSpan BuildLimit = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task Program_of_the_readme_has_ten_lines_at_most_joins_a_group_and_prints_messages()
    {
        string program = ProgramOf("README.md");
        Assert.True(program.Split('\n').Length <= 10, program);
        string[] blocks = CommandsOf("README.md");
        Assert.Equal(2, blocks.Length);   // before the program and behind it
        string folder = Directory.CreateTempSubdirectory("readme-").FullName;
        try
        {
            LeadToNoRegistry(folder);
            string hello = Path.Combine(folder, "hello");
            var (code, output, error) = Command.Execute(
                "env", BuildLimit, "-C", DaemonProgram.RepositoryRoot, "MSBUILDDISABLENODEREUSE=1", "bash", "-euc", blocks[0].Replace("/tmp/hello", hello, StringComparison.Ordinal));
            Assert.True(code == 0, output + error);
            await File.WriteAllTextAsync(Path.Combine(hello, "hello.cs"), program);

            await using var first = SampleRun.StartCommand(For(1, blocks[1]), hello);
            await first.PrintsAsync("its own message", line => OwnMessage(1).IsMatch(line));
            await using var second = SampleRun.StartCommand(For(2, blocks[1]), hello);
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

    // The commands stand in blocks without a language, below the heading that the program stands below.
    private static string[] CommandsOf(string document)
    {
        string text = File.ReadAllText(Path.Combine(DaemonProgram.RepositoryRoot, document));
        string section = text[text.IndexOf("## From C#", StringComparison.Ordinal)..];
        return [.. Fence().Matches(section[..section.IndexOf("\n## ", StringComparison.Ordinal)]).Where(block => block.Groups["language"].Length == 0).Select(block => block.Groups["text"].Value)];
    }

    private string For(int node, string command)
    {
        Assert.Matches(DemoSocket(), command);
        return DemoSocket().Replace(command, cluster.Socket(node));
    }

    // In the folder above the one that the commands make. What the SDK's package needs is taken from where the build of the tests has it, the package itself from where it
    // was just made (by the name that the command gives that source), never one that was unpacked on this machine earlier; nothing else is asked.
    private static void LeadToNoRegistry(string folder)
    {
        string built = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } named
            ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        File.WriteAllText(Path.Combine(folder, "nuget.config"), $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{Path.Combine(folder, "unpacked")}" /></config>
              <fallbackPackageFolders><clear /></fallbackPackageFolders>
              <packageSources><clear /><add key="built" value="{built}" /></packageSources>
              <packageSourceMapping>
                <clear />
                <packageSource key="built"><package pattern="*" /></packageSource>
                <packageSource key="Package source 1"><package pattern="Membership.*" /></packageSource>
              </packageSourceMapping>
            </configuration>
            """);
    }

    private static Regex OwnMessage(int node) => new($"^n{node}/[0-9]+\\.[0-9]+: hello$");

    [GeneratedRegex("(?s)```csharp\n(?<code>.*?)```")]
    private static partial Regex CodeBlock();

    [GeneratedRegex("(?ms)^```(?<language>[a-z]*)\n(?<text>.*?)^```$")]
    private static partial Regex Fence();

    [GeneratedRegex(@"/tmp/membership-demo\.\S+/n1\.sock")]
    private static partial Regex DemoSocket();
}
