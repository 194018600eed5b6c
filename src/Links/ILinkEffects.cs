namespace Membership.Links;

/// <summary>What is known of the way to a peer.</summary>
public enum PeerState
{
    /// <summary>No handshake with its present boot yet.</summary>
    Unknown,

    /// <summary>All its links have been silent for link_down and probes went unanswered, or its process is proven gone.</summary>
    Dead,

    /// <summary>I hear it, but it reports that it does not hear me (or its handshake with me is not complete on its side).</summary>
    OneWay,

    /// <summary>Handshake complete both ways, I hear it and it reports hearing me. Only such a peer is a candidate for membership.</summary>
    Reachable,
}

/// <summary>Why a peer changed its state.</summary>
public enum PeerReason
{
    /// <summary>First contact with this boot.</summary>
    Handshake,

    /// <summary>Heard (again), both ways.</summary>
    Heard,

    /// <summary>Silent on all links for link_down.</summary>
    Silent,

    /// <summary>A hint (port unreachable, closed tripwire) and 100 ms of unanswered probes.</summary>
    ProcessGone,

    /// <summary>A new boot id proved itself: the old incarnation is over.</summary>
    Restarted,

    /// <summary>The peer reports that it does not hear me.</summary>
    NotHeardByPeer,

    /// <summary>The peer said it leaves.</summary>
    Left,
}

/// <summary>State of one link to one peer.</summary>
public enum LinkState
{
    /// <summary>Not heard for link_down.</summary>
    Down,

    /// <summary>I hear the peer on it, the peer does not hear me on it, or the other way round.</summary>
    OneWay,

    /// <summary>Heard both ways.</summary>
    Up,
}

/// <summary>Unauthenticated evidence from the host; never a verdict, it only starts probes.</summary>
public enum LinkHint
{
    /// <summary>ICMP port unreachable came back for a datagram to the peer.</summary>
    PortUnreachable,

    /// <summary>The tripwire connection to the peer closed or was reset.</summary>
    TripwireClosed,
}

/// <summary>Why a received datagram was dropped. One counter each.</summary>
public enum DropReason
{
    /// <summary>Shorter than header and tag.</summary>
    TooShort,

    /// <summary>Longer than any datagram of ours, or its length field differs from what arrived.</summary>
    BadLength,

    /// <summary>First byte is not a version this node speaks.</summary>
    UnknownVersion,

    /// <summary>Source address is not configured for the sender.</summary>
    UnknownSource,

    /// <summary>Sender is not configured, or it is this node.</summary>
    UnknownSender,

    /// <summary>Key id is not in the key ring.</summary>
    UnknownKey,

    /// <summary>No session with this boot id of the sender (a recording, or its handshake is not complete).</summary>
    StaleSession,

    /// <summary>The tag is wrong: another key, corruption or forgery.</summary>
    BadTag,

    /// <summary>Counter seen before, or older than the window of 4096.</summary>
    Replay,

    /// <summary>Meant for another node, boot or link.</summary>
    WrongTarget,

    /// <summary>Authenticated, but its body is malformed.</summary>
    Malformed,

    /// <summary>A fragment that fits no reassembly, or of one that was given up.</summary>
    BadFragment,

    /// <summary>A handshake message that answers no question of ours, or one too many per second.</summary>
    UnexpectedHandshake,

    /// <summary>Its configuration digest or cluster differs.</summary>
    ConfigurationDiffers,
}

/// <summary>What the links ask for and report. Executed, or queued in order, before the next input is fed.</summary>
public interface ILinkEffects
{
    /// <summary>Send the same datagrams to each target on one link. <paramref name="datagrams"/> holds datagrams of
    /// <paramref name="segmentBytes"/> each; only the last may be shorter. The span is valid during the call only.</summary>
    void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes);

    /// <summary>An authentic frame of the layer above arrived, once, from this boot of the peer.</summary>
    void Receive(NodeId from, BootId boot, ReadOnlySpan<byte> frame);

    /// <summary>A peer changed its state (or its boot).</summary>
    void PeerChanged(NodeId peer, BootId boot, PeerState state, PeerReason reason);

    /// <summary>A peer reports whom it has two-way contact with (itself included).</summary>
    void PeerRow(NodeId peer, BootId boot, NodeSet hears);

    /// <summary>One link to one peer changed its state; for logs and status.</summary>
    void LinkChanged(NodeId peer, LinkId link, LinkState state);

    /// <summary>The largest frame that travels unfragmented to all reachable peers changed.</summary>
    void FrameLimitChanged(int frameBytesMax);

    /// <summary>A peer (or something that has the key) speaks another version or configuration; both named, at most once a minute each.</summary>
    void Incompatible(NodeId peer, string mine, string theirs);
}
