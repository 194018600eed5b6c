using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Membership.Cli.Commands;
using Membership.Cli.Errors;

namespace Membership.Cli;

/// <summary>The command line of Membership: builds the verb tree, runs one command, turns every error into text and exit code.</summary>
internal static class Mbr
{
    private static readonly TimeSpan TerminationTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Runs one command line and returns its exit code; nothing is thrown.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, CliHost host, CancellationToken cancellationToken)
    {
        var json = arguments.Contains("--json");
        try
        {
            return await ParseAndInvokeAsync(arguments, host, cancellationToken);
        }
        catch (CliException error)
        {
            ErrorWriter.Write(host.Error, error, json);
            if (error.InnerException is { } inner && host.Environment("MBR_DEBUG") is { Length: > 0 })
                await host.Error.WriteLineAsync(inner.ToString());
            return error.Entry.ExitCode;
        }
    }

    /// <summary>The whole verb tree; <c>status</c> is what runs without a verb.</summary>
    public static RootCommand Build(CliHost host)
    {
        var root = new RootCommand("Who is in, who has quorum, who holds the lock, who serves the address: the same answer on every node.");
        root.Subcommands.Add(VersionCommand.Create(host));
        return root;
    }

    private static async Task<int> ParseAndInvokeAsync(
        IReadOnlyList<string> arguments, CliHost host, CancellationToken cancellationToken)
    {
        var parse = Build(host).Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parse.Errors.Count > 0 && parse.Action is not HelpAction)
            throw new CliException(ErrorCatalogue.CommandLine,
                ("problem", string.Join("; ", parse.Errors.Select(static error => error.Message))),
                ("help", $"{CommandPath(parse.CommandResult)} --help"));

        var invocation = new InvocationConfiguration
        {
            Output = host.Out,
            Error = host.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = host.HandlesSignals ? TerminationTimeout : null,
        };
        try
        {
            return await parse.InvokeAsync(invocation, cancellationToken);
        }
        catch (OperationCanceledException cancelled)
        {
            throw new CliException(ErrorCatalogue.Interrupted, cancelled);
        }
        catch (IOException broken)
        {
            throw new CliException(ErrorCatalogue.OutputFailed, broken, ("detail", broken.Message));
        }
        catch (Exception defect) when (defect is not CliException)
        {
            throw new CliException(ErrorCatalogue.Defect, defect, ("kind", defect.GetType().Name), ("detail", defect.Message));
        }
    }

    private static string CommandPath(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{CommandPath(parent)} {result.Command.Name}" : "mbr";
}
