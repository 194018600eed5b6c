using System.Globalization;
using Membership.Cli.Text;
using Membership.V1;
using Spectre.Console;
using Table = Spectre.Console.Table;

namespace Membership.Cli.Demo;

/// <summary>The live screen on a terminal: nodes, links, components, order, and what happened lately. Redrawn when something changed.</summary>
internal sealed class DemoScreen : IDemoOutput
{
    private const string Enter = "\x1b[?1049h\x1b[?25l";
    private const string Leave = "\x1b[?25h\x1b[?1049l";
    private const string Home = "\x1b[H";
    private const string ClearLine = "\x1b[K";
    private const string ClearBelow = "\x1b[J";
    private const int HappeningsShown = 10;
    private static readonly TimeSpan DrawPace = TimeSpan.FromMilliseconds(100);
    private readonly TextWriter _writer;
    private readonly Terminal _terminal;
    private readonly string _folder;
    private TimeSpan _lastDraw = TimeSpan.MinValue;
    private string _lastLine = "";

    /// <summary>Takes the terminal's other screen until disposed.</summary>
    public DemoScreen(TextWriter writer, Terminal terminal, string folder)
    {
        _writer = writer;
        _terminal = terminal;
        _folder = folder;
        _writer.Write(Enter);
    }

    /// <inheritdoc/>
    public void Line(TimeSpan at, string text) => _lastLine = text; // the picture keeps all of them, and Show draws the newest

    /// <inheritdoc/>
    public void Show(ClusterPicture picture)
    {
        if (_lastDraw != TimeSpan.MinValue && picture.Elapsed - _lastDraw < DrawPace) return;
        _lastDraw = picture.Elapsed;
        var text = Render(picture, _terminal, _folder);
        _writer.Write(Home + text.ReplaceLineEndings(ClearLine + "\n") + ClearBelow);
    }

    /// <summary>Gives the terminal back, and leaves the last line on it.</summary>
    public void Dispose() => _writer.Write($"{Leave}{_lastLine}\n");

    /// <summary>The whole screen as text.</summary>
    internal static string Render(ClusterPicture picture, Terminal terminal, string folder)
    {
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = terminal.HasColour ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = terminal.HasColour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Out = new AnsiConsoleOutput(text),
        });
        console.Profile.Width = Math.Min(terminal.Width, 120);
        console.Profile.Capabilities.Unicode = terminal.HasUnicode;
        console.MarkupLine($"[bold] membership demo[/]  {picture.Nodes.Count} nodes on this machine  {Markup.Escape(folder)}");
        console.MarkupLine($" faults: {(picture.Faults.IsNone ? "none" : $"[yellow]{Markup.Escape(picture.Faults.Describe(picture.Nodes.Count))}[/]")}");
        console.WriteLine();
        console.Write(NodeTable(picture));
        console.WriteLine();
        foreach (var component in picture.Order.Components()) console.MarkupLine($" {OrderLine(component, picture)}");
        console.MarkupLine($" {DemoText.Count(picture.Order.Confirmed)} messages compared in all, {DemoText.Count(picture.Receipts)} receipts, {DemoText.Count(picture.Failed)} refused or lost with a reason");
        console.WriteLine();
        foreach (var happening in picture.Happenings.TakeLast(HappeningsShown))
        {
            console.MarkupLine(string.Create(CultureInfo.InvariantCulture, $" [grey]{happening.At.TotalSeconds,8:0.00}[/]  {Markup.Escape(happening.Text)}"));
        }

        console.WriteLine();
        console.MarkupLine(Markup.Escape($" 1-{picture.Nodes.Count} kill/start   f+digit or z freeze 5 s   p split   a one-way cut   l 20% loss   h heal   q quit"));
        return text.ToString();
    }

    private static Table NodeTable(ClusterPicture picture)
    {
        var table = new Table { Border = TableBorder.None, ShowHeaders = true };
        foreach (var header in (IEnumerable<string>)["NODE", "STATE", "PROCESS", "VIEW", "MEMBERS", "QUORUM", "LINK A", "LINK B", "MSG/s"]) table.AddColumn(header);
        foreach (var node in picture.Nodes)
        {
            table.AddRow(
                new Markup($"n{node.Id}"),
                new Markup(State(node)),
                new Markup(node.ProcessId?.ToString(CultureInfo.InvariantCulture) ?? "-"),
                new Markup(node.View?.Number.ToString(CultureInfo.InvariantCulture) ?? "-"),
                new Markup(node.View is null ? "-" : DemoText.Nodes(node.Members)),
                new Markup(Quorum(node)),
                new Markup(Links(node, "A")),
                new Markup(Links(node, "B")),
                new Markup(node.View is null ? "-" : node.Rate.ToString("0", CultureInfo.InvariantCulture)));
        }

        return table;
    }

    private static string State(NodePicture node)
    {
        if (node.ProcessId is null) return "[red]stopped[/]";
        if (node.FrozenUntil is not null) return "[blue]frozen[/]";
        if (node.View is null) return "[yellow]starting[/]";
        if (node.Status is null) return "[yellow]no answer[/]";
        return node.InTransition || node.Status.RingState != "operational" ? $"[yellow]{Markup.Escape(node.Status.RingState)}[/]" : "[green]member[/]";
    }

    private static string Quorum(NodePicture node) => node.Status switch
    {
        null => "-",
        { Quorate: true } status => $"[green]yes {status.Votes}/{status.VotesExpected}[/]",
        var status => $"[red]no {status.Votes}/{status.VotesExpected}[/]",
    };

    // "4 up 180 us": links of that name to all peers, and the median round trip of those that were measured.
    private static string Links(NodePicture node, string name)
    {
        if (node.Status is null) return "-";
        var links = node.Status.Nodes.SelectMany(peer => peer.Links).Where(link => link.Name == name).ToList();
        var parts = new List<string>();
        AddCount(parts, links, LinkState.Up, "up", "green");
        AddCount(parts, links, LinkState.OneWay, "one-way", "yellow");
        AddCount(parts, links, LinkState.Down, "down", "red");
        var trips = links.Where(link => link.RttUs > 0).Select(link => link.RttUs).Order().ToList();
        if (trips.Count > 0) parts.Add($"{trips[trips.Count / 2].ToString(CultureInfo.InvariantCulture)} us");
        return parts.Count == 0 ? "-" : string.Join(' ', parts);
    }

    private static void AddCount(List<string> parts, List<LinkStatus> links, LinkState state, string word, string colour)
    {
        var count = links.Count(link => link.State == state);
        if (count > 0) parts.Add($"[{colour}]{count} {word}[/]");
    }

    private static string OrderLine(ComponentOrder component, ClusterPicture picture)
    {
        var line = Markup.Escape(DemoText.Order(component, picture.Order));
        return picture.Order.DifferenceCount > 0 ? $"[red]{line}[/]" : $"[green]{line}[/]";
    }
}
