using Membership.Daemon.Ring;
using Membership.Daemon.Telemetry;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Services;

/// <summary>What status needs of the ring, copied on the ring thread in one go.</summary>
internal sealed record RingSnapshot(
    Instant Now,
    TotemState State,
    View? View,
    QuorumState Quorum,
    NodeSet Reachable,
    IReadOnlyList<PeerStatus> Peers,
    IReadOnlyList<(NodeStanding Standing, Instant Since)> Standing,
    IReadOnlyList<int> Groups,
    IReadOnlyDictionary<string, long> Counters,
    IReadOnlyDictionary<string, long> Dropped)
{
    /// <summary>Copies it. Ring thread only.</summary>
    /// <param name="ring">What the ring thread has.</param>
    /// <param name="states">The standing of each node.</param>
    /// <param name="metrics">Knows in how many groups each node has members.</param>
    /// <param name="table">The configured nodes.</param>
    public static RingSnapshot Take(RingView ring, NodeStates states, RingMetrics metrics, NodeTable table) => new(
        ring.Now,
        ring.Node.State,
        ring.Node.View,
        ring.Node.Quorum,
        ring.Node.Links.Reachable,
        ring.Node.Links.Describe(ring.Now),
        [.. Enumerable.Range(0, table.Count).Select(position => states[position])],
        [.. Enumerable.Range(0, table.Count).Select(position => metrics.GroupsOf(table[position]))],
        Count(ring),
        Words.DropReasons.ToDictionary(r => r.Name, r => ring.Node.Links.Dropped(r.Reason)));

    // The names are documented in docs/operating/status.md and are not changed.
    private static Dictionary<string, long> Count(RingView ring)
    {
        var totem = ring.Node.Counters;
        var counters = new Dictionary<string, long>
        {
            ["tokens_received"] = totem.TokensReceived,
            ["tokens_dropped"] = totem.TokensDropped,
            ["tokens_resent"] = totem.TokensResent,
            ["frames_sent"] = totem.FramesSent,
            ["frames_resent"] = totem.FramesResent,
            ["frames_received"] = totem.FramesReceived,
            ["frames_duplicate"] = totem.FramesDuplicate,
            ["frames_foreign"] = totem.FramesForeign,
            ["messages_sent"] = totem.MessagesSent,
            ["messages_delivered"] = totem.MessagesDelivered,
            ["bytes_delivered"] = totem.BytesDelivered,
            ["regular_views"] = totem.Views,
            ["gathers"] = totem.Gathers,
            ["token_losses"] = totem.TokenLosses,
            ["malformed"] = totem.Malformed,
            ["rotation_ns"] = totem.RotationNanoseconds,
            ["queued_bytes"] = ring.Node.QueuedBytes,
            ["tripwires"] = ring.Tripwires.Count,
        };
        foreach (var link in ring.Io)
        {
            var prefix = $"link_{char.ToLowerInvariant(link.Link.Name)}_";
            counters[prefix + "bound"] = link.IsBound ? 1 : 0;
            counters[prefix + "datagrams_received"] = link.DatagramsReceived;
            counters[prefix + "bytes_received"] = link.BytesReceived;
            counters[prefix + "datagrams_sent"] = link.DatagramsSent;
            counters[prefix + "bytes_sent"] = link.BytesSent;
            counters[prefix + "send_no_room"] = link.SendNoRoom;
            counters[prefix + "send_too_long"] = link.SendTooLong;
            counters[prefix + "send_unreachable"] = link.SendUnreachable;
            counters[prefix + "send_other_error"] = link.SendOtherError;
            counters[prefix + "port_unreachable"] = link.PortUnreachable;
            counters[prefix + "unknown_source"] = link.UnknownSource;
            counters[prefix + "discarded"] = link.Discarded;
            counters[prefix + "fault_dropped"] = link.FaultDropped;
        }
        return counters;
    }
}
