namespace Membership.Links;

/// <summary>How datagrams are spread over a peer's links.</summary>
public enum LinkPolicy
{
    /// <summary>All on the best link that is up (by priority, then by letter).</summary>
    Passive,

    /// <summary>Each datagram on every link that is up; the receiver drops the copies.</summary>
    Active,

    /// <summary>In turn over the links that are up.</summary>
    RoundRobin,
}

/// <summary>One key of the cluster's key ring.</summary>
/// <param name="Id">1 to 255, in clear in each datagram.</param>
/// <param name="Active">True for the one key that seals; the others only open.</param>
/// <param name="Secret">32 random bytes.</param>
public sealed record ClusterKey(byte Id, bool Active, byte[] Secret);

/// <summary>Immutable settings of the links of one node; built from the configuration file, identical on all nodes but for Self.</summary>
public sealed record LinkOptions
{
    /// <summary>Name of the cluster; part of every key.</summary>
    public required string ClusterName { get; init; }

    /// <summary>All configured nodes.</summary>
    public required NodeTable Nodes { get; init; }

    /// <summary>This node.</summary>
    public required NodeId Self { get; init; }

    /// <summary>Links configured per node (1 to 8).</summary>
    public int LinkCount { get; init; } = 1;

    /// <summary>How links share the traffic.</summary>
    public LinkPolicy Policy { get; init; } = LinkPolicy.Passive;

    /// <summary>Priority of each link; the highest that is up carries passive traffic. Missing entries are 1.</summary>
    public IReadOnlyList<int> Priorities { get; init; } = [];

    /// <summary>A silent link is down after this time (150 ms fast, 600 ms lan, 3 s wan). Heartbeats go every quarter of it.</summary>
    public TimeSpan LinkDown { get; init; } = TimeSpan.FromMilliseconds(600);

    /// <summary>Pace of heartbeats to nodes that are not ring neighbours.</summary>
    public TimeSpan FarHeartbeat { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The keys; exactly one is active.</summary>
    public required IReadOnlyList<ClusterKey> Keys { get; init; }

    /// <summary>Largest UDP payload ever tried by path MTU probing (8952 fits jumbo frames).</summary>
    public int DatagramBytesMax { get; init; } = 8952;

    /// <summary>UDP payload used before probing has found more (1280-byte IPv6 minimum less 48 bytes of headers).</summary>
    public int DatagramBytesMin { get; init; } = 1232;

    /// <summary>Digest of what must be equal on all nodes; compared in the handshake, a difference is reported by name.</summary>
    public ulong ConfigurationDigest { get; init; }

    /// <summary>Version of the product, named to peers that speak another wire version. At most 32 printable ASCII characters.</summary>
    public string ProductVersion { get; init; } = "0.1.0";

    /// <summary>Lowest wire version this build speaks.</summary>
    internal byte WireVersionMin { get; init; } = WireHeader.CurrentVersion;

    /// <summary>Highest wire version this build speaks.</summary>
    internal byte WireVersionMax { get; init; } = WireHeader.CurrentVersion;
}
