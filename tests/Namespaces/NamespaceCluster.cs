using System.Text;
using Membership.V1;

namespace Membership.Namespaces;

/// <summary>A cluster of real daemons, each in a network namespace.</summary>
/// <remarks>Use with <c>await using</c>: what it made is gone afterwards, or disposing throws.</remarks>
public sealed class NamespaceCluster : IAsyncDisposable
{
    /// <summary>A first view takes the start of the runtime and one consensus; two busy cores make it slower.</summary>
    public static readonly TimeSpan FormationLimit = TimeSpan.FromSeconds(20);

    private readonly List<RingRecorder> _recorders = [];

    private NamespaceCluster(ClusterPlan plan)
    {
        Plan = plan;
        Folder = Directory.CreateTempSubdirectory("membership-e2e.").FullName;
        Network = new VirtualNetwork(plan.Nodes, plan.Links, plan.Strangers);
        WriteConfiguration(ConfigurationPath, plan);
        Nodes = [.. Enumerable.Range(1, plan.Nodes).Select(id => new ClusterNode(this, id))];
    }

    /// <summary>What was asked for.</summary>
    public ClusterPlan Plan { get; }

    /// <summary>The wires.</summary>
    public VirtualNetwork Network { get; }

    /// <summary>Configuration, key, sockets and state directories.</summary>
    public string Folder { get; }

    /// <summary>The nodes; index 0 is node 1.</summary>
    public IReadOnlyList<ClusterNode> Nodes { get; }

    /// <summary>The one configuration file of all nodes.</summary>
    public string ConfigurationPath => Path.Combine(Folder, "membership.yaml");

    /// <summary>The key file.</summary>
    public string KeyPath => Path.Combine(Folder, "cluster.key");

    /// <summary>Builds network and files; no daemon runs yet.</summary>
    public static NamespaceCluster Prepare(ClusterPlan? plan = null) => new(plan ?? new ClusterPlan());

    /// <summary>Builds everything, starts all daemons and waits until all are in one view.</summary>
    public static async Task<NamespaceCluster> StartAsync(ClusterPlan? plan = null)
    {
        var cluster = Prepare(plan);
        try
        {
            foreach (var node in cluster.Nodes) node.Start();
            await cluster.OneViewAsync(FormationLimit);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Node by its id.</summary>
    public ClusterNode Node(int id) => Nodes[id - 1];

    /// <summary>Waits until all nodes are in one and the same view, and returns it.</summary>
    public Task<View> OneViewAsync(TimeSpan deadline) => OneViewAsync(deadline, [.. Nodes]);

    /// <summary>Waits until these nodes, and no others, are in one and the same view, and returns it.</summary>
    public async Task<View> OneViewAsync(TimeSpan deadline, params IReadOnlyList<ClusterNode> members)
    {
        var wanted = members.Select(node => (uint)node.Id).Order().ToArray();
        View?[] views = [];
        await Eventually.HoldsAsync($"one view of nodes {string.Join(',', wanted)}", deadline, async () =>
        {
            views = await Task.WhenAll(members.Select(node => node.ViewAsync()));
            return views.All(view => view is not null && view.Id == views[0]?.Id && view.Members.Select(member => member.Node).SequenceEqual(wanted));
        }, () => Describe(members, views));
        return views[0] ?? throw new InvalidOperationException("a view was seen a moment ago");
    }

    /// <summary>Records the ordered stream of these nodes from now on, each from its current view.</summary>
    public Task<IReadOnlyList<RingRecorder>> RecordAsync(params IReadOnlyList<ClusterNode> nodes) => RecordAsync(viewsOnly: false, nodes);

    /// <summary>Records only the views of these nodes from now on, each from its current view.</summary>
    public Task<IReadOnlyList<RingRecorder>> RecordViewsAsync(params IReadOnlyList<ClusterNode> nodes) => RecordAsync(viewsOnly: true, nodes);

    private async Task<IReadOnlyList<RingRecorder>> RecordAsync(bool viewsOnly, IReadOnlyList<ClusterNode> nodes)
    {
        var recorders = nodes.Select(node => new RingRecorder(node, viewsOnly)).ToArray();
        _recorders.AddRange(recorders);
        await Eventually.HoldsAsync("a first view from each recorder", TimeSpan.FromSeconds(10), () => recorders.All(recorder => recorder.Views.Count > 0));
        return recorders;
    }

    /// <summary>Logs of all daemons, for the message of a failed test.</summary>
    public string Logs()
    {
        var text = new StringBuilder();
        foreach (var node in Nodes)
            for (var run = 0; run < node.Runs.Count; run++)
                text.AppendLine($"---- {node.Name}, run {run + 1} ----").AppendLine(node.Runs[run].Log);
        return text.ToString();
    }

    /// <summary>Ends all daemons and removes network and files. One part that fails does not keep the others from being removed.</summary>
    /// <exception cref="AggregateException">Something is left behind.</exception>
    public async ValueTask DisposeAsync()
    {
        var problems = new List<Exception>();
        foreach (var recorder in _recorders) await TryAsync(recorder.DisposeAsync);
        if (Environment.GetEnvironmentVariable("MEMBERSHIP_E2E_LOGS") is { Length: > 0 } logs)
            await TryAsync(async () => await File.AppendAllTextAsync(logs, Logs()));
        foreach (var node in Nodes) Try(node.Dispose);
        Try(Network.Dispose);
        Try(() => Directory.Delete(Folder, recursive: true));
        if (problems.Count > 0) throw new AggregateException("the cluster could not be removed completely", problems);

        async ValueTask TryAsync(Func<ValueTask> part)
        {
            try
            {
                await part();
            }
            catch (Exception e)
            {
                problems.Add(e);
            }
        }

        void Try(Action part)
        {
            try
            {
                part();
            }
            catch (Exception e)
            {
                problems.Add(e);
            }
        }
    }

    private void WriteConfiguration(string path, ClusterPlan plan)
    {
        var text = new StringBuilder($"cluster: {plan.ClusterName}\nkey_file: cluster.key\ntiming: {plan.Timing}\nquorum: {plan.Quorum}\nnodes:\n");
        for (var id = 1; id <= plan.Nodes; id++)
        {
            var links = Enumerable.Range(0, plan.Links).Select(link => $"\"{VirtualNetwork.Address(id, link)}:{plan.Port}\"");
            text.Append(null, $"  - {{ name: {plan.NodeNamePrefix}{id}, id: {id}, links: [{string.Join(", ", links)}] }}\n");
        }

        File.WriteAllText(path, text.Append(plan.MoreConfiguration).ToString());
        WriteKey(plan.Secret);
    }

    /// <summary>Replaces the key file, mode 0600.</summary>
    public void WriteKey(byte[] secret)
    {
        File.Delete(KeyPath);
        using (File.Open(KeyPath, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
        }

        File.WriteAllText(KeyPath, $"1 active {Convert.ToBase64String(secret)}\n");
    }

    private static string Describe(IReadOnlyList<ClusterNode> nodes, View?[] views) =>
        string.Join("; ", nodes.Select((node, i) => i >= views.Length || views[i] is not { } view
            ? $"{node.Name} {(node.IsRunning ? "has no view" : "does not run")}, its last words: '{node.LastLine}'"
            : $"{node.Name} is in {view.Id} of {string.Join(',', view.Members.Select(member => member.Node))}"));
}
