using Membership.Namespaces;

namespace Membership.Bench.Detect;

/// <summary>Messages through the first and the last of some nodes.</summary>
internal sealed class TwoLoads(IReadOnlyList<ClusterNode> nodes) : IAsyncDisposable
{
    private readonly RingLoad _first = new(nodes[0], Measurements.LoadPerSecond, Measurements.LoadBytes);
    private readonly RingLoad _last = new(nodes[^1], Measurements.LoadPerSecond, Measurements.LoadBytes);

    public long Sent => _first.Sent + _last.Sent;

    public long Delivered => _first.Delivered + _last.Delivered;

    public async Task StopAsync()
    {
        await _first.StopAsync();
        await _last.StopAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _first.DisposeAsync();
        await _last.DisposeAsync();
    }
}
