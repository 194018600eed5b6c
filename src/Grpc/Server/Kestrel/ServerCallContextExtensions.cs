using Grpc.Core;
using Membership.Grpc.Server.Kestrel;
using Membership.Grpc.Unix;

namespace Membership.Grpc.Server;

/// <summary>What this server knows about a call beyond the gRPC API.</summary>
public static class ServerCallContextExtensions
{
    /// <summary>The process at the other end of the Unix socket; null for a call that came over TCP.</summary>
    public static UnixPeer? GetUnixPeer(this ServerCallContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.UserState.TryGetValue(HttpServerCall.UnixPeerKey, out object? peer) ? (UnixPeer)peer : null;
    }
}
