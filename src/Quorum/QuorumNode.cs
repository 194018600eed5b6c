using Membership.Links;
using Membership.Totem;

namespace Membership.Quorum;

/// <summary>Quorum of one node: follows views, exchanges reports on the ordered stream, decides by <see cref="QuorumRule"/>. Single-threaded; no I/O.</summary>
/// <remarks>
/// A view that only lost members needs no exchange: all its members know the same. In a view with joined members each multicasts one report, and the
/// verdict is computed where the last of them is delivered: in one place of the order, so identically everywhere (invariant I32). Until then quorum can
/// be lost, not gained. Changes of terms: QuorumNode.Changes.cs.
/// </remarks>
public sealed partial class QuorumNode
{
    private readonly QuorumOptions _options;
    private readonly ulong _boot;
    private readonly SortedDictionary<NodeId, QuorumReport> _reports = [];
    private readonly SortedSet<NodeId> _granted = [];
    private QuorumRecord _record;
    private bool _isFresh;
    private bool _waitsForAll;
    private View? _view;
    private bool _isInTransition;
    private bool _isSynchronizing;
    private bool _isPrimary;
    private List<PresentNode> _present = [];
    private bool _hasToldGrant;

    /// <param name="options">Valid settings.</param>
    /// <param name="boot">Short boot id of this start.</param>
    /// <param name="record">What an earlier start made durable; null on a first start.</param>
    public QuorumNode(QuorumOptions options, ulong boot, QuorumRecord? record)
    {
        _options = options;
        _boot = boot;
        _record = record ?? QuorumRecord.Empty;
        _isFresh = record is null;
        _waitsForAll = options.WaitForAll;
        var verdict = QuorumRule.Decide(new QuorumQuestion(options, _record, [], false));
        State = Make(null, verdict with { IsQuorate = false, Reason = "this node has not formed a view yet" }, true);
    }

    /// <summary>The verdict in force.</summary>
    public QuorumState State { get; private set; }

    /// <summary>Messages of quorum's service that made no sense and were dropped.</summary>
    public long Malformed { get; private set; }

    /// <summary>When <see cref="OnTick"/> is next due.</summary>
    public Instant NextDeadline => _giveUpAt;

    /// <summary>A view, regular or transitional, in its place of the order.</summary>
    public void OnView(Instant now, View view, IQuorumEffects effects)
    {
        if (view.Transitional)
        {
            _isInTransition = true;
            NoteWhoComes(view);
            foreach (var member in view.LeftCleanly) _leftCleanly.Add(member.Node);
            return;
        }

        var knowsAll = _view is not null && !_isSynchronizing && view.Joined.Count == 0;
        var wasQuorate = State.IsQuorate;
        BeginLease(wasQuorate);
        BeginView(view);
        if (knowsAll)
        {
            _present = [.. _present.Where(node => Contains(view, node.Node)).Select(node => node with { WasQuorate = wasQuorate })];
            Settle(now, effects);
        }
        else BeginExchange(view, wasQuorate, effects);

        CheckInvariants();
    }

    /// <summary>A message of quorum's service in its place of the order. Malformed ones are counted and dropped, at every member alike.</summary>
    public void OnMessage(Instant now, in Delivery delivery, ReadOnlySpan<byte> payload, IQuorumEffects effects)
    {
        if (_view is null) return;
        var reader = new QuorumReader(payload);
        var kind = (QuorumMessageKind)reader.Byte();
        var ring = reader.Ring();
        var isUnderstood = kind switch
        {
            QuorumMessageKind.Report => OnReport(now, delivery.Sender, ring, ref reader, effects),
            QuorumMessageKind.Propose => OnPropose(now, delivery, ring, ref reader, effects),
            QuorumMessageKind.Acknowledge => OnAcknowledge(now, delivery.Sender, ring, ref reader, effects),
            QuorumMessageKind.Witness => OnWitnessTold(now, delivery.Sender, ring, ref reader, effects),
            _ => false,
        };
        if (!isUnderstood) Malformed++;
        CheckInvariants();
    }

