using System.Collections.Concurrent;

namespace Membership.Daemon.Services;

/// <summary>Changes of votes under way, and who waits for them. Any thread.</summary>
internal sealed class QuorumChanges
{
    private readonly ConcurrentDictionary<ulong, TaskCompletionSource<string?>> _waiting = new();
    private ulong _lastTag;

    /// <summary>Expects one more: its tag, and a task that ends with null when it took effect, or with why it did not.</summary>
    public (ulong Tag, Task<string?> Done) Expect()
    {
        var done = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var tag = Interlocked.Increment(ref _lastTag);
        _waiting[tag] = done;
        return (tag, done.Task);
    }

    /// <summary>What became of it is of no interest any more.</summary>
    public void Forget(ulong tag) => _waiting.TryRemove(tag, out _);

    /// <summary>What became of it. Ring thread.</summary>
    public void Done(ulong tag, string? error)
    {
        if (_waiting.TryRemove(tag, out var waiting)) waiting.TrySetResult(error);
    }
}
