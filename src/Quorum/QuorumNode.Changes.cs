using Membership.Links;
using Membership.Totem;

namespace Membership.Quorum;

/// <content>
/// Changes of terms. A change is proposed in the order, so that it is judged in one place at all members; each member makes the new terms durable as
/// pending and acknowledges; it takes effect where the last acknowledgement of the view is delivered. While it is pending a side has to satisfy both old
/// and new terms. What a broken view leaves pending is finished by the next quorate one.
/// </content>
public sealed partial class QuorumNode
{
    /// <summary>Changes of this node that may be under way at a time.</summary>
    public const int ChangesMax = 64;

    private readonly List<OwnChange> _own = [];
    private readonly Queue<Proposal> _proposals = new();
    private readonly SortedSet<NodeId> _acknowledged = [];
    private readonly SortedSet<NodeId> _leftCleanly = [];
    private readonly SortedSet<NodeId> _askedToDownscale = [];
    private Round? _round;
    private Instant _giveUpAt = Instant.Never;

    /// <summary>A change that has not ended. <c>Overrides</c>: it was asked for where there was no quorum, so that is known to whoever asked.</summary>
    private readonly record struct OwnChange(ulong Tag, QuorumChange Change, bool Overrides);

    /// <summary>A change as ordered. <c>Node</c> and <c>Votes</c> mean what its kind says.</summary>
    private readonly record struct Proposal(NodeId Sender, ulong Boot, ulong Tag, ProposalKind Kind, NodeId Node, ulong Votes, bool Overrides);

    /// <summary>Terms that the members of the view acknowledge now.</summary>
    private sealed record Round(QuorumTerms Terms, Proposal? Asked)
    {
        public bool IsAcknowledgedHere { get; set; }
    }

    /// <summary>An operator's change; ends in <see cref="IQuorumEffects.ChangeDone"/>, maybe at once. Sent again in the next view when a view change swallowed it.</summary>
    public void Change(Instant now, QuorumChange change, ulong tag, IQuorumEffects effects)
    {
        if (_own.Count >= ChangesMax)
        {
            effects.ChangeDone(tag, $"{ChangesMax} changes are under way at this node already; try again when they are done");
            return;
        }

        _own.Add(new OwnChange(tag, change, !State.IsQuorate));
        if (_view is not null && !_isSynchronizing) Send(_own[^1], effects);
    }

    /// <summary>A record handed out by <see cref="IQuorumEffects.Persist"/>, or a later one, is durable.</summary>
    public void OnPersisted(Instant now, QuorumRecord record, IQuorumEffects effects)
    {
        if (_round is not { IsAcknowledgedHere: false } round || !record.Pending.Any(round.Terms.IsSame)) return;
        round.IsAcknowledgedHere = true;
        var writer = Begin(QuorumMessageKind.Acknowledge);
        writer.UInt64(round.Terms.Counter);
        effects.Submit(writer.ToArray());
    }

    private void SendOwnChanges(IQuorumEffects effects)
    {
        foreach (var own in _own) Send(own, effects);
    }

    private void Send(OwnChange own, IQuorumEffects effects)
    {
        var (kind, node, votes) = own.Change switch
        {
            QuorumChange.SetVotes change => (ProposalKind.SetVotes, change.Node, change.Votes),
            QuorumChange.SetExpected change => (ProposalKind.SetExpected, default, change.Votes),
            QuorumChange.CancelWaitForAll => (ProposalKind.CancelWaitForAll, default(NodeId), 0UL),
            _ => throw new System.Diagnostics.UnreachableException($"unknown change {own.Change}"),
        };
        Propose(kind, own.Tag, node, votes, own.Overrides, effects);
    }

    private void Propose(ProposalKind kind, ulong tag, NodeId node, ulong votes, bool overrides, IQuorumEffects effects)
    {
        var writer = Begin(QuorumMessageKind.Propose);
        writer.UInt64(tag);
        writer.Byte((byte)kind);
        writer.UInt16(node.Value);
        writer.UInt64(votes);
        writer.Byte(overrides ? (byte)1 : (byte)0);
        effects.Submit(writer.ToArray());
    }

    private bool OnPropose(Instant now, in Delivery delivery, RingId ring, ref QuorumReader reader, IQuorumEffects effects)
    {
        var (tag, kind, node, votes, overrides) = (reader.UInt64(), (ProposalKind)reader.Byte(), new NodeId(reader.UInt16()), reader.UInt64(), reader.Byte());
        var proposal = new Proposal(delivery.Sender, delivery.SenderBoot, tag, kind, node, votes, overrides == 1);
        if (!reader.IsComplete || overrides > 1 || proposal.Kind is < ProposalKind.SetVotes or > ProposalKind.Downscale) return false;

        // Where not everybody knows the same yet it cannot be judged; its sender sends it again once that is over.
        if (!IsLive(ring) || _isSynchronizing || _isInTransition) return true;
        _proposals.Enqueue(proposal);
        StartWork(now, effects);
        return true;
    }

