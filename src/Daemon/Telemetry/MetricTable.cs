using System.Globalization;
using Membership.Daemon.Services;
using Membership.Links;

namespace Membership.Daemon.Telemetry;

/// <summary>Every metric of the daemon. Names are fixed: dashboards and alerts depend on them (docs/operating/monitoring.md).</summary>
internal static class MetricTable
{
    private static readonly string[] Levels = ["agreed", "safe"];

    /// <summary>In the order of the page.</summary>
    public static readonly IReadOnlyList<Metric> All =
    [
        new("membership.members", MetricKind.Gauge, "{node}", "Configured nodes by their state as this node sees it.", Members),
        new("membership.node.state", MetricKind.Gauge, "", "1 for the state each configured node is in, as this node sees it.", NodeStates),
        new("membership.node.version", MetricKind.Gauge, "", "1 for the version each known node runs.", Versions),
        new("membership.view.changes", MetricKind.Counter, "{change}", "Regular views installed after the first, by cause.", Views),
        new("membership.view.duration", MetricKind.Histogram, "s", "From the first sign of a change to the installed view.", s => [Sample.Of(s.Ring.Metrics.ViewChange)]),
        new("membership.quorate", MetricKind.Gauge, "", "1 while this node is in the quorate side.", s => [Sample.Of(s.Ring.Quorum.IsQuorate ? 1 : 0)]),
        new("membership.quorum.votes", MetricKind.Gauge, "{vote}", "Votes present, needed for quorum, and expected in all.", Votes),
        new("membership.quorum.malformed", MetricKind.Counter, "{message}", "Messages about quorum that broke the format and were dropped.", s => [Sample.Of(s.Ring.QuorumMalformed)]),

        new("membership.ring.rotation.duration", MetricKind.Histogram, "s", "One rotation of the busy token.", s => [Sample.Of(s.Ring.Metrics.Rotation)]),
        new("membership.ring.token.losses", MetricKind.Counter, "{loss}", "Times the token was lost.", s => [Sample.Of(s.Ring.TokenLosses)]),
        new("membership.ring.hold.duration", MetricKind.Histogram, "s", "This node's own time for a visit of the token.", s => [Sample.Of(s.Ring.Metrics.Visit)]),

        new("membership.message.sent", MetricKind.Counter, "{message}", "Messages of this node's clients, counted when they were delivered here.", s => ByLevel(s.Ring.Metrics.Sent)),
        new("membership.message.delivered", MetricKind.Counter, "{message}", "Messages of clients delivered here.", s => ByLevel(s.Ring.Metrics.Delivered)),
        new("membership.message.delivery.duration", MetricKind.Histogram, "s", "Messages of this node's clients, from acceptance to delivery here.", Deliveries),
        new("membership.message.retransmits", MetricKind.Counter, "{message}", "Frames this node sent again because another one missed them.", s => [Sample.Of(s.Ring.FramesResent)]),
        new("membership.packet.io", MetricKind.Counter, "By", "Bytes of datagrams of each link.", Traffic),
        new("membership.packet.dropped", MetricKind.Counter, "{packet}", "Datagrams and frames thrown away, by reason.", Dropped),
        new("membership.link.up", MetricKind.Gauge, "", "1 while a link to a peer works both ways.", s => PerLink(s, static link => Sample.Of(link.State == LinkState.Up ? 1 : 0))),
        new("membership.link.rtt", MetricKind.Histogram, "s", "Round trips measured on a link to a peer.", s => PerLink(s, static link => Sample.Of(link.RoundTrips))),
        new("membership.flow.backlog", MetricKind.UpDown, "{message}", "Messages waiting for the token.", s => [Sample.Of(s.Ring.QueuedMessages)]),

        new("membership.group.count", MetricKind.Gauge, "{group}", "Process groups with members.", s => [Sample.Of(s.Ring.Metrics.Groups)]) { PageName = "membership_groups" },
        new("membership.group.members", MetricKind.Gauge, "{member}", "Members of process groups; by name only for groups the configuration lists, the others together.", GroupMembers),

        new("membership.client.connected", MetricKind.UpDown, "{client}", "Clients' streams open now.", s => [Sample.Of(s.Process.Clients.Now.Connected)]),
        new("membership.client.queue", MetricKind.UpDown, "By", "Bytes of the group log that sessions have not been given yet, other groups' events between theirs included.", s => [Sample.Of(s.Process.Clients.Now.QueuedBytes)]),
        new("membership.client.disconnects", MetricKind.Counter, "{client}", "Clients gone, by reason.", Disconnects),
        new("membership.client.wait", MetricKind.Counter, "s", "Time the ring thread stood back, and the ring with it, so that clients busy reading could catch up.", s => [Sample.Of(s.Ring.Metrics.StoodBack.TotalSeconds)]),
        new("membership.process.stall", MetricKind.Histogram, "s", "Times the ring thread was not scheduled although it was due.", s => [Sample.Of(s.Ring.Metrics.Stall)]),
        new("membership.health.score", MetricKind.Gauge, "", "This node's own slowness: 0 well, one more for each stall of the last minutes, at most 8.", s => [Sample.Of(s.Ring.Metrics.HealthScore)]),
        new("membership.key.age", MetricKind.Gauge, "s", "Time since the key file was last written, for each key in it.", KeyAges),
        new("membership.certificate.left", MetricKind.Gauge, "s", "Until the certificate for clients of other machines, or one of its authorities, ends; negative afterwards.", s => s.Process.CertificateLeft is { } left ? [Sample.Of(left.TotalSeconds)] : []),
        new("rpc.server.call.duration", MetricKind.Histogram, "s", "Calls of clients that have ended, streams and refused ones included.", CallDurations),
        new("rpc.server.call.active", MetricKind.UpDown, "{call}", "Calls of clients under way.", s => s.Process.Clients.Calls.Active.Select(static call => Sample.Of(call.Count, new Label("method", call.Method)))),
        new("membership.auth.denied", MetricKind.Counter, "{call}", "Calls refused for want of a role.", Denied),
        new("membership.audit.dropped", MetricKind.Counter, "{line}", "Lines of the audit log that were lost.", s => [Sample.Of(s.Process.Clients.AuditDropped)]),
        new("membership.disk.errors", MetricKind.Counter, "{error}", "Failed writes to the state directory.", s => [Sample.Of(s.Process.Clients.DiskErrors)]),
        new("membership.ring.answering", MetricKind.Gauge, "", "1 while the ring thread answers; 0: the values of the ring are the last known.", s => [Sample.Of(s.IsFresh ? 1 : 0)]),

        new("process.cpu.time", MetricKind.Counter, "s", "User and system time of the daemon.", s => [Sample.Of(s.Process.Cpu.TotalSeconds)]) { PageName = "process_cpu_seconds_total" },
        new("process.memory.usage", MetricKind.UpDown, "By", "Resident memory of the daemon.", s => [Sample.Of(s.Process.ResidentBytes)]) { PageName = "process_resident_memory_bytes" },
        new("process.start.time", MetricKind.Gauge, "s", "When the daemon started, since 1970.", s => [Sample.Of(s.Process.StartTime)]) { PageName = "process_start_time_seconds" },
        new("dotnet.gc.collections", MetricKind.Counter, "{collection}", "Garbage collections since the start.", _ => Collections()) { IsOfRuntime = true },
        new("dotnet.gc.pause.time", MetricKind.Counter, "s", "Time threads stood still for garbage collections.", _ => [Sample.Of(GC.GetTotalPauseDuration().TotalSeconds)]) { IsOfRuntime = true },
        new("dotnet.gc.heap.total_allocated", MetricKind.Counter, "By", "Bytes allocated since the start.", _ => [Sample.Of(GC.GetTotalAllocatedBytes())]) { IsOfRuntime = true, PageName = "dotnet_gc_heap_allocated_bytes_total" },
        new("dotnet.thread_pool.queue.length", MetricKind.UpDown, "{work_item}", "Work waiting for a thread of the pool.", _ => [Sample.Of(ThreadPool.PendingWorkItemCount)]) { IsOfRuntime = true },
        new("target.info", MetricKind.Gauge, "", "Who is measured.", Target),
    ];

