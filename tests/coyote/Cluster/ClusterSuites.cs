using Membership.Exploration.Cluster.Suites;
using Membership.Explorer;

namespace Membership.Exploration.Cluster;

/// <summary>All suites over whole nodes.</summary>
public sealed class ClusterSuites : ISuites
{
    /// <inheritdoc/>
    public IEnumerable<Suite> All => Suites.Select(suite => suite.AsSuite);

    internal static IReadOnlyList<ClusterSuite> Suites { get; } =
        [.. Formation.All, .. Losses.All, .. Crashes.All, .. Partitions.All, .. SplitBrain.All, .. Witnesses.All, .. Restarts.All, .. Clients.All];
}
