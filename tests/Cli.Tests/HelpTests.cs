using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;
using Membership.Cli.Errors;
using Membership.Cli.Help;

namespace Membership.Cli.Tests;

/// <summary>What explains mbr: the error catalogue, completion, manual pages and the table of commands all say what the program does.</summary>
public sealed partial class HelpTests : IDisposable
{
    private readonly Scratch _scratch = new();

    private static CommandShape Tree => CommandShape.Of(Mbr.Build(new CliHost(Stream.Null, Stream.Null, Stream.Null) { Connector = new FakeConnector() }));

    public static TheoryData<string> Commands => [.. Tree.All().Where(static command => command is { Runs: true, Path.Length: > 0 }).Select(static command => command.Path)];

    public void Dispose() => _scratch.Dispose();

    private static Task<MbrRun> Run(params string[] arguments) => MbrRun.Of(new FakeConnector(), arguments);

    [Fact]
    public void Every_entry_of_the_catalogue_is_listed_in_order_and_used_and_every_code_in_the_sources_is_an_entry()
    {
        var entries = typeof(ErrorCatalogue).GetFields(BindingFlags.Static | BindingFlags.Public)
            .Where(static field => field.FieldType == typeof(ErrorEntry))
            .ToDictionary(static field => field.Name, static field => (ErrorEntry)field.GetValue(null)!);
        var sources = Directory.EnumerateFiles(Path.Combine(SourceTree.Root, "src"), "*.cs", SearchOption.AllDirectories).ToDictionary(static file => file, File.ReadAllText);
        var uses = string.Concat(sources.Where(static file => !Path.GetFileName(file.Key).StartsWith("ErrorCatalogue", StringComparison.Ordinal)).Select(static file => file.Value));

        Assert.Equal(entries.Values.Select(static entry => entry.Code).Order(StringComparer.Ordinal), ErrorCatalogue.All.Select(static entry => entry.Code).Order(StringComparer.Ordinal));
        Assert.Equal(ErrorCatalogue.All.Select(static entry => entry.Code).Order(StringComparer.Ordinal), ErrorCatalogue.All.Select(static entry => entry.Code));
        Assert.All(entries.Keys, name => Assert.Matches($@"ErrorCatalogue\.{name}\b", uses));
        var codes = entries.Values.Select(static entry => entry.Code).ToHashSet();
        Assert.Subset(codes, sources.Values.SelectMany(static text => Code().Matches(text)).Select(static match => match.Value).ToHashSet());
    }

