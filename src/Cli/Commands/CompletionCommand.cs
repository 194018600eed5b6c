using System.CommandLine;
using Membership.Cli.Help;

namespace Membership.Cli.Commands;

/// <summary><c>mbr completion</c>: a script that completes commands and options, made from the command tree.</summary>
internal static class CompletionCommand
{
    private static readonly Dictionary<string, Func<CommandShape, string>> Shells = new(StringComparer.Ordinal)
    {
        ["bash"] = BashCompletion.Render,
        ["zsh"] = ZshCompletion.Render,
        ["fish"] = FishCompletion.Render,
    };

    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("completion", "Write a script for the shell that completes commands and options; for bash: source <(mbr completion bash).");
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong([.. Shells.Keys.Order(StringComparer.Ordinal)]);
        command.Arguments.Add(shell);
        command.SetAction(parse =>
        {
            host.Out.Write(Shells[parse.GetRequiredValue(shell)](CommandShape.Of(Mbr.Build(host))));
            return ExitCode.Ok;
        });
        return command;
    }
}