    private bool OnAcknowledge(Instant now, NodeId sender, RingId ring, ref QuorumReader reader, IQuorumEffects effects)
    {
        var counter = reader.UInt64();
        if (!reader.IsComplete) return false;
        if (!IsLive(ring) || _round is not { } round || round.Terms.Counter != counter) return true;
        if (!_acknowledged.Add(sender) || _acknowledged.Count < _view!.Members.Count) return true;
        var highest = round.Terms.Expected != _record.Terms.Expected && round.Terms.Expected != 0 ? round.Terms.Expected : _record.HighestExpected;
        Persist(_record with { Terms = round.Terms, Pending = [], HighestExpected = highest }, effects);
        ForgetWork();
        if (!_isInTransition) Decide(now, effects);
        if (round.Asked is { } asked) Finish(asked, null, effects);
        if (!_isInTransition) StartWork(now, effects);
        return true;
    }

    /// <summary>A view ends: what was proposed in it is void. What is pending stays in the record.</summary>
    private void ForgetRound()
    {
        ForgetWork();
        _proposals.Clear();
        _askedToDownscale.Clear();
    }

    private void ForgetWork()
    {
        _round = null;
        _acknowledged.Clear();
    }

    /// <summary>Begins the next change, one at a time: first what an earlier view left unfinished, then what follows from who is here, then what was asked for.</summary>
    private void StartWork(Instant now, IQuorumEffects effects)
    {
        while (_round is null)
        {
            if (_isPrimary && _record.Pending.Count > 0) StartRound(_record.Pending[^1], null, effects);
            else if (_isPrimary && Follows(_record.Terms) is { } next) StartRound(next, null, effects);
            else if (_proposals.TryDequeue(out var proposal)) Judge(now, proposal, effects);
            else break;
        }

        if (_round is null) AskToDownscale(effects);
    }

    private void StartRound(QuorumTerms terms, Proposal? asked, IQuorumEffects effects)
    {
        _round = new Round(terms, asked);
        var pending = _record.Pending.Any(terms.IsSame) ? _record.Pending : [.. _record.Pending, terms];
        Persist(_record with { Pending = pending }, effects);
    }

    private ulong NextCounter => (_record.Pending.Count > 0 ? _record.Pending[^1].Counter : _record.Terms.Counter) + 1;

    /// <summary>The terms that a primary view as this one goes over to by itself; null when they are in force.</summary>
    private QuorumTerms? Follows(QuorumTerms terms)
    {
        NodeId[] absent = [.. terms.Out.Where(node => !IsPresent(node))];
        var next = terms with { Counter = NextCounter, Out = absent };
        if (_options.TieBreaker != TieBreakerKind.None) next = next with { Last = [.. _present.Select(node => node.Node)] };
        if (absent.Length == 0 && terms.Out.Count > 0)
        {
            // Everybody is back: expected votes that an operator lowered meanwhile are as configured again.
            var configured = next with { Expected = 0 };
            if (QuorumRule.ExpectedUnder(_options, configured, 0) >= terms.Expected) next = configured;
        }

        return next.HasContentOf(terms) || !Verdict(_record with { Terms = next }).IsQuorate ? null : next;
    }

    private void Judge(Instant now, in Proposal proposal, IQuorumEffects effects)
    {
        if (proposal.Kind == ProposalKind.CancelWaitForAll)
        {
            _waitsForAll = false;
            _present = [.. _present.Select(node => node with { WaitsForAll = false })];
            Decide(now, effects);
            Finish(proposal, null, effects);
            return;
        }

        var (next, refusal) = Judge(proposal);
        if (next is null || next.HasContentOf(_record.Terms)) Finish(proposal, refusal, effects);
        else StartRound(next with { Counter = NextCounter }, proposal, effects);
    }

    private (QuorumTerms? Next, string? Refusal) Judge(in Proposal proposal)
    {
        if (_record.Pending.Count >= QuorumRecord.PendingMax)
            return (null, $"{QuorumRecord.PendingMax} earlier changes are unfinished; restore quorum, so that they can be finished, and try again");
        switch (proposal.Kind)
        {
            case ProposalKind.SetVotes: return JudgeVotes(proposal.Node, proposal.Votes);
            case ProposalKind.SetExpected: return JudgeExpected(proposal.Votes, proposal.Overrides);
            case ProposalKind.GiveUpAbsent when _options.Mode == QuorumMode.LastManStanding && _isPrimary:
                return (WithoutNodes(_record.Terms, AbsentVoters()), null);
            case ProposalKind.Downscale when _options.AllowDownscale && _isPrimary && AbsentVoters().Contains(proposal.Node):
                return (WithoutNodes(_record.Terms, [proposal.Node]), null);
            default: return (null, null);
        }
    }

