using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Membership.Daemon.Tests.Telemetry;

/// <summary>Measurements reach a collector, over both protocols; a collector here takes whatever comes and keeps its bytes.</summary>
public sealed class OtlpTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("grpc", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "/opentelemetry.proto.collector.trace.v1.TraceService/Export")]
    [InlineData("http", "/v1/metrics", "/v1/traces")]
    public async Task A_collector_gets_metrics_and_the_span_of_a_view(string protocol, string metricsPath, string tracesPath)
    {
        await using var collector = await Collector.StartAsync(protocol == "grpc" ? HttpProtocols.Http2 : HttpProtocols.Http1);

        await using (var node = await OneNode.StartAsync($"telemetry: {{ otlp: \"{collector.Address}\", protocol: {protocol}, interval: 1s }}\n", nodes: 2))
        {
            using var ends = new CancellationTokenSource();
            var running = node.Telemetry!.RunAsync(ends.Token);   // set by StartAsync
            var metrics = await collector.FirstAsync(metricsPath, "membership.ring.token.losses");
            Assert.Contains("membership.view.duration", metrics, StringComparison.Ordinal);
            Assert.Contains("dotnet.gc.collections", metrics, StringComparison.Ordinal);
            Assert.Contains("membership.cluster.name", metrics, StringComparison.Ordinal);
            await node.Host.Freeze(TimeSpan.FromSeconds(1), CancellationToken.None);   // far beyond a short stall: the node forms its ring anew
            await node.Views.WaitAsync(node.Views.LastRevision, CancellationToken.None).AsTask().WaitAsync(Limit);
            var spans = await collector.FirstAsync(tracesPath, Daemon.Telemetry.ViewSpans.SpanName);
            Assert.Contains("gather", spans, StringComparison.Ordinal);
            Assert.Contains("OwnStall", spans, StringComparison.Ordinal);
            await ends.CancelAsync();
            await running;
        }
    }

    [Fact]
    public async Task A_collector_that_is_not_there_stops_nothing()
    {
        await using var node = await OneNode.StartAsync($"telemetry: {{ otlp: \"http://127.0.0.1:{FreePorts.Next(IPAddress.Loopback).Port}\", interval: 1s }}\n");
        using var ends = new CancellationTokenSource();

        var running = node.Telemetry!.RunAsync(ends.Token);   // set by StartAsync
        for (var look = 0; look < 3; look++) Assert.Equal(HttpStatusCode.OK, (await node.GetAsync("livez")).Status);

        Assert.False(running.IsFaulted);
        await ends.CancelAsync();
        await running.WaitAsync(Limit);
    }

    /// <summary>Listens on loopback.</summary>
    private sealed class Collector : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly ConcurrentQueue<(string Path, string Body)> _received = new();
        private readonly SemaphoreSlim _more = new(0);

        private Collector(HttpProtocols protocols)
        {
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.Services.AddLogging();
            var port = FreePorts.Next(IPAddress.Loopback).Port;
            Address = new Uri($"http://127.0.0.1:{port}");
            builder.WebHost.UseKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = protocols));
            _app = builder.Build();
            _app.Run(TakeAsync);
        }

        public Uri Address { get; }

        public static async Task<Collector> StartAsync(HttpProtocols protocols)
        {
            var collector = new Collector(protocols);
            await collector._app.StartAsync();
            return collector;
        }

        /// <summary>The first body for a path that has some text in it.</summary>
        public async Task<string> FirstAsync(string path, string text)
        {
            while (true)
            {
                if (_received.FirstOrDefault(r => r.Path == path && r.Body.Contains(text, StringComparison.Ordinal)) is { Body: { } body }) return body;
                Assert.True(await _more.WaitAsync(Limit), $"nothing with {text} came to {path}: {string.Join(' ', _received.Select(r => r.Path).Distinct())}");
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _app.DisposeAsync();
            _more.Dispose();
        }

        private async Task TakeAsync(HttpContext context)
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            _received.Enqueue((context.Request.Path.Value ?? "", Encoding.Latin1.GetString(body.ToArray())));
            _more.Release();
            if (context.Request.ContentType != "application/grpc") return;
            context.Response.ContentType = "application/grpc";
            await context.Response.Body.WriteAsync(new byte[5]);   // an empty message
            context.Response.AppendTrailer("grpc-status", "0");
        }
    }
}
