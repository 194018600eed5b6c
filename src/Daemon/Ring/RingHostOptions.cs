using System.Net;
using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>The addresses of one configured node, in the order of its links (A first).</summary>
/// <param name="Node">The node.</param>
/// <param name="Links">One address and port per link; the port serves UDP datagrams and TCP tripwires.</param>
internal sealed record RingPeer(NodeId Node, IReadOnlyList<IPEndPoint> Links);

/// <summary>Immutable settings of the thread that owns a node.</summary>
internal sealed record RingHostOptions
{
    /// <summary>All configured nodes with their addresses, this node included; each has the same number of links.</summary>
    public required IReadOnlyList<RingPeer> Peers { get; init; }

    /// <summary>This node.</summary>
    public required NodeId Self { get; init; }

    /// <summary>Pace at which a lost tripwire is connected again; the link_down of the timing profile.</summary>
    public TimeSpan TripwireRetry { get; init; } = TimeSpan.FromMilliseconds(600);

    /// <summary>Pace at which a link that could not be bound is tried again.</summary>
    public TimeSpan BindRetry { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>True only with --allow-fault-injection: opens <see cref="RingHost.SetFaults"/> and <see cref="RingHost.Freeze"/>.</summary>
    public bool AllowFaultInjection { get; init; }

    /// <summary>Seed of the random drops of injected faults.</summary>
    public int FaultSeed { get; init; }

    /// <summary>Submits waiting for the ring thread; when it is full <see cref="RingHost.TrySubmit"/> refuses and <see cref="RingHost.SubmitAsync"/> waits.</summary>
    public int SubmitCapacity { get; init; } = 4096;

    /// <summary>Submits taken in one turn of the loop, so that datagrams never wait long behind them.</summary>
    public int SubmitsPerTurn { get; init; } = 512;

    /// <summary>Payload bytes taken in one turn of the loop.</summary>
    public int SubmitBytesPerTurn { get; init; } = 1024 * 1024;
}
