using System.CommandLine;
using Membership.Cli.Checks;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;

namespace Membership.Cli.Commands;

/// <summary><c>mbr check</c>: one judgement for a monitoring system. Exits 0 ok, 7 warning, 2 critical; 3 and above when nothing could be found out.</summary>
internal static class CheckCommands
{
    private const long ThresholdMax = 1_000_000;

    private delegate Task<CheckResult> Judge(CommandContext context, ParseResult parse, IDaemon daemon, long? warning, long? critical, CancellationToken cancellationToken);

    /// <summary>Builds <c>check quorum</c>.</summary>
    public static Command Quorum(CliHost host)
    {
        var exclusive = new Option<bool>("--exclusive")
        {
            Description = "Critical also while a node outside may still act: for scripts that must not run on two sides at one time. The answer holds for as long as it says.",
        };
        var command = Create(
            host, "quorum", "Critical without quorum, a warning when a node is missing or few votes can be spared.",
            "Warn when fewer votes than this can be spared (default 1).", "Critical when fewer votes than this can be spared (default 0).",
            async (context, parse, daemon, warning, critical, cancellationToken) =>
            {
                if (!parse.GetValue(exclusive)) return ClusterChecks.Quorum(await QuorumCommands.ReadAsync(context, daemon, cancellationToken), warning ?? 1, critical ?? 0);
                if (warning is not null || critical is not null) throw new CliException(ErrorCatalogue.OptionsExclude, ("option", exclusive.Name), ("other", warning is not null ? "--warn" : "--crit"));
                var asked = context.Host.Time.GetTimestamp();
                var quorum = await QuorumCommands.ReadAsync(context, daemon, cancellationToken);
                return ClusterChecks.Exclusive(quorum, context.Host.Time.GetElapsedTime(asked));
            });
        command.Options.Add(exclusive);
        return command;
    }

    /// <summary>Builds <c>check links</c>.</summary>
    public static Command Links(CliHost host) => Create(
        host, "links", "Critical when a peer has no link left, a warning when a link of this node is not up.",
        "Warn from this many links that are not up (default 1).", "Critical from this many links that are not up (default: when a peer has none left).",
        static async (context, _, daemon, warning, critical, cancellationToken) =>
            ClusterChecks.Links(await StatusCommand.ReadAsync(context, daemon, cancellationToken), warning ?? 1, critical));

    private static Command Create(CliHost host, string name, string description, string warnText, string critText, Judge judge)
    {
        var command = new Command(name, $"{description} Exits 0 ok, 7 warning, 2 critical.");
        var format = new Option<string>("--format") { Description = "Form of the answer.", HelpName = "FORMAT", DefaultValueFactory = static _ => "nagios" };
        format.AcceptOnlyFromAmong("nagios", "json", "prometheus");
        var warn = new Option<long?>("--warn") { Description = warnText, HelpName = "N" };
        var crit = new Option<long?>("--crit") { Description = critText, HelpName = "N" };
        foreach (var option in (ReadOnlySpan<Option>)[format, warn, crit])
            command.Options.Add(option);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var form = context.Json ? "json" : parse.GetRequiredValue(format);
            var (warning, critical) = (Threshold(parse, warn), Threshold(parse, crit));
            try
            {
                await using var daemon = await context.ConnectAsync(cancellationToken);
                var result = await judge(context, parse, daemon, warning, critical, cancellationToken);
                await host.Out.WriteAsync(form switch
                {
                    "json" => result.ToJson() + "\n",
                    "prometheus" => result.ToPrometheus(),
                    _ => result.ToNagios() + "\n",
                });
                return result.ExitCode;
            }
            catch (CliException unknown) when (form == "nagios")
            {
                await host.Out.WriteLineAsync(CheckResult.Unknown(name, $"{unknown.Entry.Code} {unknown.Message}")); // a monitoring system reads nothing else
                throw;
            }
        });
        return command;
    }

    private static long? Threshold(ParseResult parse, Option<long?> option) =>
        parse.GetValue(option) is { } value ? Values.Within(option.Name, value, 0, ThresholdMax) : null;
}