    private static IEnumerable<Sample> Members(TelemetrySnapshot s) =>
        Enum.GetValues<NodeStanding>().Select(state => Sample.Of(s.Ring.Standing.Count(node => node.Standing == state), new Label("state", Word(state))));

    private static IEnumerable<Sample> NodeStates(TelemetrySnapshot s) =>
        from node in s.Ring.Standing
        from state in Enum.GetValues<NodeStanding>()
        select Sample.Of(node.Standing == state ? 1 : 0, new Label("node", s.Configuration.NameOf(node.Node)), new Label("state", Word(state)));

    private static string Word(NodeStanding standing) => standing switch
    {
        NodeStanding.Member => "member",
        NodeStanding.HeldOut => "held_out",
        _ => "unreachable",
    };

    private static IEnumerable<Sample> Versions(TelemetrySnapshot s) =>
        s.Ring.Peers.Where(static peer => peer.ProductVersion.Length > 0)
            .Select(peer => Version(s.Configuration.NameOf(peer.Node), peer.ProductVersion))
            .Prepend(Version(s.Identity.Self.Name, DaemonVersion.Text));

    private static Sample Version(string node, string version) => Sample.Of(1, new Label("node", node), new Label("version", version));

    private static IEnumerable<Sample> Views(TelemetrySnapshot s) =>
        Enum.GetValues<ViewCause>().Select(cause => Sample.Of(s.Ring.Metrics.Views[(int)cause], new Label("cause", cause.ToString().ToLowerInvariant())));

