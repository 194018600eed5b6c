using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Witness;

/// <summary>Every line about the witness: 2100 to 2119 at the witness, 2120 to 2139 at a node. Ids are never reused; docs/operating/logs.md explains each.</summary>
internal static partial class WitnessLog
{
    [LoggerMessage(EventId = 2100, Level = LogLevel.Information, Message = "witness {Version} ready at {Address} for {Clusters}; grants are kept in {Directory}")]
    public static partial void Ready(ILogger logger, string version, string address, string clusters, string directory);

    [LoggerMessage(EventId = 2101, Level = LogLevel.Information, Message = "cluster {Cluster}: node {Node} ({NodeId}) has a session, algorithm {Algorithm}")]
    public static partial void SessionBegins(ILogger logger, string cluster, string node, int nodeId, string algorithm);

    [LoggerMessage(EventId = 2102, Level = LogLevel.Information, Message = "cluster {Cluster}: the session of node {Node} is over: {Why}. What it was granted ends with its lease")]
    public static partial void SessionEnds(ILogger logger, string cluster, string node, string why);

    [LoggerMessage(EventId = 2103, Level = LogLevel.Information, Message = "cluster {Cluster}: grant {Epoch} for ring {Ring}: {Reason}")]
    public static partial void Granted(ILogger logger, string cluster, ulong epoch, string ring, string reason);

    [LoggerMessage(EventId = 2104, Level = LogLevel.Warning, Message = "{Warning}")]
    public static partial void GrantUnreadable(ILogger logger, string warning);

    [LoggerMessage(EventId = 2105, Level = LogLevel.Warning, Message = "{Remote} was refused: {Why}")]
    public static partial void Refused(ILogger logger, string remote, string why);

    [LoggerMessage(EventId = 2106, Level = LogLevel.Information, Message = "{Signal}: the witness stops; what it granted ends with the leases")]
    public static partial void Stops(ILogger logger, string signal);

    [LoggerMessage(EventId = 2107, Level = LogLevel.Critical, Message = "the witness stops with exit code {Code}: {Why}")]
    public static partial void Failed(ILogger logger, int code, string why);

    [LoggerMessage(EventId = 2108, Level = LogLevel.Warning, Message = "the certificates stay as they were: {Why}")]
    public static partial void CertificatesNotReloaded(ILogger logger, string why);

    [LoggerMessage(EventId = 2109, Level = LogLevel.Information, Message = "certificates read again; the first one ends at {ExpiresAt}")]
    public static partial void CertificatesReloaded(ILogger logger, string expiresAt);

    [LoggerMessage(EventId = 2110, Level = LogLevel.Warning, Message = "{Lost} refusals were left out of the log, more than {Max} in one second; find out who knocks")]
    public static partial void LeftOut(ILogger logger, long lost, int max);

    [LoggerMessage(EventId = 2111, Level = LogLevel.Warning, Message = "the service manager cannot be told that the witness is ready: {Why}")]
    public static partial void NotifyFailed(ILogger logger, string why);

    [LoggerMessage(EventId = 2120, Level = LogLevel.Information, Message = "witness {Address}: session begins")]
    public static partial void Connected(ILogger logger, string address);

    [LoggerMessage(EventId = 2121, Level = LogLevel.Warning, Message =
        "witness {Address}: no session: {Why}. Its votes, if granted, count until {RestMs} ms from now; tried again every {RetryMs} ms")]
    public static partial void Unreachable(ILogger logger, string address, string why, long restMs, long retryMs);

    [LoggerMessage(EventId = 2122, Level = LogLevel.Information, Message = "witness {Address}: ring {Ring}: {Verdict}: {Reason}")]
    public static partial void Answered(ILogger logger, string address, string ring, string verdict, string reason);

    [LoggerMessage(EventId = 2123, Level = LogLevel.Warning, Message =
        "witness {Address}: the grant for ring {Ring} ended without renewal; its votes no longer count. Check that the witness runs and can be reached")]
    public static partial void LeaseEnded(ILogger logger, string address, string ring);

    [LoggerMessage(EventId = 2124, Level = LogLevel.Warning, Message = "heuristics: {Command} {Outcome}; this node speaks against its part at the witness")]
    public static partial void HeuristicFailed(ILogger logger, string command, string outcome);

    [LoggerMessage(EventId = 2125, Level = LogLevel.Information, Message = "heuristics: all commands succeed")]
    public static partial void HeuristicsPass(ILogger logger);
}
