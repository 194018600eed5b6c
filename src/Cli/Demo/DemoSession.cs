using System.Threading.Channels;
using Grpc.Core;

namespace Membership.Cli.Demo;

/// <summary>A running demo: its nodes, the loop that owns the picture of them, and what can be done to them.</summary>
/// <remarks>The methods that do something are called by one driver at a time: the keys, or the tour.</remarks>
internal sealed class DemoSession : IAsyncDisposable
{
    /// <summary>Messages per second of all nodes together.</summary>
    public const double DefaultPumpRate = 400;

    private const int EventsMax = 16_384;
    private static readonly TimeSpan TickPace = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LeaveLimit = TimeSpan.FromSeconds(5);

    /// <summary>After Ctrl-C the process has two seconds in all: a clean leave may take one of them.</summary>
    private static readonly TimeSpan CleanUpLimit = TimeSpan.FromSeconds(1);

    private readonly DemoWorld _world;
    private readonly ClusterPicture _picture;
    private readonly IDemoOutput _output;
    private readonly Channel<DemoEvent> _events;
    private readonly List<Waiter> _waiters = []; // owned by the loop
    private readonly NodeRunner?[] _runners;     // owned by the driver
    private readonly List<Task> _freezes = [];   // owned by the driver
    private readonly CancellationTokenSource _ended = new();
    private readonly CancellationTokenSource _outputEnded = new();
    private readonly Task _loop;
    private readonly Task _ticks;

