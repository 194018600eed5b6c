using System.Net;
using Grpc.Net.Client;
using Membership.Grpc.Server;
using Membership.Grpc.Tests.Protos;
using Membership.Grpc.Unix;

namespace Membership.Grpc.Tests;

/// <summary>A server with the probe service on a Unix socket and a TCP port of its own, and stubs for it.</summary>
internal sealed class ProbeServer : IAsyncDisposable
{
    private readonly GrpcServer _server;
    private readonly string _directory;
    private readonly List<IDisposable> _channels = [];

    private ProbeServer(GrpcServer server, ProbeService service, string directory)
    {
        _server = server;
        _directory = directory;
        Service = service;
    }

    public ProbeService Service { get; }

    public GrpcServer Server => _server;

    public string SocketPath => SocketIn(_directory);

    public Uri TcpAddress => new(_server.Addresses.Single(address => !address.Contains("unix", StringComparison.Ordinal)));

    public static async Task<ProbeServer> StartAsync(
        GrpcServerOptions? options = null, Action<Microsoft.AspNetCore.Routing.IEndpointRouteBuilder>? map = null)
    {
        string directory = Directory.CreateTempSubdirectory("grpc-").FullName;
        var service = new ProbeService();
        var settings = new GrpcServerSettings
        {
            SocketPath = SocketIn(directory),
            Tcp = new IPEndPoint(IPAddress.Loopback, 0),
            Options = options ?? new GrpcServerOptions(),
        };
        var server = await GrpcServer.StartAsync(
            settings,
            endpoints =>
            {
                endpoints.MapGrpcService(service);
                map?.Invoke(endpoints);
            },
            CancellationToken.None);
        return new ProbeServer(server, service, directory);
    }

    public GrpcChannel Channel(Transport transport, int? maxReceiveBytes = null)
    {
        int limit = maxReceiveBytes ?? UnixChannel.DefaultMaxReceiveBytes;
        var channel = transport is Transport.Unix
            ? UnixChannel.Open(SocketPath, maxReceiveBytes: limit)
            : GrpcChannel.ForAddress(TcpAddress, new GrpcChannelOptions { MaxReceiveMessageSize = limit });
        _channels.Add(channel);
        return channel;
    }

    public Probe.ProbeClient Client(Transport transport = Transport.Unix, int? maxReceiveBytes = null) =>
        new(Channel(transport, maxReceiveBytes));

    public async ValueTask DisposeAsync()
    {
        foreach (var channel in _channels) channel.Dispose();
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private static string SocketIn(string directory) => Path.Combine(directory, "api.sock");
}

/// <summary>How a test reaches its server.</summary>
public enum Transport
{
    Unix,
    Tcp,
}
