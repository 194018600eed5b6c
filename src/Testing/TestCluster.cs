using Membership.Client;
using Membership.Links;

namespace Membership.Testing;

/// <summary>A whole cluster inside a unit test: real nodes and real clients, a network in memory, virtual time. No daemon, socket or root.</summary>
/// <remarks>
/// Time moves when the test says so, and as far as a join or a message of a client needs to be ordered; never by itself. Nodes are numbered
/// from 1, each has one vote, and half of them is not quorate. Safe for several threads.
/// </remarks>
/// <example>
/// <code>
/// await using var cluster = await TestCluster.StartAsync(3);
/// await using var group = await cluster.Client(1).JoinAsync("orders");
/// cluster.Partition([1], [2, 3]);
/// await cluster.SettleAsync();
/// Assert.False((await cluster.Client(1).GetQuorumAsync()).Quorate);
/// </code>
/// </example>
public sealed class TestCluster : IAsyncDisposable
{
    /// <summary>Longest virtual time <see cref="SettleAsync"/> waits for.</summary>
    public static readonly TimeSpan SettleLimit = TimeSpan.FromSeconds(30);

    private readonly VirtualWorld _world = new();
    private readonly List<MembershipClient> _clients = [];
    private readonly Dictionary<int, MembershipClient> _clientOf = [];
    private readonly int _seed;

    private TestCluster(int nodes, int seed)
    {
        _seed = seed;
        var table = new NodeTable(Enumerable.Range(1, nodes).Select(number => new NodeId((ushort)number)));
        for (int position = 0; position < nodes; position++) _world.Nodes.Add(new TestNode(_world, table, position, seed));
    }

    /// <summary>Virtual time since the cluster was made.</summary>
    public TimeSpan Now
    {
        get
        {
            lock (_world.Gate) return TimeSpan.FromTicks(_world.Now.Nanoseconds / TimeSpan.NanosecondsPerTick);
        }
    }

    /// <summary>The numbers of all nodes, running or not.</summary>
    public IReadOnlyList<int> Nodes => [.. Enumerable.Range(1, _world.Nodes.Count)];

    /// <summary>Makes a cluster and waits until all its nodes are in one view.</summary>
    /// <param name="nodes">1 to 64.</param>
    /// <param name="seed">Of the nodes' random sources and boot ids: the same seed and calls give the same course of events.</param>
    /// <param name="cancellationToken">Gives up before the start.</param>
    public static async Task<TestCluster> StartAsync(int nodes = 3, int seed = 1, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var cluster = new TestCluster(nodes, seed);
        lock (cluster._world.Gate)
        {
            foreach (var node in cluster._world.Nodes) node.Start();
        }
        await cluster.SettleAsync().ConfigureAwait(false);
        return cluster;
    }

    /// <summary>The client of a node, one for the life of the cluster: through it the code under test sees that node's daemon.</summary>
    public MembershipClient Client(int node)
    {
        lock (_world.Gate)
        {
            if (!_clientOf.TryGetValue(node, out var client)) _clientOf[node] = client = NewClient(node);
            return client;
        }
    }

    /// <summary>Another client of a node, as of another process there. Closed with the cluster at the latest.</summary>
    public MembershipClient NewClient(int node)
    {
        var options = new MembershipClientOptions
        {
            // Losses are told at once; the pauses are real time and short.
            ReconnectDelayMin = TimeSpan.FromMilliseconds(1),
            ReconnectDelayMax = TimeSpan.FromMilliseconds(20),
            CallTimeout = TimeSpan.FromSeconds(30),
        };
        lock (_world.Gate)
        {
            var client = MembershipClient.Create(options, () => new Random(_seed), CallsTo(node));
            _clients.Add(client);
            return client;
        }
    }

    /// <summary>The members of the view in force at a node; empty before its first view, and while it does not run.</summary>
    public IReadOnlyList<int> Members(int node)
    {
        lock (_world.Gate) return Node(node).Members;
    }

    /// <summary>Does a node see a quorum? False while it does not run.</summary>
    public bool IsQuorate(int node)
    {
        lock (_world.Gate) return Node(node) is { IsUp: true } running && running.Core.Quorum.IsQuorate;
    }

