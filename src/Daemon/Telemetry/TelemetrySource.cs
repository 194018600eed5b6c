using Membership.Daemon.Ring;
using Membership.Daemon.Services;

namespace Membership.Daemon.Telemetry;

/// <summary>Gives snapshots: asks the ring thread, but never waits long for it.</summary>
internal sealed class TelemetrySource(DaemonIdentity identity, StatusSource<RingSample> ring, Func<ProcessSample> process)
{
    private TelemetrySnapshot? _last;

    /// <summary>The snapshot last taken, however old; null before the first.</summary>
    public TelemetrySnapshot? Last => Volatile.Read(ref _last);

    /// <summary>Takes a snapshot; null when the ring thread has never answered, or has ended before it did.</summary>
    public async Task<TelemetrySnapshot?> TakeAsync(CancellationToken cancellationToken)
    {
        var (sample, isFresh) = await AskAsync(cancellationToken);
        if (sample is null) return null;
        var snapshot = new TelemetrySnapshot(identity, sample, isFresh, process());
        Volatile.Write(ref _last, snapshot);
        return snapshot;
    }

    private async Task<(RingSample? Sample, bool IsFresh)> AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await ring.GetAsync(cancellationToken);
        }
        catch (RingStoppedException)
        {
            return (Last?.Ring, false);   // the daemon ends: what is known stays readable until it has
        }
    }
}
