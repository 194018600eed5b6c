using System.Net;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Membership.Daemon.Access;
using Membership.Daemon.Telemetry;
using Membership.Grpc.Server;
using Membership.Grpc.Server.Connections;
using Membership.Grpc.Server.Services;
using Membership.Grpc.Server.Tls;
using Membership.Grpc.Tls;
using Membership.Grpc.Unix;
using Membership.V1;

namespace Membership.Daemon.Tests.Access;

/// <summary>Guarded services on a Unix socket and over mutual TLS on the loopback, with an authority of their own.</summary>
internal sealed class AccessServer : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("membership-access-");
    private readonly List<IDisposable> _owned = [];
    private GrpcServer? _server;

    private AccessServer(string[] roles)
    {
        Audit = new AuditLog(Log, TimeProvider.System, new DaemonCounters(TimeProvider.System));
        Control = new AccessControl(MethodTable.Read(), Book(roles), Audit, "membership.yaml");
        Authority = CertificateAuthority.Create("test authority", DateTimeOffset.UtcNow, TimeSpan.FromDays(30));
        Write("ca.pem", Authority.CertificatePem);
        var node = Issue(CertificateUse.Node, "n1", ["127.0.0.1", "localhost"]);
        Write("node.pem", node.CertificatePem);
        Write("node.key", node.KeyPem);
        ServerFiles = new TlsFiles { Authorities = Path("ca.pem"), Certificate = Path("node.pem"), Key = Path("node.key") };
    }

    public RecordingLog Log { get; } = new();

    public AuditLog Audit { get; }

    public AccessControl Control { get; }

    public IssuedCertificate Authority { get; }

    public TlsFiles ServerFiles { get; }

    public TlsListener Listener { get; private set; } = null!;   // set by StartAsync, as all below

    public Uri TcpAddress { get; private set; } = null!;

    public TestServices Services { get; } = new();

    public string Socket => Path("api.sock");

    /// <summary>With the roles as ROLE=GRANTEE, for example <c>read=others</c>.</summary>
    public static async Task<AccessServer> StartAsync(ConnectionLimits? limits = null, params string[] roles)
    {
        var server = new AccessServer(roles);
        server.Listener = new TlsListener(new IPEndPoint(IPAddress.Loopback, 0), TlsCredentials.Load(server.ServerFiles))
        {
            Refused = server.Audit.ConnectionRefused,
            Limits = limits ?? new ConnectionLimits(),
        };
        var settings = new GrpcServerSettings { SocketPath = server.Socket, Tls = server.Listener, Options = server.Control.Guard(new GrpcServerOptions()) };
        server._server = await GrpcServer.StartAsync(
            settings,
            map =>
            {
                map.MapGrpcService(new WhoAmIOnly(server.Control));
                map.MapGrpcService(server.Services);
                map.MapGrpcService(new HealthService());
                map.MapGrpcReflection([.. MethodTable.Services()]);
            },
            CancellationToken.None);
        server.TcpAddress = new Uri(server._server.Addresses.Single(address => address.StartsWith("https", StringComparison.Ordinal)));
        return server;
    }

    public RoleBook Book(params string[] roles) => new(
        roles.Select((text, index) => RoleGrant.Parse(Enum.Parse<Role>(text.Split('=', 2)[0], ignoreCase: true), text.Split('=', 2)[1], $"api.roles[{index}]")!),
        LocalAccounts.Read(), UnixPeer.OwnUserId);

    public GrpcChannel Local() => Own(UnixChannel.Open(Socket));

    /// <summary>A channel over TLS with a fresh certificate of this name.</summary>
    public GrpcChannel Remote(string name, params string[] alternatives) => Remote(ClientFiles(name, alternatives));

    public GrpcChannel Remote(TlsFiles files) => Own(TlsChannel.Open(TcpAddress, files));

    public TlsFiles ClientFiles(string name, params string[] alternatives) =>
        Files(name, Issue(CertificateUse.Client, name, alternatives), Path("ca.pem"));

    public TlsFiles Files(string name, IssuedCertificate issued, string authorities)
    {
        Write($"{name}.pem", issued.CertificatePem);
        Write($"{name}.key", issued.KeyPem);
        return new TlsFiles { Authorities = authorities, Certificate = Path($"{name}.pem"), Key = Path($"{name}.key") };
    }

    public IssuedCertificate Issue(CertificateUse use, string name, string[] alternatives, TimeSpan? lifetime = null) =>
        Issue(Authority, use, name, alternatives, lifetime);

    public static IssuedCertificate Issue(IssuedCertificate authority, CertificateUse use, string name, string[] alternatives, TimeSpan? lifetime = null)
    {
        using var signer = X509Certificate2.CreateFromPem(authority.CertificatePem, authority.KeyPem);
        return CertificateAuthority.Issue(signer, use, name, alternatives, DateTimeOffset.UtcNow, lifetime ?? TimeSpan.FromDays(1));
    }

    public string Path(string name) => System.IO.Path.Combine(_directory.FullName, name);

    /// <summary>Replaces a file as an operator would: a new one is renamed into place.</summary>
    public void Write(string name, string text)
    {
        var temporary = Path($"{name}.new");
        File.WriteAllText(temporary, text);
        File.SetUnixFileMode(temporary, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(temporary, Path(name), overwrite: true);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            foreach (var each in _owned) each.Dispose();
            if (_server is not null) await _server.DisposeAsync();
        }
        finally
        {
            _directory.Delete(true);
        }
    }

    private GrpcChannel Own(GrpcChannel channel)
    {
        _owned.Add(channel);
        return channel;
    }
}

