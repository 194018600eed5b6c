using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Threading.Channels;
using Membership.Daemon.Access;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Daemon.State;
using Membership.Daemon.Telemetry;
using Membership.Daemon.Witness.Client;
using Membership.Grpc.Server;
using Membership.Grpc.Server.Services;
using Membership.Links;
using Membership.Node;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon;

/// <summary>One run of the daemon, from the checked command line to the exit code.</summary>
/// <remarks>Starts in the order configuration, keys, state directory, socket, ring thread, clients; ready is told last. Ends in the reverse order.</remarks>
internal sealed class DaemonProcess : IAsyncDisposable
{
    /// <summary>A leave that takes longer is given up.</summary>
    private static readonly TimeSpan LeaveMax = TimeSpan.FromSeconds(5);

    /// <summary>After it the ring thread is stopped without leaving; when it takes longer it hangs, and the process ends around it.</summary>
    private static readonly TimeSpan RingStopMax = TimeSpan.FromSeconds(1);

    /// <summary>Clients' calls that take longer to end after the ring has been left are cut off: the time a client has to read its last receipts.</summary>
    private static readonly TimeSpan ServerStopMax = TimeSpan.FromSeconds(5);

    private readonly CommandLine _line;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly ClusterConfiguration _configuration;
    private readonly NodeConfiguration _self;
    private readonly string _socket;
    private readonly DeliveryLog _log = new();
    private readonly ViewHistory _views = new();
    private readonly QuorumHistory _verdicts;
    private readonly QuorumChanges _quorumChanges = new();
    private readonly GroupLog _groupLog = new();
    private readonly GroupHub _groupHub;
    private readonly ReceiptTable _receipts;
    private readonly ClientCuts _cuts;
    private readonly NodeStates _states;
    private readonly RingLog _ringLog;
    private readonly ServiceManager _manager;
    private readonly Channel<bool> _hangups = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });   // one reload covers every signal before it
    private readonly CancellationTokenSource _leaving = new();
    private readonly TaskCompletionSource<string> _stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ConfigurationReload? _reload;
    private readonly DaemonCounters _counters = new(TimeProvider.System);
    private readonly WitnessFeed _witnessFeed = new();
    private WitnessClient? _witness;
    private StateDirectory? _state;
    private RingHost? _host;
    private MembershipApi? _membership;
    private GroupApi? _groups;
    private GrpcServer? _server;
    private DaemonTelemetry? _telemetry;
    private ClientAccess? _access;

    private DaemonProcess(CommandLine line, ILoggerFactory loggers, ClusterConfiguration configuration, NodeConfiguration self)
    {
        (_line, _loggers, _configuration, _self) = (line, loggers, configuration, self);
        _logger = loggers.CreateLogger("membershipd");
        _socket = Path.GetFullPath(line.Socket ?? configuration.Api.Socket ?? CommandLine.DefaultSocket);
        _receipts = new ReceiptTable(configuration.Ring.MessageBytesMax);
        _cuts = new ClientCuts(_logger, TimeProvider.System);
        _verdicts = new QuorumHistory(_views);
        _groupHub = new GroupHub(self.Id, _groupLog);
        _states = new NodeStates(configuration.Table, self.Id);
        _ringLog = new RingLog(_logger, self.Name, configuration.Table, TimeProvider.System);
        var notifySocket = Environment.GetEnvironmentVariable("NOTIFY_SOCKET");
        _manager = new ServiceManager(notifySocket, Environment.GetEnvironmentVariable("WATCHDOG_USEC"), (state, why) => Log.NotifyFailed(_logger, state, why, notifySocket ?? ""));
    }

    /// <summary>Runs until a signal or the ring ends it.</summary>
    /// <exception cref="StartException">It cannot start.</exception>
    public static async Task<int> RunAsync(CommandLine line)
    {
        var name = line.Node ?? Dns.GetHostName();
        var result = ConfigurationCheck.Read(line.ConfigFile, name);
        if (result.Configuration is not { } configuration) throw new StartException(ExitCode.Configuration, string.Join('\n', result.Mistakes));
        using var loggers = LogSetup.Create(line.LogFormat ?? LogSetup.Default, line.LogLevel);
        await using var daemon = new DaemonProcess(line, loggers, configuration, configuration.Find(name)!);   // the reader has checked that it is there
        foreach (var warning in result.Warnings) Log.ConfigurationWarning(daemon._logger, warning.ToString());
        return await daemon.RunAsync();
    }

    private async Task<int> RunAsync()
    {
        var logging = _ringLog.RunAsync();
        var stop = _stop;
        using var term = OnSignal(PosixSignal.SIGTERM, () => stop.TrySetResult("SIGTERM"));
        using var interrupt = OnSignal(PosixSignal.SIGINT, () => stop.TrySetResult("SIGINT"));
        using var hangup = OnSignal(PosixSignal.SIGHUP, () => _hangups.Writer.TryWrite(true));
        await StartAsync();
        using var ends = new CancellationTokenSource();
        var keeping = Task.WhenAll(
            StopOnFailure(FeedWatchdogAsync(ends.Token), stop), StopOnFailure(TellViewsAsync(ends.Token), stop), StopOnFailure(ReloadAsync(ends.Token), stop),
            StopOnFailure(_groups!.WatchStallsAsync(ends.Token), stop), StopOnFailure(_cuts.RunAsync(ends.Token), stop), StopOnFailure(_telemetry!.RunAsync(ends.Token), stop), StopOnFailure(_access!.RunAsync(ends.Token), stop),   // all made by StartAsync
            StopOnFailure(_witness?.RunAsync(ends.Token) ?? Task.CompletedTask, stop));

        await Task.WhenAny(stop.Task, Host.Completion);
        var code = await StopAsync(stop.Task.IsCompleted ? await stop.Task : null);
        await ends.CancelAsync();
        await keeping;
        _ringLog.Complete();
        await logging;
        return code;
    }

    // A half-alive daemon is worse than a dead one: the first loop that fails ends the process (exit code 70).
    private static async Task StopOnFailure(Task loop, TaskCompletionSource<string> stop)
    {
        try
        {
            await loop;
        }
        catch (Exception failure)
        {
            stop.TrySetException(failure);
        }
    }

    private int GroupMessageBytesMax => Math.Min(_configuration.Ring.MessageBytesMax, ClusterConfiguration.GroupOptions(_self.Id).MessageBytesMax);

    private RingHost Host => _host ?? throw new InvalidOperationException("not started");

    private async Task StartAsync()
    {
        var keys = ReadKeys(out var mistakes);
        if (keys is null) throw new StartException(ExitCode.Configuration, string.Join('\n', mistakes));
        WitnessSetup.Check(_configuration, _self);
        _state = OpenState();
        _state.WriteFailed = _counters.DiskError;
        if (_state.Warning is { } warning) Log.StateWarning(_logger, _line.StateDirectory, warning);
        _access = ClientAccess.Open(_configuration, _self, _socket, _logger, _counters, TimeProvider.System);

        Span<byte> random = stackalloc byte[20];
        RandomNumberGenerator.Fill(random);
        var boot = new BootId(BitConverter.ToUInt64(random), BitConverter.ToUInt64(random[8..]));
        var seed = BitConverter.ToInt32(random[16..]);
        Log.Starting(_logger, DaemonVersion.Text, _configuration.Cluster, _self.Name, _self.Id.Value, ProtoViews.Boot(boot.Short), _configuration.Timing.Profile, seed, _configuration.File, _configuration.Digest.ToString("x16", null));
        if (_line.AllowFaultInjection) Log.FaultInjectionAllowed(_logger);
        _counters.KeysAre(keys);
        _host = StartRing(keys, boot, seed, _state, out var metrics);
        _witness = WitnessSetup.Create(_configuration, _self, boot, _witnessFeed, _host, _logger);
        _telemetry = await StartTelemetryAsync(_host, boot, metrics);
        _reload = new ConfigurationReload(_host, _configuration, _self.Name, KeysExchanged);
        _reload.KeysAre(keys);
        _server = await StartServerAsync(_host, boot, metrics, _access, _reload);
        _access.Started();

        Log.Ready(_logger, (long)Stopwatch.GetElapsedTime(_started).TotalMilliseconds, _self.Name, _socket);
        if (_telemetry.Page is { } page) Log.PageServed(_logger, page);
        _manager.Ready($"node {_self.Name} of {_configuration.Cluster}: looking for the others");
    }

    private StateDirectory OpenState()
    {
        try
        {
            return StateDirectory.Open(_line.StateDirectory, _line.AcceptNewIdentity);
        }
        catch (StateException unusable)
        {
            throw new StartException(unusable.ExitCode, unusable.Message);
        }
    }

    private RingHost StartRing(IReadOnlyList<ClusterKey> keys, BootId boot, int seed, StateDirectory state, out RingMetrics metrics)
    {
        var options = new RingHostOptions
        {
            Peers = [.. _configuration.Nodes.Select(n => new RingPeer(n.Id, n.Links))],
            Self = _self.Id,
            TripwireRetry = _configuration.Timing.LinkDown,
            AllowFaultInjection = _line.AllowFaultInjection,
            FaultSeed = seed,
        };
        var start = new NodeStart(
            _configuration.LinkOptions(_self.Id, keys), _configuration.TotemOptions(_self.Id), _configuration.QuorumOptions(_self.Id), state.QuorumRecord, ClusterConfiguration.GroupOptions(_self.Id), boot, state.RingSequence, state.ReservedUpTo, seed);
        var observer = new RingObserver(
            _self.Id, boot.Short, new RingRecords(_log, _views, _verdicts, _quorumChanges, _groupHub, _receipts, _states), Happened, _witnessFeed);
        metrics = observer.Metrics;
        try
        {
            var host = RingHost.Start(options, start, new AesGcmSuite(), observer, state);
            observer.Attach(host.Clock);
            return host;
        }
        catch (LinkBindException unbound)
        {
            throw new StartException(ExitCode.InputOutput, unbound.Message);
        }
    }

    private void Happened(RingEvent happened)
    {
        _ringLog.Add(happened);
        Volatile.Read(ref _telemetry)?.Add(happened);
    }

    private Task<DaemonTelemetry> StartTelemetryAsync(RingHost host, BootId boot, RingMetrics metrics)
    {
        var shown = _configuration.Telemetry.Groups;
        var ring = new StatusSource<RingSample>(cancel => host.QueryAsync(view => RingSample.Take(view, _states, _configuration.Table, metrics, shown), cancel), TimeProvider.System);
        var identity = new DaemonIdentity(_configuration, _self, boot, _line.AllowFaultInjection);
        var source = new TelemetrySource(identity, ring, () => ProcessSample.Take(_counters, _configuration.KeyFile, _line.StateDirectory));
        return DaemonTelemetry.StartAsync(identity, source, host.Clock, _line.Page ?? _configuration.Api.Page, _loggers);
    }

    private async Task<GrpcServer> StartServerAsync(RingHost host, BootId boot, RingMetrics metrics, ClientAccess access, ConfigurationReload reload)
    {
        var protoViews = new ProtoViews(_configuration);
        var protoQuorum = new ProtoQuorum(_configuration, protoViews, _witness is { } session ? session.State : null);
        var report = new StatusReport(new DaemonIdentity(_configuration, _self, boot, _line.AllowFaultInjection), protoViews, protoQuorum);
        var status = new StatusSource<RingSnapshot>(cancel => host.QueryAsync(ring => RingSnapshot.Take(ring, _states, metrics, _configuration.Table), cancel), TimeProvider.System);
        _membership = new MembershipApi(host, _log, _views, _verdicts, _receipts, status, report, protoViews, _configuration.Ring.MessageBytesMax, boot.Short, _cuts, _leaving.Token);
        _groups = new GroupApi(
            new GroupServices(_self.Id, boot.Short, host, _groupHub, _groupLog, _receipts, GroupMessageBytesMax, TimeProvider.System, _cuts), _leaving.Token);
        var commands = new AdminCommands(host, _configuration, _quorumChanges, _verdicts, protoQuorum, reload, () => _stop.TrySetResult("an operator's request"), TimeProvider.System);
        _counters.Clients = () => Sum(_membership.Clients, _groups.Clients);
        _counters.CertificateLeft = () => access.CertificateLeft;
        var settings = access.Settings(new GrpcServerOptions { MaxReceiveBytes = 2 * _configuration.Ring.MessageBytesMax + 65536 }, _counters.Calls, _loggers);
        try
        {
            return await GrpcServer.StartAsync(
                settings,
                map =>
                {
                    map.MapGrpcService(_membership);
                    map.MapGrpcService(new QuorumApi(host, _verdicts, protoQuorum, boot.Short));
                    map.MapGrpcService(_groups);
                    map.MapGrpcService(new AdminApi(commands, access.Control.Describe));
                    map.MapGrpcService(new FaultApi(host, _configuration, _line.AllowFaultInjection));
                    map.MapGrpcService(new HealthApi(_telemetry!.Source, TimeProvider.System));   // made before the server
                    map.MapGrpcReflection([.. MethodTable.Services(), global::Grpc.Health.V1.Health.Descriptor]);
                },
                CancellationToken.None);
        }
        catch (Exception unusable) when (unusable is IOException or UnauthorizedAccessException or System.Net.Sockets.SocketException)
        {
            throw new StartException(ExitCode.InputOutput, $"clients cannot be served at {_socket}{(_configuration.Api.Tcp is { } tcp ? $" and {tcp}" : "")}: {unusable.Message} Name another socket with --socket PATH, or correct api.tcp.");
        }
    }

    private void KeysExchanged(IReadOnlyList<ClusterKey> keys)
    {
        _access!.Reload();   // made before clients are served
        TellKeys(keys);
    }

    private void TellKeys(IReadOnlyList<ClusterKey> exchanged)
    {
        _counters.KeysAre(_reload!.Keys);   // it exchanged them
        Log.KeysReloaded(_logger, exchanged.Count, _configuration.KeyFile, exchanged.Single(k => k.Active).Id);
    }

    private static ClientsNow Sum(ClientsNow left, ClientsNow right) =>
        new(left.Connected + right.Connected, left.QueuedBytes + right.QueuedBytes, left.Gone + right.Gone, left.Cut + right.Cut, left.SinceCut);   // told to the same one by both

    /// <summary>Leaves where that is still to be done, then ends the clients' calls.</summary>
    /// <param name="signal">Null: the ring thread has ended by itself.</param>
    private async Task<int> StopAsync(string? signal)
    {
        _manager.Stopping();
        await _leaving.CancelAsync();   // what is taken from here on would be refused anyway
        var from = Stopwatch.GetTimestamp();
        if (signal is not null)
        {
            Log.Leaving(_logger, signal, _self.Name);
            Host.Leave();
            await Task.WhenAny(Host.Completion, Task.Delay(LeaveMax, TimeProvider.System));
            if (Host.Completion.IsCompleted) Log.HasLeft(_logger, _self.Name, (long)Stopwatch.GetElapsedTime(from).TotalMilliseconds);
            else
            {
                Log.LeaveTooSlow(_logger, _self.Name, (long)LeaveMax.TotalMilliseconds);
                await Task.WhenAny(Host.DisposeAsync().AsTask(), Task.Delay(RingStopMax, TimeProvider.System));
            }
        }
        var exit = Host.Completion.IsCompleted ? await Host.Completion : null;
        if (exit is { Code: not 0 }) Log.RingEnded(_logger, _self.Name, exit.Code, exit.Message);
        if (exit is not null)
        {
            _receipts.FailAll(ReceiptTable.Unknown, Host.Clock.Absolute(Host.Clock.Now));
            _log.End();
            _groupHub.End();
        }
        using var limit = new CancellationTokenSource(ServerStopMax);
        await EndStreamsAsync(_membership!, _groups!, limit.Token);   // all made by StartAsync, or it had thrown
        await _server!.StopAsync(limit.Token);
        return exit?.Code ?? ExitCode.Ok;
    }

    // Every message that was taken has its receipt by now; a client that reads them slowly gets its time, because the server would reset its stream.
    private async Task EndStreamsAsync(MembershipApi membership, GroupApi groups, CancellationToken limit)
    {
        try
        {
            await Task.WhenAll(membership.MulticastsEndAsync(), groups.SessionsEndAsync()).WaitAsync(limit);
        }
        catch (OperationCanceledException)
        {
            Log.ReceiptsNotRead(_logger, _self.Name, membership.MulticastCount + groups.SessionCount, (long)ServerStopMax.TotalMilliseconds);
        }
    }

    private async Task FeedWatchdogAsync(CancellationToken cancellationToken)
    {
        if (_manager.WatchdogPace is not { } pace) return;
        var answered = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(pace / 2);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                try
                {
                    await Host.QueryAsync(_ => true, cancellationToken).WaitAsync(pace, cancellationToken);
                    answered = Stopwatch.GetTimestamp();
                    _manager.Alive();
                }
                catch (TimeoutException)
                {
                    Log.RingThreadSilent(_logger, (long)Stopwatch.GetElapsedTime(answered).TotalMilliseconds);
                }
            }
        }
        catch (Exception ends) when (ends is OperationCanceledException or RingStoppedException)
        {
            // The daemon stops.
        }
    }

    private async Task TellViewsAsync(CancellationToken cancellationToken)
    {
        try
        {
            for (ulong revision = 0; ; revision = _views.LastRevision)
            {
                await _views.WaitAsync(revision, cancellationToken);
                if (_views.LastRegular is { } installed)
                    _manager.Status($"node {_self.Name} of {_configuration.Cluster}: view {installed.View.Number} with {installed.View.Members.Count} of {_configuration.Nodes.Count} nodes");
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private IReadOnlyList<ClusterKey>? ReadKeys(out IReadOnlyList<Mistake> mistakes)
    {
        var list = new MistakeList(_configuration.KeyFile);
        var keys = KeyFile.Read(_configuration.KeyFile, list);
        mistakes = list.Mistakes;
        return list.IsEmpty ? keys : null;
    }

    private async Task ReloadAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await _hangups.Reader.WaitToReadAsync(cancellationToken))
            {
                while (_hangups.Reader.TryRead(out _))
                {
                    await ReloadKeysAsync(cancellationToken);
                    _access!.Reload();   // made by StartAsync
                }
            }
        }
        catch (Exception ends) when (ends is OperationCanceledException or RingStoppedException)
        {
            // The daemon stops.
        }
    }

    private async Task ReloadKeysAsync(CancellationToken cancellationToken)
    {
        if (ReadKeys(out var mistakes) is not { } keys)
        {
            foreach (var mistake in mistakes) Log.KeysNotReloaded(_logger, mistake.ToString());
            return;
        }
        try
        {
            await _reload!.ExchangeAsync(keys, cancellationToken);   // made by StartAsync
            TellKeys(keys);
        }
        catch (ArgumentException refused)
        {
            Log.KeysNotReloaded(_logger, refused.Message);
        }
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, Action act) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;   // the daemon ends by itself
        act();
    });

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        if (_telemetry is not null) await _telemetry.DisposeAsync();
        if (_host is not null) await _host.DisposeAsync();
        _state?.Dispose();
        _leaving.Dispose();
        _ringLog.Complete();
    }
}
