using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Grpc.Core;
using Membership.Daemon.Ring;
using Membership.Daemon.Witness.Rule;
using Membership.Grpc.Tls;
using Membership.Links;
using Membership.Totem;
using Membership.V1;
using Microsoft.Extensions.Logging;
using WitnessAnswer = Membership.Quorum.WitnessAnswer;

namespace Membership.Daemon.Witness.Client;

/// <summary>The node's half of the session with its witness: connects, reports, renews, and tells quorum what may be believed.</summary>
/// <remarks>
/// One loop, apart from the ring thread. Each report passes through the ring thread first, so that a node whose ring thread hangs renews nothing.
/// A lost witness changes nothing before the lease ends; then its votes no longer count.
/// </remarks>
internal sealed class WitnessClient(
    WitnessClientOptions options, WitnessFeed feed, Func<CancellationToken, Task> passRing, Func<WitnessAnswer?, CancellationToken, Task> tell, ILogger logger)
{
    /// <summary>How often leases and renewals are looked at; a lease is given up one pace early.</summary>
    public static readonly TimeSpan TickPace = TimeSpan.FromMilliseconds(100);

    /// <summary>Inputs waiting for the loop; a full queue makes the session wait.</summary>
    private const int InboxCapacity = 64;

    /// <summary>Reports waiting for a slow line; the newest says all there is to say.</summary>
    private const int ReportsMax = 4;

    /// <summary>A clean goodbye that takes longer is left to the lease.</summary>
    private static readonly TimeSpan ReleaseMax = TimeSpan.FromMilliseconds(500);

    private readonly Channel<Input> _inbox = Channel.CreateBounded<Input>(new BoundedChannelOptions(InboxCapacity) { SingleReader = true });
    private readonly WitnessLease _lease = new(options.Hello, options.NodeVotes);
    private Session? _session;
    private Task _ending = Task.CompletedTask;
    private Task? _heuristics;
    private RingId _heuristicsRing;
    private Instant _heuristicsDue;
    private Instant _retryAt;
    private WitnessAnswer? _told;
    private string _why = "no session yet";
    private string _loggedVerdict = "";
    private bool? _passed;
    private Snapshot _snapshot = new(false, null, "no session yet", default);

    /// <summary>The witness as this node sees it now. Any thread.</summary>
    public WitnessState State()
    {
        var seen = Volatile.Read(ref _snapshot);
        var rest = seen.Belief is { IsGranted: true } ? seen.Until - BootClock.Now : TimeSpan.Zero;
        return new WitnessState
        {
            Address = options.Address,
            Algorithm = WitnessCodec.Word(options.Hello.Algorithm),
            Votes = options.Hello.Votes,
            Connected = seen.IsConnected,
            Granted = rest > TimeSpan.Zero,
            Epoch = seen.Belief?.Epoch ?? 0,
            LeaseMs = Math.Max(0, (long)rest.TotalMilliseconds),
            Reason = seen.Reason,
        };
    }

    /// <summary>Runs until cancelled, or until the ring thread has ended.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var ticking = TickAsync(ends.Token);
        var watching = WatchAsync(ends.Token);
        try
        {
            while (await _inbox.Reader.WaitToReadAsync(cancellationToken))
            {
                while (_inbox.Reader.TryRead(out var input)) Handle(input, ends.Token);
                await StepAsync(ends.Token);
            }
        }
        catch (Exception over) when (over is RingStoppedException || (over is OperationCanceledException && cancellationToken.IsCancellationRequested))
        {
            // The daemon stops.
        }
        finally
        {
            await ends.CancelAsync();
            if (_session is { } session) await ReleaseAsync(session);
            await Task.WhenAll(ticking, watching, _session?.Task ?? Task.CompletedTask, _ending, _heuristics ?? Task.CompletedTask);
        }
    }

    private void Handle(Input input, CancellationToken cancellationToken)
    {
        switch (input)
        {
            case Input.Look: break; // the step looks
            case Input.Answer answer when answer.From == _session: OnAnswer(answer.Value); break;
            case Input.Ended ended when ended.From == _session: OnEnded(ended.Why); break;
            case Input.Answer or Input.Ended: break; // of a session that was given up
            case Input.Heuristics result: OnHeuristics(result, cancellationToken); break;
            default: throw new System.Diagnostics.UnreachableException($"an unknown input: {input}");
        }
    }

    private void OnAnswer(V1.WitnessAnswer answer)
    {
        var wasConnected = _lease.IsConnected;
        if (_lease.OnAnswer(BootClock.Now, answer) is { } broken)
        {
            OnEnded($"the witness broke the protocol: {broken}");
            return;
        }

        if (!wasConnected) WitnessLog.Connected(logger, options.Address);
        _why = "";
        var verdict = $"{answer.Verdict} {answer.Epoch} {_lease.Ring}";
        if (verdict == _loggedVerdict) return;
        _loggedVerdict = verdict;
        WitnessLog.Answered(logger, options.Address, _lease.Ring.ToString(), Word(answer.Verdict), _lease.Reason);
    }

    private void OnEnded(string why)
    {
        if (_session is { } session)
        {
            session.Cancel();
            _ending = session.Task;
        }

        _session = null;
        _lease.End();
        var now = BootClock.Now;
        _retryAt = now + options.Retry;
        if (why != _why) WitnessLog.Unreachable(logger, options.Address, why, (long)_lease.Rest(now).TotalMilliseconds, (long)options.Retry.TotalMilliseconds);
        _why = why;
    }

    private void OnHeuristics(Input.Heuristics result, CancellationToken cancellationToken)
    {
        _heuristics = null;
        _heuristicsDue = BootClock.Now + options.Heuristics.Interval;
        if (result.Ring != _lease.Ring)
        {
            StartHeuristics(cancellationToken);
            return;
        }

        var passes = result.Failure is null;
        if (_passed != passes)
        {
            if (result.Failure is { } failure) WitnessLog.HeuristicFailed(logger, failure.Command, failure.Outcome);
            else WitnessLog.HeuristicsPass(logger);
        }

        _passed = passes;
        _lease.SetHeuristics(passes ? HeuristicsResult.Passed : HeuristicsResult.Failed);
    }

    private async Task StepAsync(CancellationToken cancellationToken)
    {
        if (feed.Latest is { } observation && _lease.Observe(observation) && options.Heuristics.Commands.Count > 0)
        {
            _lease.SetHeuristics(HeuristicsResult.Running);
            if (_heuristics is null) StartHeuristics(cancellationToken);
        }

        var now = BootClock.Now;
        if (_lease.Expire(now + TickPace)) WitnessLog.LeaseEnded(logger, options.Address, _lease.Ring.ToString());
        if (_lease.IsSilent(now)) OnEnded("no answer for a whole lease");
        if (_session is null && _ending.IsCompleted && now >= _retryAt && _lease.Ring != RingId.None) Begin(now);
        if (_heuristics is null && options.Heuristics.Commands.Count > 0 && now >= _heuristicsDue && _lease.Ring != RingId.None) StartHeuristics(cancellationToken);
        await PublishAsync(cancellationToken);
        await ReportAsync(cancellationToken);
    }

    private async Task ReportAsync(CancellationToken cancellationToken)
    {
        if (_session is not { } session || _lease.NextReport(BootClock.Now) is not { } report) return;
        await passRing(cancellationToken); // a lease counts from before this: whoever hangs here gains nothing by it
        session.Requests.Writer.TryWrite(new WitnessRequest { Report = report });
    }

    private async Task PublishAsync(CancellationToken cancellationToken)
    {
        var now = BootClock.Now;
        var reason = _lease.IsConnected ? _lease.Reason : _why;
        Volatile.Write(ref _snapshot, new Snapshot(_lease.IsConnected, _lease.Belief, reason, now + _lease.Rest(now)));
        if (_told == _lease.Belief) return;
        _told = _lease.Belief;
        await tell(_told, cancellationToken);
    }

    private void Begin(Instant now)
    {
        _lease.Begin(now);
        _session = new Session();
        _session.Task = RunAsync(_session);
    }

    private async Task RunAsync(Session session)
    {
        try
        {
            using var channel = TlsChannel.Open(options.Uri, options.Tls, WitnessCodec.MessageBytesMax);
            using var call = new WitnessService.WitnessServiceClient(channel).Session(cancellationToken: session.Token);
            await call.RequestStream.WriteAsync(new WitnessRequest { Hello = Hello() });
            var writing = WriteAsync(session, call.RequestStream);
            while (await call.ResponseStream.MoveNext(session.Token)) await _inbox.Writer.WriteAsync(new Input.Answer(session, call.ResponseStream.Current), session.Token);
            await EndedAsync(session, "the witness ended the session");
            session.Cancel();
            await writing;
        }
        catch (RpcException refused)
        {
            await EndedAsync(session, Configuration.Printable.Text(refused.Status.Detail, 300));
        }
        catch (OperationCanceledException)
        {
            // Given up from this side, which knows why.
        }
    }

    // Nobody reads the inbox of a client that has stopped, but it gives up its session, which ends the waiting.
    private async Task EndedAsync(Session session, string why)
    {
        try
        {
            await _inbox.Writer.WriteAsync(new Input.Ended(session, why), session.Token);
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private static async Task WriteAsync(Session session, IClientStreamWriter<WitnessRequest> requests)
    {
        try
        {
            await foreach (var request in session.Requests.Reader.ReadAllAsync(session.Token)) await requests.WriteAsync(request);
            await requests.CompleteAsync();
        }
        catch (Exception over) when (over is RpcException or InvalidOperationException or OperationCanceledException)
        {
            // The call is over; its reader has the reason.
        }
    }

    /// <summary>A node that stops says so: the rest of its lease need not be waited for.</summary>
    private static async Task ReleaseAsync(Session session)
    {
        session.Requests.Writer.TryWrite(new WitnessRequest { Release = new WitnessRelease() });
        session.Requests.Writer.Complete();
        await Task.WhenAny(session.Task, Task.Delay(ReleaseMax, TimeProvider.System));
        session.Cancel();
    }

    private void StartHeuristics(CancellationToken cancellationToken)
    {
        _heuristicsRing = _lease.Ring;
        _heuristics = RunHeuristicsAsync(_heuristicsRing, cancellationToken);
    }

    private async Task RunHeuristicsAsync(RingId ring, CancellationToken cancellationToken)
    {
        try
        {
            var failure = await HeuristicsRunner.RunAsync(options.Heuristics, TimeProvider.System, cancellationToken);
            await _inbox.Writer.WriteAsync(new Input.Heuristics(ring, failure), cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private async Task TickAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TickPace);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken)) _inbox.Writer.TryWrite(Input.Look.Now); // a full inbox is looked at anyway
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await feed.Changes.WaitToReadAsync(cancellationToken))
            {
                while (feed.Changes.TryRead(out _)) _inbox.Writer.TryWrite(Input.Look.Now);
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private WitnessHello Hello()
    {
        var tie = options.Hello.TieBreaker;
        var hello = new WitnessHello
        {
            Cluster = options.Cluster,
            Node = options.Hello.Node.Value,
            NodeName = options.NodeName,
            Boot = options.Hello.Boot,
            ConfigDigest = options.Hello.Digest,
            Method = options.Hello.Algorithm is Quorum.WitnessAlgorithm.LastManStanding ? WitnessMethod.Lms : WitnessMethod.Ffsplit,
            Votes = options.Hello.Votes,
            Tie = tie.Kind switch { Quorum.TieBreakerKind.Highest => WitnessTie.Highest, Quorum.TieBreakerKind.List => WitnessTie.List, _ => WitnessTie.Lowest },
            LeaseMs = (uint)options.Hello.Lease.TotalMilliseconds,
            SettleMs = (uint)options.Hello.Settle.TotalMilliseconds,
        };
        hello.TieNodes.AddRange(tie.Nodes.Select(node => (uint)node.Value));
        return hello;
    }

    private static string Word(WitnessVerdict verdict) => verdict switch
    {
        WitnessVerdict.Granted => "granted",
        WitnessVerdict.Refused => "refused",
        _ => "not decided",
    };

    private sealed record Snapshot(bool IsConnected, WitnessAnswer? Belief, string Reason, Instant Until);

    [SuppressMessage("Design", "CA1001", Justification = "Without a timer there is nothing to free, and late answers may still look at the token.")]
    private sealed class Session
    {
        private readonly CancellationTokenSource _end = new();

        public Channel<WitnessRequest> Requests { get; } = Channel.CreateBounded<WitnessRequest>(
            new BoundedChannelOptions(ReportsMax) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

        public CancellationToken Token => _end.Token;

        public Task Task { get; set; } = Task.CompletedTask;

        public void Cancel() => _end.Cancel();
    }

    private abstract record Input
    {
        public sealed record Look : Input
        {
            public static readonly Look Now = new();
        }

        public sealed record Answer(Session From, V1.WitnessAnswer Value) : Input;

        public sealed record Ended(Session From, string Why) : Input;

        public sealed record Heuristics(RingId Ring, (string Command, string Outcome)? Failure) : Input;
    }
}
