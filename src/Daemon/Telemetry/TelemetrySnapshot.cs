using System.Diagnostics;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Daemon.Services;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Telemetry;

/// <summary>Everything metrics and health checks read, at one moment.</summary>
/// <param name="Identity">Who this daemon is.</param>
/// <param name="Ring">As the ring thread last told it.</param>
/// <param name="IsFresh">False: the ring thread did not answer just now, <paramref name="Ring"/> is the last known.</param>
/// <param name="Process">This process.</param>
internal sealed record TelemetrySnapshot(DaemonIdentity Identity, RingSample Ring, bool IsFresh, ProcessSample Process)
{
    /// <summary>The configuration.</summary>
    public ClusterConfiguration Configuration => Identity.Configuration;
}

/// <summary>The ring thread's part, copied there in one go.</summary>
internal sealed record RingSample(
    Instant Now,
    TotemState State,
    bool HasView,
    IReadOnlyList<(NodeId Node, NodeStanding Standing)> Standing,
    IReadOnlyList<PeerStatus> Peers,
    QuorumState Quorum,
    long FramesResent,
    long FramesDuplicate,
    long TokenLosses,
    long QuorumMalformed,
    int QueuedMessages,
    IReadOnlyList<LinkTraffic> Links,
    IReadOnlyList<(string Reason, long Count)> Dropped,
    RingReading Metrics)
{
    /// <summary>Copies it. Ring thread only.</summary>
    public static RingSample Take(RingView ring, NodeStates states, NodeTable table, RingMetrics metrics, IReadOnlyList<string> groupsShown) => new(
        ring.Now,
        ring.Node.State,
        ring.Node.View is not null,
        [.. Enumerable.Range(0, table.Count).Select(position => (table[position], states[position].Standing))],
        ring.Node.Links.Describe(ring.Now),
        ring.Node.Quorum,
        ring.Node.Counters.FramesResent,
        ring.Node.Counters.FramesDuplicate,
        ring.Node.Counters.TokenLosses,
        ring.Node.QuorumMalformed,
        ring.Node.QueuedMessages,
        [.. ring.Io.Select(link => new LinkTraffic(link.Link, link.BytesReceived, link.BytesSent))],
        [.. Words.DropReasons.Select(r => (r.Name, ring.Node.Links.Dropped(r.Reason)))],
        metrics.Read(ring.Now, groupsShown));
}

/// <summary>What one link carried.</summary>
internal sealed record LinkTraffic(LinkId Link, long BytesReceived, long BytesSent);

/// <summary>This process, from outside the ring thread.</summary>
/// <param name="Clients">See <see cref="DaemonCounters"/>.</param>
/// <param name="Keys">Id and state of every key in use.</param>
/// <param name="KeyAge">Since the key file was last written; null when it cannot be read.</param>
/// <param name="CertificateLeft">Until the certificate for clients of other machines, or one of its authorities, ends; null without such clients.</param>
/// <param name="StateFreeBytes">Free space below the state directory; null when it cannot be told.</param>
/// <param name="Cpu">User and system time.</param>
/// <param name="ResidentBytes">Resident memory.</param>
/// <param name="StartTime">When the process began, seconds since 1970.</param>
internal sealed record ProcessSample(
    ClientReading Clients, IReadOnlyList<(int Id, bool IsActive)> Keys, TimeSpan? KeyAge, TimeSpan? CertificateLeft, long? StateFreeBytes, TimeSpan Cpu, long ResidentBytes, double StartTime)
{
    private static readonly double Started = StartedAt();

    /// <summary>Takes it now.</summary>
    public static ProcessSample Take(DaemonCounters counters, string keyFile, string stateDirectory) => new(
        counters.Read(), counters.Keys, AgeOf(keyFile), counters.CertificateLeft(), FreeBytes(stateDirectory), Environment.CpuUsage.TotalTime, Environment.WorkingSet, Started);

    private static TimeSpan? AgeOf(string file)
    {
        var written = File.GetLastWriteTimeUtc(file);   // 1601 where there is no such file
        return written.Year < 1970 ? null : TimeProvider.System.GetUtcNow() - written;
    }

    private static long? FreeBytes(string directory)
    {
        try
        {
            return new DriveInfo(directory).AvailableFreeSpace;
        }
        catch (Exception untold) when (untold is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    private static double StartedAt()
    {
        using var self = Process.GetCurrentProcess();
        return new DateTimeOffset(self.StartTime.ToUniversalTime()).ToUnixTimeMilliseconds() / 1e3;
    }
}
