using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Telemetry;

/// <summary>The HTTP page: /metrics, /livez, /readyz and /healthz, read-only, without names of anybody's data.</summary>
/// <remarks>It knows no users. Whoever reaches the address may read; it belongs on loopback or a management network.</remarks>
internal sealed class PageServer : IAsyncDisposable
{
    /// <summary>Connections at a time; further ones are closed at once.</summary>
    public const int ConnectionsMax = 64;

    /// <summary>Bytes of a request line; longer ones get 414.</summary>
    public const int RequestLineBytesMax = 2048;

    /// <summary>Bytes of all headers of a request; more get 431.</summary>
    public const int HeaderBytesMax = 8192;

    private const int HeadersMax = 32;
    private static readonly TimeSpan HeadersWithin = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan KeptAlive = TimeSpan.FromSeconds(75);   // longer than the usual pace of scraping

    private readonly WebApplication _app;

    private PageServer(WebApplication app, IPEndPoint address)
    {
        _app = app;
        Address = new Uri($"http://{address}/");
    }

    /// <summary>Where it is served.</summary>
    public Uri Address { get; }

    /// <summary>Listens.</summary>
    /// <exception cref="IOException">The address is in use or not of this machine.</exception>
    public static async Task<PageServer> StartAsync(IPEndPoint address, TelemetrySource source, ILoggerFactory loggers)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddLogging();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.UseKestrel(kestrel => Limit(kestrel, address));
        var app = builder.Build();
        try
        {
            app.Run(context => AnswerAsync(context, source));
            await app.StartAsync();
            return new PageServer(app, address);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private static void Limit(KestrelServerOptions kestrel, IPEndPoint address)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = ConnectionsMax;
        kestrel.Limits.MaxConcurrentUpgradedConnections = 0;
        kestrel.Limits.MaxRequestBodySize = 0;
        kestrel.Limits.MaxRequestLineSize = RequestLineBytesMax;
        kestrel.Limits.MaxRequestHeadersTotalSize = HeaderBytesMax;
        kestrel.Limits.MaxRequestHeaderCount = HeadersMax;
        kestrel.Limits.RequestHeadersTimeout = HeadersWithin;
        kestrel.Limits.KeepAliveTimeout = KeptAlive;
        kestrel.Listen(address, static listen => listen.Protocols = HttpProtocols.Http1);
    }

    private static async Task AnswerAsync(HttpContext context, TelemetrySource source)
    {
        var path = context.Request.Path.Value;
        if (path is not ("/metrics" or "/livez" or "/readyz" or "/healthz"))
        {
            await WriteAsync(context, StatusCodes.Status404NotFound, "there are /metrics, /livez, /readyz and /healthz\n");
            return;
        }
        if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
        {
            context.Response.Headers.Allow = "GET, HEAD";
            await WriteAsync(context, StatusCodes.Status405MethodNotAllowed, "this page is for reading only\n");
            return;
        }
        var snapshot = await source.TakeAsync(context.RequestAborted);
        await (path switch
        {
            "/metrics" => snapshot is null
                ? WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "the ring thread has never answered\n")
                : WriteAsync(context, StatusCodes.Status200OK, PrometheusText.Write(MetricTable.All, snapshot), PrometheusText.ContentType),
            "/livez" => WriteAsync(context, HealthChecks.Live(snapshot)),
            "/readyz" => ReadyAsync(context, snapshot),
            _ => HealthAsync(context, snapshot),
        });
    }

    private static Task ReadyAsync(HttpContext context, TelemetrySnapshot? snapshot) => context.Request.Query["quorum"].ToString() switch
    {
        "" => WriteAsync(context, HealthChecks.Ready(snapshot, wantsQuorum: false)),
        "required" => WriteAsync(context, HealthChecks.Ready(snapshot, wantsQuorum: true)),
        _ => WriteAsync(context, StatusCodes.Status400BadRequest, "quorum may only be \"required\"\n"),
    };

    private static Task HealthAsync(HttpContext context, TelemetrySnapshot? snapshot)
    {
        var checks = HealthChecks.All(snapshot);
        var isHealthy = checks.All(static check => check.IsHealthy);
        var text = new StringBuilder();
        if (context.Request.Query.ContainsKey("verbose"))
            foreach (var check in checks) text.Append($"[{(check.IsHealthy ? '+' : '-')}] {check.Name}: {check.Detail}\n");
        text.Append(isHealthy ? "healthy\n" : "unhealthy\n");
        return WriteAsync(context, isHealthy ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, text.ToString());
    }

    private static Task WriteAsync(HttpContext context, HealthCheck check) => WriteAsync(
        context, check.IsHealthy ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, $"{(check.IsHealthy ? "ok" : "failed")}: {check.Detail}\n");

    private static async Task WriteAsync(HttpContext context, int status, string text, string type = "text/plain; charset=utf-8")
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        context.Response.ContentLength = bytes.Length;
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        if (!HttpMethods.IsHead(context.Request.Method)) await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
    }

    /// <summary>Leaves the signals of the process to the daemon.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
