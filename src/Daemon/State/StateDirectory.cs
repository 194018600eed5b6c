using System.Globalization;
using System.Text;

namespace Membership.Daemon.State;

/// <summary>The state directory of one node: an exclusive lock, the reservations of ring sequences, and quorum's record.</summary>
/// <remarks>
/// Format and recovery: docs/operating/state-directory.md. Opening reserves the first block durably. Every reservation is written to both
/// files, one after the other, before it is confirmed, so that losing any one file never loses a confirmed number however far a number jumped.
/// </remarks>
internal sealed partial class StateDirectory : IReservationStore, IDisposable
{
    /// <summary>Ring sequences reserved at a time.</summary>
    public const ulong BlockSequences = 1024;

    private const string LockName = "lock";
    private const string TemporaryName = "ring.new";
    private static readonly string[] SlotNames = ["ring.0", "ring.1"];

    private readonly string _path;
    private readonly int _directory;
    private readonly int _lock;
    private readonly PersistenceThread _thread;
    private Reservation _newest;
    private bool _isDisposed;

    private StateDirectory(string path, int directory, int lockFile, bool acceptNewIdentity)
    {
        _path = path;
        _directory = directory;
        _lock = lockFile;
        var loaded = Load(acceptNewIdentity);
        _newest = loaded.Newest;
        RingSequence = loaded.Sequence;
        ReservedUpTo = loaded.Sequence + BlockSequences;
        if (loaded.LostSlot is { } lost && loaded.Newest.Generation > 1) Warning = LostWarning(lost); // a first start that crashed has written one file only
        Write(ReservedUpTo);
        LoadQuorum(acceptNewIdentity);
        _thread = new PersistenceThread(Write, WriteQuorum, () => WriteFailed?.Invoke());
    }

    /// <summary>Highest ring sequence an earlier start may have used: <c>NodeStart.RingSequence</c>.</summary>
    public ulong RingSequence { get; }

    /// <summary>Sequences up to this one are durable for this start: <c>NodeStart.ReservedUpTo</c>.</summary>
    public ulong ReservedUpTo { get; }

    /// <summary>What the operator should know about how the state was read (an unreadable generation); null when all was well.</summary>
    public string? Warning { get; private set; }

    /// <summary>Told of each write that failed, on the persistence thread; it must neither throw nor wait.</summary>
    public Action? WriteFailed { get; set; }

    /// <summary>Creates (0700) or opens the directory, takes its lock, reads the newest reservation and reserves the first block.</summary>
    /// <exception cref="StateException">Locked by another daemon or unreadable (exit code 65), or not writable (74). The message names path, cause and remedy.</exception>
    public static StateDirectory Open(string path, bool acceptNewIdentity)
    {
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        var directory = OpenDirectory(path);
        var lockFile = -1;
        try
        {
            lockFile = TakeLock(path, directory);
            return new StateDirectory(path, directory, lockFile, acceptNewIdentity);
        }
        catch (StateException)
        {
            if (lockFile >= 0) _ = Posix.Close(lockFile);
            _ = Posix.Close(directory);
            throw;
        }
    }

    public void Request(ulong upTo, IReservationSink sink) => _thread.Request(upTo, sink);

