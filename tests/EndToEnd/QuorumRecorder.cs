using System.Diagnostics;
using Grpc.Core;
using Membership.Namespaces;
using Membership.V1;

namespace Membership.EndToEnd;

/// <summary>Every verdict of one node about quorum, with the time of the machine's one monotonic clock, across restarts of its daemon.</summary>
internal sealed class QuorumRecorder : IAsyncDisposable
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _stop = new();
    private readonly List<Entry> _entries = [];
    private readonly Task _reading;

    public QuorumRecorder(ClusterNode node)
    {
        Node = node;
        _reading = ReadAsync();
    }

    /// <summary>Whose verdicts.</summary>
    public ClusterNode Node { get; }

    /// <summary>All so far. An entry holds until the next one.</summary>
    public IReadOnlyList<Entry> Entries
    {
        get
        {
            lock (_entries) return [.. _entries];
        }
    }

    /// <summary>The verdict in force; null while the daemon does not answer.</summary>
    public V1.Quorum? Current => Entries is [.., var last] ? last.Verdict : null;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reading;
        _stop.Dispose();
    }

    private async Task ReadAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var call = Node.Api.Quorum.WatchQuorum(new WatchQuorumRequest(), cancellationToken: _stop.Token);
                while (await call.ResponseStream.MoveNext(_stop.Token))
                {
                    if (call.ResponseStream.Current.Quorum is { } verdict) Add(verdict.TNs, verdict);
                }
            }
            catch (Exception e) when (e is RpcException or OperationCanceledException)
            {
                // The daemon does not run, or not yet.
            }

            Add(Stopwatch.GetTimestamp(), null);
            try
            {
                await Task.Delay(Retry, _stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void Add(long time, V1.Quorum? verdict)
    {
        lock (_entries)
        {
            if (verdict is null && (_entries.Count == 0 || _entries[^1].Verdict is null)) return;
            _entries.Add(new Entry(time, verdict));
        }
    }

    /// <summary>A verdict; null: the daemon is gone.</summary>
    internal sealed record Entry(long Time, V1.Quorum? Verdict);
}

/// <summary>What must hold of all recorded verdicts together.</summary>
internal static class QuorumAssert
{
    /// <summary>At no instant were two sides quorate whose views have no member in common (invariant I29); a member of a restarted daemon is another one.</summary>
    public static void NeverTwoSides(params IReadOnlyList<QuorumRecorder> recorders)
    {
        var spans = recorders.SelectMany(Spans).OrderBy(span => span.From).ToArray();
        for (var i = 0; i < spans.Length; i++)
        {
            for (var j = i + 1; j < spans.Length && spans[j].From < spans[i].To; j++)
            {
                if (spans[i].Members.Overlaps(spans[j].Members)) continue;
                throw new Xunit.Sdk.XunitException($"two sides were quorate for {(Math.Min(spans[i].To, spans[j].To) - spans[j].From) / 1e6:0.0} ms: {spans[i]} and {spans[j]}");
            }
        }
    }

    /// <summary>The longest time a node called itself quorate in a view when another, that had left it, was quorate in another view, in milliseconds. Verdicts alone may overlap; the times in which a side may act do not (I31, <see cref="ExclusiveTests"/>).</summary>
    public static double LongestOverlapMs(params IReadOnlyList<QuorumRecorder> recorders)
    {
        var longest = 0L;
        var spans = recorders.SelectMany(Spans).ToArray();
        foreach (var one in spans)
        {
            foreach (var other in spans)
            {
                if (one.Ring != other.Ring) longest = Math.Max(longest, Math.Min(one.To, other.To) - Math.Max(one.From, other.From));
            }
        }

        return longest / 1e6;
    }

    private static IEnumerable<Span> Spans(QuorumRecorder recorder)
    {
        var entries = recorder.Entries;
        for (var i = 0; i < entries.Count; i++)
        {
            if (entries[i].Verdict is not { Quorate: true, View: { } view } verdict) continue;
            var to = i + 1 < entries.Count ? entries[i + 1].Time : long.MaxValue;
            yield return new Span(recorder.Node.Id, entries[i].Time, to, view.Id, [.. view.Members.Select(member => $"{member.Node}/{member.Boot}")], verdict.Reason);
        }
    }

    private sealed record Span(int Node, long From, long To, string Ring, HashSet<string> Members, string Reason)
    {
        public override string ToString() => $"node {Node} in {Ring} of {string.Join(',', Members)} ({Reason}) from {From}";
    }
}
