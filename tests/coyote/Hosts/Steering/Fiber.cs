using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Membership.Exploration.Hosts.Steering;

/// <summary>A thread of the product, run a stretch at a time: from where it waits to where it waits next.</summary>
/// <remarks>It has a thread of the machine for itself, because it blocks where it likes; but only one of a world runs at a time.</remarks>
internal sealed class Fiber
{
    private readonly World _world;
    private readonly Worker _worker;
    private readonly Action _body;
    private Func<bool> _isEnabled = static () => true;
    private Func<long> _nextDue = static () => long.MaxValue;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isAbandoned;

    public Fiber(World world, string name, int place, Action body)
    {
        (_world, Name, Place, _body) = (world, name, place, body);
        _worker = Worker.Take();
        _worker.Begin(Start);
    }

    /// <summary>For messages.</summary>
    public string Name { get; }

    /// <summary>Where its steps happen.</summary>
    public int Place { get; }

    /// <summary>The number of its next step, once that was offered.</summary>
    public int? Event { get; set; }

    /// <summary>Completes when it has returned.</summary>
    public Task Ended => _ended.Task;

    /// <summary>It has returned.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>What it threw.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>It can go on.</summary>
    public bool IsEnabled => !HasEnded && _isEnabled();

    /// <summary>It waits for nothing: others may overtake it, that is all.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>When it can go on at the latest, nanoseconds.</summary>
    public long NextDue => HasEnded ? long.MaxValue : _nextDue();

    /// <summary>The calling thread is this one.</summary>
    public bool IsCurrent => _worker.IsCurrent;

    /// <summary>Runs it up to where it waits next. By the world.</summary>
    public void Resume()
    {
        if (!HasEnded) _worker.Resume();
    }

    /// <summary>On its own thread: others may go on.</summary>
    public void Pause()
    {
        IsPaused = true;
        Wait(static () => true, static () => long.MaxValue);
        IsPaused = false;
    }

    /// <summary>On its own thread: waits for a task.</summary>
    public void Await(Task task) => Wait(() => task.IsCompleted, static () => long.MaxValue);

    /// <summary>On its own thread: waits.</summary>
    /// <param name="isEnabled">It can go on.</param>
    /// <param name="nextDue">When it can at the latest, nanoseconds.</param>
    public void Wait(Func<bool> isEnabled, Func<long> nextDue)
    {
        if (_isAbandoned) throw new FiberAbandonedException();
        (_isEnabled, _nextDue) = (isEnabled, nextDue);
        _worker.Yield();
        (_isEnabled, _nextDue) = (static () => true, static () => long.MaxValue);
        if (_isAbandoned) throw new FiberAbandonedException();
    }

    /// <summary>The iteration is over: it ends where it waits.</summary>
    public void Abandon()
    {
        if (_isAbandoned) return;
        _isAbandoned = true;
        while (!HasEnded) _worker.Resume();
        _worker.GiveBack();
    }

    private void Start()
    {
        try
        {
            Seams.World = _world;
            if (!_isAbandoned) _body();
        }
        catch (FiberAbandonedException)
        {
            // As asked for.
        }
        catch (Exception failure)
        {
            Failure = failure;
        }

        HasEnded = true;
        _ended.TrySetResult();
    }

    /// <summary>A thread that runs one fiber after the other.</summary>
    [SuppressMessage("Design", "CA1001", Justification = "Lives as long as the process.")]
    private sealed class Worker
    {
        private static readonly ConcurrentBag<Worker> Idle = [];

        private readonly SemaphoreSlim _resumed = new(0);
        private readonly SemaphoreSlim _yielded = new(0);
        private readonly Thread _thread;
        private Action? _job;

        private Worker()
        {
            _thread = new Thread(Run) { IsBackground = true, Name = "fiber" };
            _thread.Start();
        }

        public bool IsCurrent => Thread.CurrentThread == _thread;

        public static Worker Take() => Idle.TryTake(out var idle) ? idle : new Worker();

        public void Begin(Action job) => _job = job;

        public void Resume()
        {
            _resumed.Release();
            _yielded.Wait();
        }

        public void Yield()
        {
            _yielded.Release();
            _resumed.Wait();
        }

        public void GiveBack() => Idle.Add(this);

        private void Run()
        {
            while (true)
            {
                _resumed.Wait();
                _job!();   // set before it is resumed
                _yielded.Release();
            }
        }
    }
}

/// <summary>Ends a thread of an iteration that is over.</summary>
internal sealed class FiberAbandonedException : Exception;
