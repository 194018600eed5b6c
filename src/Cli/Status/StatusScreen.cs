using System.Globalization;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Status;

/// <summary>Draws a status for people: one headline, the reasons when something is wrong, one row per configured node.</summary>
/// <param name="socket">Where the status came from, for errors.</param>
/// <param name="terminal">What the output can show.</param>
internal sealed class StatusScreen(string socket, Terminal terminal)
{
    private readonly Symbols _symbols = Symbols.Of(terminal);

    /// <summary>Draws <paramref name="status"/>, read <paramref name="age"/> ago.</summary>
    public Screen Draw(GetStatusResponse status, TimeSpan age)
    {
        var screen = new Screen(terminal);
        Headline(screen, status, age);
        Reasons(screen, status);
        screen.Line();
        NodeTable(status, status.Nodes).WriteTo(screen);
        return screen;
    }

    /// <summary>One row per node; link columns for every link any of them has.</summary>
    public Table NodeTable(GetStatusResponse status, IReadOnlyList<NodeStatus> nodes)
    {
        var links = nodes.SelectMany(static node => node.Links).Select(static link => link.Name)
            .Distinct().Order(StringComparer.Ordinal).ToList();
        var table = new Table(["NODE", "STATE", "SINCE", "VOTES", "VERSION", .. links.Select(static link => $"LINK {link}"), "RING us", "GROUPS", "NOTE"]);
        foreach (var node in nodes)
            table.Row(Row(status, node, links));
        return table;
    }

    /// <summary>A link in one cell: <c>up 0.2ms</c>, <c>down 14s</c>, <c>one-way</c>.</summary>
    public Span LinkCell(LinkStatus link) => Words.Of(link.State, socket) switch
    {
        "up" => new Span(link.RttUs > 0 ? $"up {Milliseconds(link.RttUs)}ms" : "up", Tone.Good),
        "down" => new Span(link.LastHeardMs < 0 ? "down" : $"down {Durations.Age(link.LastHeardMs)}", Tone.Bad),
        var oneWay => new Span(oneWay, Tone.Warning),
    };

    /// <summary>A round trip in milliseconds: one decimal, two below 0.1 ms.</summary>
    public static string Milliseconds(long microseconds) =>
        (microseconds / 1000.0).ToString(microseconds < 100 ? "0.00" : "0.0", CultureInfo.InvariantCulture);

    /// <summary>The state of a node as a cell.</summary>
    public Span StateCell(NodeState state) => new(Words.Of(state, socket), state switch
    {
        NodeState.Member => Tone.Good,
        NodeState.HeldOut => Tone.Warning,
        _ => Tone.Bad,
    });

    private static string Whole(long number) => number.ToString(CultureInfo.InvariantCulture);

    private void Headline(Screen screen, GetStatusResponse status, TimeSpan age)
    {
        var (symbol, word, tone) = Words.Of(status.State, socket) switch
        {
            "healthy" => (_symbols.Dot, "HEALTHY", Tone.Good),
            "degraded" => (_symbols.Triangle, "DEGRADED", Tone.Warning),
            _ => (_symbols.Cross, "NO QUORUM", Tone.Bad),
        };
        var quorum = $"{(status.Quorate ? "quorate " : "")}{status.Votes}/{status.VotesExpected} votes (need {status.VotesNeeded})";
        var view = status.View is { } current
            ? $"view {current.Number} ({current.Id}) for {Durations.Age(status.ViewSinceMs)}"
            : "no view yet";
        screen.Fitted(
            [new Span($" {status.Cluster}  "), new Span($"{symbol} {word}", tone)],
            [new Span($"   {quorum}")],
            [new Span($"   {view}")],
            [new Span($"   as of {Durations.Age((long)age.TotalMilliseconds)} ago, via {status.NodeName}", Tone.Dim)]);
    }

    private void Reasons(Screen screen, GetStatusResponse status)
    {
        var sentences = StatusReasons.Of(status);
        foreach (var sentence in sentences)
            screen.Line(new Span($" {_symbols.Bar} {sentence}"));
        if (status.FaultInjection)
            screen.Line(new Span($" {_symbols.Bar} this daemon runs with --allow-fault-injection: not for production.", Tone.Warning));
        if (sentences.Count > 0)
            screen.Line(new Span($" {_symbols.Corner} next: {string.Join($" {_symbols.Separator} ", StatusReasons.Next(status))}"));
    }

    private List<Span> Row(GetStatusResponse status, NodeStatus node, List<string> links)
    {
        var isSelf = node.Node == status.Node;
        var row = new List<Span>
        {
            new(isSelf ? $"{node.Name} *" : node.Name),
            StateCell(node.State),
            new(Durations.Age(node.SinceMs)),
            new(Whole((long)node.Votes)),
            new(node.Version.Length > 0 ? node.Version : "-"),
        };
        foreach (var name in links)
            row.Add(node.Links.FirstOrDefault(link => link.Name == name) is { } link ? LinkCell(link) : new Span("-"));
        row.Add(new Span(isSelf && status.Counters.GetValueOrDefault("rotation_ns") is > 0 and var rotation ? Whole(rotation / 1000) : "-"));   // each node measures its own
        row.Add(new Span(node.State == NodeState.Member ? Whole(node.Groups) : "-"));
        row.Add(new Span(isSelf ? "this node" : ""));
        return row;
    }
}
