using Membership.Namespaces;

namespace Membership.Bench.Detect;

/// <summary>The views of some nodes as they install them.</summary>
internal sealed class ViewWatch : IAsyncDisposable
{
    private readonly IReadOnlyList<RingRecorder> _recorders;

    private ViewWatch(IReadOnlyList<RingRecorder> recorders) => _recorders = recorders;

    public static async Task<ViewWatch> StartAsync(NamespaceCluster cluster, IReadOnlyList<ClusterNode> nodes) =>
        new(await cluster.RecordViewsAsync(nodes));

    /// <summary>Views of all watched nodes so far, transitional ones not counted.</summary>
    public int Count => _recorders.Sum(recorder => recorder.RegularViews.Count);

    /// <summary>Time from a moment to the installation of the view of exactly these members, at the last of those of them that are watched.</summary>
    /// <param name="since">A timestamp of the machine's monotonic clock, in nanoseconds.</param>
    public async Task<TimeSpan> FirstAsync(long since, IReadOnlyList<ClusterNode> members, TimeSpan limit)
    {
        var wanted = members.Select(node => (uint)node.Id).Order().ToArray();
        var watched = _recorders.Where(recorder => wanted.Contains((uint)recorder.Node)).ToArray();
        var installed = new long?[watched.Length];
        await Eventually.HoldsAsync($"a view of {string.Join(',', wanted)}", limit, () =>
        {
            for (var i = 0; i < watched.Length; i++)
                installed[i] = watched[i].RegularViews.FirstOrDefault(view => view.TNs > since && view.Members.Select(member => member.Node).SequenceEqual(wanted))?.TNs;
            return installed.All(at => at is not null);
        }, () => string.Join("; ", watched.Select(recorder => $"node {recorder.Node}: {string.Join(" -> ", recorder.Views.Select(view => $"{view.Id} of {string.Join(',', view.Members.Select(member => member.Node))}"))}")));
        return TimeSpan.FromTicks((installed.Max(at => at ?? 0) - since) / TimeSpan.NanosecondsPerTick);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var recorder in _recorders) await recorder.DisposeAsync();
    }
}
