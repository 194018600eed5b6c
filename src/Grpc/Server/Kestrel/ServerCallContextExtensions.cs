using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Membership.Grpc.Server.Kestrel;
using Membership.Grpc.Unix;

namespace Membership.Grpc.Server;

/// <summary>What this server knows about a call beyond the gRPC API.</summary>
public static class ServerCallContextExtensions
{
    /// <summary>The process at the other end of the Unix socket; null for a call that came over TCP.</summary>
    public static UnixPeer? GetUnixPeer(this ServerCallContext context) =>
        State(context).TryGetValue(HttpServerCall.UnixPeerKey, out object? peer) ? (UnixPeer)peer : null;

    /// <summary>Supplementary groups of that process when it connected; empty for a call that came over TCP.</summary>
    public static IReadOnlyList<uint> GetUnixGroups(this ServerCallContext context) =>
        State(context).TryGetValue(HttpServerCall.UnixGroupsKey, out object? groups) ? (IReadOnlyList<uint>)groups : [];

    /// <summary>The certificate the client proved to own; null for a call without TLS. One object for each connection.</summary>
    public static X509Certificate2? GetClientCertificate(this ServerCallContext context) =>
        State(context).TryGetValue(HttpServerCall.CertificateKey, out object? certificate) ? (X509Certificate2)certificate : null;

    /// <summary>Ends a running call with a status, because its caller may no longer make it.</summary>
    public static void Revoke(this ServerCallContext context, Status status)
    {
        if (context is HttpServerCall call) call.Revoke(status);
    }

    private static IDictionary<object, object> State(ServerCallContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.UserState;
    }
}
