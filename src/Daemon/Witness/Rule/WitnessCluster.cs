using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Witness.Rule;

/// <summary>Who a session speaks for, and the settings that all nodes of a cluster must share.</summary>
internal sealed record SessionHello(
    NodeId Node, ulong Boot, string Digest, WitnessAlgorithm Algorithm, ulong Votes, WitnessTieBreaker TieBreaker, TimeSpan Lease, TimeSpan Settle);

/// <summary>What the witness says to one session.</summary>
internal enum Verdict
{
    /// <summary>The votes count, for one lease from when the report was sent.</summary>
    Granted,

    /// <summary>They do not, from now on.</summary>
    Refused,

    /// <summary>Not decided; what was granted for this ring holds to the end of its lease.</summary>
    Wait,
}

/// <summary>An answer for one session.</summary>
internal sealed record SessionAnswer(ulong Session, ulong Number, RingId Ring, Verdict Verdict, ulong Epoch, TimeSpan Lease, string Reason);

/// <summary>What must be on disk before the answers go out.</summary>
/// <param name="Epoch">Number of the newest decision.</param>
/// <param name="Ring">Whom it was for.</param>
/// <param name="Members">Its members.</param>
/// <param name="Hold">How long answers given for it may be believed after a restart of the witness.</param>
internal sealed record GrantRecord(ulong Epoch, RingId Ring, IReadOnlyList<ViewMember> Members, TimeSpan Hold);

/// <summary>The witness's side of one cluster: sessions, reports, leases. Decides by <see cref="WitnessRule"/>; no I/O, single-threaded.</summary>
internal sealed class WitnessCluster
{
    /// <summary>Nodes of one cluster with a session.</summary>
    public const int SessionsMax = 256;

    /// <summary>A node that claims to have heard of a later grant does not know what it says.</summary>
    private const ulong EpochMax = 1UL << 62;

    private readonly SortedDictionary<NodeId, Session> _sessions = [];
    private readonly List<OutstandingAnswer> _outstanding = [];
    private readonly Instant _started;
    private readonly bool _isForgetful;
    private Grant? _holder;
    private ulong _epoch;
    private bool _mustQuiet = true;
    private Instant _recheck = Instant.Never;

    /// <param name="started">When this process began to answer.</param>
    /// <param name="record">What an earlier start made durable; null: nothing is known.</param>
    public WitnessCluster(Instant started, GrantRecord? record)
    {
        _started = started;
        _isForgetful = record is null;
        if (record is null) return;
        _epoch = record.Epoch;
        _holder = new Grant(record.Ring, record.Members, record.Epoch);
        _outstanding.Add(new OutstandingAnswer(default, record.Ring, record.Members, started + record.Hold));
    }

    /// <summary>Highest epoch of a decision.</summary>
    public ulong Epoch => _epoch;

    /// <summary>When <see cref="Evaluate"/> is next due without a new input.</summary>
    public Instant NextDeadline
    {
        get
        {
            var next = _recheck;
            foreach (var session in _sessions.Values)
            {
                var silent = session.Heard + session.Hello.Lease;
                if (silent < next) next = silent;
            }

            return next;
        }
    }

    /// <summary>Sessions, for the log.</summary>
    public int SessionCount => _sessions.Count;

    /// <summary>A node begins a session; null, or why it is refused. An older session of the same node ends by it.</summary>
    public string? Connect(Instant now, ulong session, SessionHello hello)
    {
        foreach (var (node, other) in _sessions)
        {
            if (node == hello.Node || other.Hello.Digest == hello.Digest) continue;
            return $"its configuration ({hello.Digest}) differs from that of node {node} ({other.Hello.Digest}); make the files equal and restart the node that is wrong";
        }

        if (_sessions.Count >= SessionsMax && !_sessions.ContainsKey(hello.Node)) return $"{SessionsMax} nodes of this cluster have a session; that is the limit";
        BeQuiet(hello);
        _sessions[hello.Node] = new Session(session, hello, now);
        return null;
    }

    /// <summary>A report; null, or why the session cannot go on.</summary>
    public string? Report(Instant now, ulong session, ulong number, NodeReport report, ulong grantEpoch)
    {
        if (Find(session) is not { } from) return null; // replaced by a newer one; it ends by itself
        if (number <= from.Number) return $"report {number} after {from.Number}";
        foreach (var other in _sessions.Values)
        {
            if (other.Report is { } known && known.Ring == report.Ring && !known.Members.Select(m => m.Identity).SequenceEqual(report.Members.Select(m => m.Identity)))
                return $"its view {report.Ring} has other members than that of node {other.Hello.Node}";
        }

        Left(now, from.Hello.Node, report);
        from.Number = number;
        from.Heard = now;
        from.IsAnswered = false;
        from.Report = report with { Since = from.Report is { } before && before.Ring == report.Ring ? before.Since : now };
        if (grantEpoch > _epoch && grantEpoch <= EpochMax) _epoch = grantEpoch; // a witness whose disk was lost goes on above what it once said
        return null;
    }

    /// <summary>The node believes nothing any more.</summary>
    public void Release(Instant now, ulong session)
    {
        if (Find(session) is not { } from) return;
        from.Heard = now;
        Left(now, from.Hello.Node, null);
        from.Report = null;
    }

