using System.Net;
using Membership.Cpg;
using Membership.Daemon.Access;
using Membership.Grpc.Tls;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Configuration;

/// <summary>The configuration file as checked values. Cannot be invalid; identical on all nodes.</summary>
internal sealed record ClusterConfiguration
{
    /// <summary>Where it was read, absolute.</summary>
    public required string File { get; init; }

    /// <summary>Name of the cluster; part of every key.</summary>
    public required string Cluster { get; init; }

    /// <summary>The key file, absolute.</summary>
    public required string KeyFile { get; init; }

    /// <summary>Timers.</summary>
    public required TimingConfiguration Timing { get; init; }

    /// <summary>How links share the traffic.</summary>
    public required LinkPolicy LinkPolicy { get; init; }

    /// <summary>Priority of each link, in the order of the links; the highest that is up carries passive traffic.</summary>
    public required IReadOnlyList<int> LinkPriorities { get; init; }

    /// <summary>Largest UDP payload that path MTU probing tries, in bytes.</summary>
    public required int DatagramBytesMax { get; init; }

    /// <summary>Sizes and windows of the ring.</summary>
    public required RingConfiguration Ring { get; init; }

    /// <summary>How quorum is decided.</summary>
    public required QuorumConfiguration Quorum { get; init; }

    /// <summary>Every node, ascending by id.</summary>
    public required IReadOnlyList<NodeConfiguration> Nodes { get; init; }

    /// <summary>Where clients reach the daemon.</summary>
    public required ApiConfiguration Api { get; init; }

    /// <summary>Where measurements go.</summary>
    public required TelemetryConfiguration Telemetry { get; init; }

    /// <summary>How many resources are listed.</summary>
    public required int ResourceCount { get; init; }

    /// <summary>The nodes as the cores number them.</summary>
    public required NodeTable Table { get; init; }

    /// <summary>Digest of everything that must be equal on all nodes.</summary>
    public ulong Digest => ConfigurationDigest.Of(this);

    /// <summary>The node of a name, or null.</summary>
    public NodeConfiguration? Find(string name) => Nodes.FirstOrDefault(n => n.Name == name);

    /// <summary>The configured name of a node.</summary>
    public string NameOf(NodeId node) => Nodes.FirstOrDefault(n => n.Id == node)?.Name ?? $"node-{node}";

    /// <summary>Settings of the links of one node.</summary>
    public LinkOptions LinkOptions(NodeId self, IReadOnlyList<ClusterKey> keys) => new()
    {
        ClusterName = Cluster,
        Nodes = Table,
        Self = self,
        LinkCount = Nodes[0].Links.Count,
        Policy = LinkPolicy,
        Priorities = LinkPriorities,
        LinkDown = Timing.LinkDown,
        Keys = keys,
        DatagramBytesMax = DatagramBytesMax,
        ConfigurationDigest = Digest,
        ProductVersion = DaemonVersion.Text,
    };

    /// <summary>Settings of the ring of one node.</summary>
    public TotemOptions TotemOptions(NodeId self) => new()
    {
        Nodes = Table,
        Self = self,
        Votes = [.. Nodes.Select(n => n.Votes)],
        Token = Timing.Token,
        Consensus = Timing.Consensus,
        LinkDown = Timing.LinkDown,
        Join = Timing.Join,
        MessageBytesMax = Ring.MessageBytesMax,
        QueueBytesMax = Ring.QueueBytesMax,
        WindowBytes = Ring.WindowBytes,
        VisitBytes = Ring.VisitBytes,
        PostTokenBytes = Ring.PostTokenBytes,
        WindowFrames = Ring.WindowFrames,
    };

    /// <summary>Settings of quorum of one node.</summary>
    public QuorumOptions QuorumOptions(NodeId self) => Quorum.Options(self, Nodes);

    /// <summary>Limits of process groups of one node.</summary>
    public static CpgOptions GroupOptions(NodeId self) => new() { Self = self };
}

/// <summary>One node of the cluster.</summary>
/// <param name="Name">As the operator calls it.</param>
/// <param name="Id">1 to 65535.</param>
/// <param name="Links">Its address on each link, A first.</param>
/// <param name="Votes">Its weight.</param>
internal sealed record NodeConfiguration(string Name, NodeId Id, IReadOnlyList<IPEndPoint> Links, ulong Votes);

