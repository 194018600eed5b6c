using Membership.Cli.Errors;

namespace Membership.Cli.Tests;

/// <summary>The frame around all commands: usage errors, the error format, the catalogue.</summary>
public sealed class CommandLineTests
{
    [Theory]
    [InlineData("nonsense")]
    [InlineData("version --nonsense")]
    public async Task A_wrong_command_line_exits_64_and_names_the_help(string line)
    {
        var run = await MbrRun.Of(new FakeConnector(), line.Split(' '));

        Assert.Equal(64, run.ExitCode);
        Assert.StartsWith("MB1001 wrong command line: ", run.Error, StringComparison.Ordinal);
        Assert.Contains("--help", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task Version_json_has_name_and_version()
    {
        var run = await MbrRun.Of(new FakeConnector(), "version", "--json");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal("mbr", run.Json.GetProperty("name").GetString());
        Assert.Matches(@"^\d+\.\d+\.\d+", run.Json.GetProperty("version").GetString());
    }

    [Fact]
    public void Every_code_of_the_catalogue_is_unique_and_every_entry_complete()
    {
        Assert.Equal(ErrorCatalogue.All.Count, ErrorCatalogue.All.Select(static entry => entry.Code).Distinct().Count());
        Assert.All(ErrorCatalogue.All, static entry =>
        {
            Assert.Matches("^MB1[0-9]{3}$", entry.Code);
            Assert.NotEqual(0, entry.ExitCode);
            Assert.NotEmpty(entry.Cause);
            Assert.NotEmpty(entry.Fix);
        });
    }
}
