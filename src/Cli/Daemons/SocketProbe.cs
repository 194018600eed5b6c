using System.Net.Sockets;
using Membership.Cli.Errors;
using Membership.Grpc.Unix;

namespace Membership.Cli.Daemons;

/// <summary>Connects to a Unix socket once to learn why that is not possible, who is behind it, and whether he speaks HTTP/2 at all.</summary>
internal static class SocketProbe
{
    /// <summary>Longest path the system accepts in a socket address (sun_path less its final zero), bytes.</summary>
    public const int PathBytesMax = 107;

    private const int FrameHeaderBytes = 9;
    private const int FrameTypeAt = 3;
    private const int StreamIdAt = 5;
    private const byte SettingsFrame = 4;

    // The client's connection preface and an empty SETTINGS frame.
    private static readonly byte[] Preface = [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, SettingsFrame, 0, 0, 0, 0, 0];

    /// <summary>Connects and returns the process id behind the socket; throws the error that says what is in the way.</summary>
    public static async Task<int?> ConnectAsync(string path, string user, CancellationToken cancellationToken)
    {
        RefusePath(path);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
        }
        catch (SocketException error)
        {
            throw Translate(error, path, user);
        }
        var peer = UnixPeer.Of(socket)?.ProcessId;
        await GreetAsync(socket, path, cancellationToken);
        return peer;
    }

    // RFC 9113, 3.4: both sides begin with SETTINGS. Asked here, because an HTTP client takes long to give up on a server of another protocol.
    private static async Task GreetAsync(Socket socket, string path, CancellationToken cancellationToken)
    {
        var answer = new byte[FrameHeaderBytes];
        var length = 0;
        try
        {
            await socket.SendAsync(Preface, cancellationToken);
            while (length < answer.Length && await socket.ReceiveAsync(answer.AsMemory(length), cancellationToken) is > 0 and var received)
                length += received;
        }
        catch (SocketException error)
        {
            throw new CliException(ErrorCatalogue.NotADaemon, error, ("socket", path), ("detail", error.Message));
        }
        if (length == answer.Length && answer[FrameTypeAt] == SettingsFrame && answer.AsSpan(StreamIdAt).IndexOfAnyExcept((byte)0) < 0)
            return;
        throw new CliException(ErrorCatalogue.NotADaemon, ("socket", path),
            ("detail", length == 0 ? "it closed the connection at once" : $"it says \"{System.Text.Encoding.Latin1.GetString(answer, 0, length)}\""));
    }

    private static void RefusePath(string path)
    {
        var length = System.Text.Encoding.UTF8.GetByteCount(path);
        if (length > PathBytesMax)
            throw new CliException(ErrorCatalogue.SocketPathTooLong, ("socket", path), ("length", length), ("maximum", PathBytesMax));
        if (Directory.Exists(path))
            throw NotASocket(path, "a folder");
        if (new FileInfo(path) is { Exists: true } file && file.LinkTarget is null && IsRegular(file))
            throw NotASocket(path, "an ordinary file");
    }

    // A socket's length is always zero and it can be neither read nor mapped; Normal is what .NET reports for ordinary files and sockets alike.
    private static bool IsRegular(FileInfo file)
    {
        if (file.Length > 0)
            return true;
        try
        {
            using var opened = file.OpenRead();
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false; // a socket (ENXIO), or a file that may not be read: connecting tells which
        }
    }

    private static CliException NotASocket(string path, string kind) => new(ErrorCatalogue.NotASocket,
        ("socket", path), ("kind", kind), ("default", CommonOptions.DefaultSocket));

    private static CliException Translate(SocketException error, string path, string user) => error.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => new CliException(ErrorCatalogue.ConnectionRefused, error, ("socket", path)),
        SocketError.AccessDenied => new CliException(ErrorCatalogue.SocketDenied, error, ("socket", path), ("user", user)),
        _ when !File.Exists(path) => new CliException(ErrorCatalogue.SocketMissing, error, ("socket", path)),
        _ => new CliException(ErrorCatalogue.ConnectFailed, error, ("socket", path), ("detail", error.Message)),
    };
}
