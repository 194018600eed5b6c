using System.CommandLine;
using Membership.Cli.Errors;
using Membership.Cli.Text;

namespace Membership.Cli.Commands;

/// <summary><c>mbr config check</c> and <c>mbr config show</c>: what the daemon itself says about a configuration, without starting one.</summary>
internal static class ConfigCommands
{
    /// <summary>Where the configuration is when none is named.</summary>
    public const string DefaultFile = "/etc/membership/membership.yaml";

    /// <summary>Builds <c>config check</c>.</summary>
    public static Command Check(CliHost host)
    {
        var command = new Command("check", "Check a configuration: every mistake with line, limit and remedy. Exits 78 on mistakes.");
        var file = File();
        var json = Json();
        var node = NodeOption();
        command.Arguments.Add(file);
        command.Options.Add(node);
        command.Options.Add(json);
        command.SetAction((parse, cancellationToken) =>
            RunAsync(host, parse.GetRequiredValue(file), parse.GetValue(node), parse.GetValue(json) ? ["--json"] : [], cancellationToken));
        return command;
    }

    /// <summary>Builds <c>config show</c>.</summary>
    public static Command Show(CliHost host)
    {
        var command = new Command("show", "Show a configuration as it is written, or with --effective every value that applies.");
        var file = File();
        var json = Json();
        var node = NodeOption();
        var effective = new Option<bool>("--effective") { Description = "Every value that applies, derived ones too." };
        command.Arguments.Add(file);
        command.Options.Add(effective);
        command.Options.Add(node);
        command.Options.Add(json);
        command.SetAction(async (parse, cancellationToken) =>
        {
            var path = parse.GetRequiredValue(file);
            var isJson = parse.GetValue(json);
            if (parse.GetValue(effective) || isJson)
                return await RunAsync(host, path, parse.GetValue(node), isJson ? ["--effective", "--json"] : ["--effective"], cancellationToken);
            await host.Out.WriteAsync(await ReadAsync(path, cancellationToken));
            return ExitCode.Ok;
        });
        return command;
    }

    private static Argument<string> File() => new("FILE")
    {
        Description = "The configuration.",
        DefaultValueFactory = static _ => DefaultFile,
    };

    private static Option<bool> Json() => new("--json") { Description = "Write JSON instead of text." };

    private static Option<string?> NodeOption() => new("--node") { Description = "Which node of the configuration this is.", HelpName = "NAME" };

    private static Task<int> RunAsync(CliHost host, string file, string? node, string[] more, CancellationToken cancellationToken) =>
        DaemonProgram.RunAsync(host, [$"--check-config={file}", .. node is null ? Array.Empty<string>() : [$"--node={node}"], .. more], cancellationToken);

    private static async Task<string> ReadAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            var lines = await System.IO.File.ReadAllLinesAsync(file, cancellationToken);
            return string.Concat(lines.Select(static line => Escape.ForTerminal(line.Replace("\t", "  ", StringComparison.Ordinal)) + "\n"));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ErrorCatalogue.CannotRead, error, ("file", file), ("detail", error.Message));
        }
    }
}
