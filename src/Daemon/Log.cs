using Microsoft.Extensions.Logging;

namespace Membership.Daemon;

/// <summary>Every line the daemon can log. 1000 to 1099: facts of the ring and its links; 2000 to 2099: quorum; 6000 to 6099: the daemon itself. Ids are never reused; docs/operating/logs.md explains each.</summary>
internal static partial class Log
{
    [LoggerMessage(EventId = 1000, Level = LogLevel.Information, Message = "node {Self}: {View}")]
    public static partial void View(ILogger logger, string self, string view);

    [LoggerMessage(EventId = 1001, Level = LogLevel.Debug, Message = "node {Self}: {What}")]
    public static partial void RingStep(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1002, Level = LogLevel.Information, Message = "node {Self}: {What}; a new ring is being formed")]
    public static partial void Gathering(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1003, Level = LogLevel.Warning, Message =
        "node {Self}: {What}; a new ring is being formed. If this repeats, check the links (mbr link list) and the load of the machines, then raise timing.token")]
    public static partial void TokenLost(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1004, Level = LogLevel.Warning, Message =
        "node {Self}: {What}; its packet was dropped. If this repeats, compare the versions of both daemons (mbr node list) and report it")]
    public static partial void Malformed(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1005, Level = LogLevel.Warning, Message =
        "node {Self}: {What}; its membership kept ending within seconds. Look for what makes it come and go: its links, its load, its log")]
    public static partial void HeldOut(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1006, Level = LogLevel.Warning, Message =
        "node {Self}: {What}. Look for what stopped the process: load, swapping, a paused virtual machine; then raise timing.token above the longest stall")]
    public static partial void Stalled(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1007, Level = LogLevel.Warning, Message =
        "node {Self}: {What}; the others go on without it. Check that large datagrams reach it (mbr link list shows the size that passes)")]
    public static partial void FailedToReceive(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1010, Level = LogLevel.Information, Message = "node {Self}: {What}")]
    public static partial void PeerUp(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1011, Level = LogLevel.Warning, Message = "node {Self}: {What}")]
    public static partial void PeerDown(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1012, Level = LogLevel.Information, Message = "node {Self}: {What}")]
    public static partial void LinkUp(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1013, Level = LogLevel.Warning, Message = "node {Self}: {What}; traffic goes over the other links, if there are any. Check cable, switch and packet filter of that link")]
    public static partial void LinkDown(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1014, Level = LogLevel.Error, Message =
        "node {Self}: {What}; it cannot join. Make the configuration files equal (mbr config show --effective prints the digest) and the versions compatible, then restart the node that is wrong")]
    public static partial void Incompatible(ILogger logger, string self, string what);

    [LoggerMessage(EventId = 1020, Level = LogLevel.Error, Message =
        "node {Self}: link {Link} cannot use its address {Address}: {Why} (errno {Errno}); the node runs on its other links and tries again every second. Give the machine that address, or correct nodes in the configuration")]
    public static partial void LinkNotBound(ILogger logger, string self, string link, string address, string why, int errno);

    [LoggerMessage(EventId = 1021, Level = LogLevel.Information, Message = "node {Self}: link {Link} uses {Address} now")]
    public static partial void LinkBound(ILogger logger, string self, string link, string address);

    [LoggerMessage(EventId = 1022, Level = LogLevel.Warning, Message =
        "node {Self}: link {Link} got a socket buffer of {GotBytes} bytes instead of {AskedBytes}; bursts may be lost and repeated. Raise it: sysctl -w net.core.rmem_max={AskedBytes} net.core.wmem_max={AskedBytes}")]
    public static partial void SmallSocketBuffer(ILogger logger, string self, string link, int gotBytes, int askedBytes);

    [LoggerMessage(EventId = 1023, Level = LogLevel.Information, Message = "node {Self}: link {Link} does without segmentation offload (errno {Errno}); it works, with more system calls")]
    public static partial void NoSegmentation(ILogger logger, string self, string link, int errno);

    [LoggerMessage(EventId = 1024, Level = LogLevel.Warning, Message =
        "node {Self}: no tripwires on link {Link}, {Address} cannot be listened on (errno {Errno}); a crashed process is then noticed by its silence only. See what uses the TCP port: ss -ltnp")]
    public static partial void NoTripwires(ILogger logger, string self, string link, string address, int errno);

    [LoggerMessage(EventId = 1025, Level = LogLevel.Warning, Message = "node {Self}: faults injected on request of a client: {Faults}")]
    public static partial void FaultsInjected(ILogger logger, string self, string faults);

    [LoggerMessage(EventId = 1026, Level = LogLevel.Warning, Message = "node {Self}: frozen for {DurationMs} ms on request of a client")]
    public static partial void Frozen(ILogger logger, string self, long durationMs);

    [LoggerMessage(EventId = 1027, Level = LogLevel.Information, Message = "node {Self}: the ring thread runs with nice value {Nice}, before ordinary load")]
    public static partial void RingPriority(ILogger logger, string self, int nice);

    [LoggerMessage(EventId = 1028, Level = LogLevel.Warning, Message =
        "node {Self}: the ring thread runs with nice value {Nice} like ordinary load (errno {Errno} on raising it); on a busy machine the node may be taken for dead. Give the daemon CAP_SYS_NICE or LimitNICE=-15")]
    public static partial void NoRingPriority(ILogger logger, string self, int nice, int errno);

    [LoggerMessage(EventId = 1098, Level = LogLevel.Warning, Message = "node {Self}: {Lost} lines were left out, more than {Max} in one second")]
    public static partial void LinesLeftOut(ILogger logger, string self, long lost, int max);

    [LoggerMessage(EventId = 1099, Level = LogLevel.Information, Message = "node {Self}: {What} (x {Count} in {Seconds} s)")]
    public static partial void Repeated(ILogger logger, string self, string what, long count, int seconds);

    [LoggerMessage(EventId = 6000, Level = LogLevel.Information, Message =
        "membershipd {Version} of cluster {Cluster} starts as node {Node} ({NodeId}), boot {Boot}, timing {Profile}, seed {Seed}, configuration {Config} (digest {Digest})")]
    public static partial void Starting(ILogger logger, string version, string cluster, string node, int nodeId, string boot, string profile, int seed, string config, string digest);

    [LoggerMessage(EventId = 6001, Level = LogLevel.Information, Message = "ready after {ElapsedMs} ms: clients reach node {Node} at {Socket}")]
    public static partial void Ready(ILogger logger, long elapsedMs, string node, string socket);

    [LoggerMessage(EventId = 6002, Level = LogLevel.Information, Message = "{Signal}: node {Node} leaves the cluster")]
    public static partial void Leaving(ILogger logger, string signal, string node);

    [LoggerMessage(EventId = 6003, Level = LogLevel.Information, Message = "node {Node} has left after {ElapsedMs} ms")]
    public static partial void HasLeft(ILogger logger, string node, long elapsedMs);

    [LoggerMessage(EventId = 6004, Level = LogLevel.Warning, Message =
        "node {Node} could not leave within {LimitMs} ms and stops all the same; the others notice it by themselves, within the time their profile promises")]
    public static partial void LeaveTooSlow(ILogger logger, string node, long limitMs);

    [LoggerMessage(EventId = 6005, Level = LogLevel.Critical, Message = "node {Node} stops with exit code {Code}: {Why}")]
    public static partial void RingEnded(ILogger logger, string node, int code, string why);

    [LoggerMessage(EventId = 6006, Level = LogLevel.Warning, Message =
        "node {Node}: {Count} Multicast calls whose clients did not read their receipts within {LimitMs} ms are cut off; the outcome of messages without a receipt is in the order of the other members")]
    public static partial void ReceiptsNotRead(ILogger logger, string node, int count, long limitMs);

    [LoggerMessage(EventId = 6010, Level = LogLevel.Warning, Message = "{Warning}")]
    public static partial void ConfigurationWarning(ILogger logger, string warning);

    [LoggerMessage(EventId = 6011, Level = LogLevel.Information, Message = "{Count} keys read from {File} again, key {Active} seals from now on")]
    public static partial void KeysReloaded(ILogger logger, int count, string file, int active);

    [LoggerMessage(EventId = 2000, Level = LogLevel.Information, Message = "node {Self}: quorate: {Reason}")]
    public static partial void Quorate(ILogger logger, string self, string reason);

    [LoggerMessage(EventId = 2001, Level = LogLevel.Warning, Message =
        "node {Self}: not quorate: {Reason}; what needs quorum stands still here. Bring the missing nodes back (mbr quorum status names them)")]
    public static partial void NotQuorate(ILogger logger, string self, string reason);

    [LoggerMessage(EventId = 6012, Level = LogLevel.Error, Message = "SIGHUP: the keys stay as they were: {Mistake}")]
    public static partial void KeysNotReloaded(ILogger logger, string mistake);

    [LoggerMessage(EventId = 6013, Level = LogLevel.Warning, Message = "state directory {Directory}: {Warning}")]
    public static partial void StateWarning(ILogger logger, string directory, string warning);

    [LoggerMessage(EventId = 6014, Level = LogLevel.Warning, Message = "clients may inject faults into this daemon (--allow-fault-injection). Never start a production node like this")]
    public static partial void FaultInjectionAllowed(ILogger logger);

    [LoggerMessage(EventId = 6018, Level = LogLevel.Warning, Message = "client {Who} is cut off from {What}: {Why} {Then}. See what keeps it from reading")]
    public static partial void ClientCut(ILogger logger, string who, string what, string why, string then);

    [LoggerMessage(EventId = 6019, Level = LogLevel.Warning, Message = "client cut off again: {What} (x {Count} in {Seconds} s)")]
    public static partial void ClientCutAgain(ILogger logger, string what, long count, int seconds);

    [LoggerMessage(EventId = 6020, Level = LogLevel.Warning, Message =
        "{Lost} clients that were cut off are left out of the log, more than {Max} in one second; membership_client_disconnects_total counts them")]
    public static partial void ClientCutsLeftOut(ILogger logger, long lost, int max);

    [LoggerMessage(EventId = 6040, Level = LogLevel.Information, Message = "metrics and health are served at {Page}metrics, livez, readyz and healthz")]
    public static partial void PageServed(ILogger logger, Uri page);

    [LoggerMessage(EventId = 6016, Level = LogLevel.Error, Message = "the service manager cannot be told {State}: {Why}. NOTIFY_SOCKET is {Socket}")]
    public static partial void NotifyFailed(ILogger logger, string state, string why, string socket);

    [LoggerMessage(EventId = 6017, Level = LogLevel.Error, Message = "the ring thread has not answered for {AgeMs} ms; the service manager's watchdog is not fed. Look for what stops it: load, swapping, a debugger")]
    public static partial void RingThreadSilent(ILogger logger, long ageMs);
}
