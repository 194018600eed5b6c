using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Membership.Explorer;

namespace Membership.Exploration.Hosts.Steering;

/// <summary>One iteration of a suite: everything that could go on, in steps of which the exploration picks the next; and time, which moves only when it picks that.</summary>
/// <remarks>
/// A step is one continuation of asynchronous code, one stretch of a thread (see <see cref="Fiber"/>), or one timer. Only one runs at a time, so that an iteration is a
/// function of the picks. What is forgotten shows: when nothing can go on any more and somebody still waits, the iteration has failed.
/// </remarks>
internal sealed class World
{
    /// <summary>An iteration that takes more steps than this does not come to an end.</summary>
    public const int StepsMax = 50_000;

    private const int TimePlace = 0;
    private const string Main = "main";
    private const string End = "all that was begun comes to its end";

    private readonly IExploration _exploration;
    private readonly List<Work> _ready = [];
    private readonly List<Fiber> _fibers = [];
    private readonly HashSet<Fiber> _pumps = [];
    private readonly List<string> _places = ["time"];
    private readonly List<ulong> _placeHashes = [0];
    private readonly List<(string Name, Task Task)> _tasks = [];
    private readonly List<int> _events = [];
    private readonly List<int> _eventPlaces = [];
    private readonly List<Action> _acts = [];
    private readonly List<Func<ulong>> _parts = [];
    private ulong _able;
    private int _lastEvent;
    private int _steps;
    private bool _isExploring = true;
    private Fiber? _running;
    private Fiber? _last;
    private string? _failure;
    private ExceptionDispatchInfo? _interruption;

    public World(IExploration exploration)
    {
        _exploration = exploration;
        Time = new VirtualTime();
        Scheduler = new WorldScheduler(this);
    }

    /// <summary>The only time there is.</summary>
    public VirtualTime Time { get; }

    /// <summary>Runs tasks as actors.</summary>
    public TaskScheduler Scheduler { get; }

    /// <summary>Steps so far.</summary>
    public int Steps => _steps;

    /// <summary>How many times a timer may fire, and time pass for it, although something else could go on. Otherwise time moves when nothing else does.</summary>
    public int EarlyTimers { get; set; }

    /// <summary>How many times a thread may be overtaken before an access to what it shares; otherwise it goes on to where it waits.</summary>
    public int Preemptions { get; set; }

    /// <summary>Every actor has a thread of its own, so that it can be overtaken within a step too. Not for code that holds locks.</summary>
    public bool HasThreads { get; init; }

    /// <summary>Runs a whole iteration: a main task, and what it starts, to their end.</summary>
    public static void Run(IExploration exploration, Func<World, Task> main) => Run(new World(exploration), main);

