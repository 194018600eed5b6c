using System.Runtime.InteropServices;
using System.Text;

namespace Membership.Daemon.State;

/// <summary>The file calls whose exact errno, flags and durability matter and which the base library hides: relative opens that follow no link, fsync of directories, flock.</summary>
internal static unsafe partial class Posix
{
    public const int ReadOnly = 0;
    public const int WriteOnly = 1;
    public const int ReadWrite = 2;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int CloseOnExec = 0x80000;

    public const int Enoent = 2;
    public const int Eintr = 4;
    public const int Eexist = 17;
    public const int Ewouldblock = 11;

    public const int LockExclusive = 2;
    public const int LockNonblocking = 4;

    /// <summary>Read and write for the owner alone.</summary>
    public const uint OwnerFile = 0b110_000_000;

    /// <summary>Everything for the owner alone.</summary>
    public const uint OwnerDirectory = 0b111_000_000;

    // These two differ between the architectures of Linux.
    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture is Architecture.Arm64;

    /// <summary>Fail unless it is a directory.</summary>
    public static int Directory => IsArm ? 0x4000 : 0x10000;

    /// <summary>Fail when the last part of the path is a symbolic link.</summary>
    public static int NoFollow => IsArm ? 0x8000 : 0x20000;

    /// <summary>The errno of the last call of this thread.</summary>
    public static int Errno => Marshal.GetLastPInvokeError();

    /// <summary>Name and number of an errno, for messages.</summary>
    public static string Describe(int errno) => $"{Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})";

    /// <summary>Writes all bytes; false leaves the reason in <see cref="Errno"/>.</summary>
    public static bool TryWrite(int descriptor, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            for (var done = 0; done < bytes.Length;)
            {
                var written = Write(descriptor, start + done, (nuint)(bytes.Length - done));
                if (written >= 0) done += (int)written;
                else if (Errno != Eintr) return false;
            }
        }

        return true;
    }

    /// <summary>Reads up to the length of <paramref name="bytes"/>; negative leaves the reason in <see cref="Errno"/>.</summary>
    public static int Read(int descriptor, Span<byte> bytes)
    {
        var done = 0;
        fixed (byte* start = bytes)
        {
            while (done < bytes.Length)
            {
                var read = Read(descriptor, start + done, (nuint)(bytes.Length - done));
                if (read == 0) break;
                if (read > 0) done += (int)read;
                else if (Errno != Eintr) return -1;
            }
        }

        return done;
    }

    /// <summary>Reads what a small file holds as text; empty when it cannot be read.</summary>
    public static string ReadText(int descriptor)
    {
        Span<byte> bytes = stackalloc byte[64];
        var length = Read(descriptor, bytes);
        return length <= 0 ? "" : Encoding.ASCII.GetString(bytes[..length]).Trim();
    }

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int OpenAt(int directory, string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MakeDirectory(string path, uint mode);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int RenameAt(int oldDirectory, string oldPath, int newDirectory, string newPath);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int UnlinkAt(int directory, string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int Lock(int descriptor, int operation);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    public static partial int Truncate(int descriptor, long length);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int descriptor, void* bytes, nuint length);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(int descriptor, void* bytes, nuint length);
}
