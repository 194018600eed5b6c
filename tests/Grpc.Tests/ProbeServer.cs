using System.Net;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;
using Membership.Grpc.Server;
using Membership.Grpc.Server.Tls;
using Membership.Grpc.Tests.Protos;
using Membership.Grpc.Tls;
using Membership.Grpc.Unix;

namespace Membership.Grpc.Tests;

/// <summary>A server with the probe service on a Unix socket and a TCP port of its own, and stubs for it.</summary>
internal sealed class ProbeServer : IAsyncDisposable
{
    private readonly GrpcServer _server;
    private readonly string _directory;
    private readonly List<IDisposable> _channels = [];

    private ProbeServer(GrpcServer server, ProbeService service, string directory, TlsFiles client)
    {
        ClientFiles = client;
        _server = server;
        _directory = directory;
        Service = service;
    }

    public ProbeService Service { get; }

    public GrpcServer Server => _server;

    public string SocketPath => SocketIn(_directory);

    public Uri TcpAddress => new(_server.Addresses.Single(address => address.StartsWith("http:", StringComparison.Ordinal) && !address.Contains("unix", StringComparison.Ordinal)));

    public Uri TlsAddress => new(_server.Addresses.Single(address => address.StartsWith("https:", StringComparison.Ordinal)));

    /// <summary>A client's certificate that the server believes, its key, and the authority of the server.</summary>
    public TlsFiles ClientFiles { get; }

    public static async Task<ProbeServer> StartAsync(
        GrpcServerOptions? options = null, Action<Microsoft.AspNetCore.Routing.IEndpointRouteBuilder>? map = null)
    {
        string directory = Directory.CreateTempSubdirectory("grpc-").FullName;
        var service = new ProbeService();
        var (serverFiles, clientFiles) = MakeCertificates(directory);
        var settings = new GrpcServerSettings
        {
            SocketPath = SocketIn(directory),
            Tcp = new IPEndPoint(IPAddress.Loopback, 0),
            Tls = new TlsListener(new IPEndPoint(IPAddress.Loopback, 0), TlsCredentials.Load(serverFiles)),
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
        return new ProbeServer(server, service, directory, clientFiles);
    }

    public GrpcChannel Channel(Transport transport, int? maxReceiveBytes = null)
    {
        int limit = maxReceiveBytes ?? UnixChannel.DefaultMaxReceiveBytes;
        var channel = transport switch
        {
            Transport.Unix => UnixChannel.Open(SocketPath, maxReceiveBytes: limit),
            Transport.Tls => TlsChannel.Open(TlsAddress, ClientFiles, limit),
            _ => GrpcChannel.ForAddress(TcpAddress, new GrpcChannelOptions { MaxReceiveMessageSize = limit }),
        };
        _channels.Add(channel);
        return channel;
    }

    public Probe.ProbeClient Client(Transport transport = Transport.Unix, int? maxReceiveBytes = null) =>
        new(Channel(transport, maxReceiveBytes));

    public async ValueTask DisposeAsync()
    {
        try
        {
            foreach (var channel in _channels) channel.Dispose();
            await _server.DisposeAsync();
        }
        finally
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    private static (TlsFiles Server, TlsFiles Client) MakeCertificates(string directory)
    {
        var made = CertificateAuthority.Create("probe authority", DateTimeOffset.UtcNow, TimeSpan.FromDays(1));
        using var authority = X509Certificate2.CreateFromPem(made.CertificatePem, made.KeyPem);
        string authorities = Path.Combine(directory, "ca.pem");
        File.WriteAllText(authorities, made.CertificatePem);
        return (Issue("server", CertificateUse.Node, ["127.0.0.1", "localhost"]), Issue("client", CertificateUse.Client, []));

        TlsFiles Issue(string name, CertificateUse use, string[] alternatives)
        {
            var issued = CertificateAuthority.Issue(authority, use, name, alternatives, DateTimeOffset.UtcNow, TimeSpan.FromDays(1));
            var files = new TlsFiles { Authorities = authorities, Certificate = Path.Combine(directory, $"{name}.pem"), Key = Path.Combine(directory, $"{name}.key") };
            File.WriteAllText(files.Certificate, issued.CertificatePem);
            File.WriteAllText(files.Key, issued.KeyPem);
            File.SetUnixFileMode(files.Key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return files;
        }
    }

    private static string SocketIn(string directory) => Path.Combine(directory, "api.sock");
}

/// <summary>How a test reaches its server.</summary>
public enum Transport
{
    Unix,
    Tcp,
    Tls,
}
