using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Membership.Daemon.Configuration;

/// <summary>Who owns a file and who else may read it (reliability requirement: secrets are readable by their owner alone).</summary>
internal static partial class FileOwner
{
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>This process's effective user id.</summary>
    public static uint EffectiveUser => geteuid();

    /// <summary>Null when only root or this user owns the file and nobody else may touch it; otherwise why not, with the command that helps.</summary>
    /// <exception cref="FileNotFoundException">No such file.</exception>
    /// <exception cref="IOException">It cannot be looked at.</exception>
    public static string? WhyUnsafe(string path)
    {
        var mode = File.GetUnixFileMode(path);
        var owner = OwnerOf(path);
        if (owner != 0 && owner != EffectiveUser)
            return string.Create(CultureInfo.InvariantCulture, $"the key file belongs to user {owner}, not to root or to user {EffectiveUser} of the daemon. Run: chown {EffectiveUser} {path}");
        if ((mode & Others) != 0)
            return $"the key file has mode {Convert.ToString((int)mode, 8).PadLeft(4, '0')}, so that others than its owner may use it. Run: chmod 0600 {path}";
        return null;
    }

    /// <summary>The user id of a file's owner.</summary>
    public static uint OwnerOf(string path)
    {
        Span<byte> answer = stackalloc byte[256];   // struct statx has 256 bytes on every architecture
        if (statx(AtCurrentDirectory, path, 0, StatxUid, answer) == 0) return BitConverter.ToUInt32(answer[StatxUidOffset..]);
        var errno = Marshal.GetLastPInvokeError();
        var why = new Win32Exception(errno).Message;
        throw errno == NoEntry ? new FileNotFoundException($"{path}: {why}", path) : new IOException($"{path}: {why}");
    }

    private const int AtCurrentDirectory = -100;
    private const uint StatxUid = 0x8;
    private const int StatxUidOffset = 20;   // mask 4, block size 4, attributes 8, links 4
    private const int NoEntry = 2;

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int directory, string path, int flags, uint mask, Span<byte> answer);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint geteuid();
}
