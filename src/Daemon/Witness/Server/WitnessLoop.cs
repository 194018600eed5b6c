using System.Threading.Channels;
using Membership.Daemon.Ring;
using Membership.Daemon.Witness.Rule;
using Membership.Links;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Witness.Server;

/// <summary>The one loop that owns every cluster of a witness: takes what sessions say, decides, makes grants durable, answers.</summary>
internal sealed class WitnessLoop(WitnessStore store, MonotonicClock clock, ILogger logger)
{
    /// <summary>Inputs waiting for the loop; a full queue makes sessions wait, and their connections with them.</summary>
    private const int InboxCapacity = 1024;

    private readonly Channel<Input> _inbox = Channel.CreateBounded<Input>(new BoundedChannelOptions(InboxCapacity) { SingleReader = true });
    private readonly Dictionary<string, Served> _clusters = new(StringComparer.Ordinal);
    private readonly Instant _started = clock.Now;
    private ulong _sessions;

    /// <summary>A number for a new session.</summary>
    public ulong NextSession() => Interlocked.Increment(ref _sessions);

    /// <summary>Begins a session; null, or why it is refused.</summary>
    public async Task<string?> ConnectAsync(WitnessSession session, CancellationToken cancellationToken)
    {
        var connect = new Input.Connect(session);
        await _inbox.Writer.WriteAsync(connect, cancellationToken);
        return await connect.Refusal.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Hands over a report.</summary>
    public ValueTask ReportAsync(WitnessSession session, ulong number, NodeReport report, ulong grantEpoch, CancellationToken cancellationToken) =>
        _inbox.Writer.WriteAsync(new Input.Report(session, number, report, grantEpoch), cancellationToken);

    /// <summary>The node gives up what it has.</summary>
    public ValueTask ReleaseAsync(WitnessSession session, CancellationToken cancellationToken) =>
        _inbox.Writer.WriteAsync(new Input.Release(session), cancellationToken);

    /// <summary>The session is over.</summary>
    public ValueTask DisconnectAsync(WitnessSession session) => _inbox.Writer.WriteAsync(new Input.Disconnect(session));

    /// <summary>Runs until cancelled.</summary>
    /// <exception cref="State.StateException">A grant cannot be made durable; it was not told, and the witness must end.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await WaitAsync(cancellationToken);
            while (_inbox.Reader.TryRead(out var input)) Handle(input);
            var now = clock.Now;
            foreach (var cluster in _clusters.Values)
            {
                if (cluster.Core.NextDeadline <= now) Evaluate(cluster);
            }
        }
    }

    private async Task WaitAsync(CancellationToken cancellationToken)
    {
        var next = Instant.Never;
        foreach (var cluster in _clusters.Values)
        {
            if (cluster.Core.NextDeadline < next) next = cluster.Core.NextDeadline;
        }

        using var due = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (next != Instant.Never)
        {
            var rest = next - clock.Now;
            due.CancelAfter(rest > TimeSpan.Zero ? rest + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero); // timers are cut to whole milliseconds
        }

        try
        {
            await _inbox.Reader.WaitToReadAsync(due.Token);
        }
        catch (OperationCanceledException)
        {
            // A deadline, or the end; the caller looks.
        }
    }

    private void Handle(Input input)
    {
        switch (input)
        {
            case Input.Connect connect: OnConnect(connect); break;
            case Input.Report report: OnReport(report); break;
            case Input.Release release: OnRelease(release.Session); break;
            case Input.Disconnect disconnect: OnDisconnect(disconnect.Session); break;
            default: throw new System.Diagnostics.UnreachableException($"an unknown input: {input}");
        }
    }

    private void OnConnect(Input.Connect connect)
    {
        var session = connect.Session;
        var refusal = Find(session.Cluster) is { } cluster ? Connect(cluster, session) : $"this witness serves {WitnessServerConfiguration.ClustersMax} clusters already; that is its limit";
        if (refusal is null) WitnessLog.SessionBegins(logger, session.Cluster, session.NodeName, session.Hello.Node.Value, WitnessCodec.Word(session.Hello.Algorithm));
        connect.Refusal.SetResult(refusal);
    }

    private string? Connect(Served cluster, WitnessSession session)
    {
        var now = clock.Now;
        if (cluster.Core.Connect(now, session.Id, session.Hello) is { } refusal) return refusal;
        cluster.Sessions[session.Id] = session;
        Evaluate(cluster);
        return null;
    }

    private void OnReport(Input.Report input)
    {
        if (!_clusters.TryGetValue(input.Session.Cluster, out var cluster)) return;
        if (cluster.Core.Report(clock.Now, input.Session.Id, input.Number, input.Value, input.GrantEpoch) is { } broken) input.Session.End(broken);
        Evaluate(cluster);
    }

    private void OnRelease(WitnessSession session)
    {
        if (!_clusters.TryGetValue(session.Cluster, out var cluster)) return;
        cluster.Core.Release(clock.Now, session.Id);
        Evaluate(cluster);
    }

    private void OnDisconnect(WitnessSession session)
    {
        if (!_clusters.TryGetValue(session.Cluster, out var cluster)) return;
        cluster.Core.Disconnect(session.Id);
        cluster.Sessions.Remove(session.Id);
        WitnessLog.SessionEnds(logger, session.Cluster, session.NodeName, session.EndReason ?? "the node ended it, or cannot be reached");
        Evaluate(cluster);
    }

    private Served? Find(string name)
    {
        if (_clusters.TryGetValue(name, out var known)) return known;
        if (_clusters.Count >= WitnessServerConfiguration.ClustersMax) return null;
        var record = store.Load(name, out var warning);
        if (warning is not null) WitnessLog.GrantUnreadable(logger, warning);
        return _clusters[name] = new Served(name, new WitnessCluster(_started, record));
    }

    private void Evaluate(Served cluster)
    {
        var answers = cluster.Core.Evaluate(clock.Now, out var record);
        if (record is not null)
        {
            store.Save(cluster.Name, record);
            var reason = answers.FirstOrDefault(answer => answer.Verdict is Verdict.Granted)?.Reason ?? "";
            WitnessLog.Granted(logger, cluster.Name, record.Epoch, record.Ring.ToString(), reason);
        }

        foreach (var answer in answers)
        {
            if (cluster.Sessions.TryGetValue(answer.Session, out var session)) session.Answer(answer);
        }

        foreach (var session in cluster.Sessions.Values)
        {
            if (!cluster.Core.IsCurrent(session.Id)) session.End("it was silent for a whole lease, or the node began a newer session");
        }
    }

    /// <summary>A cluster and its sessions.</summary>
    private sealed record Served(string Name, WitnessCluster Core)
    {
        public SortedDictionary<ulong, WitnessSession> Sessions { get; } = [];
    }

    private abstract record Input
    {
        public sealed record Connect(WitnessSession Session) : Input
        {
            public TaskCompletionSource<string?> Refusal { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        public sealed record Report(WitnessSession Session, ulong Number, NodeReport Value, ulong GrantEpoch) : Input;

        public sealed record Release(WitnessSession Session) : Input;

        public sealed record Disconnect(WitnessSession Session) : Input;
    }
}
