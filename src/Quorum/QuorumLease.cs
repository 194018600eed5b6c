using Membership.Links;
using Membership.Totem;

namespace Membership.Quorum;

/// <summary>When the members of a primary view may act while nobody outside it can: from <see cref="ExclusiveFrom"/> to <see cref="QuorateUntil"/> (invariant I31).</summary>
/// <remarks>
/// By this node's own clock. Two nodes of which one is not in the other's view never have such times at one instant, whatever stalls: see
/// docs/protocol/deviations.md, D19. Renewed on the node's thread, read on any.
/// </remarks>
public sealed class QuorumLease
{
    private long _until;

    /// <param name="view">The primary view it is about.</param>
    /// <param name="exclusiveFrom">See <see cref="ExclusiveFrom"/>.</param>
    internal QuorumLease(View view, Instant exclusiveFrom) => (View, ExclusiveFrom) = (view, exclusiveFrom);

    /// <summary>The primary view it is about.</summary>
    public View View { get; }

    /// <summary>By then every lease of a node outside the view has run out.</summary>
    public Instant ExclusiveFrom { get; }

    /// <summary>Until then nobody acts exclusively in another primary view without this node. Moves on while the token goes round; an answer that is not renewed tells by itself that it has run out. Zero: nothing is known yet.</summary>
    public Instant QuorateUntil => new(Volatile.Read(ref _until));

    /// <summary>It lasts to an instant, or longer.</summary>
    internal void Renew(Instant until)
    {
        if (until > QuorateUntil) Volatile.Write(ref _until, until.Nanoseconds);
    }
}