/// <summary>Timers: a profile or three values.</summary>
/// <param name="Profile">fast, lan, wan or custom.</param>
/// <param name="Token">No token for this long: the ring is given up.</param>
/// <param name="Consensus">Members that do not agree for this long are left out; at least 1.2 x token.</param>
/// <param name="LinkDown">A silent link is down after this time; at most 0.75 x token.</param>
internal sealed record TimingConfiguration(string Profile, TimeSpan Token, TimeSpan Consensus, TimeSpan LinkDown)
{
    public static readonly TimingConfiguration Fast = new("fast", TimeSpan.FromMilliseconds(250), TimeSpan.FromMilliseconds(300), TimeSpan.FromMilliseconds(150));
    public static readonly TimingConfiguration Lan = new("lan", TimeSpan.FromMilliseconds(1000), TimeSpan.FromMilliseconds(1200), TimeSpan.FromMilliseconds(600));
    public static readonly TimingConfiguration Wan = new("wan", TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(3));

    private static readonly TimeSpan JoinMax = TimeSpan.FromMilliseconds(50);

    /// <summary>Pace of joins while a ring is formed: 50 ms, faster when the token timeout is below 250 ms.</summary>
    public TimeSpan Join => Token / 5 < JoinMax ? Token / 5 : JoinMax;

    /// <summary>Pace of heartbeats to ring neighbours.</summary>
    public TimeSpan Heartbeat => LinkDown / 4;

    /// <summary>A held or lost token is sent again at this pace.</summary>
    public TimeSpan TokenRetransmit => LinkDown / 3;

    /// <summary>A lost node is out of the view after this time even when no link says anything.</summary>
    public TimeSpan DetectionWorstCase => Token + Consensus;
}

/// <summary>Sizes and windows of the ring, in bytes unless the name says otherwise.</summary>
/// <param name="MessageBytesMax">Largest message.</param>
/// <param name="QueueBytesMax">Submitted bytes that may wait for the token.</param>
/// <param name="WindowBytes">What all members together may multicast in one rotation.</param>
/// <param name="VisitBytes">What one member may multicast in one visit of the token.</param>
/// <param name="PostTokenBytes">The part of a visit that may follow the token (accelerated ring); 0 = classic ring.</param>
/// <param name="WindowFrames">Frames that may be in flight; a power of two.</param>
internal sealed record RingConfiguration(int MessageBytesMax, int QueueBytesMax, int WindowBytes, int VisitBytes, int PostTokenBytes, int WindowFrames);

/// <summary>How quorum is decided, as written.</summary>
/// <param name="Mode">majority, two-node or last-man-standing.</param>
/// <param name="WaitForAll">After a start no quorum before every node was seen once.</param>
/// <param name="LastManStandingWindow">How long no node may be lost before expected votes fall.</param>
/// <param name="TieBreaker">Which half goes on after an even split.</param>
/// <param name="TieBreakerNodes">Of a list: in order of preference.</param>
/// <param name="AllowDownscale">A node that leaves in order lowers the expected votes.</param>
/// <param name="ExpectedVotes">Votes that count as all; null = the sum of the nodes' votes.</param>
/// <param name="TrackExpectedVotes">Remember the highest expected votes on disk.</param>
/// <param name="Witness">The witness that may add votes; null = none.</param>
internal sealed record QuorumConfiguration(
    QuorumMode Mode,
    bool WaitForAll,
    TimeSpan LastManStandingWindow,
    TieBreakerKind TieBreaker,
    IReadOnlyList<NodeId> TieBreakerNodes,
    bool AllowDownscale,
    ulong? ExpectedVotes,
    bool TrackExpectedVotes,
    WitnessConfiguration? Witness)
{
    /// <summary>What holds where the file says nothing.</summary>
    public static readonly QuorumConfiguration Default = new(
        QuorumMode.Majority, false, TimeSpan.FromSeconds(10), TieBreakerKind.None, [], false, null, false, null);

    /// <summary>The settings of one node's quorum core.</summary>
    public QuorumOptions Options(NodeId self, IReadOnlyList<NodeConfiguration> nodes) => new()
    {
        Self = self,
        Voters = [.. nodes.Select(n => new Voter(n.Id, n.Votes)).OrderBy(voter => voter.Node)],
        Mode = Mode,
        WaitForAll = WaitForAll,
        LastManStandingWindow = LastManStandingWindow,
        TieBreaker = TieBreaker,
        TieBreakerNodes = TieBreakerNodes,
        AllowDownscale = AllowDownscale,
        TrackExpectedVotes = TrackExpectedVotes,
        ExpectedVotes = ExpectedVotes,
        Witness = Witness?.Algorithm ?? WitnessAlgorithm.None,
        WitnessVotes = Witness?.Votes ?? 0,
    };
}