    /// <summary>A session ended; what its node was granted holds to the end of its lease.</summary>
    public void Disconnect(ulong session)
    {
        if (Find(session) is { } from) _sessions.Remove(from.Hello.Node);
    }

    /// <summary>True while the session is the newest of its node.</summary>
    public bool IsCurrent(ulong session) => Find(session) is not null;

    /// <summary>Decides and answers. <paramref name="record"/>: must be durable before the answers are sent; null when nothing changed.</summary>
    public IReadOnlyList<SessionAnswer> Evaluate(Instant now, out GrantRecord? record)
    {
        record = null;
        DropSilent(now);
        _outstanding.RemoveAll(answer => answer.Until <= now);
        _recheck = Instant.Never;
        if (_sessions.Count == 0) return [];
        var any = _sessions.Values.First().Hello; // all are alike, but for a cluster that is being changed
        NodeReport[] reports = [.. _sessions.Values.Where(session => session.Report is not null).Select(session => session.Report!)]; // not null, as just asked
        var decision = WitnessRule.Decide(
            new WitnessPicture
            {
                Algorithm = any.Algorithm,
                TieBreaker = any.TieBreaker,
                Settle = any.Settle,
                Reports = reports,
                Holder = _holder,
                Outstanding = _outstanding,
            },
            now);
        _recheck = decision.Recheck;
        if (decision.Ring is { } ring && ring != _holder?.Ring)
        {
            var members = reports.First(report => report.Ring == ring).Members;
            _holder = new Grant(ring, [.. members.Select(member => member.Identity)], ++_epoch);
            record = new GrantRecord(_epoch, ring, _holder.Members, HoldOf(any));
        }

        return Answers(decision);
    }

    /// <summary>From the receipt of a report on: nobody believes an answer to it any longer. The lease (1 % for clocks that run unlike ours), and the time in which the other members notice that whoever got it is gone.</summary>
    public static TimeSpan HoldOf(SessionHello hello) => (hello.Lease * 1.01) + hello.Settle;

    private List<SessionAnswer> Answers(WitnessDecision decision)
    {
        var answers = new List<SessionAnswer>();
        foreach (var (node, session) in _sessions)
        {
            if (session.Report is not { } report) continue;
            var verdict = decision.Ring == report.Ring ? Verdict.Granted
                : decision.WaitsAll || decision.Waits == report.Ring ? Verdict.Wait
                : Verdict.Refused;
            if (session.IsAnswered && session.Verdict == verdict) continue;
            if (verdict is Verdict.Granted) Believe(node, report, session);
            session.Verdict = verdict;
            session.IsAnswered = true;
            var reason = verdict is Verdict.Refused && decision.Ring is not null ? $"the votes are with {decision.Why}" : decision.Why;
            answers.Add(new SessionAnswer(session.Id, session.Number, report.Ring, verdict, verdict is Verdict.Granted ? _holder!.Epoch : _epoch, session.Hello.Lease, reason)); // granted: there is a holder
        }

        return answers;
    }

    private void Believe(NodeId node, NodeReport report, Session session)
    {
        _outstanding.RemoveAll(answer => answer.Node == node && answer.Ring == report.Ring);
        _outstanding.Add(new OutstandingAnswer(node, report.Ring, [.. report.Members.Select(member => member.Identity)], session.Heard + HoldOf(session.Hello)));
    }

    /// <summary>A node is in another ring now, or in none: what it was granted before is void here at once, and at its mates as soon as they notice.</summary>
    private void Left(Instant now, NodeId node, NodeReport? report)
    {
        if (!_sessions.TryGetValue(node, out var session)) return;
        for (var i = 0; i < _outstanding.Count; i++)
        {
            var answer = _outstanding[i];
            if (answer.Node != node || (report is not null && answer.Ring == report.Ring)) continue;
            var until = answer.Members.Count == 1 ? now : now + session.Hello.Settle;
            if (until < answer.Until) _outstanding[i] = answer with { Until = until };
        }
    }

    /// <summary>After a start of the witness: what an earlier one granted last (record) or ever (no record) may still be believed.</summary>
    private void BeQuiet(SessionHello hello)
    {
        if (!_mustQuiet) return;
        _mustQuiet = false;
        _outstanding.Add(new OutstandingAnswer(default, RingId.None, [], _started + (_isForgetful ? HoldOf(hello) : hello.Settle)));
    }

    private void DropSilent(Instant now)
    {
        NodeId[] silent = [.. _sessions.Where(session => session.Value.Heard + session.Value.Hello.Lease <= now).Select(session => session.Key)];
        foreach (var node in silent) _sessions.Remove(node);
    }

    private Session? Find(ulong session)
    {
        foreach (var known in _sessions.Values)
        {
            if (known.Id == session) return known;
        }

        return null;
    }

    private sealed class Session(ulong id, SessionHello hello, Instant now)
    {
        public ulong Id { get; } = id;

        public SessionHello Hello { get; } = hello;

        public Instant Heard { get; set; } = now;

        public ulong Number { get; set; }

        public NodeReport? Report { get; set; }

        public bool IsAnswered { get; set; }

        public Verdict Verdict { get; set; }
    }
}
