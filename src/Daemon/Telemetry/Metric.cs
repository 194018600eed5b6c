using Membership.Links;

namespace Membership.Daemon.Telemetry;

/// <summary>What a metric's values mean.</summary>
internal enum MetricKind
{
    /// <summary>Only rises, from 0 at the start of the daemon.</summary>
    Counter,

    /// <summary>A sum that rises and falls.</summary>
    UpDown,

    /// <summary>A value of now.</summary>
    Gauge,

    /// <summary>Durations in buckets.</summary>
    Histogram,
}

/// <summary>One attribute of a value.</summary>
internal readonly record struct Label(string Name, string Value);

/// <summary>One value of a metric.</summary>
/// <param name="Value">Of anything but a histogram.</param>
/// <param name="Durations">Of a histogram.</param>
/// <param name="Labels">Attributes that tell the values of one metric apart, always in the same order.</param>
internal sealed record Sample(double Value, DurationCounts? Durations, params Label[] Labels)
{
    /// <summary>A value.</summary>
    public static Sample Of(double value, params Label[] labels) => new(value, null, labels);

    /// <summary>Durations.</summary>
    public static Sample Of(DurationCounts durations, params Label[] labels) => new(0, durations, labels);
}

/// <summary>A metric: the one definition behind the page, OTLP and the documentation.</summary>
/// <param name="Name">OpenTelemetry's form: dotted, without unit.</param>
/// <param name="Kind">What its values mean.</param>
/// <param name="Unit">UCUM: <c>s</c>, <c>By</c>, <c>{message}</c>, or empty.</param>
/// <param name="Help">One sentence.</param>
/// <param name="Read">Its values in a snapshot; may be none.</param>
internal sealed record Metric(string Name, MetricKind Kind, string Unit, string Help, Func<TelemetrySnapshot, IEnumerable<Sample>> Read)
{
    /// <summary>The name on the page where the rule would give one that Prometheus reserves; null: by the rule.</summary>
    public string? PageName { get; init; }

    /// <summary>The runtime's own meter has it too: OTLP takes it from there.</summary>
    public bool IsOfRuntime { get; init; }
}
