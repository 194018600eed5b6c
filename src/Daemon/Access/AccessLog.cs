using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Access;

/// <summary>Lines about who may do what, and did: event ids 6030 to 6037 and 6050 to 6055 of the daemon; docs/operating/logs.md explains each.</summary>
internal static partial class AccessLog
{
    [LoggerMessage(EventId = 6030, Level = LogLevel.Information, Message = "audit: {Who} ({Role}) called {Method} {Arguments}: {Outcome}")]
    public static partial void Called(ILogger logger, string who, string role, string method, string arguments, string outcome);

    [LoggerMessage(EventId = 6031, Level = LogLevel.Warning, Message =
        "audit: {Who} ({Role}) was refused {Method}, which needs the role {Needed}. If it should be allowed, add the caller to api.roles.{Needed} and send SIGHUP; if not, find out who that is")]
    public static partial void Denied(ILogger logger, string who, string role, string method, string needed);

    [LoggerMessage(EventId = 6032, Level = LogLevel.Warning, Message = "audit: refused again: {What} (x {Count} in {Seconds} s)")]
    public static partial void Repeated(ILogger logger, string what, long count, int seconds);

    [LoggerMessage(EventId = 6033, Level = LogLevel.Warning, Message = "audit: {Lost} refusals were left out of the log, more than {Max} in one second. Find out who knocks; each one was refused")]
    public static partial void LeftOut(ILogger logger, long lost, int max);

    [LoggerMessage(EventId = 6034, Level = LogLevel.Warning, Message =
        "{Path} names {Grantee}, whom this machine does not know; the entry matches nobody here. Create the account and send SIGHUP, or name it by number")]
    public static partial void UnknownGrantee(ILogger logger, string path, string grantee);

    [LoggerMessage(EventId = 6035, Level = LogLevel.Information, Message = "roles read from {File}: {Count} entries; they hold from now on, also for calls under way")]
    public static partial void RolesReloaded(ILogger logger, string file, int count);

    [LoggerMessage(EventId = 6036, Level = LogLevel.Error, Message = "the roles stay as they were: {Mistake}")]
    public static partial void RolesNotReloaded(ILogger logger, string mistake);

    [LoggerMessage(EventId = 6037, Level = LogLevel.Warning, Message =
        "api.roles names users of this machine, but the socket's directory {Directory} can be entered by its owner and group only. Run: chmod o+x {Directory}")]
    public static partial void DirectoryClosed(ILogger logger, string directory);

    [LoggerMessage(EventId = 6050, Level = LogLevel.Information, Message = "clients of other machines are served at {Address} with the certificate {Subject}, good until {Until}")]
    public static partial void TcpServed(ILogger logger, string address, string subject, string until);

    [LoggerMessage(EventId = 6051, Level = LogLevel.Information, Message = "certificates read again: {Subject}, good until {Until}; new connections use it from now on")]
    public static partial void CertificateReloaded(ILogger logger, string subject, string until);

    [LoggerMessage(EventId = 6052, Level = LogLevel.Error, Message = "the certificates stay as they were: {Mistake}")]
    public static partial void CertificateNotReloaded(ILogger logger, string mistake);

    [LoggerMessage(EventId = 6053, Level = LogLevel.Warning, Message =
        "the certificate {File} or one of its authorities ends in {Days} days, on {Until}; clients of other machines are then refused. Issue a new one (mbr ca issue), put it in place; no restart is needed")]
    public static partial void CertificateEnding(ILogger logger, string file, int days, string until);

    [LoggerMessage(EventId = 6054, Level = LogLevel.Error, Message =
        "the certificate {File} or one of its authorities ended on {Until}; clients of other machines are refused. Issue a new one (mbr ca issue), put it in place; no restart is needed")]
    public static partial void CertificateEnded(ILogger logger, string file, string until);

    [LoggerMessage(EventId = 6055, Level = LogLevel.Warning, Message = "a connection from {Remote} was refused: {Why}")]
    public static partial void ConnectionRefused(ILogger logger, string remote, string why);
}
