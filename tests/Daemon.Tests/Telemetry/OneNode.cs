using System.Net;
using System.Security.Cryptography;
using System.Text;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Daemon.State;
using Membership.Daemon.Telemetry;
using Membership.Links;
using Membership.Node;
using Microsoft.Extensions.Logging.Abstractions;

namespace Membership.Daemon.Tests.Telemetry;

/// <summary>One node of a configuration, its ring thread and its telemetry, in this process on loopback.</summary>
internal sealed class OneNode : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("membership-telemetry-");
    private readonly StateDirectory _state;
    private readonly ReceiptTable _receipts = new(1024 * 1024);

    private OneNode(string telemetry, int nodes)
    {
        var file = Path("m.yaml");
        var list = string.Concat(Enumerable.Range(1, nodes).Select(id => $"  - {{ name: n{id}, id: {id}, links: [\"127.0.0.{id}:{FreePorts.Next(IPAddress.Loopback).Port}\"] }}\n"));
        var result = ConfigurationReader.Read(file, Encoding.UTF8.GetBytes($"cluster: lab\nkey_file: k\ntiming: fast\n{telemetry}nodes:\n{list}"), "n1");
        Assert.Empty(result.Mistakes.Select(m => m.ToString()));
        File.WriteAllText(Path("k"), "a key, for its age");
        Configuration = result.Configuration!;   // no mistakes, as just seen
        var self = Configuration.Nodes[0];
        _state = StateDirectory.Open(Path("state"), acceptNewIdentity: false);
        var boot = new BootId(1, 0xabcdef);
        var states = new NodeStates(Configuration.Table, self.Id);
        var observer = new RingObserver(self.Id, boot.Short, new RingRecords(new DeliveryLog(), Views, new QuorumHistory(Views), new QuorumChanges(), new GroupHub(self.Id, new GroupLog()), _receipts, states), happened => Telemetry?.Add(happened));
        ClusterKey[] keys = [new(1, true, SHA256.HashData("k"u8))];
        var start = new NodeStart(Configuration.LinkOptions(self.Id, keys), Configuration.TotemOptions(self.Id), Configuration.QuorumOptions(self.Id), null,
            ClusterConfiguration.GroupOptions(self.Id), boot, _state.RingSequence, _state.ReservedUpTo, 1);
        Counters.KeysAre(keys);
        var options = new RingHostOptions { Peers = [.. Configuration.Nodes.Select(n => new RingPeer(n.Id, n.Links))], Self = self.Id, AllowFaultInjection = true };
        Host = RingHost.Start(options, start, new AesGcmSuite(), observer, _state);
        observer.Attach(Host.Clock);
        Identity = new DaemonIdentity(Configuration, self, boot, AllowFaultInjection: true);
        var ring = new StatusSource<RingSample>(cancel => Host.QueryAsync(
            view => RingSample.Take(view, states, Configuration.Table, observer.Metrics, Configuration.Telemetry.Groups), cancel), TimeProvider.System);
        Source = new TelemetrySource(Identity, ring, () => ProcessSample.Take(Counters, Configuration.KeyFile, _directory.FullName));
    }

    public ClusterConfiguration Configuration { get; }

    public DaemonIdentity Identity { get; }

    public DaemonCounters Counters { get; } = new(TimeProvider.System);

    public ViewHistory Views { get; } = new();

    public RingHost Host { get; }

    public TelemetrySource Source { get; }

    public DaemonTelemetry? Telemetry { get; private set; }

    public HttpClient Page { get; private set; } = null!;   // set by StartAsync

    /// <summary>A file of its directory.</summary>
    public string Path(string name) => System.IO.Path.Combine(_directory.FullName, name);

    /// <summary>Starts it and waits for its first view.</summary>
    public static async Task<OneNode> StartAsync(string telemetry = "", int nodes = 1)
    {
        var node = new OneNode(telemetry, nodes);
        var page = FreePorts.Next(IPAddress.Loopback);
        node.Telemetry = await DaemonTelemetry.StartAsync(node.Identity, node.Source, node.Host.Clock, page, NullLoggerFactory.Instance);
        node.Page = new HttpClient { BaseAddress = node.Telemetry.Page, Timeout = TimeSpan.FromSeconds(30) };
        await node.Views.WaitAsync(0, CancellationToken.None).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
        return node;
    }

    public async Task<(HttpStatusCode Status, string Text)> GetAsync(string path)
    {
        using var answer = await Page.GetAsync(new Uri(path, UriKind.Relative));
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    public async ValueTask DisposeAsync()
    {
        Page.Dispose();
        await Telemetry!.DisposeAsync();   // set by StartAsync
        await Host.DisposeAsync();
        _state.Dispose();
        _directory.Delete(true);
    }
}