    /// <summary>Finishes a write under way, ends the persistence thread and releases the lock.</summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        _thread.Dispose();
        _ = Posix.Close(_lock);
        _ = Posix.Close(_directory);
    }

    private static int OpenDirectory(string path)
    {
        Create(path);
        var directory = Posix.Open(path, Posix.ReadOnly | Posix.Directory | Posix.CloseOnExec, 0);
        if (directory < 0) throw Failed("open the state directory", path);
        if ((File.GetUnixFileMode(path) & UnixFileMode.OtherWrite) == 0) return directory;
        _ = Posix.Close(directory);
        throw new StateException(ExitCode.BadState, $"{path}: everybody may write into the state directory and could set ring sequences back. "
            + $"The daemon does not start. Fix: chmod 700 {path}");
    }

    private static void Create(string path)
    {
        if (Posix.MakeDirectory(path, Posix.OwnerDirectory) == 0 || Posix.Errno == Posix.Eexist) return;
        var errno = Posix.Errno;
        var parent = Path.GetDirectoryName(path);
        if (errno != Posix.Enoent || string.IsNullOrEmpty(parent)) throw Failed("create the state directory", path, errno);
        Create(parent);
        if (Posix.MakeDirectory(path, Posix.OwnerDirectory) != 0 && Posix.Errno != Posix.Eexist) throw Failed("create the state directory", path);
    }

    private static int TakeLock(string path, int directory)
    {
        var file = Posix.OpenAt(directory, LockName, Posix.ReadWrite | Posix.Create | Posix.NoFollow | Posix.CloseOnExec, Posix.OwnerFile);
        if (file < 0) throw Failed("open the lock file", $"{path}/{LockName}");
        if (Posix.Lock(file, Posix.LockExclusive | Posix.LockNonblocking) != 0)
        {
            var errno = Posix.Errno;
            var owner = Posix.ReadText(file);
            _ = Posix.Close(file);
            if (errno != Posix.Ewouldblock) throw Failed("lock", $"{path}/{LockName}", errno);
            throw new StateException(ExitCode.BadState, $"{path}: in use by another membershipd (process {owner}). This one does not start. "
                + "Fix: stop the other, or give each its own --state-dir.");
        }

        var text = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}\n"));
        if (Posix.Truncate(file, 0) == 0 && Posix.TryWrite(file, text)) return file;
        var failure = Failed("write the lock file", $"{path}/{LockName}");
        _ = Posix.Close(file);
        throw failure;
    }

    private LoadedReservation Load(bool acceptNewIdentity)
    {
        if (LoadedReservation.Decide(ReadSlot(0), ReadSlot(1)) is { } loaded) return loaded;
        if (!acceptNewIdentity)
        {
            throw new StateException(ExitCode.BadState, $"{_path}: neither {SlotNames[0]} nor {SlotNames[1]} is readable, so the ring sequences this node has used are unknown. "
                + "The daemon does not start, because it could use one again. Fix: restore the directory; or, when its content is lost, start once with "
                + "--accept-new-identity (the files are kept beside as *.unreadable).");
        }

        foreach (var name in SlotNames)
        {
            if (Posix.RenameAt(_directory, name, _directory, $"{name}.unreadable") != 0 && Posix.Errno != Posix.Enoent) throw Failed("rename", $"{_path}/{name}");
        }

        Warning = $"{_path}: both reservations were unreadable; starting as a new node on request (--accept-new-identity). The old files are kept as *.unreadable.";
        return default;
    }

    private Slot ReadSlot(int index)
    {
        var file = Posix.OpenAt(_directory, SlotNames[index], Posix.ReadOnly | Posix.NoFollow | Posix.CloseOnExec, 0);
        if (file < 0) return Posix.Errno == Posix.Enoent ? new Slot.Missing() : throw Failed("open", $"{_path}/{SlotNames[index]}");
        Span<byte> bytes = stackalloc byte[Reservation.Bytes + 1];
        var length = Posix.Read(file, bytes);
        var errno = Posix.Errno;
        _ = Posix.Close(file);
        if (length < 0) throw Failed("read", $"{_path}/{SlotNames[index]}", errno);
        return Reservation.TryDecode(bytes[..length], out var reservation) ? new Slot.Valid(reservation) : new Slot.Unreadable();
    }

    /// <summary>Makes a number durable in both files. A number below the newest is raised to it: what was reserved stays reserved.</summary>
    private void Write(ulong upTo)
    {
        foreach (var _ in SlotNames)
        {
            var next = new Reservation(_newest.Generation + 1, Math.Max(upTo, _newest.UpTo));
            WriteSlot(SlotNames[next.Generation % 2], next.Encode());
            _newest = next;
        }
    }

    private void WriteSlot(string name, ReadOnlySpan<byte> bytes)
    {
        var temporary = $"{_path}/{TemporaryName}";
        if (Posix.UnlinkAt(_directory, TemporaryName, 0) != 0 && Posix.Errno != Posix.Enoent) throw Failed("remove", temporary);
        var file = Posix.OpenAt(_directory, TemporaryName, Posix.WriteOnly | Posix.Create | Posix.Exclusive | Posix.NoFollow | Posix.CloseOnExec, Posix.OwnerFile);
        if (file < 0) throw Failed("create", temporary);
        var errno = Posix.TryWrite(file, bytes) && Posix.Sync(file) == 0 ? 0 : Posix.Errno;
        if (Posix.Close(file) != 0 && errno == 0) errno = Posix.Errno;
        if (errno != 0)
        {
            _ = Posix.UnlinkAt(_directory, TemporaryName, 0);
            throw Failed("write", temporary, errno);
        }

        if (Posix.RenameAt(_directory, TemporaryName, _directory, name) != 0) throw Failed("rename to", $"{_path}/{name}");
        if (Posix.Sync(_directory) != 0) throw Failed("sync", _path);
    }

    private string LostWarning(int lost) =>
        $"{_path}/{SlotNames[lost]} was missing or unreadable. The other generation is used, and {LoadedReservation.SafetyBlocks * BlockSequences} ring sequences are "
        + "skipped to be safe; both files are whole again. If this repeats, check the disk.";

    private static StateException Failed(string what, string path) => Failed(what, path, Posix.Errno);

    private static StateException Failed(string what, string path, int errno) =>
        new(ExitCode.InputOutput, $"cannot {what} {path}: {Posix.Describe(errno)}. Ring sequences must be durable before they are used, so the node does not go on. "
            + "Fix: make room or repair the file system (df, dmesg), and check that the daemon's user owns the directory; then start again.");
}
