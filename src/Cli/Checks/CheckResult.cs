using System.Globalization;
using System.Text;
using Membership.Cli.Text;

namespace Membership.Cli.Checks;

/// <summary>How well something is.</summary>
internal enum CheckState
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>It works, but deserves attention.</summary>
    Warning,

    /// <summary>It does not work.</summary>
    Critical,
}

/// <summary>One figure of a check, with its labels.</summary>
/// <param name="Name">As in Prometheus, without the prefix membership_.</param>
/// <param name="Help">One sentence.</param>
/// <param name="Value">The figure.</param>
/// <param name="Labels">Name and value of each label.</param>
internal sealed record CheckValue(string Name, string Help, double Value, params IReadOnlyList<(string Name, string Value)> Labels);

/// <summary>What a check found.</summary>
/// <param name="Check">quorum, exclusive or links.</param>
/// <param name="State">How well it is.</param>
/// <param name="Message">One sentence.</param>
/// <param name="Summary">The figures worth a graph, for Nagios.</param>
/// <param name="Values">All figures.</param>
internal sealed record CheckResult(
    string Check, CheckState State, string Message, IReadOnlyList<(string Name, double Value)> Summary, IReadOnlyList<CheckValue> Values)
{
    /// <summary>0 ok, 7 warning, 2 critical.</summary>
    public int ExitCode => State switch
    {
        CheckState.Ok => Cli.ExitCode.Ok,
        CheckState.Warning => Cli.ExitCode.Degraded,
        _ => Cli.ExitCode.NotQuorate,
    };

    /// <summary>ok, warning or critical.</summary>
    public static string WordOf(CheckState state) => state switch
    {
        CheckState.Ok => "ok",
        CheckState.Warning => "warning",
        _ => "critical",
    };

    /// <summary>The line of a Nagios plugin: service, state, sentence, and figures behind a bar.</summary>
    public string ToNagios()
    {
        var figures = string.Join(' ', Summary.Select(static figure => $"{figure.Name}={Number(figure.Value)}"));
        return $"{Check.ToUpperInvariant()} {WordOf(State).ToUpperInvariant()} - {Harmless(Message)} | {figures}";
    }

    /// <summary>What Nagios shows when nothing could be found out.</summary>
    public static string Unknown(string check, string problem) => $"{check.ToUpperInvariant()} UNKNOWN - {Harmless(problem)}";

    /// <summary>One JSON object.</summary>
    public string ToJson() => JsonText.Object(json =>
    {
        json.WriteString("check", Check);
        json.WriteString("state", WordOf(State));
        json.WriteNumber("exit", ExitCode);
        json.WriteString("message", Message);
        json.WriteStartObject("values");
        foreach (var (name, value) in Summary)
            json.WriteNumber(name, value);
        json.WriteEndObject();
    });

    /// <summary>The text format of Prometheus, for the textfile collector.</summary>
    public string ToPrometheus()
    {
        var text = new StringBuilder();
        var state = new CheckValue("check_state", "State of a check: 0 ok, 1 warning, 2 critical.", (double)State, ("check", Check));
        foreach (var family in Values.Prepend(state).GroupBy(static value => value.Name))
        {
            text.Append(CultureInfo.InvariantCulture, $"# HELP membership_{family.Key} {family.First().Help}\n# TYPE membership_{family.Key} gauge\n");
            foreach (var value in family)
                text.Append(CultureInfo.InvariantCulture, $"membership_{value.Name}{Labels(value)} {Number(value.Value)}\n");
        }
        return text.ToString();
    }

    private static string Labels(CheckValue value) => value.Labels.Count == 0 ? ""
        : $"{{{string.Join(",", value.Labels.Select(static label => $"{label.Name}=\"{Escaped(label.Value)}\""))}}}";

    private static string Escaped(string text) => Escape.ForTerminal(text)
        .Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string Number(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);

    // A bar would begin the figures.
    private static string Harmless(string text) => Escape.ForTerminal(text).Replace('|', '/');
}
