// Only with -p:WithGrpcDotnet=true; see GrpcEndpoints.cs beside this file.
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Membership.Grpc.Server.Connections;
using Membership.Grpc.Unix;

namespace Membership.Grpc.Server;

/// <summary>What this server knows about a call beyond the gRPC API.</summary>
public static class ServerCallContextExtensions
{
    /// <summary>The process at the other end of the Unix socket; null for a call that came over TCP.</summary>
    public static UnixPeer? GetUnixPeer(this ServerCallContext context) => context.GetHttpContext().Features.Get<IUnixPeerFeature>()?.Peer;

    /// <summary>Supplementary groups of that process when it connected; empty for a call that came over TCP.</summary>
    public static IReadOnlyList<uint> GetUnixGroups(this ServerCallContext context) => context.GetHttpContext().Features.Get<IUnixPeerFeature>()?.Groups ?? [];

    /// <summary>The certificate the client proved to own; null for a call without TLS. One object for each connection.</summary>
    public static X509Certificate2? GetClientCertificate(this ServerCallContext context) => context.GetHttpContext().Connection.ClientCertificate;

    /// <summary>Ends a running call, because its caller may no longer make it. The package lets nobody choose the status: the client sees a reset.</summary>
    public static void Revoke(this ServerCallContext context, Status status) => context.GetHttpContext().Abort();
}
