using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Grpc.Net.Client;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Daemon.State;
using Membership.Grpc.Server;
using Membership.Grpc.Unix;
using Membership.Links;
using Membership.Node;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services;

/// <summary>Some nodes of one cluster in this process: real sockets on loopback, real gRPC over a Unix socket each.</summary>
internal sealed class TestDaemons : IAsyncDisposable
{
    /// <summary>Nothing in these tests takes longer.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("membership-daemons-");

    private TestDaemons(TestDaemon[] all) => All = all;

    /// <summary>In the order of their ids, from 1.</summary>
    public TestDaemon[] All { get; private set; }

    public TestDaemon this[int index] => All[index];

    /// <summary>Starts so many nodes and waits until they are one ring.</summary>
    /// <param name="count">Nodes that run.</param>
    /// <param name="time">Of the services; null: the system's.</param>
    /// <param name="quorum">Value of <c>quorum</c> in the configuration; null: it says nothing.</param>
    /// <param name="absent">Nodes of the configuration that do not run.</param>
    /// <param name="memberships">Memberships a node takes; null: as in the daemon.</param>
    public static async Task<TestDaemons> StartAsync(int count, TimeProvider? time = null, string? quorum = null, int absent = 0, int? memberships = null)
    {
        var daemons = new TestDaemons([]);
        using var free = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        free.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)free.LocalEndPoint!).Port;   // bound
        var text = new StringBuilder($"cluster: web\nkey_file: k\ntiming: lan\n{(quorum is null ? "" : $"quorum: {quorum}\n")}nodes:\n");
        for (var id = 1; id <= count + absent; id++) text.Append(CultureInfo.InvariantCulture, $"  - {{ name: n{id}, id: {id}, links: [\"127.0.0.{id}:{port}\"] }}\n");
        var list = new List<TestDaemon>();
        for (var id = 1; id <= count; id++)
        {
            var file = Path.Combine(daemons._directory.FullName, "m.yaml");
            await File.WriteAllTextAsync(file, text.ToString());
            await TestDaemon.WriteKeysAsync(Path.Combine(daemons._directory.FullName, "k"), $"1 active {TestDaemon.Secret("k")}");
            var result = ConfigurationReader.ReadFile(file, $"n{id}");
            var configuration = result.Configuration ?? throw new InvalidOperationException(string.Join('\n', result.Mistakes));
            list.Add(await TestDaemon.StartAsync(configuration, configuration.Nodes[id - 1], Path.Combine(daemons._directory.FullName, $"n{id}"), time ?? TimeProvider.System, memberships));
        }
        daemons.All = [.. list];
        foreach (var daemon in daemons.All) await daemon.UntilMembersAsync(count);
        return daemons;
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            foreach (var daemon in All) await daemon.DisposeAsync();
        }
        finally
        {
            _directory.Delete(true);
        }
    }
}

/// <summary>One node with its services.</summary>
internal sealed class TestDaemon : IAsyncDisposable
{
    private readonly CancellationTokenSource _leaving = new();
    private readonly CancellationTokenSource _ends = new();
    private readonly ViewHistory _views = new();
    private TestDaemon() => Verdicts = new QuorumHistory(_views);
    private readonly GroupLog _log = new();
    private StateDirectory _state = null!;   // these are set by StartAsync
    private GrpcServer _server = null!;
    private Task _stalls = Task.CompletedTask;

    public RingHost Host { get; private set; } = null!;   // set by StartAsync

    public GroupApi Groups { get; private set; } = null!;   // set by StartAsync

    /// <summary>What it logs.</summary>
    public Access.RecordingLog Log { get; } = new();

    public QuorumHistory Verdicts { get; }

    public QuorumChanges Changes { get; } = new();

    /// <summary>The configuration file.</summary>
    public string File { get; private set; } = "";

