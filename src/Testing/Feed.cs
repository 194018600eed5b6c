namespace Membership.Testing;

/// <summary>Records that count from one, and a signal for whoever waits for the next. Written under the world's lock, read by anybody.</summary>
internal sealed class Feed<T>
{
    private readonly Lock _gate = new();
    private readonly List<T> _records = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public T? Last
    {
        get
        {
            lock (_gate) return _records.LastOrDefault();
        }
    }

    public void Add(Func<ulong, T> make)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            _records.Add(make((ulong)_records.Count + 1));
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        changed.TrySetResult();
    }

    /// <summary>Gives the records after a revision, from the last one on when it is 0 or belongs to another life, until cancelled.</summary>
    /// <param name="afterRevision">What was asked for.</param>
    /// <param name="requestBoot">The life it was counted in, as asked for; empty: this one.</param>
    /// <param name="boot">This life.</param>
    /// <param name="give">Takes one record; the next comes when it is through.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task FollowAsync(ulong afterRevision, string requestBoot, string boot, Func<T, Task> give, CancellationToken cancellationToken)
    {
        bool isOfThisLife = requestBoot.Length == 0 || requestBoot == boot;
        int next = afterRevision > 0 && isOfThisLife ? (int)afterRevision : -1;
        while (true)
        {
            List<T> fresh;
            Task changed;
            lock (_gate)
            {
                if (next < 0) next = Math.Max(_records.Count - 1, 0);
                fresh = _records[Math.Min(next, _records.Count)..];
                next = _records.Count;
                changed = _changed.Task;
            }
            foreach (var record in fresh) await give(record).ConfigureAwait(false);
            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