    [Theory]
    [InlineData("MB1203")]
    [InlineData("mb1203")]
    [InlineData("1203")]
    public async Task Explain_tells_sentence_cause_fix_and_exit_code(string asked)
    {
        var run = await Run("explain", asked);
        var json = await Run("explain", asked, "--json");

        Assert.Equal((0, 0), (run.ExitCode, json.ExitCode));
        Assert.Matches("^MB1203 cannot reach the daemon .*\n  exit code: 5 \\(.*\\)\n  cause: .+\n  fix: .+\n$", run.Output);
        Assert.Equal(5, json.Json.GetProperty("exit").GetInt32());
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Help_keeps_its_columns_together(string command)
    {
        var run = await Run([.. command.Split(' '), "--help"]);

        Assert.Equal(0, run.ExitCode);
        Assert.DoesNotMatch(@"\S {60,}\S", run.Output);
    }

    [Fact]
    public async Task The_help_of_the_whole_keeps_its_columns_together() => Assert.DoesNotMatch(@"\S {60,}\S", (await Run("--help")).Output);

    [Fact]
    public async Task Explain_lists_the_whole_catalogue()
    {
        var run = await Run("explain");
        var json = await Run("explain", "--json");

        Assert.Equal(ErrorCatalogue.All.Count + 1, run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Equal(ErrorCatalogue.All.Count, json.Json.GetProperty("errors").GetArrayLength());
    }

    [Fact]
    public async Task A_code_or_page_that_does_not_exist_is_exit_4_and_cannot_drive_the_terminal()
    {
        var code = await Run("explain", "MB\e[2J");
        var page = await Run("man", "no\e[2Jpage");

        Assert.Equal((4, 4), (code.ExitCode, page.ExitCode));
        Assert.Contains("MB1011", code.Error, StringComparison.Ordinal);
        Assert.Contains("MB1012", page.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', code.Error + page.Error);
    }

    [Theory]
    [InlineData("mbr st", "status")]
    [InlineData("mbr node l", "list")]
    [InlineData("mbr node list --j", "--json")]
    [InlineData("mbr ring send --level s", "safe")]
    [InlineData("mbr completion b", "bash")]
    [InlineData("mbr explain MB120", "MB1201 MB1202 MB1203")]
    [InlineData("mbr status --timeout 3s --js", "--json")]
    [InlineData("mbr nonsense", "")]
    public async Task Bash_completes_what_the_program_knows(string typed, string offered)
    {
        var script = (await Run("completion", "bash")).Output;
        await File.WriteAllTextAsync(_scratch["mbr.bash"], script);

        var answer = Shell("bash", "-c", $$"""
            set -u; source '{{_scratch["mbr.bash"]}}'
            COMP_WORDS=({{typed}}); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); _mbr 2>/dev/null; echo "${COMPREPLY[@]}"
            """);

        Assert.Equal("", Shell("bash", "-n", _scratch["mbr.bash"]).Trim());
        if (offered.Length == 0)
            Assert.Equal("", answer.Trim());
        else
            Assert.StartsWith(offered, answer.Trim(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bash_completes_file_names_with_blanks_behind_an_option_that_takes_a_file()
    {
        await File.WriteAllTextAsync(_scratch["mbr.bash"], (await Run("completion", "bash")).Output);
        await File.WriteAllTextAsync(_scratch["a b.sock"], "");

        var answer = Shell("bash", "-c", $$"""
            source '{{_scratch["mbr.bash"]}}'; cd '{{_scratch.Folder}}'
            COMP_WORDS=(mbr status --socket a); COMP_CWORD=3; _mbr 2>/dev/null; echo "${#COMPREPLY[@]} ${COMPREPLY[0]}"
            """);

        Assert.Equal("1 a b.sock", answer.Trim());
    }

    [Theory]
    [InlineData("zsh")]
    [InlineData("fish")]
    public async Task The_other_shells_read_their_script_and_every_command_is_in_it(string shell)
    {
        var script = (await Run("completion", shell)).Output;
        await File.WriteAllTextAsync(_scratch["script"], script);

        Assert.All(Tree.All().Where(static command => command.Path.Length > 0), command =>
        {
            Assert.Contains("/" + command.Path.Replace(' ', '/'), script, StringComparison.Ordinal);
            Assert.All(command.Options, option => Assert.Contains(shell == "fish" && option.Name.StartsWith("--", StringComparison.Ordinal) ? $"-l {option.Name[2..]}" : option.Name, script, StringComparison.Ordinal));
        });
        if (HasProgram(shell))
            Assert.Equal("", Shell(shell, "-n", _scratch["script"]).Trim());
    }

    [Fact]
    public async Task A_shell_that_is_not_known_is_a_usage_error()
    {
        Assert.Equal(64, (await Run("completion", "tcsh")).ExitCode);
    }

    [Fact]
    public async Task Manual_pages_render_without_a_warning()
    {
        var run = await Run("man", "--out", _scratch["man"]);

        Assert.Equal(0, run.ExitCode);
        var pages = Directory.GetFiles(_scratch["man"]);
        Assert.Contains(_scratch["man/mbr.1"], pages);
        Assert.Contains(_scratch["man/membershipd.8"], pages);
        Assert.All(Tree.Commands, command => Assert.Contains(_scratch[$"man/mbr-{command.Name}.1"], pages));
        Assert.All(pages, page =>
        {
            var text = File.ReadAllText(page);
            Assert.StartsWith(".TH ", text, StringComparison.Ordinal);
            Assert.Contains("\n.SH \"NAME\"\n", text, StringComparison.Ordinal);
            Assert.All(text.Split('\n').Where(static line => line.StartsWith('.')), static line => Assert.Matches(@"^\.(TH|SH|SS|TP|PP|HP|RS|RE|nf|fi|nh)\b", line));
            if (HasProgram("groff"))
                Assert.Equal("", Shell("groff", "-man", "-Tutf8", "-ww", "-z", page).Trim());
        });
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Every_command_is_in_the_manual_and_in_the_table_of_the_documentation(string path)
    {
        var command = Tree.All().Single(each => each.Path == path);
        var page = (await Run("man", $"mbr-{path.Split(' ')[0]}")).Output.Replace("\\-", "-", StringComparison.Ordinal);
        var table = await File.ReadAllTextAsync(Path.Combine(SourceTree.Root, "docs/operating/cli.md"));

        Assert.Contains($"mbr {path}", page, StringComparison.Ordinal);
        Assert.All(command.Options, option => Assert.Contains(option.Name, page, StringComparison.Ordinal));
        Assert.Matches($@"`{Regex.Escape(path)}[` ]", table);
    }

    [Fact]
    public void The_daemons_page_has_exactly_the_options_the_daemon_has()
    {
        var help = File.ReadAllText(Path.Combine(SourceTree.Root, "src/Daemon/CommandLine.cs")).Split("\"\"\"")[1];
        var options = HelpOption().Matches(help).Select(static match => match.Groups["name"].Value);

        Assert.Equal(options, DaemonManPage.Options.Select(static option => option.Name));
    }

    /// <summary>Both streams of a program that ended well, standard error first.</summary>
    private static string Shell(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return error + output.Result;
    }

    private static bool HasProgram(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, name)));

    [GeneratedRegex("MB[0-9]{4}")]
    private static partial Regex Code();

    [GeneratedRegex(@"(?m)^\s{10,}(?<name>--[a-z-]+)")]
    private static partial Regex HelpOption();
}
