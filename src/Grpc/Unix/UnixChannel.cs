using System.Net.Sockets;
using System.Security;
using Grpc.Net.Client;

namespace Membership.Grpc.Unix;

/// <summary>Channels to a server on this machine, over its Unix socket.</summary>
public static class UnixChannel
{
    /// <summary>The name a request carries as its host; nothing resolves it.</summary>
    private const string HostName = "http://localhost";

    /// <summary>Makes a channel that connects with its first call, and checks who listens before it sends anything.</summary>
    /// <param name="socketPath">The server's socket.</param>
    /// <param name="trustedUsers">User ids beside root and one's own that may be the server.</param>
    /// <param name="maxReceiveBytes">Bound of one received message.</param>
    public static GrpcChannel Open(
        string socketPath, IReadOnlyCollection<uint>? trustedUsers = null, int maxReceiveBytes = DefaultMaxReceiveBytes)
    {
        ArgumentException.ThrowIfNullOrEmpty(socketPath);
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            EnableMultipleHttp2Connections = true,
            InitialHttp2StreamWindowSize = StreamWindowBytes,
            ConnectCallback = async (_, cancellationToken) =>
                await ConnectAsync(socketPath, trustedUsers ?? [], cancellationToken).ConfigureAwait(false),
        };
        return GrpcChannel.ForAddress(
            HostName, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = maxReceiveBytes });
    }

    /// <summary>As everywhere in gRPC.</summary>
    public const int DefaultMaxReceiveBytes = 4 * 1024 * 1024;

    private const int StreamWindowBytes = 1 << 20;

    private static async Task<NetworkStream> ConnectAsync(
        string socketPath, IReadOnlyCollection<uint> trustedUsers, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken).ConfigureAwait(false);
            CheckServer(socketPath, UnixPeer.Of(socket), trustedUsers);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Whoever may write into the directory could put a socket of his own there (SR-23).</summary>
    internal static void CheckServer(string socketPath, UnixPeer? server, IReadOnlyCollection<uint> trustedUsers)
    {
        if (server is not { } peer)
        {
            throw new SecurityException($"The kernel does not say who listens on {socketPath}. Nothing was sent.");
        }
        if (peer.UserId == 0 || peer.UserId == UnixPeer.OwnUserId || trustedUsers.Contains(peer.UserId)) return;
        throw new SecurityException(
            $"User {peer.UserId} (process {peer.ProcessId}) listens on {socketPath}, neither root nor the own user {UnixPeer.OwnUserId}. " +
            "Nothing was sent. If the server is meant to run as that user, name it as trusted.");
    }
}
