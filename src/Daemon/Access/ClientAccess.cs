using System.Globalization;
using System.Net;
using Membership.Daemon.Configuration;
using Membership.Daemon.Telemetry;
using Membership.Grpc.Server;
using Membership.Grpc.Server.Tls;
using Membership.Grpc.Tls;
using Membership.Grpc.Unix;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Access;

/// <summary>Everything between a client and the services: the listeners, who may connect, who may call what, and the log of it.</summary>
/// <remarks>Made before the server starts; its loop and <see cref="Apply"/> may run on any thread.</remarks>
internal sealed class ClientAccess
{
    /// <summary>A certificate that ends within this time is warned about, each day.</summary>
    public static readonly TimeSpan EndingWithin = TimeSpan.FromDays(14);

    private static readonly TimeSpan AuditPace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CertificatePace = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan WarnPace = TimeSpan.FromDays(1);

    private readonly ClusterConfiguration _configuration;
    private readonly string _socket;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly AuditLog _audit;
    private readonly TlsCredentials? _credentials;
    private readonly TlsListener? _tls;
    private long? _warned;

    private ClientAccess(ClusterConfiguration configuration, string socket, IPEndPoint? tcp, TlsCredentials? credentials, ILogger logger, DaemonCounters counters, TimeProvider time)
    {
        (_configuration, _socket, _credentials, _logger, _time) = (configuration, socket, credentials, logger, time);
        _audit = new AuditLog(logger, _time, counters);
        Control = new AccessControl(MethodTable.Read(), ReadRoles(configuration.Api), _audit, configuration.File);
        if (tcp is null || credentials is null) return;
        _tls = new TlsListener(tcp, credentials) { Refused = _audit.ConnectionRefused };
        credentials.Changed += identity => AccessLog.CertificateReloaded(_logger, identity.Certificate.Subject, Date(identity.ExpiresAt));
        credentials.Refused += refused => AccessLog.CertificateNotReloaded(_logger, refused.Message);
    }

    /// <summary>Who may call what.</summary>
    public AccessControl Control { get; }

    /// <summary>Until the certificate of the TCP listener or one of its authorities ends, negative afterwards; null without that listener.</summary>
    public TimeSpan? CertificateLeft => _credentials is null ? null : _credentials.Current.ExpiresAt - _time.GetUtcNow().UtcDateTime;

    /// <summary>Connections of other machines.</summary>
    public int TcpConnections => _tls?.Count ?? 0;

    /// <summary>Reads roles and certificates, prepares the socket's directory.</summary>
    /// <param name="configuration">Of the cluster.</param>
    /// <param name="self">This node.</param>
    /// <param name="socket">Where local clients connect.</param>
    /// <param name="logger">Takes the audit log, too.</param>
    /// <param name="counters">Counts refusals and lost lines of the audit log.</param>
    /// <param name="time">Paces the audit log and the looks at certificates, and tells when those end.</param>
    /// <exception cref="StartException">78: a certificate cannot be used. 74: the socket's place cannot be used, or this machine has no address in the network.</exception>
    public static ClientAccess Open(ClusterConfiguration configuration, NodeConfiguration self, string socket, ILogger logger, DaemonCounters counters, TimeProvider time)
    {
        var access = Make(configuration, self, socket, logger, counters, time);
        ApiSocket.Prepare(socket, access.Control.Roles.AdmitsOthers);
        access.CheckDirectory();
        return access;
    }

    /// <summary>The server with its listeners; every call passes <see cref="Control"/> and is counted.</summary>
    public GrpcServerSettings Settings(GrpcServerOptions options, CallMetrics calls, ILoggerFactory loggers) => new()
    {
        SocketPath = _socket,
        SocketMode = ApiSocket.Mode(Control.Roles.AdmitsOthers),
        SocketRefused = _audit.ConnectionRefused,
        Tls = _tls,
        Options = calls.Measure(Control.Guard(options)),
        LoggerFactory = loggers,
    };

