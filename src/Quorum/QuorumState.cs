using Membership.Links;
using Membership.Totem;

namespace Membership.Quorum;

/// <summary>A configured node in a verdict.</summary>
public readonly record struct QuorumMember(NodeId Node, ulong Votes, bool IsPresent);

/// <summary>View and quorum as one record: what all members of the view say (invariant I32).</summary>
/// <param name="View">The regular view the verdict is about; null before the first.</param>
/// <param name="IsQuorate">This side may act.</param>
/// <param name="Votes">Present, a granted witness included.</param>
/// <param name="Needed">For quorum.</param>
/// <param name="Expected">Of the whole cluster.</param>
/// <param name="Reason">One sentence: which votes counted, which were missing.</param>
/// <param name="Members">Every configured node, ascending.</param>
/// <param name="Epoch">Number of the last primary view known here; rises by one with each view that became quorate.</param>
/// <param name="IsSynchronizing">The reports of the members of the view are still under way; the verdict can only be "not quorate" or that of before.</param>
/// <param name="WitnessGranted">The witness's votes are in <paramref name="Votes"/>.</param>
/// <param name="Flags">Words that name what applies: wait-for-all, two-node, ...</param>
public sealed record QuorumState(
    View? View,
    bool IsQuorate,
    ulong Votes,
    ulong Needed,
    ulong Expected,
    string Reason,
    IReadOnlyList<QuorumMember> Members,
    ulong Epoch,
    bool IsSynchronizing,
    bool WitnessGranted,
    IReadOnlyList<string> Flags)
{
    /// <summary>When the members of this view may act while nobody outside it can; renewed while the verdict stands. Null: not quorate, or at no time (one of two nodes alone).</summary>
    public QuorumLease? Lease { get; init; }
}

/// <summary>A change asked for by an operator; takes effect in one place of the order at all members.</summary>
public abstract record QuorumChange
{
    private QuorumChange()
    {
    }

    /// <summary>Votes of one configured node.</summary>
    public sealed record SetVotes(NodeId Node, ulong Votes) : QuorumChange;

    /// <summary>Expected votes of the cluster.</summary>
    public sealed record SetExpected(ulong Votes) : QuorumChange;

    /// <summary>The operator vouches that the missing nodes do not run.</summary>
    public sealed record CancelWaitForAll : QuorumChange;
}

/// <summary>What this node's session with the witness says about the view with this ring.</summary>
/// <param name="Ring">The ring the witness was asked about.</param>
/// <param name="IsGranted">Its votes count for this side.</param>
/// <param name="Epoch">Rises with each decision of the witness.</param>
/// <param name="Reason">One sentence.</param>
public sealed record WitnessAnswer(RingId Ring, bool IsGranted, ulong Epoch, string Reason);

/// <summary>What quorum asks of its surroundings; executed in order.</summary>
public interface IQuorumEffects
{
    /// <summary>Order this message (agreed) on quorum's own service. Always taken; lost only with this node.</summary>
    void Submit(ReadOnlySpan<byte> payload);

    /// <summary>The verdict changed, or the view it is about.</summary>
    void Changed(QuorumState state);

    /// <summary>Make this durable, then feed <see cref="QuorumNode.OnPersisted"/>. Verdicts do not wait for it; changes of votes and expected votes do.</summary>
    void Persist(QuorumRecord record);

    /// <summary>The change asked for with this tag took effect (null), or was refused and why.</summary>
    void ChangeDone(ulong tag, string? error);
}
