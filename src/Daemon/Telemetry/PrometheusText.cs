using System.Globalization;
using System.Text;
using Membership.Links;

namespace Membership.Daemon.Telemetry;

/// <summary>Writes metrics in Prometheus' text format 0.0.4. Pure.</summary>
internal static class PrometheusText
{
    /// <summary>Of the answer.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>All metrics with their values in <paramref name="snapshot"/>; one that has none is left out.</summary>
    public static string Write(IEnumerable<Metric> metrics, TelemetrySnapshot snapshot)
    {
        var text = new StringBuilder(16 * 1024);
        foreach (var metric in metrics) Write(text, metric, metric.Read(snapshot));
        return text.ToString();
    }

    /// <summary>The name of a metric on the page: dots become underscores, unit and <c>_total</c> are added.</summary>
    public static string NameOf(Metric metric)
    {
        if (metric.PageName is { } own) return own;
        var name = metric.Name.Replace('.', '_') + metric.Unit switch
        {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        return metric.Kind == MetricKind.Counter ? name + "_total" : name;
    }

    /// <summary>A label's value between its quotes.</summary>
    public static string Escape(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static void Write(StringBuilder text, Metric metric, IEnumerable<Sample> samples)
    {
        var name = NameOf(metric);
        var isFirst = true;
        foreach (var sample in samples)
        {
            if (isFirst)
            {
                text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {EscapeHelp(metric.Help)}\n# TYPE {name} {TypeOf(metric.Kind)}\n");
                isFirst = false;
            }
            if (sample.Durations is { } durations) Write(text, name, sample.Labels, durations);
            else Line(text, name, sample.Labels, null, sample.Value);
        }
    }

    private static void Write(StringBuilder text, string name, Label[] labels, DurationCounts durations)
    {
        long below = 0;
        for (var bucket = 0; bucket < durations.Counts.Count; bucket++)
        {
            below += durations.Counts[bucket];
            Line(text, name + "_bucket", labels, Edge(bucket), below);
        }
        Line(text, name + "_sum", labels, null, durations.Sum / 1e9);
        Line(text, name + "_count", labels, null, below);
    }

    private static string Edge(int bucket) =>
        bucket < DurationHistogram.UpperEdges.Length ? (DurationHistogram.UpperEdges[bucket] / 1e9).ToString("0.#####", CultureInfo.InvariantCulture) : "+Inf";

    private static void Line(StringBuilder text, string name, Label[] labels, string? edge, double value)
    {
        text.Append(name);
        if (labels.Length > 0 || edge is not null)
        {
            text.Append('{');
            foreach (var label in labels) text.Append(CultureInfo.InvariantCulture, $"{label.Name}=\"{Escape(label.Value)}\",");
            if (edge is null) text.Length--;
            else text.Append(CultureInfo.InvariantCulture, $"le=\"{edge}\"");
            text.Append('}');
        }
        text.Append(CultureInfo.InvariantCulture, $" {value:R}\n");
    }

    private static string EscapeHelp(string help) => help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string TypeOf(MetricKind kind) => kind switch
    {
        MetricKind.Counter => "counter",
        MetricKind.Histogram => "histogram",
        _ => "gauge",
    };
}
