using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Membership.Grpc.Server.Connections;
using Membership.Grpc.Unix;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Membership.Grpc.Server;

/// <summary>Kestrel as a gRPC server: what it listens on, and its limits.</summary>
public static class GrpcListeners
{
    private const int StreamWindowBytes = 1 << 20;
    private const int ConnectionWindowBytes = 4 << 20;

    /// <summary>Calls of one connection at the same time; the next one waits at the client.</summary>
    private const int MaxCallsPerConnection = 1000;

    /// <summary>Header fields of one request; Kestrel refuses more, so that each call may be answered below it (<see cref="GrpcServerOptions.MaxHeaderBytes"/>).</summary>
    private const int HeaderBytesMax = 1 << 20;
    private const int HeaderCountMax = 4096;

    /// <summary>A request whose headers take longer ends its connection.</summary>
    private static readonly TimeSpan HeadersMax = TimeSpan.FromSeconds(5);

    /// <summary>Sets the limits gRPC needs: silent and endless streams are ordinary.</summary>
    public static void ConfigureForGrpc(this KestrelServerOptions kestrel)
    {
        ArgumentNullException.ThrowIfNull(kestrel);
        kestrel.AddServerHeader = false;
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MaxRequestHeadersTotalSize = HeaderBytesMax;
        kestrel.Limits.MaxRequestHeaderCount = HeaderCountMax;
        kestrel.Limits.Http2.MaxRequestHeaderFieldSize = HeaderBytesMax;   // one field beyond it ends the connection, and with it every other call there
        kestrel.Limits.RequestHeadersTimeout = HeadersMax;
        kestrel.Limits.Http2.InitialStreamWindowSize = StreamWindowBytes;
        kestrel.Limits.Http2.InitialConnectionWindowSize = ConnectionWindowBytes;
        kestrel.Limits.Http2.MaxStreamsPerConnection = MaxCallsPerConnection;
    }

    /// <summary>HTTP/2 on a Unix socket; each connection knows its peer. The file gets its mode before anyone can connect.</summary>
    public static void ListenGrpcUnix(this KestrelServerOptions kestrel, string path, ConnectionLimits limits, Action<string, string>? refused)
    {
        var gate = new ConnectionGate(limits);
        kestrel.ListenUnixSocket(path, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.Use(next => async connection =>
            {
                var source = "unknown";
                if (connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket && UnixPeer.Of(socket) is { } peer)
                {
                    connection.Features.Set<IUnixPeerFeature>(new UnixPeerFeature(peer, UnixPeer.GroupsOf(socket)));
                    source = string.Create(CultureInfo.InvariantCulture, $"user {peer.UserId}");
                }
                using var entered = gate.TryEnter(source, out var why);
                if (entered is null) refused?.Invoke(source, why);
                else await next(connection).ConfigureAwait(false);
            });
        });
    }

    /// <summary>HTTP/2 without TLS on an address.</summary>
    public static void ListenGrpcTcp(this KestrelServerOptions kestrel, IPEndPoint address) =>
        kestrel.Listen(address, listen => listen.Protocols = HttpProtocols.Http2);

    /// <summary>Binds Unix sockets itself: removes what a dead server left, and sets the mode before the first connection is possible.</summary>
    public static void ConfigureUnixSockets(this SocketTransportOptions transport, UnixFileMode mode)
    {
        ArgumentNullException.ThrowIfNull(transport);
        transport.CreateBoundListenSocket = endPoint => endPoint is UnixDomainSocketEndPoint unix
            ? BindUnix(unix, mode)
            : SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
    }

    private static Socket BindUnix(UnixDomainSocketEndPoint endPoint, UnixFileMode mode)
    {
        string path = endPoint.ToString();
        RemoveStale(endPoint, path);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(endPoint);
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, mode);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static void RemoveStale(UnixDomainSocketEndPoint endPoint, string path)
    {
        if (!File.Exists(path)) return;
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(endPoint);
        }
        catch (SocketException refused) when (refused.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return;
        }
        throw new IOException($"Another server listens on {path}. Stop it, or give this one another socket.");
    }
}
