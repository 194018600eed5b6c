namespace Membership.Daemon.State;

/// <summary>The state directory of one node: an exclusive lock and the reservations of ring sequences.</summary>
/// <remarks>Format and recovery: docs/operating/state-directory.md. Opening reserves the first block durably.</remarks>
internal sealed class StateDirectory : IReservationStore, IDisposable
{
    /// <summary>Ring sequences reserved at a time.</summary>
    public const ulong BlockSequences = 1024;

    /// <summary>Creates (0700) or opens the directory, takes its lock, reads the newest reservation and reserves the first block.</summary>
    /// <exception cref="StateException">Locked by another daemon or unreadable (exit code 65), or not writable (74). The message names path, cause and remedy.</exception>
    public static StateDirectory Open(string path, bool acceptNewIdentity) => throw new NotImplementedException();

    /// <summary>Highest ring sequence an earlier start may have used: <c>NodeStart.RingSequence</c>.</summary>
    public ulong RingSequence => throw new NotImplementedException();

    /// <summary>Sequences up to this one are durable for this start: <c>NodeStart.ReservedUpTo</c>.</summary>
    public ulong ReservedUpTo => throw new NotImplementedException();

    /// <summary>What the operator should know about how the state was read (an unreadable generation); null when all was well.</summary>
    public string? Warning => throw new NotImplementedException();

    public void Request(ulong upTo, IReservationSink sink) => throw new NotImplementedException();

    /// <summary>Finishes a write under way, ends the persistence thread and releases the lock.</summary>
    public void Dispose() => throw new NotImplementedException();
}
