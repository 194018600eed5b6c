namespace Membership.Daemon;

/// <summary>Wakes every waiting task once something was published. Raising it costs a fence while nobody waits.</summary>
/// <remarks>
/// A waiter arms the signal first, then looks at what it waits for, then waits: what is published after the look finds the signal armed.
/// Continuations run on the thread pool, never on the raising thread.
/// </remarks>
internal sealed class BatchSignal
{
    private TaskCompletionSource? _armed;

    /// <summary>A task that ends at the next <see cref="Raise"/>.</summary>
    public Task Arm()
    {
        var armed = Volatile.Read(ref _armed);
        if (armed is not null) return armed.Task;
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return (Interlocked.CompareExchange(ref _armed, mine, null) ?? mine).Task;
    }

    /// <summary>Wakes whoever armed it. What was written before this call is seen by them.</summary>
    public void Raise()
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _armed) is not null) Interlocked.Exchange(ref _armed, null)?.TrySetResult();
    }
}
