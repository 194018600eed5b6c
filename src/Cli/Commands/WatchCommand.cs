using System.CommandLine;
using System.Globalization;
using Membership.Cli.Errors;
using Membership.Cli.Status;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Commands;

/// <summary><c>mbr watch</c>: the current view, then every later one, a line each, until interrupted.</summary>
internal static class WatchCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("watch", "Show the current view, then every later one, until interrupted.");
        var count = new Option<long>("--count") { Description = "Stop after that many views (0: never).", HelpName = "N" };
        command.Options.Add(count);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var limit = Values.Within(parse, count, 0, long.MaxValue);
            await using var daemon = await context.ConnectAsync(cancellationToken);
            await using var views = new WatchStream<View>(context, "waiting for the current view", token => daemon.WatchViewsAsync(0, token), cancellationToken);
            try
            {
                for (long shown = 0; limit == 0 || shown < limit; shown++)
                {
                    var view = await views.NextAsync() ?? throw new CliException(ErrorCatalogue.StreamEnded, ("socket", daemon.Socket));
                    await host.Out.WriteLineAsync(Line(context, view));
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return ExitCode.Ok; // the operator ended the watch
            }
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>One view as text with the time of day it was seen, or as JSON.</summary>
    private static string Line(CommandContext context, View view)
    {
        if (context.Json)
            return JsonText.Object(json =>
            {
                json.WriteString("event", "view");
                ViewText.WriteFields(json, view);
            });
        var seen = context.Host.Time.GetLocalNow().ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
        return Escape.ForTerminal($"{seen}  {ViewText.Line(view)}");
    }
}