/// <summary>A few methods of different roles that do next to nothing.</summary>
internal sealed class TestServices : MembershipService.MembershipServiceBase
{
    private readonly TaskCompletionSource _floodBegan = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _floodEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when <see cref="Subscribe"/> has been called.</summary>
    public Task FloodBegan => _floodBegan.Task;

    /// <summary>Ends when a call of <see cref="Subscribe"/> has ended.</summary>
    public Task FloodEnded => _floodEnded.Task;

    public override Task<GetStatusResponse> GetStatus(GetStatusRequest request, ServerCallContext context) => Task.FromResult(new GetStatusResponse());

    public override async Task WatchViews(WatchViewsRequest request, IServerStreamWriter<WatchViewsResponse> responseStream, ServerCallContext context)
    {
        await responseStream.WriteAsync(new WatchViewsResponse(), context.CancellationToken);
        await Task.Delay(Timeout.Infinite, context.CancellationToken);
    }

    /// <summary>Sends for ever, as fast as the client takes it.</summary>
    public override async Task Subscribe(SubscribeRequest request, IServerStreamWriter<SubscribeResponse> responseStream, ServerCallContext context)
    {
        var much = new SubscribeResponse { Events = { new RingEvent { Message = new RingMessage { Payload = Google.Protobuf.ByteString.CopyFrom(new byte[64 * 1024]) } } } };
        _floodBegan.TrySetResult();
        try
        {
            while (true) await responseStream.WriteAsync(much, context.CancellationToken);
        }
        finally
        {
            _floodEnded.TrySetResult();
        }
    }

    public override async Task Multicast(IAsyncStreamReader<MulticastRequest> requestStream, IServerStreamWriter<MulticastResponse> responseStream, ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken)) await responseStream.WriteAsync(new MulticastResponse(), context.CancellationToken);
    }
}

/// <summary>An administration whose commands are not there: what is tested comes before them.</summary>
internal sealed class WhoAmIOnly(AccessControl control) : AdminService.AdminServiceBase
{
    public override Task<WhoAmIResponse> WhoAmI(WhoAmIRequest request, ServerCallContext context) => Task.FromResult(control.Describe(context, request.Can));
}