    /// <summary>Runs a whole iteration in a world made for it.</summary>
    public static void Run(World world, Func<World, Task> main)
    {
        var (context, exploration) = (SynchronizationContext.Current, world._exploration);
        Seams.World = world;
        try
        {
            exploration.Hot(End);
            var all = world.Spawn(Main, () => main(world));
            world.Drive(() => all.IsCompleted && world._ready.Count == 0 && world._pumps.All(static pump => !pump.IsEnabled));
            world.CheckEnded();
            exploration.Cold(End);
        }
        finally
        {
            foreach (var fiber in world._fibers) fiber.Abandon();
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    /// <summary>Folds a part of the state that matters into what is told after each step, together with what can go on: for coverage, not for proof. Without any part nothing is told.</summary>
    public void Shows(Func<ulong> part) => _parts.Add(part);

    /// <summary>Draws a number below <paramref name="exclusiveMax"/>.</summary>
    public int Draw(int exclusiveMax) => exclusiveMax > 1 ? Ask(() => _exploration.NextInteger(exclusiveMax)) : 0;

    /// <summary>Draws one of two.</summary>
    public bool DrawBoolean() => Ask(_exploration.NextBoolean);

    /// <summary>Ends the iteration as failed unless the condition holds.</summary>
    public void Check(bool condition, string message)
    {
        if (condition) return;
        _failure ??= message;
        throw new CheckFailedException(message);
    }

    /// <summary>Starts an actor. Its failure is the iteration's, whoever awaits it; only the main one may not be cancelled.</summary>
    public Task Spawn(string name, Func<Task> body)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var place = NewPlace(name);
        SynchronizationContext context = HasThreads ? StartPump(name, place) : new ActorContext(this, place);
        context.Post(_ => Begin(body, done), null);
        _tasks.Add((name, done.Task));
        return done.Task;

        static async void Begin(Func<Task> body, TaskCompletionSource done)
        {
            try
            {
                await body();
                done.TrySetResult();
            }
            catch (OperationCanceledException cancelled)
            {
                done.TrySetCanceled(cancelled.CancellationToken);
            }
            catch (Exception failure)
            {
                done.TrySetException(failure);
            }
        }
    }

    /// <summary>Starts a thread.</summary>
    public Fiber StartThread(string name, Action body)
    {
        var fiber = new Fiber(this, name, NewPlace(name), body);
        _fibers.Add(fiber);
        return fiber;
    }

    private PumpContext StartPump(string name, int place)
    {
        Fiber fiber = null!;   // set below, before it runs
        var context = new PumpContext();
        fiber = new Fiber(this, name, place, () =>
        {
            SynchronizationContext.SetSynchronizationContext(context);
            while (true)
            {
                fiber.Wait(() => context.Waiting.Count > 0, static () => long.MaxValue);
                var (callback, state) = context.Waiting.Dequeue();
                callback(state);
            }
        });
        _fibers.Add(fiber);
        _pumps.Add(fiber);
        return context;
    }

    /// <summary>Goes on without asking the exploration, always with what has waited longest, until the condition holds: for what is not the suite's subject.</summary>
    public async Task SettleAsync(Func<bool> until, string what)
    {
        _isExploring = false;
        var limit = Time.Now + SettleMax;
        while (!until())
        {
            Check(Time.Now < limit, $"not settled: {what}");
            await Time.Delay(TimeSpan.FromMilliseconds(1));
        }

        _isExploring = true;
    }

    /// <summary>Longest virtual time that settling may take.</summary>
    private static readonly TimeSpan SettleMax = TimeSpan.FromSeconds(60);

    /// <summary>A thread is about to touch what others do.</summary>
    public void Point()
    {
        if (Preemptions > 0 && _running is { } fiber && fiber.IsCurrent) fiber.Pause();
    }

    /// <summary>Lets a continuation run in a step of its own.</summary>
    public void Queue(int place, SendOrPostCallback callback, object? state, SynchronizationContext? context)
    {
        if (!ReferenceEquals(Seams.WorldOrNone, this)) _failure ??= $"{_places[place]} went on outside the world: something slipped to the thread pool";
        _ready.Add(new Work(++_lastEvent, place, callback, state, context));
    }

    // The exploration may end the iteration where it is asked; the code that asks has handlers of its own, so that it is thrown on where the step began.
    private T Ask<T>(Func<T> draw)
    {
        try
        {
            return draw();
        }
        catch (Exception ended)
        {
            _interruption = ExceptionDispatchInfo.Capture(ended);
            throw;
        }
    }

    private int NewPlace(string name)
    {
        _places.Add(name);
        var hash = 0UL;
        foreach (var letter in name) hash = Mixed(hash ^ letter);
        _placeHashes.Add(hash);
        return _places.Count - 1;
    }

    private void Drive(Func<bool> isDone)
    {
        while (!isDone())
        {
            Collect();
            if (_events.Count == 0) Fail($"hangs: nothing can go on, and these still wait: {Waiting()}");
            if (_parts.Count > 0 && _isExploring) _exploration.Observe(Fingerprint());
            if (++_steps > StepsMax) Fail($"does not come to an end: {Waiting()} after {StepsMax} steps");
            var next = _events.Count == 1 || !_isExploring ? 0 : _exploration.PickNext(CollectionsMarshal.AsSpan(_events), CollectionsMarshal.AsSpan(_eventPlaces));
            _acts[next]();
            _interruption?.Throw();
            if (_failure is { } failure) Fail(failure);
        }
    }

    private ulong Fingerprint()
    {
        var hash = _able;
        foreach (var part in _parts) hash = Mixed(hash ^ part());
        return hash;
    }

    // In no order: who has waited longer than another makes no other state.
    private void Collect()
    {
        _able = 0;
        _events.Clear();
        _eventPlaces.Clear();
        _acts.Clear();
        if (_last is { IsEnabled: true } last) Add(Kind.Thread, last.Event ??= ++_lastEvent, last.Place, () => Run(last));   // going on is the first choice, all others overtake it
        if (_last is { IsPaused: true } && Preemptions == 0) return;
        foreach (var fiber in _fibers)
        {
            if (fiber != _last && fiber.IsEnabled) Add(Kind.Thread, fiber.Event ??= ++_lastEvent, fiber.Place, () => Run(fiber));
        }

        foreach (var work in _ready) Add(Kind.Continuation, work.Event, work.Place, () => Run(work));
        foreach (var timer in Time.Due) Add(Kind.Timer, timer.Event ??= ++_lastEvent, TimePlace, timer.Fire);
        var next = NextDue();
        if (next == long.MaxValue) return;
        if (_events.Count == 0) Add(Kind.Time, ++_lastEvent, TimePlace, () => Time.MoveTo(next));
        else if (EarlyTimers > 0 && _isExploring)
        {
            Add(Kind.Time, int.MaxValue, TimePlace, () =>
            {
                EarlyTimers--;
                Time.MoveTo(next);
            });
        }
    }

    private long NextDue()
    {
        var next = Time.NextDue;
        foreach (var fiber in _fibers) next = Math.Min(next, fiber.NextDue);
        return next;
    }

    private void Add(Kind kind, int happening, int place, Action act)
    {
        _able += Mixed(_placeHashes[place] + (ulong)kind);
        _events.Add(happening);
        _eventPlaces.Add(place);
        _acts.Add(act);
    }

    private void Run(Work work)
    {
        Overtake(null);
        _ready.Remove(work);
        SynchronizationContext.SetSynchronizationContext(work.Context);
        work.Callback(work.State);
    }

    private void Overtake(Fiber? by)
    {
        if (_last is { IsPaused: true } && _last != by) Preemptions--;
        _last = by;
    }

    private void Run(Fiber fiber)
    {
        Overtake(fiber);
        fiber.Event = null;
        _running = fiber;
        fiber.Resume();
        _running = null;
        if (fiber.Failure is { } failure) _failure ??= $"{fiber.Name} failed: {failure}";
    }

    private void CheckEnded()
    {
        if (_tasks.Find(task => !task.Task.IsCompleted) is { Name: not null } waiting) Drive(() => _tasks.TrueForAll(task => task.Task.IsCompleted));
        foreach (var (name, task) in _tasks)
        {
            if (task.Exception is { } failure) Fail($"{name} failed: {failure.InnerException}");
            if (name is Main && task.IsCanceled) Fail($"{name} was cancelled: what it was to check was not checked");
        }
    }

    private string Waiting() => string.Join(", ", _tasks.Where(task => !task.Task.IsCompleted).Select(task => task.Name).Concat(_fibers.Where(fiber => !fiber.HasEnded && !_pumps.Contains(fiber)).Select(fiber => fiber.Name)));

    private void Fail(string message)
    {
        _exploration.Assert(false, string.Create(CultureInfo.InvariantCulture, $"{message} (step {_steps}, {Time.Now.TotalMilliseconds} ms)"));
        throw new CheckFailedException(message);   // not reached where the exploration ends the iteration
    }

    private static ulong Mixed(ulong value)
    {
        value *= 0x9E3779B97F4A7C15;
        return (value ^ (value >> 29)) + 1;
    }

    /// <summary>What goes on with a step.</summary>
    private enum Kind
    {
        Continuation,
        Thread,
        Timer,
        Time,
    }

    private sealed record Work(int Event, int Place, SendOrPostCallback Callback, object? State, SynchronizationContext? Context)
    {
        public bool Equals(Work? other) => ReferenceEquals(this, other);

        public override int GetHashCode() => Event;
    }

    /// <summary>Where the code of one actor goes on.</summary>
    private sealed class ActorContext(World world, int place) : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => world.Queue(place, d, state, this);

        public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("nobody waits for another actor within a step");

        public override SynchronizationContext CreateCopy() => this;
    }

    /// <summary>Where the code of one actor goes on that has a thread.</summary>
    private sealed class PumpContext : SynchronizationContext
    {
        public Queue<(SendOrPostCallback Callback, object? State)> Waiting { get; } = new();

        public override void Post(SendOrPostCallback d, object? state) => Waiting.Enqueue((d, state));

        public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("nobody waits for another actor within a step");

        public override SynchronizationContext CreateCopy() => this;
    }

    /// <summary>Runs each task in a step of its own.</summary>
    private sealed class WorldScheduler(World world) : TaskScheduler
    {
        private readonly ActorContext _context = new(world, TimePlace);

        protected override void QueueTask(Task task) => _context.Post(_ => TryExecuteTask(task), null);

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

        protected override IEnumerable<Task> GetScheduledTasks() => [];
    }
}

/// <summary>A check of a suite failed; the iteration is over.</summary>
internal sealed class CheckFailedException(string message) : Exception(message);