    /// <summary>Says where clients of other machines are served; called once the server listens.</summary>
    public void Started()
    {
        if (_tls is null || _credentials is null) return;
        var identity = _credentials.Current;
        AccessLog.TcpServed(_logger, _tls.Address.ToString(), identity.Certificate.Subject, Date(identity.ExpiresAt));
        WarnOfTheEnd();
    }

    /// <summary>Takes the roles of a configuration that was read again, looks at the certificates, and opens or closes the socket accordingly.</summary>
    public void Apply(ApiConfiguration api)
    {
        var roles = ReadRoles(api);
        Control.Replace(roles);
        File.SetUnixFileMode(_socket, ApiSocket.Mode(roles.AdmitsOthers));
        CheckDirectory();
        AccessLog.RolesReloaded(_logger, _configuration.File, api.Roles.Count);
        _tls?.Refresh();
    }

    /// <summary>Reads the configuration file again and takes its roles; a file with mistakes changes nothing.</summary>
    public void Reload()
    {
        ConfigurationResult result;
        try
        {
            result = ConfigurationReader.ReadFile(_configuration.File, null);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            AccessLog.RolesNotReloaded(_logger, unreadable.Message);
            return;
        }
        if (result.Configuration is { } read) Apply(read.Api);
        foreach (var mistake in result.Mistakes) AccessLog.RolesNotReloaded(_logger, mistake.ToString());
    }

    /// <summary>Writes what the audit log held back, looks at the certificates, warns before they end. Ends with the token.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(AuditPace, _time);
        var looked = _time.GetTimestamp();
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                _audit.Flush();
                if (_time.GetElapsedTime(looked) < CertificatePace) continue;
                looked = _time.GetTimestamp();
                _tls?.Refresh();
                WarnOfTheEnd();
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
        _audit.FlushAll();
    }

    private static ClientAccess Make(ClusterConfiguration configuration, NodeConfiguration self, string socket, ILogger logger, DaemonCounters counters, TimeProvider time)
    {
        if (configuration.Api.Tcp is not { } tcp) return new ClientAccess(configuration, socket, null, null, logger, counters, time);
        var place = TcpPlace.Resolve(tcp, self.Links.Select(link => link.Address), TcpPlace.OfThisMachine())
            ?? throw new StartException(ExitCode.InputOutput, $"api.tcp is {tcp}, and this machine has no address in that network. Give it one, correct api.tcp in {configuration.File}, or delete the line to serve local clients only.");
        try
        {
            return new ClientAccess(configuration, socket, place, TlsCredentials.Load(configuration.Api.Tls), logger, counters, time);
        }
        catch (TlsFileException unusable)
        {
            throw new StartException(ExitCode.Configuration, $"{unusable.Message} (api.tls of {configuration.File})");
        }
    }

    private RoleBook ReadRoles(ApiConfiguration api)
    {
        var roles = new RoleBook(api.Roles, LocalAccounts.Read(), UnixPeer.OwnUserId);
        foreach (var unknown in roles.Unknown) AccessLog.UnknownGrantee(_logger, unknown.Path, Printable.Text(unknown.Text));
        return roles;
    }

    private void CheckDirectory()
    {
        var directory = Path.GetDirectoryName(_socket)!;   // the path is absolute
        if (Control.Roles.AdmitsOthers && (File.GetUnixFileMode(directory) & UnixFileMode.OtherExecute) == 0) AccessLog.DirectoryClosed(_logger, directory);
    }

    private void WarnOfTheEnd()
    {
        if (_credentials is null || CertificateLeft is not { } left) return;
        var until = _credentials.Current.ExpiresAt;
        if (left > EndingWithin)
        {
            _warned = null;
            return;
        }
        if (_warned is { } before && _time.GetElapsedTime(before) < WarnPace) return;
        _warned = _time.GetTimestamp();
        if (left <= TimeSpan.Zero) AccessLog.CertificateEnded(_logger, _configuration.Api.Tls.Certificate, Date(until));
        else AccessLog.CertificateEnding(_logger, _configuration.Api.Tls.Certificate, (int)left.TotalDays, Date(until));
    }

    private static string Date(DateTime utc) => utc.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
}
