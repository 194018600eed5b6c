using System.Diagnostics;
using System.Globalization;
using Grpc.Core;
using Membership.Invariants;
using Membership.Links;
using Membership.Namespaces;
using Membership.V1;
using View = Membership.Totem.View;
using ViewMember = Membership.Totem.ViewMember;

namespace Membership.EndToEnd;

/// <summary>Asks one node over and over when its side may act alone, as a script that acts would; a frozen daemon is asked too, and answers when it thaws.</summary>
internal sealed class ExclusiveRecorder : IAsyncDisposable
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stop = new();
    private readonly List<Sample> _samples = [];
    private readonly Task _reading;

    public ExclusiveRecorder(ClusterNode node)
    {
        Node = node;
        _reading = ReadAsync();
    }

    /// <summary>Who is asked.</summary>
    public ClusterNode Node { get; }

    /// <summary>All answers so far.</summary>
    public IReadOnlyList<Sample> Samples
    {
        get
        {
            lock (_samples) return [.. _samples];
        }
    }

    /// <summary>The last answer allows to act in a view of exactly these nodes now.</summary>
    public bool IsExclusive(params int[] members) =>
        Samples is [.., var last] && last.Verdict is { Quorate: true, View: { } view } verdict
        && view.Members.Select(member => (int)member.Node).SequenceEqual(members)
        && Stopwatch.GetTimestamp() is var now && now >= verdict.ExclusiveFromNs && now <= verdict.QuorateUntilNs;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reading;
        _stop.Dispose();
    }

    /// <summary>I31 holds in all that was answered; daemons of one machine have one clock.</summary>
    public static HistoryChecker Check(params IReadOnlyList<ExclusiveRecorder> recorders)
    {
        var checker = new HistoryChecker(new HistoryOptions { AllObserved = false });
        var samples = recorders.SelectMany(recorder => recorder.Samples.Select(sample => (Node: recorder.Node.Id, sample.At, sample.Verdict)));
        foreach (var (node, at, verdict) in samples.Where(sample => sample.Verdict.QuorateUntilNs != 0).OrderBy(sample => sample.At))
        {
            var view = Of(verdict.View);
            var self = view.Members.Single(member => member.Node.Value == node);
            checker.MayActAlone(checker.IndexOf(self), at, view, verdict.ExclusiveFromNs, verdict.QuorateUntilNs);
        }

        return checker;
    }

    private static View Of(V1.View view) => new(
        JsonHistory.ParseViewId(view.Id), [.. view.Members.Select(member => new ViewMember(new NodeId((ushort)member.Node), ulong.Parse(member.Boot, NumberStyles.HexNumber, CultureInfo.InvariantCulture)))], null, [], []);

    private async Task ReadAsync()
    {
        try
        {
            while (true)
            {
                try
                {
                    var answer = await Node.Api.Quorum.GetQuorumAsync(new GetQuorumRequest(), deadline: DateTime.UtcNow + Patience, cancellationToken: _stop.Token);
                    lock (_samples) _samples.Add(new Sample(Stopwatch.GetTimestamp(), answer.Quorum));
                }
                catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
                {
                    // It does not run, or not yet; whoever asks goes on asking.
                }

                await Task.Delay(Pace, _stop.Token);
            }
        }
        catch (Exception e) when (_stop.IsCancellationRequested && e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            // The test has seen enough.
        }
    }

    /// <summary>An answer and when it came.</summary>
    internal sealed record Sample(long At, V1.Quorum Verdict);
}
