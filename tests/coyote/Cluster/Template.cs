using Membership.Cpg;
using Membership.Exploration.Cluster.Copying;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Exploration.Cluster;

/// <summary>A cluster at the moment where the iterations of a suite begin, and what is pending there.</summary>
internal sealed class Start(World world, Pending pending)
{
    public World World { get; } = world;

    public Pending Pending { get; } = pending;
}

/// <summary>How the clusters of a suite begin. Most begin in a formed ring with members in a group, so that no step is spent on getting there.</summary>
internal sealed record Template
{
    private const ulong Seed = 20260813;
    private const long FormationMax = 60_000_000_000;
    private const long QuietTime = 1_500_000_000;

    /// <summary>The group that every machine's first session is in.</summary>
    public const string Group = "a";

    public required WorldOptions Options { get; init; }

    /// <summary>False: nobody has been started.</summary>
    public bool IsFormed { get; init; } = true;

    /// <summary>Machines that stay off.</summary>
    public int Absent { get; init; }

    /// <summary>What happens to the world before it stands still, after the ring was formed.</summary>
    public Action<World>? Prepare { get; init; }

    /// <summary>Small buffers: what a node keeps room for in production would be most of what a copy costs. Datagrams have the size they have before any
    /// search for larger paths, which also keeps probes out of the schedules.</summary>
    public static WorldOptions Options3 { get; } = Of(3);

    public static WorldOptions Of(int nodes) =>
        new() { Nodes = nodes, WindowFrames = 256, WindowBytes = 40_000, VisitBytes = 20_000, QueueBytesMax = 64 * 1024, DatagramBytesMax = 1232 };

    /// <summary>Brings a cluster there, once; its copies begin the iterations of one thread.</summary>
    public Snapshot<Start> Build()
    {
        var pending = new Pending();
        var world = new World(Options, Seed, new KeyedHashCipherSuite(), pending);
        world.Network.Options = new NetworkOptions { Unreachable = 0 };
        foreach (var host in world.Hosts) host.DiskLatency = 3_000_000;
        if (IsFormed) Form(world);
        Prepare?.Invoke(world);
        if (world.History.Violations.Count > 0) throw new InvalidOperationException($"before anything is explored: {world.History.Violations[0]}");
        return new Snapshot<Start>(new Start(world, pending), Rules);
    }

    private void Form(World world)
    {
        var present = world.Hosts.Take(world.Hosts.Count - Absent).ToList();
        foreach (var host in present) host.Start(hasDisk: true);
        if (!world.RunTo(FormationMax, () => present.TrueForAll(host => host.View?.Members.Count == present.Count))) throw new InvalidOperationException("no ring was formed");
        foreach (var host in present) host.JoinGroup(0, Group);
        world.RunTo(world.Now + QuietTime);
    }

    private static SharingRules Rules { get; } = new()
    {
        ScratchBytesMin = 60_000,
        IsShared = type =>
            type == typeof(NodeTable) || type == typeof(View) || type == typeof(QuorumRecord) || type == typeof(QuorumTerms) ||
            type == typeof(LinkOptions) || type == typeof(TotemOptions) || type == typeof(QuorumOptions) || type == typeof(CpgOptions) || type == typeof(WorldOptions) ||
            type == typeof(NetworkOptions) || type == typeof(ClusterKey) || type == typeof(GroupChange) ||
            typeof(ICipher).IsAssignableFrom(type) || typeof(ICipherSuite).IsAssignableFrom(type),
    };
}
