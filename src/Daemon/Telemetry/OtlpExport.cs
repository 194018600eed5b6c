using Membership.Daemon.Configuration;
using Membership.Daemon.Services;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Membership.Daemon.Telemetry;

/// <summary>Sends metrics and spans to a collector. The one place that knows the OpenTelemetry packages.</summary>
/// <remarks>A collector that cannot be reached loses measurements; nothing else of the daemon notices.</remarks>
internal sealed class OtlpExport : IDisposable
{
    /// <summary>An export that takes longer is given up.</summary>
    private const int ExportMillisecondsMax = 5000;

    private readonly MeterProvider _metrics;
    private readonly TracerProvider? _traces;

    public OtlpExport(TelemetryConfiguration settings, DaemonIdentity identity)
    {
        var collector = settings.Otlp ?? throw new ArgumentException("no collector is configured", nameof(settings));
        var resource = ResourceBuilder.CreateEmpty().AddAttributes(Resource.Of(identity).Select(static pair => new KeyValuePair<string, object>(pair.Key, pair.Value)));
        _metrics = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(resource)
            .AddMeter(MeterBridge.Name, "System.Runtime")
            .AddOtlpExporter((exporter, reader) =>
            {
                Configure(exporter, collector, settings.Protocol, "v1/metrics");
                reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = (int)settings.Interval.TotalMilliseconds;
                reader.PeriodicExportingMetricReaderOptions.ExportTimeoutMilliseconds = ExportMillisecondsMax;
            })
            .Build();
        if (!settings.Traces) return;
        _traces = Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(resource)
            .AddSource(MeterBridge.Name)
            .AddOtlpExporter(exporter => Configure(exporter, collector, settings.Protocol, "v1/traces"))
            .Build();
    }

    /// <summary>Sends what is left, then ends.</summary>
    public void Dispose()
    {
        _traces?.Dispose();
        _metrics.Dispose();
    }

    private static void Configure(OtlpExporterOptions exporter, Uri collector, OtlpProtocol protocol, string path)
    {
        exporter.Protocol = protocol == OtlpProtocol.Grpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
        exporter.Endpoint = protocol == OtlpProtocol.Grpc ? collector : new Uri(collector.AbsoluteUri.TrimEnd('/') + "/" + path);
        exporter.TimeoutMilliseconds = ExportMillisecondsMax;
    }
}