    private static Sample[] Votes(TelemetrySnapshot s) =>
    [
        Sample.Of(s.Ring.Quorum.Votes, new Label("kind", "present")),
        Sample.Of(s.Ring.Quorum.Needed, new Label("kind", "needed")),
        Sample.Of(s.Ring.Quorum.Expected, new Label("kind", "expected")),
    ];

    private static IEnumerable<Sample> ByLevel(IReadOnlyList<long> counts) =>
        Levels.Select((level, index) => Sample.Of(counts[index], new Label("delivery", level)));

    private static IEnumerable<Sample> Deliveries(TelemetrySnapshot s) =>
        Levels.Select((level, index) => Sample.Of(s.Ring.Metrics.Delivery[index], new Label("delivery", level)));

    private static IEnumerable<Sample> Traffic(TelemetrySnapshot s) => s.Ring.Links.SelectMany(static link => new[]
    {
        Sample.Of(link.BytesReceived, new Label("direction", "receive"), new Label("link", link.Link.ToString())),
        Sample.Of(link.BytesSent, new Label("direction", "transmit"), new Label("link", link.Link.ToString())),
    });

    private static IEnumerable<Sample> Dropped(TelemetrySnapshot s) =>
        s.Ring.Dropped.Append(("duplicate", s.Ring.FramesDuplicate)).Select(static drop => Sample.Of(drop.Item2, new Label("reason", drop.Item1)));

    private static IEnumerable<Sample> PerLink(TelemetrySnapshot s, Func<LinkStatus, Sample> of) =>
        from peer in s.Ring.Peers
        from link in peer.Links
        select of(link) with { Labels = [new Label("link", link.Link.ToString()), new Label("peer", s.Configuration.NameOf(peer.Node))] };

    private static IEnumerable<Sample> GroupMembers(TelemetrySnapshot s)
    {
        var metrics = s.Ring.Metrics;
        return metrics.GroupsShown.Select(static shown => Sample.Of(shown.Members, new Label("group", shown.Group)))
            .Append(Sample.Of(metrics.GroupMembers - metrics.GroupsShown.Sum(static shown => shown.Members), new Label("group", "")));
    }

    private static Sample[] Disconnects(TelemetrySnapshot s)
    {
        var clients = s.Process.Clients.Now;
        return [Sample.Of(clients.Gone, new Label("reason", "closed")), Sample.Of(clients.Cut, new Label("reason", "slow"))];
    }

    private static IEnumerable<Sample> KeyAges(TelemetrySnapshot s) => s.Process.KeyAge is not { } age ? [] : s.Process.Keys.Select(key => Sample.Of(
        age.TotalSeconds, new Label("key_id", key.Id.ToString(CultureInfo.InvariantCulture)), new Label("state", key.IsActive ? "active" : "accepted")));

    private static IEnumerable<Sample> CallDurations(TelemetrySnapshot s) =>
        s.Process.Clients.Calls.Ended.Select(static call => Sample.Of(call.Durations, new Label("method", call.Method), new Label("status", call.Status)));

    private static IEnumerable<Sample> Denied(TelemetrySnapshot s) =>
        s.Process.Clients.Denied.Select(static denied => Sample.Of(denied.Count, new Label("rpc", denied.Rpc), new Label("role", denied.Role)));

    private static IEnumerable<Sample> Collections() =>
        Enumerable.Range(0, GC.MaxGeneration + 1).Select(static generation => Sample.Of(
            GC.CollectionCount(generation) - (generation < GC.MaxGeneration ? GC.CollectionCount(generation + 1) : 0),
            new Label("gc_heap_generation", string.Create(CultureInfo.InvariantCulture, $"gen{generation}"))));

    private static Sample[] Target(TelemetrySnapshot s) => [Sample.Of(1, [.. Resource.Of(s.Identity).Select(static pair => new Label(pair.Key.Replace('.', '_'), pair.Value))])];
}