    /// <summary>Prepares a demo of stopped nodes; <paramref name="folder"/> is disposed with it.</summary>
    public DemoSession(int nodes, string program, DemoFolder folder, IDemoOutput output, TimeProvider time, int seed)
    {
        _events = Channel.CreateBounded<DemoEvent>(new BoundedChannelOptions(EventsMax) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
        _world = new DemoWorld(nodes, program, folder, new ChildStarter(), _events.Writer, time, seed);
        _picture = new ClusterPicture(nodes, time);
        _output = output;
        _runners = new NodeRunner?[nodes + 1];
        _loop = OwnPictureAsync();
        _ticks = TickAsync(_ended.Token);
    }

    /// <summary>All nodes, ascending.</summary>
    public IReadOnlyList<int> Nodes => [.. Enumerable.Range(1, _world.Nodes)];

    /// <summary>Where logs and sockets are.</summary>
    public DemoFolder Folder => _world.Folder;

    /// <summary>The faults in force.</summary>
    public FaultPlan Faults => _world.Faults;

    /// <summary>Cancelled when nothing can be shown any more; <see cref="OutputError"/> says why.</summary>
    public CancellationToken OutputEnded => _outputEnded.Token;

    /// <summary>What was wrong with the output.</summary>
    public IOException? OutputError { get; private set; }

    /// <summary>Is the node's daemon running?</summary>
    public bool IsRunning(int node) => _runners[node] is { HasExited: false };

    /// <summary>Messages per second of all nodes together; 0 = silence.</summary>
    public void Pump(double rate) => _world.PumpRate = rate;

    /// <summary>Starts the daemons of some nodes.</summary>
    public async Task StartAsync(IEnumerable<int> nodes)
    {
        foreach (var node in nodes)
        {
            if (_runners[node] is { } former) await former.DisposeAsync();
            _runners[node] = await NodeRunner.StartAsync(node, _world);
        }
    }

    /// <summary>Kills a node's daemon with SIGKILL.</summary>
    public async Task KillAsync(int node)
    {
        _runners[node]?.Kill();
        await NoteAsync($"n{node}: SIGKILL");
    }

    /// <summary>Kills the node if it runs, starts it if not.</summary>
    public async Task ToggleAsync(int node)
    {
        if (IsRunning(node)) await KillAsync(node);
        else await StartAsync([node]);
    }

    /// <summary>Puts faults in force on all running nodes, and on those that start later.</summary>
    public async Task SetFaultsAsync(FaultPlan plan, CancellationToken cancellationToken)
    {
        _world.Faults = plan;
        await _events.Writer.WriteAsync(new DemoEvent.Faults(plan), cancellationToken);
        await Task.WhenAll(Nodes.Select(node => TellAsync(node, connection => connection.SetFaultsAsync(plan.Of(node, _world.Nodes), cancellationToken), cancellationToken)));
    }

    /// <summary>Stops a node's ring thread for a while. Does not wait for the node's answer, which may come only when it runs again.</summary>
    public async Task FreezeAsync(int node, TimeSpan duration, CancellationToken cancellationToken)
    {
        await _events.Writer.WriteAsync(new DemoEvent.Frozen(node, duration), cancellationToken);
        _freezes.RemoveAll(freeze => freeze.IsCompleted);
        _freezes.Add(TellAsync(node, connection => connection.FreezeAsync(duration, cancellationToken), cancellationToken));
    }

    /// <summary>Stops all daemons cleanly and returns their exit codes by node.</summary>
    public async Task<IReadOnlyDictionary<int, int>> StopAllAsync() => await StopAllAsync(LeaveLimit);

    /// <summary>Writes a line for the reader.</summary>
    public ValueTask NoteAsync(string text) => _events.Writer.WriteAsync(new DemoEvent.Note(text));

    /// <summary>Waits until the picture fulfils a condition; false when it did not within the limit.</summary>
    public async Task<bool> WaitAsync(Func<ClusterPicture, bool> condition, TimeSpan limit, CancellationToken cancellationToken)
    {
        var waiter = new Waiter(condition);
        await _events.Writer.WriteAsync(new DemoEvent.Waits(waiter), cancellationToken);
        try
        {
            await waiter.Done.Task.WaitAsync(limit, _world.Time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
        finally
        {
            waiter.Done.TrySetCanceled(CancellationToken.None); // whoever stopped waiting is forgotten by the loop
        }
    }

    /// <summary>Reads something from the picture, between two events.</summary>
    public async Task<T> ReadAsync<T>(Func<ClusterPicture, T> read, CancellationToken cancellationToken)
    {
        T result = default!; // set by the condition below before the wait ends
        await WaitAsync(
            picture =>
            {
                result = read(picture);
                return true;
            },
            Timeout.InfiniteTimeSpan,
            cancellationToken);
        return result;
    }

    /// <summary>Ends all daemons (cleanly where they are quick, by SIGKILL otherwise), removes the folder.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAllAsync(CleanUpLimit);
        foreach (var runner in _runners)
        {
            if (runner is not null) await runner.DisposeAsync();
        }

        await NoteAsync(await ReadAsync(DemoText.Summary, CancellationToken.None));
        await Task.WhenAll(_freezes).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // cancelled, or the daemon is gone
        await _ended.CancelAsync();
        await _ticks;
        _events.Writer.Complete();
        await _loop;
        _world.Starter.Dispose();
        _world.Folder.Dispose();
        _ended.Dispose();
        _outputEnded.Dispose();
    }

    private async Task<IReadOnlyDictionary<int, int>> StopAllAsync(TimeSpan limit)
    {
        var running = Nodes.Where(IsRunning).ToList();
        var codes = await Task.WhenAll(running.Select(node => _runners[node]!.StopAsync(limit))); // running ones have a runner
        return running.Zip(codes).ToDictionary(pair => pair.First, pair => pair.Second);
    }

    private async Task TellAsync(int node, Func<DemoConnection, Task> tell, CancellationToken cancellationToken)
    {
        if (_runners[node]?.Connection is not { } connection) return; // told when it connects
        try
        {
            await tell(connection);
        }
        catch (RpcException error) when (!cancellationToken.IsCancellationRequested)
        {
            await NoteAsync($"n{node} could not be told: {error.Status.Detail}");
        }
    }

    private async Task OwnPictureAsync()
    {
        while (await _events.Reader.WaitToReadAsync())
        {
            while (_events.Reader.TryRead(out var what))
            {
                if (what is DemoEvent.Waits waits) _waiters.Add(waits.Waiter);
                else if (_picture.Apply(what) is { } line) Output(output => output.Line(_picture.Elapsed, line));
            }

            _waiters.RemoveAll(waiter => waiter.IsDone(_picture));
            Output(output => output.Show(_picture));
        }
    }

    // When the output is gone the loop goes on, silently: whoever drives the demo ends it, and the daemons with it.
    private void Output(Action<IDemoOutput> write)
    {
        if (OutputError is not null) return;
        try
        {
            write(_output);
        }
        catch (IOException error)
        {
            OutputError = error;
            _outputEnded.Cancel();
        }
    }

    private async Task TickAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(TickPace, _world.Time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // cancelled = ended
            await _events.Writer.WriteAsync(new DemoEvent.Tick(), CancellationToken.None);
        }
    }
}

/// <summary>Someone who waits for the picture to be so.</summary>
internal sealed class Waiter(Func<ClusterPicture, bool> condition)
{
    /// <summary>Completes when the condition held; cancelled when nobody waits any more.</summary>
    public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Looks at the picture; true when this waiter can be forgotten.</summary>
    public bool IsDone(ClusterPicture picture)
    {
        if (Done.Task.IsCompleted) return true;
        try
        {
            return condition(picture) && Done.TrySetResult();
        }
        catch (Exception error)
        {
            return Done.TrySetException(error); // the waiter's own mistake: it, not the loop, must hear of it
        }
    }
}