    /// <summary>Cuts the network: nodes of different sides do not hear each other. Nodes in no side are alone. Replaces what was cut before.</summary>
    public void Partition(params IReadOnlyList<int>[] sides)
    {
        lock (_world.Gate)
        {
            _world.Heal();
            foreach (int from in Nodes)
            {
                foreach (int to in Nodes)
                {
                    if (from != to && !sides.Any(side => side.Contains(from) && side.Contains(to))) _world.Cut(from - 1, to - 1);
                }
            }
        }
    }

    /// <summary>One node no longer hears another; the other way may go on.</summary>
    public void CutOneWay(int from, int to)
    {
        lock (_world.Gate) _world.Cut(Node(from).Id.Value - 1, Node(to).Id.Value - 1);
    }

    /// <summary>Everybody hears everybody again.</summary>
    public void Heal()
    {
        lock (_world.Gate) _world.Heal();
    }

    /// <summary>A node ends as in a crash: its clients lose their connection, the others notice. Time does not move.</summary>
    public void Crash(int node)
    {
        lock (_world.Gate) Running(node).Crash();
    }

    /// <summary>A node leaves cleanly and ends; time moves as far as that needs.</summary>
    public void Stop(int node)
    {
        lock (_world.Gate) Running(node).Leave();
    }

    /// <summary>Starts a node that has ended, with what it kept on disk. It joins as time moves.</summary>
    public void Start(int node)
    {
        lock (_world.Gate) Node(node).Start();
    }

    /// <summary>Moves time on.</summary>
    public Task AdvanceAsync(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        return Task.Run(() =>
        {
            lock (_world.Gate) _world.Run(by);
        });
    }

    /// <summary>Moves time on until a condition holds.</summary>
    /// <exception cref="TimeoutException">It does not hold after that much virtual time.</exception>
    public Task AdvanceUntilAsync(Func<bool> condition, TimeSpan within) => Task.Run(() =>
    {
        lock (_world.Gate)
        {
            if (!_world.RunUntil(condition, within)) throw new TimeoutException($"The condition does not hold after {within} of virtual time. {Describe()}");
        }
    });

    /// <summary>Moves time on until every running node is in one view with exactly those it can reach, with quorum decided.</summary>
    /// <exception cref="TimeoutException">Not within <see cref="SettleLimit"/>, for example because the cuts leave no such views.</exception>
    public Task SettleAsync() => AdvanceUntilAsync(IsSettled, SettleLimit);

    /// <summary>Closes all clients, then ends all nodes.</summary>
    public async ValueTask DisposeAsync()
    {
        MembershipClient[] clients;
        lock (_world.Gate) clients = [.. _clients];
        await Task.WhenAll(clients.Select(client => client.DisposeAsync().AsTask())).ConfigureAwait(false);
        lock (_world.Gate)
        {
            foreach (var node in _world.Nodes) node.Dispose();
        }
    }

    /// <summary>The services of a node, for calls that no client of the SDK makes.</summary>
    internal InMemoryCalls CallsTo(int node) => new(Node(node));

    private bool IsSettled() => _world.Nodes.Where(node => node.IsUp).All(node => node.IsSettledWith([.. Nodes.Where(other => Reaches(node, other))]));

    private bool Reaches(TestNode node, int other)
    {
        int from = node.Id.Value - 1;
        int to = other - 1;
        return from == to || (_world.Nodes[to].IsUp && !_world.IsCut(from, to) && !_world.IsCut(to, from));
    }

    private TestNode Node(int node) =>
        node >= 1 && node <= _world.Nodes.Count ? _world.Nodes[node - 1] : throw new ArgumentOutOfRangeException(nameof(node), node, $"nodes are numbered 1 to {_world.Nodes.Count}");

    private TestNode Running(int node) => Node(node) is { IsUp: true } running ? running : throw new InvalidOperationException($"node {node} is not running");

    private string Describe() => string.Join("; ", _world.Nodes.Select(node => $"node {node.Id}: {(node.IsUp ? $"{node.Core.State}, view of {string.Join(',', node.Members)}" : "not running")}"));
}
