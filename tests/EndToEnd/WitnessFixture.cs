using Membership.Namespaces;

namespace Membership.EndToEnd;

/// <summary>A witness in a namespace of its own on the cluster's first link, with certificates for itself and every node.</summary>
internal sealed class WitnessFixture : IDisposable
{
    /// <summary>Its host number: the first that belongs to no node.</summary>
    public static readonly int Host = VirtualNetwork.StrangerFirst;

    private const int Port = 5403;

    private readonly NamespaceCluster _cluster;
    private readonly List<DaemonProcess> _runs = [];

    /// <summary>Gives every node a folder of its own with its certificate and the cluster's configuration.</summary>
    public WitnessFixture(NamespaceCluster cluster)
    {
        _cluster = cluster;
        using var authority = new TestAuthority();
        foreach (var node in cluster.Nodes)
        {
            var folder = Directory.CreateDirectory(Path.Combine(cluster.Folder, node.Name)).FullName;
            authority.WriteAuthority(Path.Combine(folder, "ca.pem"));
            authority.WriteNode(folder, "node", cluster.Plan.ClusterName, node.Name);
            File.Copy(cluster.KeyPath, Path.Combine(folder, Path.GetFileName(cluster.KeyPath)));
            node.ConfigurationPath = Path.Combine(folder, "membership.yaml");
            File.Copy(cluster.ConfigurationPath, node.ConfigurationPath);
        }

        authority.WriteAuthority(Path.Combine(cluster.Folder, "ca.pem"));
        authority.WriteServer(cluster.Folder, "witness", VirtualNetwork.Address(Host));
        File.WriteAllText(ConfigurationPath, $"listen: \"{VirtualNetwork.Address(Host)}:{Port}\"\ntls: {{ ca: ca.pem, certificate: witness.pem, key: witness.key }}\nclusters: any\n");
    }

    /// <summary>Its lease: twice the time in which a view of the lan profile settles, because the timeout of <see cref="Quorum"/> is shorter.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(4.4);

    /// <summary>Value of <c>quorum</c> in the configuration, for one vote of an even number of nodes.</summary>
    public static string Quorum => QuorumBy("ffsplit");

    /// <summary>Value of <c>quorum</c> in the configuration.</summary>
    /// <param name="algorithm">ffsplit or lms.</param>
    public static string QuorumBy(string algorithm) => $"{{ mode: majority, witness: {{ address: \"{VirtualNetwork.Address(Host)}:{Port}\", algorithm: {algorithm}, ca_file: ca.pem, certificate_file: node.pem, key_file: node.key, timeout: 2s }} }}";

    /// <summary>The run in progress or the last one.</summary>
    public DaemonProcess Process => _runs[^1];

    /// <summary>What all runs wrote.</summary>
    public string Log => string.Join('\n', _runs.Select(run => $"---- witness ----\n{run.Log}"));

    private string ConfigurationPath => Path.Combine(_cluster.Folder, "witness.yaml");

    /// <summary>Starts it.</summary>
    public void Start() => _runs.Add(DaemonProcess.Start(_cluster.Network.Namespace(Host),
        "--witness", "--config", ConfigurationPath, "--state-dir", Path.Combine(_cluster.Folder, "witness-state")));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var run in _runs) run.Dispose();
    }
}
