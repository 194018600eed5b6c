using System.Security.Cryptography;

namespace Membership.Namespaces;

/// <summary>What kind of cluster to build.</summary>
public sealed record ClusterPlan
{
    /// <summary>Number of nodes, named <see cref="NodeNamePrefix"/> and their number.</summary>
    public int Nodes { get; init; } = 3;

    /// <summary>Links of each node.</summary>
    public int Links { get; init; } = 1;

    /// <summary>Namespaces on the same bridges that belong to no node.</summary>
    public int Strangers { get; init; }

    /// <summary>Value of <c>timing</c> in the configuration.</summary>
    public string Timing { get; init; } = "lan";

    /// <summary>Name of the cluster.</summary>
    public string ClusterName { get; init; } = "e2e";

    /// <summary>Start of each node's name.</summary>
    public string NodeNamePrefix { get; init; } = "n";

    /// <summary>The cluster's secret, 32 bytes.</summary>
    public byte[] Secret { get; init; } = RandomNumberGenerator.GetBytes(32);

    /// <summary>Value of <c>quorum</c> in the configuration.</summary>
    public string Quorum { get; init; } = "{ mode: majority }";

    /// <summary>Further top-level lines of the configuration.</summary>
    public string MoreConfiguration { get; init; } = "";

    /// <summary>Not null: state directories are file systems of this size in memory.</summary>
    public string? StateDirectorySize { get; init; }

    /// <summary>Port of all links.</summary>
    public int Port { get; init; } = 5405;
}