    /// <summary>A deadline came. Early or repeated calls do nothing.</summary>
    public void OnTick(Instant now, IQuorumEffects effects)
    {
        if (now < _giveUpAt) return;
        GiveUpAbsent(effects);
    }

    /// <summary>What the witness says to this node; null: the session with it, or its lease, is gone.</summary>
    public void OnWitness(Instant now, WitnessAnswer? answer, IQuorumEffects effects)
    {
        if (_view is null || _options.Witness == WitnessAlgorithm.None) return;
        var isGranted = answer is { IsGranted: true } && answer.Ring == _view.Id.Ring;
        if (isGranted == _hasToldGrant) return;
        _hasToldGrant = isGranted;
        var writer = Begin(QuorumMessageKind.Witness);
        writer.Byte(isGranted ? (byte)1 : (byte)0);
        writer.UInt64(answer?.Epoch ?? 0);
        effects.Submit(writer.ToArray());
    }

    private bool IsLive(RingId ring) => _view is not null && ring == _view.Id.Ring;

    private QuorumWriter Begin(QuorumMessageKind kind)
    {
        var writer = new QuorumWriter();
        writer.Byte((byte)kind);
        writer.Ring(_view!.Id.Ring); // only called within a view
        return writer;
    }

    private void BeginView(View view)
    {
        _view = view;
        _isInTransition = _isSynchronizing = _isPrimary = _hasToldGrant = false;
        _reports.Clear();
        _granted.Clear();
        _giveUpAt = Instant.Never;
        ForgetRound();
        _leftCleanly.RemoveWhere(node => Contains(view, node));
    }

    private void BeginExchange(View view, bool wasQuorate, IQuorumEffects effects)
    {
        _isSynchronizing = true;
        var writer = Begin(QuorumMessageKind.Report);
        new QuorumReport(_waitsForAll, wasQuorate, _isFresh, _record).Write(writer);
        effects.Submit(writer.ToArray());

        // What is known here may already say that this side has lost; whether it has gained, only all reports together can say.
        PresentNode[] present = [.. view.Members.Select(member => new PresentNode(member.Node, false, wasQuorate, false))];
        var verdict = QuorumRule.Decide(new QuorumQuestion(_options, _record, present, false));
        if (wasQuorate && !verdict.IsQuorate) Show(Make(view, verdict, true), effects);
        else State = State with { IsSynchronizing = true };
    }

    private bool OnReport(Instant now, NodeId sender, RingId ring, ref QuorumReader reader, IQuorumEffects effects)
    {
        if (QuorumReport.Read(ref reader) is not { } report) return false;
        if (!IsLive(ring) || !_isSynchronizing || _isInTransition) return true;
        if (!_reports.TryAdd(sender, report) || _reports.Count < _view!.Members.Count) return true;
        _isSynchronizing = false;
        _present = [.. _reports.Select(pair => new PresentNode(pair.Key, pair.Value.WaitsForAll, pair.Value.WasQuorate, pair.Value.IsFresh))];
        Adopt(QuorumReport.Merge(_reports.Values), effects);
        Settle(now, effects);
        return true;
    }

    private bool OnWitnessTold(Instant now, NodeId sender, RingId ring, ref QuorumReader reader, IQuorumEffects effects)
    {
        var granted = reader.Byte();
        reader.UInt64();
        if (!reader.IsComplete || granted > 1) return false;
        if (!IsLive(ring) || _isInTransition) return true;
        if (granted == 1) _granted.Add(sender);
        else _granted.Remove(sender);
        if (_isSynchronizing) return true;
        Decide(now, effects);
        StartWork(now, effects);
        return true;
    }

    /// <summary>All members know the same from here on: the verdict, then what follows from it.</summary>
    private void Settle(Instant now, IQuorumEffects effects)
    {
        Decide(now, effects);
        SendOwnChanges(effects);
        StartWork(now, effects);
    }

