using System.Buffers.Binary;
using System.Security.Cryptography;
using Membership.Daemon.State;
using Membership.Daemon.Witness.Rule;
using Membership.Links;
using Membership.Totem;

namespace Membership.Daemon.Witness.Server;

/// <summary>What a witness must know after a restart: of each cluster the newest grant. Two files each, NAME.0 and NAME.1, both written before a grant is told.</summary>
/// <remarks>
/// A file: "MBRWITN1", generation, epoch, ring, hold in milliseconds, members, and the SHA-256 of all that. The newest valid one counts; a cluster of
/// which none is valid is treated as unknown, which costs it one lease of waiting but never two grants.
/// </remarks>
internal sealed class WitnessStore : IDisposable
{
    private const string LockName = "lock";
    private const string TemporaryName = "grant.new";
    private const int HeadBytes = 8 + 8 + 8 + 2 + 8 + 8 + 8 + 2;
    private const int MemberBytes = 10;
    private const int FileBytesMax = HeadBytes + (NodeTable.Max * MemberBytes) + SHA256.HashSizeInBytes;

    private const long HoldMillisecondsMax = 24 * 3600 * 1000;

    private readonly string _path;
    private readonly int _directory;
    private readonly int _lock;
    private readonly Dictionary<string, ulong> _generations = new(StringComparer.Ordinal);

    private WitnessStore(string path, int directory, int lockFile) => (_path, _directory, _lock) = (path, directory, lockFile);

    private static ReadOnlySpan<byte> Magic => "MBRWITN1"u8;

    /// <summary>Creates (0700) or opens the directory and takes its lock.</summary>
    /// <exception cref="StateException">65: another witness uses it. 74: it cannot be used.</exception>
    public static WitnessStore Open(string path)
    {
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        try
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new StateException(ExitCode.InputOutput, $"{path}: the state directory cannot be made: {failed.Message} Name another with --state-dir DIR.");
        }

