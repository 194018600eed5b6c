using Membership.Daemon.Witness.Rule;
using Membership.Links;
using Membership.Totem;
using Membership.V1;
using WitnessAnswer = Membership.Quorum.WitnessAnswer;

namespace Membership.Daemon.Witness.Client;

/// <summary>What a node may believe of its witness, and when it must report. No I/O; time comes from outside, on a clock that also runs in suspension.</summary>
/// <remarks>A grant is believed for the lease counted from the moment the report was handed over for sending, and for the ring of that report only.</remarks>
internal sealed class WitnessLease(SessionHello hello, IReadOnlyDictionary<ushort, ulong> configuredVotes)
{
    /// <summary>Reports without an answer that are remembered; an answer to an older one is void.</summary>
    private const int UnansweredMax = 32;

    private readonly SortedDictionary<ulong, (Instant At, RingId Ring)> _sent = [];
    private Observation? _observation;
    private Instant _lastReport;
    private Instant _lastHeard;
    private Instant _until;
    private HeuristicsResult _heuristics = HeuristicsResult.None;
    private bool _isReportDue;
    private bool _hasSession;
    private ulong _number;

    /// <summary>The ring in force; <see cref="RingId.None"/> before the first view.</summary>
    public RingId Ring => _observation?.View.Id.Ring ?? RingId.None;

    /// <summary>What quorum is to be told: a granted or refused answer for the ring in force, or null when nothing is known or the lease has ended.</summary>
    public WitnessAnswer? Belief { get; private set; }

    /// <summary>The witness has answered in this session.</summary>
    public bool IsConnected { get; private set; }

    /// <summary>Highest epoch ever heard.</summary>
    public ulong Epoch { get; private set; }

    /// <summary>The witness's newest sentence.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>The lease's rest; zero without a grant.</summary>
    public TimeSpan Rest(Instant now) => Belief is { IsGranted: true } && _until > now ? _until - now : TimeSpan.Zero;

    /// <summary>True when the witness was silent for a lease in this session: it is to be tried anew.</summary>
    public bool IsSilent(Instant now) => _hasSession && now - _lastHeard >= hello.Lease;

    /// <summary>A session was begun; the first report follows at once.</summary>
    public void Begin(Instant now)
    {
        _sent.Clear();
        (_number, _lastHeard, _hasSession, _isReportDue, IsConnected) = (0, now, true, true, false);
    }

    /// <summary>The session is over. What was granted holds to the end of its lease.</summary>
    public void End()
    {
        _hasSession = false;
        IsConnected = false;
        _sent.Clear();
    }

    /// <summary>The view in force and the verdict about it; true when the view is a new one.</summary>
    public bool Observe(Observation observation)
    {
        var isNew = observation.View.Id.Ring != Ring;
        _observation = observation;
        if (!isNew) return false;
        Belief = null; // answers are for one ring
        _isReportDue = true;
        return true;
    }

    /// <summary>The result of the commands for the view in force, or that they run.</summary>
    public void SetHeuristics(HeuristicsResult result)
    {
        if (_heuristics == result) return;
        _heuristics = result;
        _isReportDue = true;
    }

    /// <summary>The report to send now, or null. Whoever calls hands it over at once: the lease counts from <paramref name="now"/>.</summary>
    public WitnessReport? NextReport(Instant now)
    {
        if (!_hasSession || _observation is not { } seen) return null;
        if (!_isReportDue && now - _lastReport < hello.Lease / 3) return null;
        (_isReportDue, _lastReport) = (false, now);
        _sent[++_number] = (now, Ring);
        if (_sent.Count > UnansweredMax) _sent.Remove(_sent.First().Key);
        var report = new WitnessReport
        {
            Number = _number,
            Ring = WitnessCodec.Ring(Ring),
            TotalVotes = Total(seen),
            WasQuorate = seen.WasQuorate,
            PrimaryEpoch = seen.Quorum?.Epoch ?? 0,
            Heuristics = (Heuristics)_heuristics,
            GrantEpoch = Epoch,
        };
        report.Members.AddRange(seen.View.Members.Select(member => new V1.WitnessMember { Node = member.Node.Value, Boot = member.Boot, Votes = VotesOf(seen, member.Node) }));
        return report;
    }

    /// <summary>An answer of the witness; null, or why the session cannot go on.</summary>
    public string? OnAnswer(Instant now, V1.WitnessAnswer answer)
    {
        if (!_sent.TryGetValue(answer.Number, out var report) || WitnessCodec.Ring(answer.Ring) != report.Ring) return $"an answer to a report that was never sent ({answer.Number})";
        if (answer.Verdict is < WitnessVerdict.Granted or > WitnessVerdict.Wait) return $"verdict {(int)answer.Verdict} is not known here";
        foreach (var older in _sent.Keys.TakeWhile(number => number < answer.Number).ToArray()) _sent.Remove(older); // this one may be answered again
        IsConnected = true;
        _lastHeard = now;
        if (report.Ring != Ring) return null; // the view has changed meanwhile
        Reason = Configuration.Printable.Text(answer.Reason, 300);
        if (answer.Verdict is WitnessVerdict.Wait) return null;
        if (answer.Epoch > Epoch) Epoch = answer.Epoch;
        var isGranted = answer.Verdict is WitnessVerdict.Granted;
        var until = report.At + TimeSpan.FromMilliseconds(Math.Min(answer.LeaseMs, hello.Lease.TotalMilliseconds));
        if (isGranted && until <= now) return null; // it took longer than the lease
        _until = isGranted ? until : now;
        Belief = new WitnessAnswer(Ring, isGranted, answer.Epoch, Reason);
        return null;
    }

    /// <summary>Ends a grant whose lease has ended by <paramref name="now"/>; true when one did.</summary>
    public bool Expire(Instant now)
    {
        if (Belief is not { IsGranted: true } || now < _until) return false;
        Belief = null;
        return true;
    }

    private ulong Total(Observation seen)
    {
        if (seen.Quorum is not { Members.Count: > 0 } quorum) return configuredVotes.Values.Aggregate(0UL, (sum, votes) => sum + votes);
        return quorum.Members.Aggregate(0UL, (sum, member) => sum + member.Votes);
    }

    private ulong VotesOf(Observation seen, NodeId node)
    {
        if (seen.Quorum is not { Members.Count: > 0 } quorum) return configuredVotes.GetValueOrDefault(node.Value);
        return quorum.Members.FirstOrDefault(member => member.Node == node).Votes;
    }
}