    private void Decide(Instant now, IQuorumEffects effects)
    {
        var verdict = Verdict(_record);
        if (verdict.IsQuorate)
        {
            if (!_isPrimary) BecomePrimary(effects);
            verdict = Verdict(_record);
            Invariant.Holds(verdict.IsQuorate, "QUORUM-2");
            NoteHighest(effects);
        }

        _isPrimary = verdict.IsQuorate;
        SettleLease(now, _view!, _isPrimary); // decided only within a view
        ArmGivingUp(now);
        Show(Make(_view, verdict, false), effects);
    }

    private QuorumVerdict Verdict(QuorumRecord record) => QuorumRule.Decide(new QuorumQuestion(_options, record, _present, _granted.Count > 0));

    /// <summary>Whoever is here now has met a running primary, and has a record of it.</summary>
    private void BecomePrimary(IQuorumEffects effects)
    {
        _waitsForAll = _isFresh = false;
        _present = [.. _present.Select(node => node with { WaitsForAll = false, IsFresh = false })];
        Persist(_record with { Epoch = _record.Epoch + 1, Members = [.. _present.Select(node => node.Node)] }, effects);
    }

    private void NoteHighest(IQuorumEffects effects)
    {
        if (!_options.TrackExpectedVotes) return;
        var expected = QuorumRule.ExpectedUnder(_options, _record.Terms, _record.HighestExpected);
        if (expected > _record.HighestExpected) Persist(_record with { HighestExpected = expected }, effects);
    }

    private void Adopt(QuorumRecord record, IQuorumEffects effects)
    {
        // A node without a record must not get one before it was in a primary: it would pass for one that remembers.
        if (_isFresh) _record = record;
        else if (!IsSame(record, _record)) Persist(record, effects);
    }

    private void Persist(QuorumRecord record, IQuorumEffects effects)
    {
        _record = record;
        effects.Persist(record);
    }

    private static bool IsSame(QuorumRecord left, QuorumRecord right) =>
        left.Epoch == right.Epoch && left.HighestExpected == right.HighestExpected && left.Members.SequenceEqual(right.Members)
        && left.Terms.IsSame(right.Terms) && left.Pending.Count == right.Pending.Count
        && left.Pending.Zip(right.Pending).All(pair => pair.First.IsSame(pair.Second));

    private QuorumState Make(View? view, QuorumVerdict verdict, bool isSynchronizing) => new(
        view,
        verdict.IsQuorate,
        verdict.Votes,
        verdict.Needed,
        verdict.Expected,
        verdict.Reason,
        [.. _options.Voters.Select(voter => new QuorumMember(voter.Node, _record.Terms.VotesOf(voter), view is not null && Contains(view, voter.Node)))],
        _record.Epoch,
        isSynchronizing,
        _granted.Count > 0,
        verdict.Flags)
    {
        Lease = verdict.IsQuorate ? _lease : null,
    };

    private void Show(QuorumState state, IQuorumEffects effects)
    {
        var isSame = state.View == State.View && state.IsQuorate == State.IsQuorate && state.Epoch == State.Epoch && state.Votes == State.Votes
            && state.Needed == State.Needed && state.Expected == State.Expected && state.Reason == State.Reason && state.IsSynchronizing == State.IsSynchronizing
            && state.Members.SequenceEqual(State.Members) && state.Flags.SequenceEqual(State.Flags)
            && ReferenceEquals(state.Lease, State.Lease);
        State = state;
        if (!isSame) effects.Changed(state);
    }

    private static bool Contains(View view, NodeId node)
    {
        foreach (var member in view.Members)
        {
            if (member.Node == node) return true;
        }

        return false;
    }

    private void CheckInvariants()
    {
        if (_view is null || _isSynchronizing || _isInTransition) return;
        Invariant.Holds(_present.Count == _view.Members.Count, "QUORUM-1");
        Invariant.Holds(State.View == _view && State.IsQuorate == _isPrimary, "QUORUM-3");
    }
}
