using Grpc.Core;
using Membership.V1;

namespace Membership.Cli.Demo;

/// <summary>One start of one node: its process, and the three loops that watch it and send through it while it lives.</summary>
internal sealed class NodeRunner : IAsyncDisposable
{
    private static readonly TimeSpan ConnectPace = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan StatusPace = TimeSpan.FromMilliseconds(500);
    private readonly int _node;
    private readonly DemoWorld _world;
    private readonly DaemonProcess _process;
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _work;
    private volatile DemoConnection? _connection;
    private volatile bool _endExpected;

    private NodeRunner(int node, DemoWorld world, DaemonProcess process)
    {
        _node = node;
        _world = world;
        _process = process;
        _work = RunAsync();
    }

    /// <summary>Starts the node's daemon and begins to watch it.</summary>
    public static async Task<NodeRunner> StartAsync(int node, DemoWorld world)
    {
        var process = await DaemonProcess.StartAsync(world.Starter, world.Program, world.Folder, node);
        await world.Events.WriteAsync(new DemoEvent.Started(node, process.Id));
        return new NodeRunner(node, world, process);
    }

    /// <summary>Has the daemon ended?</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>The connection while there is one.</summary>
    public DemoConnection? Connection => _connection;

    /// <summary>SIGKILL.</summary>
    public void Kill()
    {
        _endExpected = true;
        _process.Kill();
    }

    /// <summary>SIGTERM, then SIGKILL after the limit; returns the exit code.</summary>
    public async Task<int> StopAsync(TimeSpan limit)
    {
        _endExpected = true;
        _process.Terminate();
        using var patience = new CancellationTokenSource(limit, _world.Time);
        try
        {
            return await _process.WaitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
            return await _process.WaitAsync(CancellationToken.None);
        }
    }

    /// <summary>Ends the process if it still runs, and waits for the loops.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) Kill();
        await _work;
        _process.Dispose();
        _ended.Dispose();
    }

    private async Task RunAsync()
    {
        var watching = WatchAsync(_ended.Token);
        var code = await _process.WaitAsync(CancellationToken.None);
        await _ended.CancelAsync();
        await watching;
        await _world.Events.WriteAsync(new DemoEvent.Exited(_node, code, _endExpected));
    }

    // Connects as soon as the daemon listens, and again whenever the connection breaks while the process lives.
    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await ServeConnectionAsync(cancellationToken);
            }
            catch (RpcException error) when (!cancellationToken.IsCancellationRequested)
            {
                await _world.Events.WriteAsync(new DemoEvent.StreamEnded(_node, error.Status.Detail), CancellationToken.None);
            }
            catch (Exception ended) when (ended is RpcException or OperationCanceledException)
            {
                await _world.Events.WriteAsync(new DemoEvent.StreamEnded(_node, null), CancellationToken.None);
            }

            await Task.Delay(ConnectPace, _world.Time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // cancelled = ended
        }
    }

    private async Task ServeConnectionAsync(CancellationToken cancellationToken)
    {
        while (!File.Exists(_world.Folder.Socket(_node))) await Task.Delay(ConnectPace, _world.Time, cancellationToken);
        await using var connection = new DemoConnection(_world.Folder.Socket(_node));
        while (!await AnswersAsync(connection, cancellationToken)) await Task.Delay(ConnectPace, _world.Time, cancellationToken);
        await connection.SetFaultsAsync(_world.Faults.Of(_node, _world.Nodes), cancellationToken);
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _connection = connection;
        try
        {
            Task[] loops = [SubscribeAsync(connection, broken.Token), AskStatusAsync(connection, broken.Token), PumpAsync(connection, broken.Token)];
            var first = await Task.WhenAny(loops);
            await broken.CancelAsync();
            await Task.WhenAll(loops).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // the first one tells why
            await first;
        }
        finally
        {
            _connection = null;
        }
    }

    private async Task<bool> AnswersAsync(DemoConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await connection.StatusAsync(cancellationToken);
            await _world.Events.WriteAsync(new DemoEvent.Status(_node, answer), cancellationToken);
            return true;
        }
        catch (RpcException) when (!cancellationToken.IsCancellationRequested)
        {
            return false; // not listening yet: the caller asks again until the process ends
        }
    }

    private async Task SubscribeAsync(DemoConnection connection, CancellationToken cancellationToken)
    {
        using var call = connection.Subscribe(cancellationToken);
        await _world.Events.WriteAsync(new DemoEvent.StreamBegan(_node), cancellationToken);
        while (await call.ResponseStream.MoveNext(cancellationToken))
        {
            await _world.Events.WriteAsync(new DemoEvent.Stream(_node, call.ResponseStream.Current), cancellationToken);
        }

        throw new RpcException(new global::Grpc.Core.Status(StatusCode.Unavailable, "the daemon closed the stream"));
    }

    private async Task AskStatusAsync(DemoConnection connection, CancellationToken cancellationToken)
    {
        while (true)
        {
            GetStatusResponse? answer = null;
            try
            {
                answer = await connection.StatusAsync(cancellationToken);
            }
            catch (RpcException error) when (error.StatusCode == StatusCode.DeadlineExceeded)
            {
                // frozen or overloaded: the picture shows that there was no answer
            }

            await _world.Events.WriteAsync(new DemoEvent.Status(_node, answer), cancellationToken);
            await Task.Delay(StatusPace, _world.Time, cancellationToken);
        }
    }

    private async Task PumpAsync(DemoConnection connection, CancellationToken cancellationToken)
    {
        using var call = connection.Multicast(cancellationToken);
        var receiving = ReceiptsAsync(call.ResponseStream, cancellationToken);
        var pump = new MessagePump(_world.Time, new Random(_world.Seed + _node));
        while (!receiving.IsCompleted)
        {
            if (await pump.NextAsync(_world.PumpRate / _world.Nodes, cancellationToken) is { } request) await call.RequestStream.WriteAsync(request, cancellationToken);
        }

        await receiving;
    }

    private async Task ReceiptsAsync(IAsyncStreamReader<MulticastResponse> responses, CancellationToken cancellationToken)
    {
        while (await responses.MoveNext(cancellationToken))
        {
            var failed = responses.Current.Receipts.Count(receipt => receipt.Failure.Length > 0);
            await _world.Events.WriteAsync(new DemoEvent.Receipts(_node, responses.Current.Receipts.Count - failed, failed), cancellationToken);
        }

        throw new RpcException(new global::Grpc.Core.Status(StatusCode.Unavailable, "the daemon closed the stream of receipts"));
    }
}
