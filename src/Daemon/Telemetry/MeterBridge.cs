using System.Diagnostics.Metrics;
using Membership.Links;

namespace Membership.Daemon.Telemetry;

/// <summary>The table of metrics as instruments of one meter. They read the last snapshot; whoever listens sees to it that one is taken.</summary>
internal sealed class MeterBridge : IDisposable
{
    /// <summary>Name of the meter and of the activity source.</summary>
    public const string Name = "Membership";

    private static readonly double[] Edges = [.. DurationHistogram.UpperEdges.ToArray().Select(static edge => edge / 1e9)];

    private readonly Meter _meter = new(Name, DaemonVersion.Text);
    private readonly TelemetrySource _source;
    private readonly List<HistogramFeed> _histograms = [];

    public MeterBridge(IEnumerable<Metric> metrics, TelemetrySource source)
    {
        _source = source;
        foreach (var metric in metrics.Where(static metric => !metric.IsOfRuntime)) Add(metric);
    }

    /// <summary>Hands the histograms what a snapshot has more than the one before. One caller at a time.</summary>
    public void Feed(TelemetrySnapshot snapshot)
    {
        foreach (var histogram in _histograms) histogram.Feed(snapshot);
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private void Add(Metric metric)
    {
        var unit = metric.Unit.Length == 0 ? null : metric.Unit;
        switch (metric.Kind)
        {
            case MetricKind.Counter when metric.Unit == "s":
                _meter.CreateObservableCounter(metric.Name, () => Values(metric), unit, metric.Help);
                break;
            case MetricKind.Counter:
                _meter.CreateObservableCounter(metric.Name, () => WholeValues(metric), unit, metric.Help);
                break;
            case MetricKind.UpDown:
                _meter.CreateObservableUpDownCounter(metric.Name, () => WholeValues(metric), unit, metric.Help);
                break;
            case MetricKind.Gauge:
                _meter.CreateObservableGauge(metric.Name, () => Values(metric), unit, metric.Help);
                break;
            case MetricKind.Histogram:
                _histograms.Add(new HistogramFeed(metric, _meter.CreateHistogram(
                    metric.Name, unit, metric.Help, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = Edges })));
                break;
        }
    }

    private IEnumerable<Measurement<double>> Values(Metric metric) =>
        _source.Last is { } snapshot ? metric.Read(snapshot).Select(static sample => new Measurement<double>(sample.Value, Tags(sample))) : [];

    private IEnumerable<Measurement<long>> WholeValues(Metric metric) =>
        _source.Last is { } snapshot ? metric.Read(snapshot).Select(static sample => new Measurement<long>((long)sample.Value, Tags(sample))) : [];

    private static KeyValuePair<string, object?>[] Tags(Sample sample) =>
        [.. sample.Labels.Select(static label => new KeyValuePair<string, object?>(label.Name, label.Value))];

    /// <summary>Records in an ordinary histogram what the ring thread counted in its own since the last time.</summary>
    /// <remarks>Each bucket's durations are recorded as their mean, which lies in the same bucket: counts, buckets and sums are exact.</remarks>
    private sealed class HistogramFeed(Metric metric, Histogram<double> instrument)
    {
        private readonly Dictionary<string, DurationCounts> _fed = new(StringComparer.Ordinal);

        public void Feed(TelemetrySnapshot snapshot)
        {
            foreach (var sample in metric.Read(snapshot))
            {
                if (sample.Durations is not { } durations) continue;
                var key = string.Join('\0', sample.Labels.Select(static label => label.Value));
                Feed(durations, _fed.GetValueOrDefault(key, DurationCounts.None), Tags(sample));
                _fed[key] = durations;
            }
        }

        private void Feed(DurationCounts durations, DurationCounts before, KeyValuePair<string, object?>[] tags)
        {
            for (var bucket = 0; bucket < durations.Counts.Count; bucket++)
            {
                var count = durations.Counts[bucket] - before.Counts[bucket];
                if (count <= 0) continue;
                var mean = (durations.Sums[bucket] - before.Sums[bucket]) / (double)count / 1e9;
                for (; count > 0; count--) instrument.Record(mean, tags);
            }
        }
    }
}
