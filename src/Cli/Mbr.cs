using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Membership.Cli.Commands;
using Membership.Cli.Demo;
using Membership.Cli.Errors;
using Membership.Cli.Text;

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
        StatusCommand.AddTo(root, host);
        root.Subcommands.Add(StatusCommand.Create(host));
        root.Subcommands.Add(Noun("node", "The configured nodes.", NodeListCommand.Create(host), NodeStopCommand.Create(host)));
        root.Subcommands.Add(Noun("link", "The links between the nodes.", LinkListCommand.Create(host), LinkMatrixCommand.Create(host)));
        root.Subcommands.Add(Noun("quorum", "Who may act, and why.", QuorumCommands.Status(host), QuorumCommands.Watch(host),
            QuorumCommands.SetExpected(host), QuorumCommands.SetVotes(host), QuorumCommands.CancelWaitForAll(host)));
        root.Subcommands.Add(Noun("group", "Closed process groups.", GroupCommands.List(host), GroupCommands.Members(host), GroupCommands.Watch(host), GroupCommands.Send(host)));
        root.Subcommands.Add(Noun("view", "The views of the ring.", ViewListCommand.Create(host)));
        root.Subcommands.Add(WatchCommand.Create(host));
        root.Subcommands.Add(Noun("ring", "The raw ordered ring.", RingCommands.Tail(host), RingCommands.Send(host)));
        root.Subcommands.Add(Noun("bench", "Benchmarks.", BenchCommand.Ring(host), BenchCommand.Cpg(host)));
        root.Subcommands.Add(Noun("key", "The keys of the cluster.", KeyGenerateCommand.Create(host)));
        root.Subcommands.Add(Noun("config", "The configuration.", ConfigCommands.Check(host), ConfigCommands.Show(host), ConfigInitCommand.Create(host), ConfigImportCommand.Create(host)));
        root.Subcommands.Add(Noun("check", "Judgements for a monitoring system.", CheckCommands.Quorum(host), CheckCommands.Links(host)));
        root.Subcommands.Add(DoctorCommand.Create(host));
        root.Subcommands.Add(Noun("auth", "Who you are to a daemon, and what you may do.", AuthCommands.WhoAmI(host), AuthCommands.CanI(host)));
        root.Subcommands.Add(Noun("ca", "Certificates for daemons and clients of other machines.", CaCommands.Init(host), CaCommands.Issue(host), CaCommands.List(host)));
        root.Subcommands.Add(DemoCommand.Create(host));
        root.Subcommands.Add(ExplainCommand.Create(host));
        root.Subcommands.Add(CompletionCommand.Create(host));
        root.Subcommands.Add(ManCommand.Create(host));
        root.Subcommands.Add(VersionCommand.Create(host));
        return root;
    }

    /// <summary>A command that only groups others.</summary>
    public static Command Noun(string name, string description, params ReadOnlySpan<Command> verbs)
    {
        var noun = new Command(name, description);
        foreach (var verb in verbs)
            noun.Subcommands.Add(verb);
        return noun;
    }

    private static async Task<int> ParseAndInvokeAsync(
        IReadOnlyList<string> arguments, CliHost host, CancellationToken cancellationToken)
    {
        var parse = Build(host).Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parse.Action is not HelpAction && ProblemOf(parse) is { } problem)
            throw new CliException(ErrorCatalogue.CommandLine,
                ("problem", problem), ("help", $"{CommandPath(parse.CommandResult)} --help"));

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
        catch (BrokenPipeException)
        {
            return ExitCode.InputOutput;
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

    // The root is also `status`; an option for it in front of another command would otherwise be accepted and have no effect.
    private static string? ProblemOf(ParseResult parse)
    {
        if (parse.Errors.Count > 0)
            return string.Join("; ", parse.Errors.Select(static error => error.Message));
        if (parse.CommandResult == parse.RootCommandResult)
            return null;
        var stray = parse.RootCommandResult.Children.OfType<OptionResult>().FirstOrDefault(static option => !option.Implicit);
        return stray is null ? null : $"{stray.Option.Name} stands before the command; write it behind \"{CommandPath(parse.CommandResult)}\"";
    }

    private static string CommandPath(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{CommandPath(parent)} {result.Command.Name}" : "mbr";
}
