using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Membership.Cli.Status;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Commands;

/// <summary><c>mbr link list</c>: every link of this node to every other, with what was measured on it.</summary>
internal static class LinkListCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("list", "List every link of this node with state, round trip, loss and datagram size.");
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, _, cancellationToken) =>
        {
            await using var daemon = await context.ConnectAsync(cancellationToken);
            var status = await StatusCommand.ReadAsync(context, daemon, cancellationToken);
            if (context.Json)
                await host.Out.WriteLineAsync(JsonText.Object(json => Write(json, status, new StatusJson(daemon.Socket))));
            else
                Draw(status, new StatusScreen(daemon.Socket, host.Terminal), host.Terminal).WriteTo(host.Out);
            return ExitCode.Ok;
        });
        return command;
    }

    private static void Write(Utf8JsonWriter json, GetStatusResponse status, StatusJson links)
    {
        json.WriteStartArray("links");
        foreach (var node in status.Nodes)
        {
            foreach (var link in node.Links)
            {
                json.WriteStartObject();
                json.WriteNumber("node", status.Node);
                json.WriteNumber("peer", node.Node);
                json.WriteString("peer_name", node.Name);
                links.WriteLinkFields(json, link);
                json.WriteEndObject();
            }
        }
        json.WriteEndArray();
    }

    private static Screen Draw(GetStatusResponse status, StatusScreen cells, Terminal terminal)
    {
        var table = new Table("PEER", "LINK", "STATE", "LOSS", "HEARS", "HEARD", "LAST HEARD", "DATAGRAM");
        foreach (var node in status.Nodes)
            foreach (var link in node.Links)
                table.Row(
                    new Span(node.Name),
                    new Span(link.Name),
                    cells.LinkCell(link),
                    new Span(link.Loss.ToString("0.0 %", CultureInfo.InvariantCulture), link.Loss > 0 ? Tone.Warning : Tone.Normal),
                    YesNo(link.Hears),
                    YesNo(link.HeardByPeer),
                    new Span(link.LastHeardMs < 0 ? "never" : $"{Durations.Age(link.LastHeardMs)} ago"),
                    new Span(link.DatagramBytes > 0 ? $"{link.DatagramBytes} B" : "-"));
        var screen = new Screen(terminal);
        table.WriteTo(screen);
        return screen;
    }

    private static Span YesNo(bool value) => value ? new Span("yes", Tone.Good) : new Span("no", Tone.Bad);
}