        var directory = Posix.Open(path, Posix.ReadOnly | Posix.Directory | Posix.CloseOnExec, 0);
        if (directory < 0) throw Failed("open", path);
        var lockFile = Posix.OpenAt(directory, LockName, Posix.ReadWrite | Posix.Create | Posix.NoFollow | Posix.CloseOnExec, Posix.OwnerFile);
        if (lockFile >= 0 && Posix.Lock(lockFile, Posix.LockExclusive | Posix.LockNonblocking) == 0) return new WitnessStore(path, directory, lockFile);
        var errno = Posix.Errno;
        if (lockFile >= 0) _ = Posix.Close(lockFile);
        _ = Posix.Close(directory);
        throw lockFile >= 0 && errno == Posix.Ewouldblock
            ? new StateException(ExitCode.BadState, $"{path}: in use by another witness. This one does not start. Fix: stop the other, or give each its own --state-dir.")
            : Failed("lock", $"{path}/{LockName}", errno);
    }

    /// <summary>The newest grant of a cluster; null when there is none that can be read. <paramref name="warning"/>: what the operator should know, or null.</summary>
    /// <exception cref="StateException">74: the files cannot be read.</exception>
    public GrantRecord? Load(string cluster, out string? warning)
    {
        GrantRecord? newest = null;
        var found = 0;
        var unreadable = "";
        foreach (var name in Names(cluster))
        {
            if (Read(name) is not { } bytes) continue;
            found++;
            if (!TryDecode(bytes, out var generation, out var record)) unreadable = name;
            else if (newest is null || generation > _generations[cluster]) (_generations[cluster], newest) = (generation, record);
        }

        warning = unreadable.Length == 0 ? null
            : newest is null ? $"{_path}: the last grant of cluster {cluster} cannot be read; nobody gets its votes before one whole lease has passed"
            : $"{_path}/{unreadable} cannot be read; the other of {found} files is used. If this repeats, check the disk";
        return newest;
    }

    /// <summary>Makes a grant durable in both files.</summary>
    /// <exception cref="StateException">74: it is not; the grant must not be told.</exception>
    public void Save(string cluster, GrantRecord record)
    {
        var generation = _generations.GetValueOrDefault(cluster) + 1;
        var bytes = Encode(generation, record);
        foreach (var name in Names(cluster)) Write(name, bytes);
        _generations[cluster] = generation;
    }

    /// <summary>Releases the lock.</summary>
    public void Dispose()
    {
        _ = Posix.Close(_lock);
        _ = Posix.Close(_directory);
    }

    /// <summary>The content of a file.</summary>
    public static byte[] Encode(ulong generation, GrantRecord record)
    {
        var length = HeadBytes + (record.Members.Count * MemberBytes);
        var bytes = new byte[length + SHA256.HashSizeInBytes];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), generation);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), record.Epoch);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(24), record.Ring.Representative.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(26), record.Ring.Sequence);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(34), record.Ring.Incarnation);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(42), (long)record.Hold.TotalMilliseconds);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(50), (ushort)record.Members.Count);
        for (var i = 0; i < record.Members.Count; i++)
        {
            var at = bytes.AsSpan(HeadBytes + (i * MemberBytes));
            BinaryPrimitives.WriteUInt16LittleEndian(at, record.Members[i].Node.Value);
            BinaryPrimitives.WriteUInt64LittleEndian(at[2..], record.Members[i].Boot);
        }

        SHA256.HashData(bytes.AsSpan(0, length), bytes.AsSpan(length));
        return bytes;
    }

    /// <summary>Reads the content of a file; false when a single bit of it is not as it was written.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, out ulong generation, out GrantRecord? record)
    {
        (generation, record) = (0, null);
        if (bytes.Length < HeadBytes + SHA256.HashSizeInBytes || !bytes.StartsWith(Magic)) return false;
        var body = bytes[..^SHA256.HashSizeInBytes];
        Span<byte> sum = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(body, sum);
        if (!sum.SequenceEqual(bytes[^SHA256.HashSizeInBytes..])) return false;
        var count = BinaryPrimitives.ReadUInt16LittleEndian(body[50..]);
        var hold = BinaryPrimitives.ReadInt64LittleEndian(body[42..]);
        if (count > NodeTable.Max || body.Length != HeadBytes + (count * MemberBytes) || hold is < 0 or > HoldMillisecondsMax) return false;
        var members = new ViewMember[count];
        for (var i = 0; i < count; i++)
        {
            var at = body[(HeadBytes + (i * MemberBytes))..];
            members[i] = new ViewMember(new NodeId(BinaryPrimitives.ReadUInt16LittleEndian(at)), BinaryPrimitives.ReadUInt64LittleEndian(at[2..]));
        }

        var ring = new RingId(new NodeId(BinaryPrimitives.ReadUInt16LittleEndian(body[24..])), BinaryPrimitives.ReadUInt64LittleEndian(body[26..]), BinaryPrimitives.ReadUInt64LittleEndian(body[34..]));
        generation = BinaryPrimitives.ReadUInt64LittleEndian(body[8..]);
        record = new GrantRecord(BinaryPrimitives.ReadUInt64LittleEndian(body[16..]), ring, members, TimeSpan.FromMilliseconds(hold));
        return true;
    }

    // Names of clusters are letters, digits, dots, dashes and underscores; none of them leads out of the directory or meets lock or grant.new.
    private static string[] Names(string cluster) => [$"cluster-{cluster}.0", $"cluster-{cluster}.1"];

    private byte[]? Read(string name)
    {
        var file = Posix.OpenAt(_directory, name, Posix.ReadOnly | Posix.NoFollow | Posix.CloseOnExec, 0);
        if (file < 0) return Posix.Errno == Posix.Enoent ? null : throw Failed("open", $"{_path}/{name}");
        var bytes = new byte[FileBytesMax + 1];
        var length = Posix.Read(file, bytes);
        var errno = Posix.Errno;
        _ = Posix.Close(file);
        return length < 0 ? throw Failed("read", $"{_path}/{name}", errno) : bytes[..length];
    }

    private void Write(string name, ReadOnlySpan<byte> bytes)
    {
        var temporary = $"{_path}/{TemporaryName}";
        if (Posix.UnlinkAt(_directory, TemporaryName, 0) != 0 && Posix.Errno != Posix.Enoent) throw Failed("remove", temporary);
        var file = Posix.OpenAt(_directory, TemporaryName, Posix.WriteOnly | Posix.Create | Posix.Exclusive | Posix.NoFollow | Posix.CloseOnExec, Posix.OwnerFile);
        if (file < 0) throw Failed("create", temporary);
        var errno = Posix.TryWrite(file, bytes) && Posix.Sync(file) == 0 ? 0 : Posix.Errno;
        if (Posix.Close(file) != 0 && errno == 0) errno = Posix.Errno;
        if (errno != 0) throw Failed("write", temporary, errno);
        if (Posix.RenameAt(_directory, TemporaryName, _directory, name) != 0) throw Failed("rename to", $"{_path}/{name}");
        if (Posix.Sync(_directory) != 0) throw Failed("sync", _path);
    }

    private static StateException Failed(string what, string path) => Failed(what, path, Posix.Errno);

    private static StateException Failed(string what, string path, int errno) =>
        new(ExitCode.InputOutput, $"cannot {what} {path}: {Posix.Describe(errno)}. A grant must be durable before it is told, so the witness does not go on. "
            + "Fix: make room or repair the file system (df, dmesg), and check that its user owns the directory; then start again.");
}
