using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Membership.Grpc.Server.Connections;
using Membership.Grpc.Tls;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Membership.Grpc.Server.Tls;

/// <summary>HTTP/2 over mutual TLS on one address: who has no certificate of the authorities does not get past the handshake.</summary>
/// <remarks>
/// The files of <paramref name="credentials"/> are looked at for each handshake. Connections that stand are cut when their certificate ends,
/// or when the authorities that vouched for it are taken away.
/// </remarks>
public sealed class TlsListener(IPEndPoint address, TlsCredentials credentials)
{
    /// <summary>A handshake that takes longer is given up.</summary>
    public static readonly TimeSpan HandshakeMax = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<ConnectionContext, X509Certificate2> _open = new();

    /// <summary>Where it listens; port 0 takes a free one.</summary>
    public IPEndPoint Address { get; } = address;

    /// <summary>Bounds of its connections, those in their handshake included.</summary>
    public ConnectionLimits Limits { get; init; } = new();

    /// <summary>Told of each connection that was refused: from where, and why. It must neither throw nor wait.</summary>
    public Action<string, string>? Refused { get; init; }

    /// <summary>Connections past their handshake.</summary>
    public int Count => _open.Count;

    /// <summary>Looks at the files now, and cuts connections whose certificate nobody vouches for any more.</summary>
    public void Refresh()
    {
        var identity = credentials.Refresh();
        foreach (var (connection, certificate) in _open)
        {
            if (identity.Vouches(certificate)) continue;
            Refused?.Invoke(Remote(connection), $"its certificate ({certificate.Subject}) has ended, or none of the authorities vouches for it any more");
            connection.Abort(new ConnectionAbortedException("The client's certificate is no longer good."));
        }
    }

    internal void Listen(KestrelServerOptions kestrel)
    {
        var gate = new ConnectionGate(Limits);
        kestrel.Listen(Address, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.Use(next => async connection =>
            {
                if (connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket) HalfOpenConnections.Cut(socket);
                var source = (connection.RemoteEndPoint as IPEndPoint)?.Address.ToString() ?? "unknown";
                using var entered = gate.TryEnter(source, out var why);
                if (entered is null) Refused?.Invoke(Remote(connection), why);
                else await next(connection).ConfigureAwait(false);
            });
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = HandshakeMax,
                OnConnection = context => ValueTask.FromResult(credentials.Refresh().ServerOptions(
                    (_, certificate, chain, errors) => Check(context.Connection, certificate, chain, errors))),
            });
            listen.Use(next => connection => ServeAsync(connection, next));
        });
    }

    private async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate is not { } certificate)
        {
            Refused?.Invoke(Remote(connection), "it has no certificate");   // the handshake has seen to it already
            return;
        }
        _open[connection] = certificate;
        try
        {
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            _open.TryRemove(connection, out _);
        }
    }

    private bool Check(ConnectionContext connection, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (errors == SslPolicyErrors.None) return true;
        var why = certificate is null
            ? "it has no certificate"
            : $"its certificate ({certificate.Subject}) is not good: {string.Join("; ", chain?.ChainStatus.Select(status => status.StatusInformation.TrimEnd('.', ' ', '\n')) ?? [errors.ToString()])}";
        Refused?.Invoke(Remote(connection), why);
        return false;
    }

    private static string Remote(ConnectionContext connection) => connection.RemoteEndPoint?.ToString() ?? "unknown";
}