/// <summary>The witness (quorum device) of the cluster: <c>membershipd --witness</c> on a machine of its own.</summary>
/// <param name="Host">Name or address of the witness; the name its certificate is checked against.</param>
/// <param name="Port">Its TCP port.</param>
/// <param name="Algorithm">How it grants its votes.</param>
/// <param name="Votes">Votes it adds.</param>
/// <param name="CaFile">Certificates that sign those of witness and nodes, PEM, absolute.</param>
/// <param name="CertificateFile">Certificate of this node, PEM, absolute.</param>
/// <param name="KeyFile">Its private key, PEM, mode 0600, absolute.</param>
/// <param name="Timeout">A witness that is silent for this long is lost, and its votes with it.</param>
/// <param name="HeuristicsCommands">Each a command and its arguments, run without a shell; all must end with 0 for this node to count as well connected.</param>
/// <param name="HeuristicsTimeout">A command that runs longer has failed.</param>
/// <param name="TieBreaker">Which part the witness prefers among equals; none = the one that had its votes before, then lowest.</param>
/// <param name="TieBreakerNodes">Of a list: in order of preference.</param>
internal sealed record WitnessConfiguration(
    string Host,
    int Port,
    WitnessAlgorithm Algorithm,
    ulong Votes,
    string CaFile,
    string CertificateFile,
    string KeyFile,
    TimeSpan Timeout,
    IReadOnlyList<IReadOnlyList<string>> HeuristicsCommands,
    TimeSpan HeuristicsTimeout,
    TieBreakerKind TieBreaker,
    IReadOnlyList<NodeId> TieBreakerNodes);

/// <summary>Where clients reach the daemon.</summary>
/// <param name="Socket">Unix socket, absolute; null = the daemon's default.</param>
/// <param name="Tcp">Network and port for remote clients, as written; null = none.</param>
/// <param name="Page">Address of the HTTP page with metrics and health; null = none.</param>
internal sealed record ApiConfiguration(string? Socket, string? Tcp, IPEndPoint? Page)
{
    /// <summary>Certificate, key and authorities of the TCP listener.</summary>
    public required TlsFiles Tls { get; init; }

    /// <summary>Who has which role, in the order of the file.</summary>
    public required IReadOnlyList<RoleGrant> Roles { get; init; }
}

/// <summary>Where measurements go, beside the page.</summary>
/// <param name="Otlp">Collector that metrics and traces are sent to; null = none.</param>
/// <param name="Protocol">How it is spoken to.</param>
/// <param name="Interval">Metrics are sent this often.</param>
/// <param name="Traces">Spans are sent, too.</param>
/// <param name="Groups">Process groups whose members are counted by name.</param>
internal sealed record TelemetryConfiguration(Uri? Otlp, OtlpProtocol Protocol, TimeSpan Interval, bool Traces, IReadOnlyList<string> Groups)
{
    /// <summary>Nothing leaves the machine.</summary>
    public static readonly TelemetryConfiguration Default = new(null, OtlpProtocol.Grpc, TimeSpan.FromSeconds(10), true, []);
}

/// <summary>How a collector is spoken to.</summary>
internal enum OtlpProtocol
{
    /// <summary>gRPC, usually port 4317.</summary>
    Grpc,

    /// <summary>HTTP with protobuf bodies, usually port 4318.</summary>
    Http,
}
