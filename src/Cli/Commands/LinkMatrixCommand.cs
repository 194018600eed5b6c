using System.CommandLine;
using System.Text.Json;
using Membership.Cli.Status;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Commands;

/// <summary><c>mbr link matrix</c>: rows hear columns; what works in one direction only is seen at once.</summary>
internal static class LinkMatrixCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("matrix", "Show who hears whom: rows hear columns, round trips in ms.");
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, _, cancellationToken) =>
        {
            await using var daemon = await context.ConnectAsync(cancellationToken);
            var status = await StatusCommand.ReadAsync(context, daemon, cancellationToken);
            var matrix = new HearingMatrix(status);
            if (context.Json)
                await host.Out.WriteLineAsync(JsonText.Object(json => Write(json, status, matrix)));
            else
                Draw(status, matrix, host.Terminal).WriteTo(host.Out);
            return ExitCode.Ok;
        });
        return command;
    }

    private static void Write(Utf8JsonWriter json, GetStatusResponse status, HearingMatrix matrix)
    {
        json.WriteNumber("seen_from", status.Node);
        json.WriteStartArray("rows");
        foreach (var listener in matrix.Nodes)
        {
            json.WriteStartObject();
            json.WriteNumber("node", listener.Node);
            json.WriteString("name", listener.Name);
            json.WriteStartArray("hears");
            foreach (var speaker in matrix.Nodes.Where(speaker => speaker.Node != listener.Node))
            {
                json.WriteStartObject();
                json.WriteNumber("node", speaker.Node);
                json.WriteString("state", Word(matrix.Of(listener, speaker)));
                if (matrix.RoundTripUs(listener, speaker) is { } roundTrip)
                    json.WriteNumber("rtt_us", roundTrip);
                else
                    json.WriteNull("rtt_us");
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("one_way");
        foreach (var oneWay in matrix.OneWays())
        {
            json.WriteStartObject();
            json.WriteNumber("deaf", oneWay.Deaf.Node);
            json.WriteNumber("unheard", oneWay.Unheard.Node);
            json.WriteStartArray("links");
            foreach (var link in oneWay.Links)
                json.WriteStringValue(link);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static Screen Draw(GetStatusResponse status, HearingMatrix matrix, Terminal terminal)
    {
        var symbols = Symbols.Of(terminal);
        var table = new Table(["hears", .. matrix.Nodes.Select(static node => node.Name)]);
        foreach (var listener in matrix.Nodes)
            table.Row([new Span(listener.Name), .. matrix.Nodes.Select(speaker => Cell(status, matrix, listener, speaker, symbols))]);

        var screen = new Screen(terminal);
        table.WriteTo(screen);
        foreach (var oneWay in matrix.OneWays())
            screen.Line(new Span($" {symbols.Triangle} one-way: {Sentence(oneWay)}. Usually a firewall or a wrong port.", Tone.Warning));
        return screen;
    }

    private static Span Cell(GetStatusResponse status, HearingMatrix matrix, NodeStatus listener, NodeStatus speaker, Symbols symbols)
    {
        if (listener.Node == speaker.Node)
            return new Span("-");
        return matrix.Of(listener, speaker) switch
        {
            Hearing.Yes => new Span(matrix.RoundTripUs(listener, speaker) is { } us ? StatusScreen.Milliseconds(us) : "yes", Tone.Good),
            Hearing.No => new Span(symbols.Cross + (listener.Node == status.Node ? Silence(speaker) : ""), Tone.Bad),
            _ => new Span("?", Tone.Dim),
        };
    }

    private static string Silence(NodeStatus peer)
    {
        var heard = HearingMatrix.Silent(peer).Where(static link => link.LastHeardMs >= 0).Select(static link => link.LastHeardMs).ToList();
        return heard.Count > 0 ? Durations.Age(heard.Min()) : "";
    }

    private static string Sentence(OneWay oneWay)
    {
        var links = oneWay.Links.Count > 0 ? $" (link {string.Join(", ", oneWay.Links)})" : "";
        return $"{oneWay.Deaf.Name} does not hear {oneWay.Unheard.Name}, but {oneWay.Unheard.Name} hears {oneWay.Deaf.Name}{links}";
    }

    private static string Word(Hearing hearing) => hearing switch
    {
        Hearing.Yes => "yes",
        Hearing.No => "no",
        _ => "unknown",
    };
}