    private (QuorumTerms? Next, string? Refusal) JudgeVotes(NodeId node, ulong votes)
    {
        if (_options.Mode == QuorumMode.TwoNode) return (null, "votes cannot be changed in mode two-node, where one node alone is quorate whatever it weighs");
        var place = _options.Voters.ToList().FindIndex(voter => voter.Node == node);
        if (place < 0) return (null, $"node {node} is not configured; configured are {string.Join(", ", _options.Voters.Select(voter => voter.Node))}");
        if (votes > QuorumOptions.VotesMax) return (null, $"{votes} votes are more than the {QuorumOptions.VotesMax} that a node can have");
        if (!_isPrimary) return (null, $"votes can only be changed where there is quorum, and here there is none ({State.Reason}); bring missing nodes back, or lower the expected votes if they are certainly down");
        var voter = _options.Voters[place];
        var others = _record.Terms.Votes.Where(changed => changed.Node != node);
        if (votes != voter.Votes) others = others.Append(new Voter(node, votes));
        var next = _record.Terms with { Votes = [.. others.OrderBy(changed => changed.Node)] };
        return CeasesToBeQuorate(next) is { } reason ? (null, reason) : (next, null);
    }

    private (QuorumTerms? Next, string? Refusal) JudgeExpected(ulong expected, bool overrides)
    {
        if (_options.Mode == QuorumMode.TwoNode) return (null, "expected votes cannot be changed in mode two-node, where one node alone is quorate");
        if (expected > QuorumOptions.ExpectedMax) return (null, $"{expected} expected votes are more than {QuorumOptions.ExpectedMax}, the limit");
        if (!_isPrimary && !overrides) return (null, $"there was quorum when this was asked for, and there is none now ({State.Reason}); where the missing nodes are certainly down, ask again");
        var witness = _options.Witness == WitnessAlgorithm.None ? 0 : _options.WitnessVotes;
        var present = 0UL;
        foreach (var voter in _options.Voters)
        {
            if (IsPresent(voter.Node)) present += _record.Terms.WeightOf(voter);
        }

        if (expected < present + witness || expected <= witness)
        {
            var including = witness > 0 ? $", the witness's {witness} included" : "";
            return (null, $"expected votes of {expected} are below the {present + witness} of the nodes that are here{including}");
        }

        var next = _record.Terms with { Expected = expected - witness };

        // Who is absent while the expectation falls must not count elsewhere as if it had not fallen.
        if (expected - witness < QuorumRule.ExpectedUnder(_options, _record.Terms, _record.HighestExpected)) next = WithoutNodes(next, AbsentVoters());
        return CeasesToBeQuorate(next) is { } reason ? (null, reason) : (next, null);
    }

    private string? CeasesToBeQuorate(QuorumTerms next)
    {
        if (!_isPrimary) return null;
        var verdict = Verdict(_record with { Terms = next });
        return verdict.IsQuorate ? null : $"the cluster would cease to be quorate: {verdict.Reason}";
    }

    private static QuorumTerms WithoutNodes(QuorumTerms terms, IReadOnlyList<NodeId> nodes) =>
        terms with { Out = [.. terms.Out.Union(nodes).Order()] };

    private NodeId[] AbsentVoters() =>
        [.. _options.Voters.Where(voter => _record.Terms.VotesOf(voter) > 0 && !IsPresent(voter.Node)).Select(voter => voter.Node)];

    private bool IsPresent(NodeId node) => _present.Exists(present => present.Node == node);

    private void Finish(in Proposal proposal, string? refusal, IQuorumEffects effects)
    {
        if (proposal.Sender != _options.Self || proposal.Boot != _boot || proposal.Kind is ProposalKind.GiveUpAbsent or ProposalKind.Downscale) return;
        var tag = proposal.Tag;
        if (_own.RemoveAll(own => own.Tag == tag) > 0) effects.ChangeDone(tag, refusal);
    }

    /// <summary>Whoever saw a node leave cleanly says so; the first word counts.</summary>
    private void AskToDownscale(IQuorumEffects effects)
    {
        if (!_options.AllowDownscale || !_isPrimary || _leftCleanly.Count == 0) return;
        foreach (var node in AbsentVoters())
        {
            if (_leftCleanly.Contains(node) && _askedToDownscale.Add(node)) Propose(ProposalKind.Downscale, 0, node, 0, false, effects);
        }
    }

    /// <summary>Starts the last-man-standing window where somebody is missing and this side is quorate.</summary>
    private void ArmGivingUp(Instant now)
    {
        var isDue = _options.Mode == QuorumMode.LastManStanding && _isPrimary && AbsentVoters().Length > 0;
        if (!isDue) _giveUpAt = Instant.Never;
        else if (_giveUpAt == Instant.Never) _giveUpAt = now + _options.LastManStandingWindow;
    }

    /// <summary>The window has passed without further losses; the lowest member says it for all.</summary>
    private void GiveUpAbsent(IQuorumEffects effects)
    {
        _giveUpAt = Instant.Never;
        if (_isSynchronizing || _isInTransition || !_isPrimary || _present[0].Node != _options.Self) return;
        Propose(ProposalKind.GiveUpAbsent, 0, default, 0, false, effects);
    }
}
