using System.Net;
using Membership.Grpc.Server.Connections;
using Membership.Grpc.Server.Tls;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Membership.Grpc.Server;

/// <summary>Where a <see cref="GrpcServer"/> listens, and how.</summary>
public sealed record GrpcServerSettings
{
    /// <summary>Null: no Unix socket.</summary>
    public string? SocketPath { get; init; }

    /// <summary>Who may connect. Default: owner and group; the roles of those who may are the services' affair.</summary>
    public UnixFileMode SocketMode { get; init; } =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    /// <summary>HTTP/2 without TLS; null: none. Port 0 takes a free one.</summary>
    public IPEndPoint? Tcp { get; init; }

    /// <summary>HTTP/2 with mutual TLS; null: none.</summary>
    public TlsListener? Tls { get; init; }

    /// <summary>Bounds of the connections on the Unix socket; a source is a user.</summary>
    public ConnectionLimits SocketLimits { get; init; } = new(4096, 2048);

    /// <summary>Told of each connection to the Unix socket that was refused: from whom, and why. It must neither throw nor wait.</summary>
    public Action<string, string>? SocketRefused { get; init; }

    public GrpcServerOptions Options { get; init; } = new();

    /// <summary>Null: nothing is logged.</summary>
    public ILoggerFactory? LoggerFactory { get; init; }
}

/// <summary>A gRPC server of its own: Kestrel, the given services, UNIMPLEMENTED for everything else.</summary>
/// <remarks>
/// Reads no configuration, environment or command line. Stopping ends streams with UNAVAILABLE and waits for single replies.
/// </remarks>
public sealed class GrpcServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _stopped;

    private GrpcServer(WebApplication app)
    {
        _app = app;
    }

    /// <summary>Addresses in use, for example to learn a port that was chosen.</summary>
    public IReadOnlyCollection<string> Addresses =>
        [.. _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? []];

    /// <summary>Starts listening. The services are given by <paramref name="map"/> through <see cref="GrpcEndpoints.MapGrpcService"/>.</summary>
    public static async Task<GrpcServer> StartAsync(
        GrpcServerSettings settings, Action<IEndpointRouteBuilder> map, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(map);
        if (settings.SocketPath is null && settings.Tcp is null && settings.Tls is null) throw new ArgumentException("The server has nothing to listen on.", nameof(settings));

        var app = Build(settings);
        try
        {
            map(app);
            app.MapGrpcUnimplemented();
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
            return new GrpcServer(app);
        }
        catch
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Refuses new calls, ends streams with UNAVAILABLE, waits for the rest until the token fires and cuts it off then.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _stopped, 1) == 0) await _app.StopAsync(cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync().ConfigureAwait(false);
        await StopAsync(now.Token).ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }

    private static WebApplication Build(GrpcServerSettings settings)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddGrpcServices(settings.Options);
        if (settings.LoggerFactory is { } loggers) builder.Services.AddSingleton(loggers);
        builder.Services.AddLogging();
        builder.Services.Configure<SocketTransportOptions>(transport => transport.ConfigureUnixSockets(settings.SocketMode));
        builder.Services.AddSingleton<IHostLifetime, EmbeddedLifetime>();
        builder.WebHost.UseKestrel(kestrel =>
        {
            kestrel.ConfigureForGrpc();
            if (settings.SocketPath is { } path) kestrel.ListenGrpcUnix(path, settings.SocketLimits, settings.SocketRefused);
            if (settings.Tcp is { } address) kestrel.ListenGrpcTcp(address);
            settings.Tls?.Listen(kestrel);
        });
        return builder.Build();
    }

    /// <summary>Leaves the signals of the process to whoever embeds the server.</summary>
    private sealed class EmbeddedLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
