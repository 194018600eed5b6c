namespace Membership.Daemon.Services;

/// <summary>Something with a number that rises by one.</summary>
internal interface IRevisioned
{
    /// <summary>Counts its kind at this daemon from 1.</summary>
    ulong Revision { get; }
}

/// <summary>The last entries of a kind, by revision. Written by the ring thread, read by anybody.</summary>
internal abstract class History<T>
    where T : class, IRevisioned
{
    /// <summary>Entries kept.</summary>
    public const int Max = 1024;

    private readonly T?[] _entries = new T?[Max];
    private readonly BatchSignal _signal = new();
    private ulong _last;

    /// <summary>Revision of the newest entry; 0 before the first.</summary>
    public ulong LastRevision => Volatile.Read(ref _last);

    /// <summary>Lowest revision still kept; 0 while there is none.</summary>
    public ulong OldestRevision => LastRevision <= Max ? Math.Min(1, LastRevision) : LastRevision - Max + 1;

    /// <summary>The newest entry, or null before the first.</summary>
    public T? Current => Find(LastRevision);

    /// <summary>Wakes whoever waits for an entry. Ring thread, once per batch with entries.</summary>
    public void Publish() => _signal.Raise();

    /// <summary>The entry of a revision, or null when there is none yet or no longer.</summary>
    public T? Find(ulong revision)
    {
        var entry = Volatile.Read(ref _entries[revision % Max]);
        return entry?.Revision == revision ? entry : null;
    }

    /// <summary>Waits until there is a later entry than <paramref name="revision"/>.</summary>
    public async ValueTask WaitAsync(ulong revision, CancellationToken cancellationToken)
    {
        while (LastRevision <= revision)
        {
            var armed = _signal.Arm();
            if (LastRevision > revision) return;
            await armed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Revision of the next entry. Ring thread only.</summary>
    protected ulong NextRevision => _last + 1;

    /// <summary>Adds the entry of <see cref="NextRevision"/>. Ring thread only.</summary>
    protected void Append(T entry)
    {
        Volatile.Write(ref _entries[entry.Revision % Max], entry);
        Volatile.Write(ref _last, entry.Revision);
    }
}
