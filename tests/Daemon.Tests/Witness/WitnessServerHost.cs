using System.Net;
using Grpc.Net.Client;
using Membership.Daemon.Ring;
using Membership.Daemon.Witness;
using Membership.Daemon.Witness.Server;
using Membership.Grpc.Server;
using Membership.Grpc.Server.Tls;
using Membership.Grpc.Tls;
using Membership.Namespaces;
using Membership.V1;
using Microsoft.Extensions.Logging.Abstractions;

namespace Membership.Daemon.Tests.Witness;

/// <summary>A witness on loopback with its own authority, and channels to it as any node.</summary>
internal sealed class WitnessServerHost : IAsyncDisposable
{
    public const string Cluster = "web";

    private readonly string _folder;
    private readonly TestAuthority _authority;
    private readonly List<GrpcChannel> _channels = [];
    private readonly CancellationTokenSource _ends;
    private readonly WitnessStore _store;
    private readonly Task _running;
    private readonly GrpcServer _server;

    private WitnessServerHost(WitnessStore store, Task running, GrpcServer server, string folder, TestAuthority authority, CancellationTokenSource ends)
    {
        (_store, _running, _server, _folder, _authority, _ends) = (store, running, server, folder, authority, ends);
        Port = new Uri(server.Addresses.Single()).Port;
    }

    public int Port { get; }

    public static async Task<WitnessServerHost> StartAsync(params WitnessedCluster[] clusters)
    {
        var folder = Directory.CreateTempSubdirectory("witness-server.").FullName;
        var authority = new TestAuthority();
        authority.WriteAuthority(Path.Combine(folder, "ca.pem"));
        authority.WriteServer(folder, "witness", IPAddress.Loopback);
        var files = Files(folder, "witness");
        var configuration = new WitnessServerConfiguration(new IPEndPoint(IPAddress.Loopback, 0), files, clusters.Length == 0 ? null : clusters);
        var store = WitnessStore.Open(Path.Combine(folder, "state"));
        var loop = new WitnessLoop(store, new MonotonicClock(), NullLogger.Instance);
        var ends = new CancellationTokenSource();
        var running = loop.RunAsync(ends.Token);
        var settings = new GrpcServerSettings
        {
            Tls = new TlsListener(configuration.Listen, TlsCredentials.Load(files)),
            Options = new GrpcServerOptions { MaxReceiveBytes = WitnessCodec.MessageBytesMax },
        };
        var server = await GrpcServer.StartAsync(settings, map => map.MapGrpcService(new WitnessApi(configuration, loop, new RefusalLog(NullLogger.Instance))), CancellationToken.None);
        return new WitnessServerHost(store, running, server, folder, authority, ends);
    }

    /// <summary>Files of a node that this witness's authority vouches for.</summary>
    public TlsFiles Issue(string cluster, string node)
    {
        _authority.WriteNode(_folder, node, cluster, node);
        return Files(_folder, node);
    }

    /// <summary>Files of a node that another authority vouches for; the node itself believes this witness's.</summary>
    public TlsFiles IssueByStranger(string node)
    {
        using var stranger = new TestAuthority("somebody else");
        stranger.WriteNode(_folder, "stranger", Cluster, node);
        return Files(_folder, "stranger");
    }

    public WitnessService.WitnessServiceClient Connect(TlsFiles files)
    {
        var channel = TlsChannel.Open(new Uri($"https://127.0.0.1:{Port}"), files);
        _channels.Add(channel);
        return new WitnessService.WitnessServiceClient(channel);
    }

    public static WitnessHello Hello(uint node = 1, string name = "n1") => new()
    {
        Cluster = Cluster,
        Node = node,
        NodeName = name,
        Boot = node,
        ConfigDigest = "0123456789abcdef",
        Method = WitnessMethod.Ffsplit,
        Votes = 1,
        LeaseMs = 1000,
        SettleMs = 50,
    };

    public static WitnessReport Report(ulong number, uint node = 1) => new()
    {
        Number = number,
        Ring = new WitnessRing { Representative = node, Sequence = 8, Incarnation = node },
        Members = { new WitnessMember { Node = node, Boot = node, Votes = 1 } },
        TotalVotes = 2,
    };

    public async ValueTask DisposeAsync()
    {
        foreach (var channel in _channels) channel.Dispose();
        await _server.DisposeAsync();
        await _ends.CancelAsync();
        await _running;
        _ends.Dispose();
        _store.Dispose();
        _authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static TlsFiles Files(string folder, string name) => new()
    {
        Authorities = Path.Combine(folder, "ca.pem"),
        Certificate = Path.Combine(folder, $"{name}.pem"),
        Key = Path.Combine(folder, $"{name}.key"),
    };
}
