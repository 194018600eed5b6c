using System.Globalization;
using Membership.Cli.Errors;
using Membership.Cli.Remote;
using Membership.Grpc.Tls;
using Membership.Grpc.Unix;

namespace Membership.Cli.Daemons;

/// <summary>Reaches a daemon over its Unix socket, or over mutual TLS.</summary>
/// <param name="environment">Reads MBR_DAEMON_UID: the user, beside root and oneself, that the daemon may run as.</param>
internal sealed class GrpcDaemonConnector(Func<string, string?> environment) : IDaemonConnector
{
    /// <summary>Largest answer that is taken, bytes: one message of the largest size and what surrounds it, with room.</summary>
    public const int ReceiveBytesMax = 32 * 1024 * 1024;

    /// <inheritdoc/>
    public async Task<IDaemon> ConnectAsync(string socket, CancellationToken cancellationToken)
    {
        var trusted = TrustedUsers();
        var processId = await SocketProbe.ConnectAsync(
            socket, $"{Environment.UserName} (uid {UnixPeer.OwnUserId.ToString(CultureInfo.InvariantCulture)})", cancellationToken);
        return new GrpcDaemon(UnixChannel.Open(socket, trusted, ReceiveBytesMax), socket, processId);
    }

    /// <inheritdoc/>
    public async Task<IDaemon> ConnectAsync(Uri address, TlsFiles files, CancellationToken cancellationToken)
    {
        await RemoteProbe.CheckAsync(address, files, cancellationToken);
        return new GrpcDaemon(TlsChannel.Open(address, files, ReceiveBytesMax), address.GetLeftPart(UriPartial.Authority), processId: null);
    }

    private uint[] TrustedUsers()
    {
        if (environment("MBR_DAEMON_UID") is not { Length: > 0 } text)
            return [];
        return uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var user)
            ? [user]
            : throw new CliException(ErrorCatalogue.CommandLine,
                ("problem", $"MBR_DAEMON_UID is \"{text}\", not a user number"), ("help", "id -u membershipd for the number"));
    }
}
