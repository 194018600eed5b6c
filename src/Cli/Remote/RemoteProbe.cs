using System.Net.Sockets;
using System.Security.Authentication;
using Membership.Cli.Errors;
using Membership.Grpc.Tls;

namespace Membership.Cli.Remote;

/// <summary>Connects to a daemon of another machine once, to learn exactly why that is not possible.</summary>
internal static class RemoteProbe
{
    private const int FrameHeaderBytes = 9;

    // RFC 9113, 3.4: the client's preface and an empty SETTINGS frame; the server's SETTINGS follow.
    private static readonly byte[] Preface = [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0];

    /// <summary>True for an address of another machine, as opposed to the path of a socket.</summary>
    public static bool IsRemote(string address) => address.StartsWith("https://", StringComparison.Ordinal);

    /// <summary>The address as one; a usage error when it is none.</summary>
    public static Uri Parse(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri is { Port: > 0, PathAndQuery: "/", UserInfo: "" }
            ? uri
            : throw new CliException(ErrorCatalogue.CommandLine, ("problem", $"{address} is not an address like https://10.0.0.1:7801"), ("help", "mbr status --help"));

    /// <summary>Returns when the daemon has accepted this side's certificate; otherwise throws the error that says what is in the way.</summary>
    public static async Task CheckAsync(Uri address, TlsFiles files, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await TlsChannel.ConnectAsync(address, files, cancellationToken);
            await AnswerAsync(stream, cancellationToken);
        }
        catch (TlsFileException unusable)
        {
            throw new CliException(ErrorCatalogue.TlsFileUnusable, unusable, ("detail", unusable.Message.TrimEnd('.')));
        }
        catch (AuthenticationException untrusted)
        {
            throw new CliException(ErrorCatalogue.ServerUntrusted, untrusted, ("socket", address), ("detail", Innermost(untrusted).TrimEnd('.')));
        }
        catch (SocketException failed)
        {
            throw new CliException(ErrorCatalogue.ConnectFailed, failed, ("socket", address), ("detail", failed.Message));
        }
        catch (IOException broken)
        {
            throw new CliException(ErrorCatalogue.ConnectFailed, broken, ("socket", address), ("detail", Innermost(broken).TrimEnd('.')));   // it ended during the handshake
        }
    }

    // In TLS 1.3 this side is through before the server has looked at its certificate: a refusal comes in place of the first answer.
    private static async Task AnswerAsync(Stream stream, CancellationToken cancellationToken)
    {
        try
        {
            await stream.WriteAsync(Preface, cancellationToken);
            await stream.ReadExactlyAsync(new byte[FrameHeaderBytes], cancellationToken);
        }
        catch (IOException refused)
        {
            throw new CliException(ErrorCatalogue.CertificateRefused, refused, ("detail", Innermost(refused).TrimEnd('.')));
        }
    }

    private static string Innermost(Exception exception)
    {
        while (exception.InnerException is { } inner) exception = inner;
        return exception.Message;
    }
}
