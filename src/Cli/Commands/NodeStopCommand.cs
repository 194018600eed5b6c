using System.CommandLine;
using Membership.Cli.Errors;
using Membership.Cli.Status;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Commands;

/// <summary><c>mbr node stop</c>: a daemon leaves the cluster cleanly and ends; the command waits until it is gone.</summary>
internal static class NodeStopCommand
{
    private static readonly TimeSpan WaitMax = TimeSpan.FromHours(1);
    private static readonly TimeSpan PollPace = TimeSpan.FromMilliseconds(100);

    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("stop", "Make a daemon leave the cluster and end: this node's, or with --at another's. Waits until it is gone from the view.");
        var node = new Argument<string?>("NAME") { Description = "The node that is meant; refused when the daemon asked is another (default: the daemon's own).", Arity = ArgumentArity.ZeroOrOne };
        var at = new Option<string?>("--at") { Description = "Where the daemon to stop is reached, when it is not the one of --socket: a path, or https://HOST:PORT.", HelpName = "PATH" };
        var wait = new Option<string>("--wait") { Description = "How long to wait until it is gone.", HelpName = "DURATION", DefaultValueFactory = static _ => "30s" };
        command.Arguments.Add(node);
        command.Options.Add(at);
        command.Options.Add(wait);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var limit = Values.Duration(parse, wait, TimeSpan.FromMilliseconds(1), WaitMax);
            var place = parse.GetValue(at) ?? context.Socket;
            await using var daemon = await context.ConnectAsync(place, cancellationToken);
            var status = await StatusCommand.ReadAsync(context, daemon, cancellationToken);
            if (parse.GetValue(node) is { } name && name != status.NodeName)
                throw new CliException(ErrorCatalogue.OtherNode, ("node", name), ("socket", place), ("self", status.NodeName));
            await context.WithinTimeoutAsync("asking the daemon to leave", async token =>
            {
                await daemon.Admin.LeaveAsync(token);
                return true;
            }, cancellationToken);
            var watcher = place == context.Socket ? null : context.Socket;
            await UntilGoneAsync(context, status, place, watcher, limit, cancellationToken);
            await host.Out.WriteLineAsync(context.Json
                ? JsonText.Object(json =>
                {
                    json.WriteNumber("id", status.Node);
                    json.WriteString("name", status.NodeName);
                    json.WriteBoolean("stopped", true);
                })
                : Escape.ForTerminal($"{status.NodeName} has left the cluster and ended"));
            return ExitCode.Ok;
        });
        return command;
    }

    // The daemon itself is gone when nobody answers there, or one of another boot does; another daemon tells when the view is without it.
    private static async Task UntilGoneAsync(
        CommandContext context, GetStatusResponse left, string place, string? watcher, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var time = new CancellationTokenSource(limit, context.Host.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, time.Token);
        try
        {
            if (watcher is not null)
                await UntilOutOfViewAsync(context, left.Node, watcher, either.Token);
            while (await IsThereAsync(context, left.Boot, place, either.Token))
                await Task.Delay(PollPace, context.Host.Time, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException(ErrorCatalogue.StillThere, ("node", left.NodeName), ("limit", Durations.Format(limit)));
        }
    }

    private static async Task UntilOutOfViewAsync(CommandContext context, uint node, string watcher, CancellationToken cancellationToken)
    {
        await using var daemon = await context.ConnectAsync(watcher, cancellationToken);
        await using var views = new WatchStream<View>(context, "waiting for the current view", token => daemon.WatchViewsAsync(0, token), cancellationToken);
        while (await views.NextAsync() is { } view)
            if (!view.Transitional && view.Members.All(member => member.Node != node))
                return;
        throw new CliException(ErrorCatalogue.StreamEnded, ("socket", watcher));
    }

    private static async Task<bool> IsThereAsync(CommandContext context, string boot, string place, CancellationToken cancellationToken)
    {
        try
        {
            await using var daemon = await context.ConnectAsync(place, cancellationToken);
            return (await StatusCommand.ReadAsync(context, daemon, cancellationToken)).Boot == boot;
        }
        catch (CliException failure) when (failure.Entry.ExitCode == ExitCode.Unreachable)
        {
            return false;
        }
        catch (CliException leaving) when (leaving.Entry == ErrorCatalogue.TimedOut || leaving.Entry == ErrorCatalogue.CertificateRefused)
        {
            return true; // it is busy leaving, or closes a connection before its first answer: it has taken this certificate before
        }
    }
}
