using Membership.Namespaces;
using Membership.V1;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>A test that runs a cluster: removes it afterwards, whatever happened, and shows its logs when the test failed.</summary>
public abstract class ClusterTest(ITestOutputHelper output) : IAsyncLifetime
{
    private NamespaceCluster? _cluster;

    /// <summary>What the runner shows for a failed test.</summary>
    protected ITestOutputHelper Output { get; } = output;

    /// <summary>The cluster under test.</summary>
    protected NamespaceCluster Cluster => _cluster ?? throw new InvalidOperationException("the test has built no cluster");

    /// <summary>Node by id.</summary>
    protected ClusterNode Node(int id) => Cluster.Node(id);

    /// <summary>Nodes by id.</summary>
    protected ClusterNode[] NodesOf(params ReadOnlySpan<int> ids)
    {
        var nodes = new ClusterNode[ids.Length];
        for (var i = 0; i < ids.Length; i++) nodes[i] = Node(ids[i]);
        return nodes;
    }

    /// <summary>Network and files only.</summary>
    protected void Prepare(ClusterPlan? plan = null) => _cluster = NamespaceCluster.Prepare(plan);

    /// <summary>All daemons, in one view.</summary>
    protected async Task<View> StartAsync(ClusterPlan? plan = null)
    {
        Prepare(plan);
        foreach (var node in Cluster.Nodes) node.Start();
        return await Cluster.OneViewAsync(NamespaceCluster.FormationLimit);
    }

    /// <summary>Removes what must be gone before the cluster's network is.</summary>
    protected virtual void BeforeCluster()
    {
    }

    /// <inheritdoc/>
    public Task InitializeAsync() => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task DisposeAsync()
    {
        BeforeCluster();
        if (_cluster is null) return;
        Output.WriteLine(_cluster.Logs());
        await _cluster.DisposeAsync();
    }
}
