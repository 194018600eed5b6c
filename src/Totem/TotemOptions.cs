using Membership.Links;

namespace Membership.Totem;

/// <summary>Immutable settings of one node's ring. Equal on all nodes but for Self.</summary>
public sealed record TotemOptions
{
    /// <summary>All configured nodes.</summary>
    public required NodeTable Nodes { get; init; }

    /// <summary>This node.</summary>
    public required NodeId Self { get; init; }

    /// <summary>Votes by table position, used as opaque weights when a clique has to be chosen; missing entries are 1.</summary>
    public IReadOnlyList<ulong> Votes { get; init; } = [];

    /// <summary>No token for this long: the ring is given up. Default 1 s (lan).</summary>
    public TimeSpan Token { get; init; } = TimeSpan.FromMilliseconds(1000);

    /// <summary>Members that do not agree for this long are left out. Default 1.2 x token.</summary>
    public TimeSpan Consensus { get; init; } = TimeSpan.FromMilliseconds(1200);

    /// <summary>A silent link is down after this time; a held token is re-sent at a third of it.</summary>
    public TimeSpan LinkDown { get; init; } = TimeSpan.FromMilliseconds(600);

    /// <summary>Joins are repeated at this pace while gathering.</summary>
    public TimeSpan Join { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Bytes that a layer above may put before a message, beyond <see cref="MessageBytesMax"/>.</summary>
    public const int HeaderBytesMax = 64;

    /// <summary>Largest message in bytes.</summary>
    public int MessageBytesMax { get; init; } = 16 * 1024 * 1024;

    /// <summary>Submitted bytes waiting for the token; more are refused (one message always fits).</summary>
    public int QueueBytesMax { get; init; } = 32 * 1024 * 1024;

    /// <summary>Bytes all members together may multicast in one rotation.</summary>
    public int WindowBytes { get; init; } = 512 * 1024;

    /// <summary>Bytes one member may multicast in one visit of the token.</summary>
    public int VisitBytes { get; init; } = 192 * 1024;

    /// <summary>Bytes of a visit that may be multicast after the token has left (accelerated ring); 0 = classic.</summary>
    public int PostTokenBytes { get; init; }

    /// <summary>Frames that may be in flight and not yet stable; a power of two.</summary>
    public int WindowFrames { get; init; } = 16384;

    /// <summary>The profiles of the configuration: fast, lan or wan.</summary>
    public TotemOptions WithProfile(TimeSpan token, TimeSpan consensus, TimeSpan linkDown) =>
        this with { Token = token, Consensus = consensus, LinkDown = linkDown };
}
