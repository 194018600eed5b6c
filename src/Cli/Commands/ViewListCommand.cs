using System.CommandLine;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.Cli.Status;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Commands;

/// <summary><c>mbr view list</c>: the latest views this daemon still knows, oldest first, the current one last.</summary>
internal static class ViewListCommand
{
    /// <summary>Most views that can be asked for.</summary>
    public const int CountMax = 100_000;

    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("list", "List the latest views this daemon still knows, oldest first.");
        var count = new Option<int>("--count") { Description = "At most that many.", HelpName = "N", DefaultValueFactory = static _ => 20 };
        command.Options.Add(count);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var limit = Values.Within(parse, count, 1, CountMax);
            await using var daemon = await context.ConnectAsync(cancellationToken);
            var status = await StatusCommand.ReadAsync(context, daemon, cancellationToken);
            var views = status.View is null ? [] : await ReadAsync(context, daemon, status.View, limit, cancellationToken);
            if (context.Json)
                await host.Out.WriteLineAsync(Json(views));
            else
                Draw(views, status, host.Terminal).WriteTo(host.Out);
            return ExitCode.Ok;
        });
        return command;
    }

    // Revision 0 asks for the current view, so the oldest that can be asked for is revision 2. Older than kept: the daemon
    // says NOT_FOUND or OUT_OF_RANGE, and the current view is what there is.
    private static async Task<List<View>> ReadAsync(
        CommandContext context, IDaemon daemon, View current, int limit, CancellationToken cancellationToken)
    {
        if (current.Revision <= 2 || limit == 1)
            return [current];
        var after = Math.Max(1, current.Revision - Math.Min((ulong)limit, current.Revision - 1));
        try
        {
            return await context.WithinTimeoutAsync("reading the views", token => CollectAsync(daemon, after, current.Revision, token), cancellationToken);
        }
        catch (CliException notKept) when (notKept.Entry == ErrorCatalogue.NotFound)
        {
            return [current];
        }
    }

    private static async Task<List<View>> CollectAsync(IDaemon daemon, ulong after, ulong last, CancellationToken cancellationToken)
    {
        var views = new List<View>();
        await foreach (var view in daemon.WatchViewsAsync(after, cancellationToken))
        {
            views.Add(view);
            if (view.Revision >= last)
                break;
        }
        return views;
    }

    private static string Json(List<View> views) => JsonText.Object(json =>
    {
        json.WriteStartArray("views");
        foreach (var view in views)
        {
            json.WriteStartObject();
            ViewText.WriteFields(json, view);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });

    private static Screen Draw(List<View> views, GetStatusResponse status, Terminal terminal)
    {
        var table = new Table("VIEW", "ID", "KIND", "AGE", "MEMBERS", "JOINED", "LEFT");
        foreach (var view in views)
            table.Row(
                new Span(view.Number.ToString(System.Globalization.CultureInfo.InvariantCulture)),
                new Span(view.Id),
                new Span(view.Transitional ? "transitional" : "regular"),
                new Span(Durations.Age((status.TNs - view.TNs) / 1_000_000)),
                new Span(ViewText.Names(view.Members)),
                new Span(ViewText.Names(view.Joined)),
                new Span(ViewText.Names(view.Left)));
        var screen = new Screen(terminal);
        table.WriteTo(screen);
        return screen;
    }
}
