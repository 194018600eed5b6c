using System.Diagnostics;
using System.Net;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Daemon.Services;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Telemetry;

/// <summary>Everything the daemon tells about itself beside its log: the meter, spans, the page, the collector.</summary>
internal sealed class DaemonTelemetry : IAsyncDisposable
{
    private readonly TelemetryConfiguration _settings;
    private readonly TelemetrySource _source;
    private readonly ActivitySource _activities = new(MeterBridge.Name, DaemonVersion.Text);
    private readonly MeterBridge _meter;
    private readonly ViewSpans? _spans;
    private readonly OtlpExport? _export;
    private readonly PageServer? _page;

    private DaemonTelemetry(DaemonIdentity identity, TelemetrySource source, MonotonicClock clock, PageServer? page)
    {
        _settings = identity.Configuration.Telemetry;
        _source = source;
        _page = page;
        _meter = new MeterBridge(MetricTable.All, source);
        if (_settings.Otlp is not null)
        {
            _export = new OtlpExport(_settings, identity);
            if (_settings.Traces) _spans = new ViewSpans(_activities, clock, TimeProvider.System);
        }
    }

    /// <summary>Gives snapshots.</summary>
    public TelemetrySource Source => _source;

    /// <summary>Where the page is served; null: nowhere.</summary>
    public Uri? Page => _page?.Address;

    /// <summary>Starts what is configured.</summary>
    /// <param name="identity">Who this daemon is.</param>
    /// <param name="source">Gives snapshots.</param>
    /// <param name="clock">Of the ring.</param>
    /// <param name="page">Where the page is served; null: nowhere.</param>
    /// <exception cref="StartException">The address of the page cannot be listened on.</exception>
    public static async Task<DaemonTelemetry> StartAsync(DaemonIdentity identity, TelemetrySource source, MonotonicClock clock, IPEndPoint? page, ILoggerFactory loggers)
    {
        if (page is null) return new DaemonTelemetry(identity, source, clock, null);
        try
        {
            return new DaemonTelemetry(identity, source, clock, await PageServer.StartAsync(page, source, loggers));
        }
        catch (Exception unusable) when (unusable is IOException or System.Net.Sockets.SocketException)
        {
            throw new StartException(ExitCode.InputOutput, $"{page}: the page cannot be served there: {unusable.Message} Name another address with --page HOST:PORT.");
        }
    }

    /// <summary>Takes what the ring reports, for spans. Ring thread, never waits.</summary>
    public void Add(RingEvent happened) => _spans?.Add(happened);

    /// <summary>Keeps the collector supplied until cancelled; does nothing without one.</summary>
    public Task RunAsync(CancellationToken cancellationToken) => Task.WhenAll(
        _export is null ? Task.CompletedTask : RefreshAsync(cancellationToken), _spans?.RunAsync(cancellationToken) ?? Task.CompletedTask);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_page is not null) await _page.DisposeAsync();
        _export?.Dispose();
        _meter.Dispose();
        _activities.Dispose();
    }

    // The instruments read the last snapshot: it is taken twice as often as they are.
    private async Task RefreshAsync(CancellationToken cancellationToken)
    {
        using var pace = new PeriodicTimer(_settings.Interval / 2, TimeProvider.System);
        try
        {
            do
            {
                if (await _source.TakeAsync(cancellationToken) is { } snapshot) _meter.Feed(snapshot);
            }
            while (await pace.WaitForNextTickAsync(cancellationToken));
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }
}
