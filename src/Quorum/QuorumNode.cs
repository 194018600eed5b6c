using Membership.Links;
using Membership.Totem;

namespace Membership.Quorum;

/// <summary>Quorum of one node: follows views, exchanges reports on the ordered stream, decides by <c>QuorumRule</c>. Single-threaded; no I/O.</summary>
public sealed class QuorumNode
{
    /// <param name="options">Valid settings.</param>
    /// <param name="boot">Short boot id of this start.</param>
    /// <param name="record">What an earlier start made durable; null on a first start.</param>
    public QuorumNode(QuorumOptions options, ulong boot, QuorumRecord? record)
    {
        State = new QuorumState(null, false, 0, 0, 0, "not started", [], 0, true, false, []);
    }

    /// <summary>The verdict in force.</summary>
    public QuorumState State { get; private set; }

    /// <summary>When <see cref="OnTick"/> is next due.</summary>
    public Instant NextDeadline => Instant.Never;

    /// <summary>A view, regular or transitional, in its place of the order.</summary>
    public void OnView(Instant now, View view, IQuorumEffects effects)
    {
    }

    /// <summary>A message of quorum's service in its place of the order. Malformed ones are counted and dropped, at every member alike.</summary>
    public void OnMessage(Instant now, in Delivery delivery, ReadOnlySpan<byte> payload, IQuorumEffects effects) => throw new NotSupportedException();

    /// <summary>A deadline came. Early or repeated calls do nothing.</summary>
    public void OnTick(Instant now, IQuorumEffects effects)
    {
    }

    /// <summary>An operator's change; ends in <see cref="IQuorumEffects.ChangeDone"/>, maybe at once.</summary>
    public void Change(Instant now, QuorumChange change, ulong tag, IQuorumEffects effects) => throw new NotSupportedException();

    /// <summary>What the witness says to this node; null: the session with it, or its lease, is gone.</summary>
    public void OnWitness(Instant now, WitnessAnswer? answer, IQuorumEffects effects) => throw new NotSupportedException();
}
