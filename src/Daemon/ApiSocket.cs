using System.Net.Sockets;
using Membership.Daemon.Configuration;
using Membership.Grpc.Unix;

namespace Membership.Daemon;

/// <summary>The place of the Unix socket: its directory is made for owner and group only, and a live server's socket is never taken away.</summary>
internal static class ApiSocket
{
    /// <summary>Of a directory that the daemon makes: others than owner and group do not even reach the socket, unless api.roles names some.</summary>
    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;

    private const UnixFileMode SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    /// <summary>Of the socket. Roles decide who may do what; where some name other users than root and the daemon's, those must be able to connect.</summary>
    public static UnixFileMode Mode(bool admitsOthers) => admitsOthers ? SocketMode | UnixFileMode.OtherRead | UnixFileMode.OtherWrite : SocketMode;

    /// <summary>Makes the directory and removes what a daemon that was killed left behind.</summary>
    /// <exception cref="StartException">74: the path cannot be used, or somebody answers there.</exception>
    public static void Prepare(string path, bool admitsOthers)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(path) > ConfigurationReader.SocketPathBytesMax)
            throw new StartException(ExitCode.Usage, $"{path}: longer than {ConfigurationReader.SocketPathBytesMax} bytes, the limit of the system for a Unix socket. Choose a shorter path with --socket.");
        try
        {
            var directory = Path.GetDirectoryName(path)!;   // the path is absolute
            if (!Directory.Exists(directory)) Directory.CreateDirectory(directory, admitsOthers ? DirectoryMode | UnixFileMode.OtherExecute : DirectoryMode);
            CheckWriters(directory);
            RemoveStale(path);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new StartException(ExitCode.InputOutput, $"{path}: the socket's directory cannot be used: {failed.Message} Name another place with --socket PATH, or create it for user {UnixPeer.OwnUserId}.");
        }
    }

    // In a directory that anybody may write to without the sticky bit, anybody could put a socket of his own in place of ours.
    private static void CheckWriters(string directory)
    {
        var mode = File.GetUnixFileMode(directory);
        if ((mode & UnixFileMode.OtherWrite) != 0 && (mode & UnixFileMode.StickyBit) == 0)
            throw new StartException(ExitCode.InputOutput, $"{directory}: everybody may replace files in the socket's directory. Run: chmod o-w {directory}");
    }

    private static void RemoveStale(string path)
    {
        if (!Path.Exists(path)) return;
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException refused) when (refused.SocketErrorCode == SocketError.ConnectionRefused)
        {
            if (new FileInfo(path).Length > 0 || File.ResolveLinkTarget(path, false) is not null)
                throw new StartException(ExitCode.InputOutput, $"{path}: is a file, not a socket; it was left alone. Name another place with --socket PATH.");
            File.Delete(path);
            return;
        }
        catch (SocketException failed)
        {
            throw new StartException(ExitCode.InputOutput, $"{path}: cannot find out whether a daemon answers there: {failed.Message} Name another place with --socket PATH.");
        }
        throw new StartException(ExitCode.InputOutput, $"{path}: another daemon answers there. Stop it, or give this one another place with --socket PATH.");
    }
}
