using Membership.Quorum;

namespace Membership.Daemon.State;

/// <content>Quorum's record: two generations, written in turn, each with a checksum.</content>
internal sealed partial class StateDirectory
{
    private static readonly string[] QuorumNames = ["quorum.0", "quorum.1"];

    private ulong _quorumGeneration;

    /// <summary>What an earlier start knew of quorum: <c>NodeStart.QuorumRecord</c>; null on a first start.</summary>
    public QuorumRecord? QuorumRecord { get; private set; }

    public void Persist(QuorumRecord record, IReservationSink sink) => _thread.Persist(record, sink);

    private void LoadQuorum(bool acceptNewIdentity)
    {
        QuorumFile? newest = null;
        var unreadable = 0;
        var present = 0;
        foreach (var name in QuorumNames)
        {
            if (ReadFile(name) is not { } bytes) continue;
            present++;
            if (QuorumFile.Decode(bytes) is not { } file) unreadable++;
            else if (newest is null || file.Generation > newest.Generation) newest = file;
        }

        if (newest is not null)
        {
            (QuorumRecord, _quorumGeneration) = (newest.Record, newest.Generation);
            if (unreadable == 0 && (present == QuorumNames.Length || newest.Generation == 1)) return;
            AddWarning($"{_path}: one of {QuorumNames[0]} and {QuorumNames[1]} was missing or unreadable. The other generation is used. If this repeats, check the disk.");
            return;
        }

        if (present == 0) return;
        if (!acceptNewIdentity)
        {
            throw new StateException(ExitCode.BadState, $"{_path}: neither {QuorumNames[0]} nor {QuorumNames[1]} is readable, so what this node agreed to about votes is unknown. "
                + "The daemon does not start, because it could help to form a second quorate side. Fix: restore the directory; or, when its content is lost, start once with "
                + "--accept-new-identity (the files are kept beside as *.unreadable).");
        }

        foreach (var name in QuorumNames)
        {
            if (Posix.RenameAt(_directory, name, _directory, $"{name}.unreadable") != 0 && Posix.Errno != Posix.Enoent) throw Failed("rename", $"{_path}/{name}");
        }

        AddWarning($"{_path}: both files of quorum were unreadable; starting without them on request (--accept-new-identity). They are kept as *.unreadable.");
    }

    private void AddWarning(string warning) => Warning = Warning is null ? warning : $"{Warning} {warning}";

    private byte[]? ReadFile(string name)
    {
        var file = Posix.OpenAt(_directory, name, Posix.ReadOnly | Posix.NoFollow | Posix.CloseOnExec, 0);
        if (file < 0) return Posix.Errno == Posix.Enoent ? null : throw Failed("open", $"{_path}/{name}");
        var bytes = new byte[QuorumFile.BytesMax + 1];
        var length = Posix.Read(file, bytes);
        var errno = Posix.Errno;
        _ = Posix.Close(file);
        return length < 0 ? throw Failed("read", $"{_path}/{name}", errno) : bytes[..length];
    }

    /// <summary>Makes the record durable in both files, so that losing one never loses it.</summary>
    private void WriteQuorum(QuorumRecord record)
    {
        foreach (var _ in QuorumNames)
        {
            var next = new QuorumFile(_quorumGeneration + 1, record);
            WriteSlot(QuorumNames[next.Generation % 2], next.Encode());
            _quorumGeneration = next.Generation;
        }
    }
}
