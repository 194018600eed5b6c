using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>Which way a fault rule cuts, seen from this node.</summary>
[Flags]
internal enum FaultDirection
{
    /// <summary>Datagrams from the peer.</summary>
    In = 1,

    /// <summary>Datagrams to the peer.</summary>
    Out = 2,

    /// <summary>Both ways.</summary>
    Both = In | Out,
}

/// <summary>One rule of the test transport: datagrams that match are dropped with a probability.</summary>
/// <param name="Peer">Null: every peer.</param>
/// <param name="Link">Null: every link.</param>
/// <param name="Direction">Which way.</param>
/// <param name="Loss">0 (none) to 1 (all). Tripwires are left alone: a pulled cable does not close a connection either.</param>
internal sealed record FaultRule(NodeId? Peer, LinkId? Link, FaultDirection Direction, double Loss);
