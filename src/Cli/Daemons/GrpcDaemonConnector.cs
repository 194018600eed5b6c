using Membership.Cli.Errors;

namespace Membership.Cli.Daemons;

/// <summary>Reaches a daemon over its Unix socket.</summary>
internal sealed class GrpcDaemonConnector : IDaemonConnector
{
    /// <inheritdoc/>
    public async Task<IDaemon> ConnectAsync(string socket, CancellationToken cancellationToken)
    {
        await SocketProbe.ConnectAsync(socket, $"user {Environment.UserName}", cancellationToken);
        throw new CliException(ErrorCatalogue.NotOffered, ("detail", "this build of mbr cannot talk gRPC"));
    }
}
