using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Grpc.Net.Client;

namespace Membership.Grpc.Tls;

/// <summary>Channels to a server on another machine, over mutual TLS.</summary>
public static class TlsChannel
{
    /// <summary>A server that takes longer to shake hands is not there.</summary>
    public static readonly TimeSpan HandshakeMax = TimeSpan.FromSeconds(5);

    /// <summary>As everywhere in gRPC.</summary>
    public const int DefaultMaxReceiveBytes = 4 * 1024 * 1024;

    private const int StreamWindowBytes = 1 << 20;

    /// <summary>Makes a channel that connects with its first call. The files are read for each connection, so that certificates rotate without a restart.</summary>
    /// <param name="address"><c>https://host:port</c>; the server's certificate must be for this host.</param>
    /// <param name="files">Who this side is and whom it believes.</param>
    /// <param name="maxReceiveBytes">Bound of one received message.</param>
    public static GrpcChannel Open(Uri address, TlsFiles files, int maxReceiveBytes = DefaultMaxReceiveBytes)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(files);
        if (address.Scheme != Uri.UriSchemeHttps) throw new ArgumentException($"The address {address} does not begin with https://.", nameof(address));
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            EnableMultipleHttp2Connections = true,
            InitialHttp2StreamWindowSize = StreamWindowBytes,
            ConnectCallback = async (context, cancellationToken) =>
                await ConnectAsync(address, files, cancellationToken).ConfigureAwait(false),
        };
        return GrpcChannel.ForAddress(address, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = maxReceiveBytes });
    }

    /// <summary>Connects and shakes hands; the stream speaks HTTP/2.</summary>
    /// <exception cref="AuthenticationException">The server is not who it should be, or speaks something else.</exception>
    /// <exception cref="TlsFileException">The own files cannot be used.</exception>
    /// <exception cref="SocketException">Nobody listens there.</exception>
    public static async Task<SslStream> ConnectAsync(Uri address, TlsFiles files, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(address);
        var identity = TlsIdentity.Load(files);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        SslStream? stream = null;
        try
        {
            await socket.ConnectAsync(address.DnsSafeHost, address.Port, cancellationToken).ConfigureAwait(false);
            HalfOpenConnections.Cut(socket);
            stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
            await ShakeHandsAsync(stream, identity.ClientOptions(address.DnsSafeHost), cancellationToken).ConfigureAwait(false);
            return stream;
        }
        catch
        {
            if (stream is not null) await stream.DisposeAsync().ConfigureAwait(false);
            socket.Dispose();
            throw;
        }
    }

    private static async Task ShakeHandsAsync(SslStream stream, SslClientAuthenticationOptions options, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(HandshakeMax);
        try
        {
            await stream.AuthenticateAsClientAsync(options, limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"the server did not shake hands within {HandshakeMax.TotalSeconds} s");
        }
        if (stream.NegotiatedApplicationProtocol != SslApplicationProtocol.Http2)
            throw new AuthenticationException("the server speaks TLS, but no HTTP/2 (it chose no protocol by ALPN)");
    }
}
