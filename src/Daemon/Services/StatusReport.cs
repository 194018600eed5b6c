using Membership.Daemon.Configuration;
using Membership.Links;
using Membership.Quorum;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>What does not change while the daemon runs.</summary>
internal sealed record DaemonIdentity(ClusterConfiguration Configuration, NodeConfiguration Self, BootId Boot, bool AllowFaultInjection);

/// <summary>Turns a snapshot of the ring into the answer of GetStatus. Pure.</summary>
internal sealed class StatusReport(DaemonIdentity identity, ProtoViews protoViews, ProtoQuorum protoQuorum)
{
    private const string Stalled = "stalled";

    private readonly ClusterConfiguration _configuration = identity.Configuration;

    /// <summary>The whole answer.</summary>
    /// <param name="snapshot">Null while the ring thread has never answered.</param>
    /// <param name="isFresh">False: the ring thread did not answer in time, this is the last known.</param>
    /// <param name="verdict">Quorum and the view it is about; null before the first: then what the snapshot says.</param>
    /// <param name="now">The present on the ring's clock.</param>
    /// <param name="absolute">The same on the machine's clock, nanoseconds.</param>
    public Proto.GetStatusResponse Of(RingSnapshot? snapshot, bool isFresh, Verdict? verdict, Instant now, long absolute)
    {
        var view = verdict?.View;
        var quorum = verdict?.State ?? snapshot?.Quorum;
        var members = view is null ? NodeSet.Empty : _configuration.Table.Set(view.View.Members.Select(m => m.Node));
        var response = new Proto.GetStatusResponse
        {
            Cluster = _configuration.Cluster,
            Node = identity.Self.Id.Value,
            NodeName = identity.Self.Name,
            Version = DaemonVersion.Text,
            View = view is null ? null : protoViews.Of(view),
            ViewSinceMs = view is null ? 0 : (absolute - view.Time) / 1_000_000,
            Quorate = quorum?.IsQuorate ?? false,
            Votes = quorum?.Votes ?? 0,
            VotesNeeded = quorum?.Needed ?? 0,
            VotesExpected = quorum?.Expected ?? 0,
            QuorumReason = quorum is null ? "the ring thread has not answered yet" : protoQuorum.Reason(quorum),
            RingState = snapshot is null || !isFresh ? Stalled : snapshot.State.ToString().ToLowerInvariant(),
            FaultInjection = identity.AllowFaultInjection,
            UptimeMs = now.Nanoseconds / 1_000_000,
            Profile = _configuration.Timing.Profile,
            Boot = ProtoViews.Boot(identity.Boot.Short),
            TNs = absolute,
        };
        for (var position = 0; position < _configuration.Nodes.Count; position++) response.Nodes.Add(Node(snapshot, quorum, members, position, now));
        if (snapshot is not null)
        {
            foreach (var (name, value) in snapshot.Counters) response.Counters[name] = value;
            foreach (var (name, value) in snapshot.Dropped) response.Dropped[name] = value;
            response.Counters["snapshot_age_ms"] = Math.Max(0, (now - snapshot.Now).Ticks / TimeSpan.TicksPerMillisecond);
        }
        response.State = !response.Quorate ? Proto.ClusterState.NoQuorum : IsWhole(response) ? Proto.ClusterState.Healthy : Proto.ClusterState.Degraded;
        return response;
    }

    private static bool IsWhole(Proto.GetStatusResponse response) =>
        response.RingState != Stalled
        && response.Nodes.All(node => node.State == Proto.NodeState.Member && node.Links.All(link => link.State == Proto.LinkState.Up));

    private Proto.NodeStatus Node(RingSnapshot? snapshot, QuorumState? quorum, NodeSet members, int position, Instant now)
    {
        var node = _configuration.Nodes[position];
        var isSelf = node.Id == identity.Self.Id;
        var (standing, since) = snapshot?.Standing[position] ?? (members.Contains(position) ? NodeStanding.Member : NodeStanding.Unreachable, default(Instant));
        var status = new Proto.NodeStatus
        {
            Node = node.Id.Value,
            Name = node.Name,
            State = standing switch
            {
                NodeStanding.Member => Proto.NodeState.Member,
                NodeStanding.HeldOut => Proto.NodeState.HeldOut,
                _ => Proto.NodeState.Unreachable,
            },
            Votes = quorum?.Members.Where(m => m.Node == node.Id).Select(m => (ulong?)m.Votes).FirstOrDefault() ?? node.Votes,
            Version = isSelf ? DaemonVersion.Text : "",
            SinceMs = Math.Max(0, (now - since).Ticks / TimeSpan.TicksPerMillisecond),
        };
        if (snapshot is null) return status;
        status.Groups = (uint)snapshot.Groups[position];
        if (isSelf) status.Hears.Add(Ids(snapshot.Reachable));
        else if (snapshot.Peers.FirstOrDefault(p => p.Node == node.Id) is { } peer)
        {
            status.Version = peer.ProductVersion;
            status.Hears.Add(Ids(peer.Hears));
            status.Links.Add(peer.Links.Select(link => Link(link, snapshot.Now)));
        }
        return status;
    }

    private IEnumerable<uint> Ids(NodeSet set) => _configuration.Table.Nodes(set & _configuration.Table.All).Select(id => (uint)id.Value);

    private static Proto.LinkStatus Link(LinkStatus link, Instant now) => new()
    {
        Name = link.Link.ToString(),
        State = link.State switch
        {
            LinkState.Up => Proto.LinkState.Up,
            LinkState.OneWay => Proto.LinkState.OneWay,
            _ => Proto.LinkState.Down,
        },
        RttUs = link.Rtt is { } rtt ? rtt.Ticks / TimeSpan.TicksPerMicrosecond : 0,
        Loss = link.Loss ?? 0,
        Hears = link.Hears,
        HeardByPeer = link.HeardByPeer,
        DatagramBytes = (uint)link.DatagramBytes,
        LastHeardMs = link.LastHeard is { } ago ? ago.Ticks / TimeSpan.TicksPerMillisecond : -1,
    };
}