    /// <summary>Ends when the service was asked to leave.</summary>
    public TaskCompletionSource AskedToLeave { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Socket { get; private set; } = "";

    public uint Id { get; private set; }

    public Proto.GroupService.GroupServiceClient Client(GrpcChannel channel) => new(channel);

    /// <summary>A connection of its own.</summary>
    public GrpcChannel Connect() => UnixChannel.Open(Socket, maxReceiveBytes: 64 * 1024 * 1024);

    public static async Task<TestDaemon> StartAsync(ClusterConfiguration configuration, NodeConfiguration self, string directory, TimeProvider time, int? memberships = null)
    {
        Directory.CreateDirectory(directory);
        var daemon = new TestDaemon { Id = self.Id.Value, File = configuration.File, Socket = Path.Combine(directory, "api.sock") };
        daemon._state = StateDirectory.Open(Path.Combine(directory, "state"), acceptNewIdentity: false);
        var boot = new BootId(self.Id.Value, (ulong)Random.Shared.NextInt64());
        var states = new NodeStates(configuration.Table, self.Id);
        var receipts = new ReceiptTable(configuration.Ring.MessageBytesMax);
        var hub = new GroupHub(self.Id, daemon._log);
        var observer = new RingObserver(self.Id, boot.Short, new RingRecords(new DeliveryLog(), daemon._views, daemon.Verdicts, daemon.Changes, hub, receipts, states), _ => { });
        ClusterKey[] keys = [new(1, true, SHA256.HashData("k"u8))];
        var groups = ClusterConfiguration.GroupOptions(self.Id);
        if (memberships is { } max) groups = groups with { LocalMembershipsMax = max };
        var start = new NodeStart(
            configuration.LinkOptions(self.Id, keys), configuration.TotemOptions(self.Id), configuration.QuorumOptions(self.Id), null, groups, boot,
            daemon._state.RingSequence, daemon._state.ReservedUpTo, self.Id.Value);
        var options = new RingHostOptions { Peers = [.. configuration.Nodes.Select(n => new RingPeer(n.Id, n.Links))], Self = self.Id };
        daemon.Host = RingHost.Start(options, start, new AesGcmSuite(), observer, daemon._state);
        observer.Attach(daemon.Host.Clock);

        daemon.Groups = new GroupApi(new GroupServices(self.Id, boot.Short, daemon.Host, hub, daemon._log, receipts, configuration.Ring.MessageBytesMax, time, new ClientCuts(daemon.Log, time)), daemon._leaving.Token);
        var protoQuorum = new ProtoQuorum(configuration, new ProtoViews(configuration));
        var reload = new ConfigurationReload(daemon.Host, configuration, self.Name, _ => { });
        reload.KeysAre(keys);
        var commands = new AdminCommands(daemon.Host, configuration, daemon.Changes, daemon.Verdicts, protoQuorum, reload, () => daemon.AskedToLeave.TrySetResult(), time);
        daemon._stalls = daemon.Groups.WatchStallsAsync(daemon._ends.Token);
        daemon._server = await GrpcServer.StartAsync(
            new GrpcServerSettings { SocketPath = daemon.Socket, Options = new GrpcServerOptions { MaxReceiveBytes = 64 * 1024 * 1024 } },
            map =>
            {
                map.MapGrpcService(daemon.Groups);
                map.MapGrpcService(new QuorumApi(daemon.Host, daemon.Verdicts, protoQuorum, boot.Short));
                map.MapGrpcService(new AdminApi(commands, (_, _) => new Proto.WhoAmIResponse { Identity = "test" }));
            },
            CancellationToken.None);
        return daemon;
    }

    /// <summary>A secret of a key file.</summary>
    public static string Secret(string of) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(of)));

    /// <summary>Writes a key file that the daemon may read.</summary>
    public static async Task WriteKeysAsync(string path, params string[] lines)
    {
        await System.IO.File.WriteAllLinesAsync(path, lines);
        System.IO.File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    /// <summary>Waits for a regular view with so many members.</summary>
    public async Task UntilMembersAsync(int count)
    {
        using var limit = new CancellationTokenSource(TestDaemons.Limit);
        while (_views.LastRegular?.View.Members.Count != count) await _views.WaitAsync(_views.LastRevision, limit.Token);
    }

    /// <summary>Leaves the cluster as SIGTERM does.</summary>
    public async Task LeaveAsync()
    {
        await _leaving.CancelAsync();
        Host.Leave();
        await Host.Completion.WaitAsync(TestDaemons.Limit);
    }

    public async ValueTask DisposeAsync()
    {
        await _leaving.CancelAsync();
        await _ends.CancelAsync();
        await _stalls;
        await _server.DisposeAsync();
        await Host.DisposeAsync();
        _state.Dispose();
        _leaving.Dispose();
        _ends.Dispose();
    }
}
