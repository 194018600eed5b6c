using System.Diagnostics.CodeAnalysis;
using System.Text;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Daemon.State;
using Membership.Exploration.Hosts.Steering;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;

namespace Membership.Exploration.Hosts.Daemons;

/// <summary>One daemon of a world without its sockets and files: the ring thread with its node, the logs, the services of the groups.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Lives as long as its iteration.")]
internal sealed class HostedNode
{
    private const int LogBytes = 256 * 1024;

    private static readonly Lazy<ClusterConfiguration>[] Configurations = [.. Enumerable.Range(0, 4).Select(nodes => new Lazy<ClusterConfiguration>(() => Configure(nodes)))];

    private readonly CancellationTokenSource _leaving = new();
    private readonly World _world;
    private readonly Fiber _thread;
    private readonly ViewHistory _views = new();
    private readonly DeliveryLog _log = new(LogBytes);
    private readonly GroupLog _groupLog = new(LogBytes);
    private readonly GroupHub _hub;
    private readonly ReceiptTable _receipts;

    /// <param name="ring">Its network.</param>
    /// <param name="id">From 1.</param>
    /// <param name="nodes">Configured nodes.</param>
    /// <param name="boot">Which start of it.</param>
    /// <param name="submitCapacity">Messages that may wait for the ring thread.</param>
    /// <param name="keys">Of the cluster.</param>
    public HostedNode(MemoryRing ring, ushort id, int nodes, ulong boot = 1, int submitCapacity = 4096, IReadOnlyList<ClusterKey>? keys = null)
    {
        _world = ring.World;
        var configuration = Configurations[nodes].Value;
        var self = configuration.Nodes[id - 1];
        _hub = new GroupHub(self.Id, _groupLog);
        _receipts = new ReceiptTable(configuration.Ring.MessageBytesMax);
        var bootId = new BootId(((ulong)id << 32) | boot, id + (100 * boot));
        Verdicts = new QuorumHistory(_views);
        var observer = new RingObserver(
            self.Id, bootId.Short, new RingRecords(_log, _views, Verdicts, new QuorumChanges(), _hub, _receipts, new NodeStates(configuration.Table, self.Id)), static _ => { });
        keys ??= [new ClusterKey(1, true, new byte[32])];
        var reserved = boot * 4096;
        var start = new NodeStart(
            configuration.LinkOptions(self.Id, keys), configuration.TotemOptions(self.Id), configuration.QuorumOptions(self.Id), null, ClusterConfiguration.GroupOptions(self.Id), bootId,
            reserved, reserved + 2048, id);
        var options = new RingHostOptions { Peers = [.. configuration.Nodes.Select(node => new RingPeer(node.Id, node.Links))], Self = self.Id, SubmitCapacity = submitCapacity };
        Ports = ring.Open(id - 1);
        Host = RingHost.Open(options, start, new Virtual.KeyedHashCipherSuite(), observer, new MemoryDisk(_world), Ports);
        observer.Attach(Host.Clock);
        Services = new GroupServices(self.Id, bootId.Short, Host, _hub, _groupLog, _receipts, configuration.Ring.MessageBytesMax, _world.Time, new ClientCuts(Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, _world.Time));
        Groups = new GroupApi(Services, _leaving.Token);
        Ports.Thread = _thread = _world.StartThread($"ring of node {id}", Host.Run);
        _world.Shows(() => (uint)Members | ((ulong)(uint)Groups.SessionCount << 16) | (HasStopped ? 1UL << 32 : 0) | (_leaving.IsCancellationRequested ? 1UL << 33 : 0));
    }

    /// <summary>The ring thread's host.</summary>
    public RingHost Host { get; }

    /// <summary>Its network.</summary>
    public MemoryPorts Ports { get; }

    /// <summary>Shared by its sessions.</summary>
    public GroupServices Services { get; }

    /// <summary>Its group service.</summary>
    public GroupApi Groups { get; }

    /// <summary>Its verdicts.</summary>
    public QuorumHistory Verdicts { get; }

    /// <summary>Members of its regular view; 0 before the first.</summary>
    public int Members => _views.LastRegular?.View.Members.Count ?? 0;

    /// <summary>Fires when the daemon leaves.</summary>
    public CancellationToken Leaving => _leaving.Token;

    /// <summary>It takes no more calls: it has left.</summary>
    public bool HasStopped { get; private set; }

    /// <summary>What the daemon does at SIGTERM: leave, answer, end the streams.</summary>
    public async Task StopAsync()
    {
        await _leaving.CancelAsync();
        Host.Leave();
        await Host.Completion;
        await EndAsync();
    }

    /// <summary>Its process dies: nobody is answered any more.</summary>
    public void Kill()
    {
        HasStopped = true;
        Killed.Cancel();
        Ports.Dispose();
        _thread.Abandon();
    }

    /// <summary>Fires when the process is killed.</summary>
    public CancellationTokenSource Killed { get; } = new();

    private async Task EndAsync()
    {
        _receipts.FailAll(ReceiptTable.Unknown, Host.Clock.Absolute(Host.Clock.Now));
        _log.End();
        _hub.End();
        await Groups.SessionsEndAsync();
        HasStopped = true;
    }

    private static ClusterConfiguration Configure(int nodes)
    {
        var text = new StringBuilder("cluster: web\nkey_file: k\ntiming: lan\nnodes:\n");
        for (var id = 1; id <= nodes; id++) text.Append(System.Globalization.CultureInfo.InvariantCulture, $"  - {{ name: n{id}, id: {id}, links: [\"127.0.0.{id}:5405\"] }}\n");
        var result = ConfigurationReader.Read("m.yaml", Encoding.UTF8.GetBytes(text.ToString()), "n1");
        return result.Configuration ?? throw new InvalidOperationException(string.Join('\n', result.Mistakes));
    }

    /// <summary>A disk that writes whenever it is picked.</summary>
    private sealed class MemoryDisk(World world) : IReservationStore
    {
        public void Request(ulong upTo, IReservationSink sink) => world.Spawn("disk", () =>
        {
            sink.Reserved(upTo);
            return Task.CompletedTask;
        });

        public void Persist(QuorumRecord record, IReservationSink sink) => world.Spawn("disk", () =>
        {
            sink.QuorumPersisted(record);
            return Task.CompletedTask;
        });
    }
}
