using System.CommandLine;
using Membership.Cli.Status;
using Membership.Cli.Text;

namespace Membership.Cli.Commands;

/// <summary><c>mbr node list</c>: every configured node; unreachable ones are rows like the others.</summary>
internal static class NodeListCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("list", "List every configured node with its state, votes, version and links.");
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, _, cancellationToken) =>
        {
            await using var daemon = await context.ConnectAsync(cancellationToken);
            var status = await StatusCommand.ReadAsync(context, daemon, cancellationToken);
            if (context.Json)
            {
                await host.Out.WriteLineAsync(JsonText.Object(json => new StatusJson(daemon.Socket).WriteNodes(json, status.Nodes)));
                return ExitCode.Ok;
            }
            var screen = new Screen(host.Terminal);
            new StatusScreen(daemon.Socket, host.Terminal).NodeTable(status, status.Nodes).WriteTo(screen);
            screen.WriteTo(host.Out);
            return ExitCode.Ok;
        });
        return command;
    }
}
