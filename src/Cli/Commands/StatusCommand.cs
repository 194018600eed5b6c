using System.CommandLine;
using Membership.Cli.Daemons;
using Membership.Cli.Status;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Commands;

/// <summary><c>mbr status</c>: the cluster on one screen. Exit 2 when not quorate.</summary>
internal static class StatusCommand
{
    /// <summary>How many of the latest views and verdicts stay below a watched screen.</summary>
    public const int EventsKept = 10;

    /// <summary>A watched screen is read again this often even without an event, so that it never shows a state that has passed.</summary>
    public static readonly TimeSpan RefreshInterval = TimeSpan.FromSeconds(2);

    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("status", "Show the cluster on one screen (the default command). Exits 2 when not quorate.");
        AddTo(command, host);
        return command;
    }

    /// <summary>Gives a command the options and the action of <c>status</c>; the root command has them too.</summary>
    public static void AddTo(Command command, CliHost host)
    {
        var watch = new Option<bool>("--watch", "-w") { Description = "Redraw on every view and verdict of quorum; with --json write one status a line." };
        command.Options.Add(watch);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, (context, parse, cancellationToken) =>
            parse.GetValue(watch) ? WatchAsync(context, cancellationToken) : OnceAsync(context, cancellationToken));
    }

    /// <summary>Reads the status within the time limit.</summary>
    public static Task<GetStatusResponse> ReadAsync(CommandContext context, IDaemon daemon, CancellationToken cancellationToken) =>
        context.WithinTimeoutAsync("reading the status", daemon.GetStatusAsync, cancellationToken);

    // One limit for all of it: whoever asks how things are is not kept waiting twice.
    private static async Task<int> OnceAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var started = context.Host.Time.GetTimestamp();
        var status = await context.WithinTimeoutAsync("reading the status", async token =>
        {
            await using var daemon = await context.ConnectAsync(token);
            return await daemon.GetStatusAsync(token);
        }, cancellationToken);
        if (context.Json)
            await context.Host.Out.WriteLineAsync(new StatusJson(context.Socket).Render(status));
        else
            new StatusScreen(context.Socket, context.Host.Terminal)
                .Draw(status, context.Host.Time.GetElapsedTime(started)).WriteTo(context.Host.Out);
        return status.Quorate ? ExitCode.Ok : ExitCode.NotQuorate;
    }

    private static async Task<int> WatchAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var events = new Queue<string>();
        var quorate = false;
        await using var daemon = await context.ConnectAsync(cancellationToken);
        await using var changes = new StatusEvents(context, daemon, cancellationToken);
        try
        {
            for (var next = changes.NextAsync(); ;)
            {
                var arrived = await Task.WhenAny(next, Task.Delay(RefreshInterval, context.Host.Time, cancellationToken)) == next;
                if (arrived)
                {
                    Remember(events, await next);
                    next = changes.NextAsync();
                }
                cancellationToken.ThrowIfCancellationRequested();
                if (arrived || !context.Json)
                    quorate = await RedrawAsync(context, daemon, events, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return quorate ? ExitCode.Ok : ExitCode.NotQuorate; // the operator ended the watch
        }
    }

    private static async Task<bool> RedrawAsync(
        CommandContext context, IDaemon daemon, Queue<string> events, CancellationToken cancellationToken)
    {
        var started = context.Host.Time.GetTimestamp();
        var status = await ReadAsync(context, daemon, cancellationToken);
        if (context.Json)
        {
            await context.Host.Out.WriteLineAsync(new StatusJson(daemon.Socket).Render(status));
            return status.Quorate;
        }
        var screen = new StatusScreen(daemon.Socket, context.Host.Terminal).Draw(status, context.Host.Time.GetElapsedTime(started));
        screen.Line();
        foreach (var line in events)
            screen.Line(new Span($" {line}", Tone.Dim));
        if (context.Host.Terminal.IsLive)
            await context.Host.Out.WriteAsync("\e[H\e[2J\e[3J");
        screen.WriteTo(context.Host.Out);
        return status.Quorate;
    }

    private static void Remember(Queue<string> events, string line)
    {
        events.Enqueue(line);
        while (events.Count > EventsKept)
            events.Dequeue();
    }
}
