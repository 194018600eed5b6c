using Membership.Links;
using Membership.Node;
using Membership.Quorum;

namespace Membership.Virtual;

/// <summary>Quorum of a simulated machine: its record on the disk, and what an operator asks for.</summary>
public sealed partial class Host
{
    private const long WriteRetry = 1_000_000_000;

    private readonly Dictionary<ulong, string?> _changes = [];
    private QuorumRecord? _quorumOnDisk;
    private ulong _lastChange;
    private QuorumLease? _leaseTold;
    private Instant _untilTold;
    private long _exclusiveFrom;

    /// <summary>What the next start finds; null on a new disk.</summary>
    public QuorumRecord? QuorumOnDisk => _quorumOnDisk;

    /// <summary>An operator asks this node for a change.</summary>
    public void ChangeQuorum(QuorumChange change)
    {
        if (Awake() is not { } node) return;
        _world.Trace(this, $"is asked for {change}");
        var tag = ++_lastChange;
        _changes.Add(tag, "");
        node.ChangeQuorum(Local, change, tag, this);
        AfterInput();
    }

    /// <summary>What the session with the witness says now; null: nothing, or the lease has ended.</summary>
    public void TellWitness(WitnessAnswer? answer)
    {
        if (Awake() is not { } node) return;
        _world.Trace(this, answer is null ? "has nothing of the witness" : $"hears the witness: {(answer.IsGranted ? "granted" : "refused")} for {answer.Ring}: {answer.Reason}");
        node.OnWitness(Local, answer, this);
        AfterInput();
    }

    /// <summary>At rest: one view, one verdict, quorum, and every change has its answer.</summary>
    internal void CheckQuorumAtRest()
    {
        if (Node is not { } node) return;
        var state = node.Quorum;
        if (state.IsSynchronizing || state.View?.Id != View?.Id || !state.IsQuorate)
            throw new PromiseBrokenException("I32", $"at rest node {Id} is {(state.IsSynchronizing ? "still synchronizing" : "not quorate")} in view {state.View?.Id} of {View?.Id}: {state.Reason}");
        var waiting = _changes.Count(change => change.Value is { Length: 0 });
        if (waiting > 0) throw new PromiseBrokenException("I32", $"at rest {waiting} changes of quorum that node {Id} was asked for have no answer");
    }

    /// <summary>What anybody could learn of the node now about when it may act alone, in the time that all share.</summary>
    private void TellLease(MembershipNode node)
    {
        if (node.Quorum.Lease is not { } lease || (ReferenceEquals(lease, _leaseTold) && lease.QuorateUntil == _untilTold)) return;
        if (!ReferenceEquals(lease, _leaseTold)) _exclusiveFrom = Global(lease.ExclusiveFrom);
        (_leaseTold, _untilTold) = (lease, lease.QuorateUntil);
        if (lease.QuorateUntil == default) return; // nothing is known yet
        _world.History.MayActAlone(Incarnation, _world.Now, lease.View, _exclusiveFrom, Global(lease.QuorateUntil));
    }

    private void ForgetQuorum(bool hasDisk)
    {
        _changes.Clear();
        if (!hasDisk) _quorumOnDisk = null;
    }

    private void WriteQuorum(QuorumRecord record, int generation)
    {
        if (generation != Generation || Node is null) return; // a write under way is lost with the process
        if (DiskFails)
        {
            _world.At(_world.Now + WriteRetry, () => WriteQuorum(record, generation));
            return;
        }

        _quorumOnDisk = QuorumRecord.Decode(record.Encode());
        TellWritten(record, generation);
    }

    private void TellWritten(QuorumRecord record, int generation)
    {
        if (generation != Generation || Node is not { } node) return;
        if (_world.Now < BusyUntil)
        {
            _world.At(BusyUntil, () => TellWritten(record, generation));
            return;
        }

        NoteAwake();
        node.OnQuorumPersisted(Local, record, this);
        AfterInput();
    }

    void INodeEffects.QuorumChanged(QuorumState state)
    {
        _world.History.QuorumChanged(Incarnation, _world.Now, _world.Distortion?.Quorum?.Invoke(this, state) ?? state);
        if (_world.TraceSink is not null) _world.Trace(this, Describe.Of(state));
    }

    void INodeEffects.PersistQuorum(QuorumRecord record)
    {
        var generation = Generation;
        _world.At(_world.Now + DiskLatency, () => WriteQuorum(record, generation));
    }

    void INodeEffects.QuorumChangeDone(ulong tag, string? error)
    {
        _world.Trace(this, $"change {tag} of quorum: {error ?? "done"}");
        if (!_changes.TryGetValue(tag, out var known) || known is not { Length: 0 }) throw new PromiseBrokenException("I32", $"node {Id} answered change {tag} of quorum twice");
        _changes[tag] = error;
    }
}
