namespace Membership.Exploration.Hosts.Steering;

/// <summary>What the steered copy of the product calls in place of the framework where that would go to the thread pool, to a clock or to the system.</summary>
public static class Seams
{
    [ThreadStatic]
    private static World? _world;

    /// <summary>The world this thread works in, if it does.</summary>
    internal static World? WorldOrNone => _world;

    /// <summary>The world this thread works in.</summary>
    internal static World World
    {
        get => _world ?? throw new InvalidOperationException("steered code runs outside a world");
        set => _world = value;
    }

    /// <summary>Of the world.</summary>
    public static TaskScheduler get_Default() => World.Scheduler;

    /// <summary>Of the world.</summary>
    public static TimeProvider get_System() => World.Time;

    /// <summary>Of the world, nanoseconds.</summary>
    public static long GetTimestamp() => World.Time.GetTimestamp();

    /// <summary>Of the world.</summary>
    public static TimeSpan GetElapsedTime(long since) => World.Time.GetElapsedTime(since);

    /// <summary>The priority of the process is left alone.</summary>
    public static bool TrySetNice(int nice) => true;

    /// <summary>Virtual timers are exact.</summary>
    public static void UseExactTimers()
    {
    }

    /// <summary>Another thread may go first here.</summary>
    public static void Point() => _world?.Point();

    /// <summary>Runs as an actor.</summary>
    public static Task Run(Func<Task?> start) => World.Spawn("run", async () => await (start() ?? Task.CompletedTask));

    /// <summary>Runs as an actor.</summary>
    public static Task Run(Action act) => World.Spawn("run", () =>
    {
        act();
        return Task.CompletedTask;
    });

    /// <summary>Callbacks run in a step of their own.</summary>
    public static Task CancelAsync(CancellationTokenSource source) => World.Spawn("cancel", () =>
    {
        source.Cancel();
        return Task.CompletedTask;
    });

    /// <summary>Resumes through the world.</summary>
    public static Task WaitAsync(Task task, CancellationToken cancellationToken) => WaitAsync(task, Timeout.InfiniteTimeSpan, World.Time, cancellationToken);

    /// <summary>Resumes through the world.</summary>
    public static Task WaitAsync(Task task, TimeSpan timeout, TimeProvider time) => WaitAsync(task, timeout, time, CancellationToken.None);

    /// <summary>Resumes through the world.</summary>
    public static Task WaitAsync(Task task, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        if (task.IsCompleted) return task;
        if (cancellationToken.IsCancellationRequested) return Task.FromCanceled(cancellationToken);
        return WaitAsync(AsResult(task), timeout, time, cancellationToken);

        static async Task<bool> AsResult(Task task)
        {
            await task;
            return true;
        }
    }

    /// <summary>Resumes through the world.</summary>
    public static Task<T> WaitAsync<T>(Task<T> task, CancellationToken cancellationToken) => WaitAsync(task, Timeout.InfiniteTimeSpan, World.Time, cancellationToken);

    /// <summary>Resumes through the world.</summary>
    public static Task<T> WaitAsync<T>(Task<T> task, TimeSpan timeout, TimeProvider time) => WaitAsync(task, timeout, time, CancellationToken.None);

    /// <summary>Resumes through the world.</summary>
    public static Task<T> WaitAsync<T>(Task<T> task, TimeSpan timeout, CancellationToken cancellationToken) => WaitAsync(task, timeout, World.Time, cancellationToken);

    /// <summary>Resumes through the world.</summary>
    public static async Task<T> WaitAsync<T>(Task<T> task, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        if (task.IsCompleted) return await task;
        cancellationToken.ThrowIfCancellationRequested();
        var ends = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var cancelled = cancellationToken.UnsafeRegister(static (source, token) => ((TaskCompletionSource)source!).TrySetCanceled(token), ends);
        await using var timer = timeout == Timeout.InfiniteTimeSpan ? null : time.CreateTimer(static source => ((TaskCompletionSource)source!).TrySetException(new TimeoutException()), ends, timeout, Timeout.InfiniteTimeSpan);
        Forward(task, ends);
        await ends.Task;
        return await task;
    }

    /// <summary>Resumes through the world.</summary>
    public static Task<Task> WhenAny(Task first, Task second) => WhenAny([first, second]);

    /// <summary>Resumes through the world.</summary>
    public static Task<Task> WhenAny(ReadOnlySpan<Task> tasks) => WhenAny(tasks.ToArray());

    /// <summary>Resumes through the world.</summary>
    public static async Task<Task> WhenAny(Task[] tasks)
    {
        var ended = Array.Find(tasks, static task => task.IsCompleted);
        if (ended is not null) return ended;
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var task in tasks) Forward(task, first);
        await first.Task;
        return Array.Find(tasks, static task => task.IsCompleted)!;   // one of them completed it
    }

    /// <summary>Resumes through the world.</summary>
    public static Task WhenAll(IEnumerable<Task> tasks) => WhenAll(tasks.ToArray());

    /// <summary>Resumes through the world.</summary>
    public static Task WhenAll(ReadOnlySpan<Task> tasks) => WhenAll(tasks.ToArray());

    /// <summary>Resumes through the world.</summary>
    public static async Task WhenAll(Task[] tasks)
    {
        foreach (var task in tasks)
        {
            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Forward(task, ended);
            await ended.Task;
        }

        await Task.WhenAll(tasks);   // all have ended: it gives their failures together and waits for nobody
    }

    /// <summary>Resumes through the world.</summary>
    public static async Task<Task<T>> WhenAny<T>(Task<T> first, Task<T> second) => (Task<T>)await WhenAny([first, second]);

    /// <summary>Resumes through the world.</summary>
    public static async Task<T[]> WhenAll<T>(IEnumerable<Task<T>> tasks)
    {
        Task<T>[] all = [.. tasks];
        await WhenAll((Task[])all);
        return await Task.WhenAll(all);
    }

    private static async void Forward(Task task, TaskCompletionSource to)
    {
        try
        {
            await task;
        }
        catch (Exception)
        {
            // Whoever waits looks at the task itself.
        }

        to.TrySetResult();
    }
}
