using System.Globalization;
using Membership.Daemon.Access;
using Membership.Daemon.Services;
using Membership.Grpc.Server.Services;
using Membership.Links;

namespace Membership.Daemon.Telemetry;

/// <summary>What one check found.</summary>
/// <param name="Name">See <see cref="HealthNames"/>.</param>
/// <param name="IsHealthy">Nothing to do.</param>
/// <param name="Detail">One sentence.</param>
internal sealed record HealthCheck(string Name, bool IsHealthy, string Detail);

/// <summary>Judges a snapshot. Pure.</summary>
internal static class HealthChecks
{
    /// <summary>Less free space below the state directory is unhealthy, bytes.</summary>
    public const long StateFreeBytesMin = 16 * 1024 * 1024;

    /// <summary>What happened within this time still counts.</summary>
    public static readonly TimeSpan Recently = TimeSpan.FromMinutes(1);

    /// <summary>The ring thread answers; nothing about the cluster.</summary>
    public static HealthCheck Live(TelemetrySnapshot? snapshot) => snapshot is { IsFresh: true }
        ? new HealthCheck(HealthNames.Live, true, "the process and its ring thread respond")
        : new HealthCheck(HealthNames.Live, false, string.Create(CultureInfo.InvariantCulture,
            $"the ring thread has not answered within {StatusSource<RingSample>.WaitMax.TotalSeconds} s: look for what stops it (load, swapping, a debugger)"));

    /// <summary>A view is installed and the ring thread answers.</summary>
    /// <param name="snapshot">Null while the ring thread has never answered.</param>
    /// <param name="wantsQuorum">This side must be quorate, too.</param>
    public static HealthCheck Ready(TelemetrySnapshot? snapshot, bool wantsQuorum)
    {
        if (Live(snapshot) is { IsHealthy: false } dead) return dead with { Name = HealthNames.Ready };
        if (!snapshot!.Ring.HasView) return new HealthCheck(HealthNames.Ready, false, "no view is installed yet");   // not null: it is live
        return wantsQuorum && !snapshot.Ring.Quorum.IsQuorate
            ? new HealthCheck(HealthNames.Ready, false, $"not quorate: {snapshot.Ring.Quorum.Reason}")
            : new HealthCheck(HealthNames.Ready, true, "a view is installed");
    }

    /// <summary>Every name there is.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [HealthNames.Live, HealthNames.Ready, HealthNames.Ring, HealthNames.Quorum, HealthNames.Links, HealthNames.Disk, HealthNames.ClockStall, HealthNames.KeysExpiring, HealthNames.ClientsSlow];

    /// <summary>One of <see cref="Names"/>, or readyz for the empty name. What cannot be known is unhealthy.</summary>
    public static HealthCheck Find(TelemetrySnapshot? snapshot, string name) => name switch
    {
        HealthNames.Live => Live(snapshot),
        HealthNames.Ready or HealthNames.Whole => Ready(snapshot, wantsQuorum: false),
        _ => All(snapshot).FirstOrDefault(check => check.Name == name) ?? Live(null) with { Name = name },
    };

    /// <summary>Every named check.</summary>
    public static IReadOnlyList<HealthCheck> All(TelemetrySnapshot? snapshot) =>
        snapshot is null ? [Live(null) with { Name = HealthNames.Ring }] : [Ring(snapshot), Quorum(snapshot), Links(snapshot), Disk(snapshot), ClockStall(snapshot), KeysExpiring(snapshot), ClientsSlow(snapshot)];

    private static HealthCheck Ring(TelemetrySnapshot snapshot) =>
        Live(snapshot) is { IsHealthy: false } dead ? dead with { Name = HealthNames.Ring }
        : new HealthCheck(HealthNames.Ring, snapshot.Ring.HasView, snapshot.Ring.HasView ? $"the ring is {snapshot.Ring.State.ToString().ToLowerInvariant()}" : "no view is installed yet");

    private static HealthCheck Quorum(TelemetrySnapshot snapshot) => new(HealthNames.Quorum, snapshot.Ring.Quorum.IsQuorate, snapshot.Ring.Quorum.Reason);

    private static HealthCheck Links(TelemetrySnapshot snapshot)
    {
        var down = (
            from peer in snapshot.Ring.Peers
            from link in peer.Links
            where link.State != LinkState.Up
            select $"{link.Link} to {snapshot.Configuration.NameOf(peer.Node)}").ToList();
        return new HealthCheck(HealthNames.Links, down.Count == 0, down.Count == 0 ? "every link to every node is up" : $"not up: {string.Join(", ", down)}");
    }

    private static HealthCheck Disk(TelemetrySnapshot snapshot)
    {
        if (snapshot.Process.Clients.SinceDiskError < Recently) return new HealthCheck(HealthNames.Disk, false, "writing to the state directory failed lately; see the log");
        return snapshot.Process.StateFreeBytes switch
        {
            null => new HealthCheck(HealthNames.Disk, false, "the free space below the state directory cannot be told"),
            < StateFreeBytesMin and var free => new HealthCheck(HealthNames.Disk, false, string.Create(CultureInfo.InvariantCulture, $"{free} bytes are free below the state directory, less than {StateFreeBytesMin}")),
            _ => new HealthCheck(HealthNames.Disk, true, "the state directory has room"),
        };
    }

    private static HealthCheck ClockStall(TelemetrySnapshot snapshot) => snapshot.Ring.Metrics.SinceStall < Recently
        ? new HealthCheck(HealthNames.ClockStall, false, "the ring thread was not scheduled for a while within the last minute: look for load, swapping, a paused virtual machine")
        : new HealthCheck(HealthNames.ClockStall, true, "the ring thread was scheduled whenever it was due");

    private static HealthCheck KeysExpiring(TelemetrySnapshot snapshot) => snapshot.Process.CertificateLeft switch
    {
        null => new HealthCheck(HealthNames.KeysExpiring, true, "no certificate is used: clients of other machines are not served"),
        { } over when over <= TimeSpan.Zero => new HealthCheck(HealthNames.KeysExpiring, false, "the certificate or one of its authorities has ended: clients of other machines are refused. Issue a new one: mbr ca issue"),
        { } left when left <= ClientAccess.EndingWithin => new HealthCheck(HealthNames.KeysExpiring, false, string.Create(CultureInfo.InvariantCulture,
            $"the certificate or one of its authorities ends in {(int)left.TotalDays} days, clients of other machines are refused then. Issue a new one: mbr ca issue")),
        { } left => new HealthCheck(HealthNames.KeysExpiring, true, string.Create(CultureInfo.InvariantCulture, $"the certificate and its authorities are good for {(int)left.TotalDays} days")),
    };

    private static HealthCheck ClientsSlow(TelemetrySnapshot snapshot) => snapshot.Process.Clients.Now.SinceCut < Recently
        ? new HealthCheck(HealthNames.ClientsSlow, false, "a client was cut off within the last minute because it did not read")
        : new HealthCheck(HealthNames.ClientsSlow, true, "no client had to be cut off");
}
