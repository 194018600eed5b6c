using System.Globalization;
using System.Runtime.InteropServices;
using Membership.Daemon.Ring;
using Membership.Daemon.State;
using Membership.Grpc.Server;
using Membership.Grpc.Server.Tls;
using Membership.Grpc.Tls;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Witness.Server;

/// <summary>One run of <c>membershipd --witness</c>.</summary>
internal static class WitnessProcess
{
    /// <summary>How often certificates of open connections are looked at again.</summary>
    private static readonly TimeSpan CertificatePace = TimeSpan.FromMinutes(1);

    /// <summary>Sessions that take longer to end are cut off.</summary>
    private static readonly TimeSpan StopMax = TimeSpan.FromSeconds(2);

    /// <summary>Checks the configuration and the files it names; 0, or 78 with all mistakes.</summary>
    /// <exception cref="StartException">78.</exception>
    public static int Check(CommandLine line, TextWriter output)
    {
        var configuration = WitnessServerConfiguration.ReadFile(line.ConfigFile);
        _ = Load(configuration);
        output.WriteLine($"{line.ConfigFile}: good: witness at {configuration.Listen} for {Served(configuration)}");
        return ExitCode.Ok;
    }

    /// <summary>Runs until a signal or a failure ends it; returns the exit code.</summary>
    /// <exception cref="StartException">It cannot start.</exception>
    public static async Task<int> RunAsync(CommandLine line)
    {
        var configuration = WitnessServerConfiguration.ReadFile(line.ConfigFile);
        using var loggers = LogSetup.Create(line.LogFormat ?? LogSetup.Default, line.LogLevel);
        var logger = loggers.CreateLogger("witness");
        var credentials = Load(configuration);
        credentials.Changed += identity => WitnessLog.CertificatesReloaded(logger, identity.ExpiresAt.ToString("u", CultureInfo.InvariantCulture));
        credentials.Refused += unusable => WitnessLog.CertificatesNotReloaded(logger, unusable.Message);
        using var store = OpenStore(line.StateDirectory);
        var loop = new WitnessLoop(store, new MonotonicClock(), logger);
        var refusals = new RefusalLog(logger);
        var listener = new TlsListener(configuration.Listen, credentials) { Refused = refusals.Add };

        var stop = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var term = OnSignal(PosixSignal.SIGTERM, () => stop.TrySetResult("SIGTERM"));
        using var interrupt = OnSignal(PosixSignal.SIGINT, () => stop.TrySetResult("SIGINT"));
        using var hangup = OnSignal(PosixSignal.SIGHUP, listener.Refresh);
        using var ends = new CancellationTokenSource();
        var running = loop.RunAsync(ends.Token);
        var looking = LookAtCertificatesAsync(listener, ends.Token);
        await using var server = await StartServerAsync(configuration, listener, loop, loggers, refusals);
        WitnessLog.Ready(logger, DaemonVersion.Text, string.Join(", ", server.Addresses), Served(configuration), Path.GetFullPath(line.StateDirectory));
        new ServiceManager(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"), null, (_, why) => WitnessLog.NotifyFailed(logger, why))
            .Ready($"witness for {Served(configuration)}");

        await Task.WhenAny(stop.Task, running, looking);
        var code = await StopAsync(server, stop, running, logger);
        await ends.CancelAsync();
        await Task.WhenAll(code == ExitCode.Ok ? running : Task.CompletedTask, looking); // a loop that failed has been told already
        return code;
    }

    private static async Task<int> StopAsync(GrpcServer server, TaskCompletionSource<string> stop, Task running, ILogger logger)
    {
        var failure = running.Exception?.InnerException;
        var code = failure is StateException state ? state.ExitCode : failure is not null ? ExitCode.Internal : ExitCode.Ok;
        if (failure is not null) WitnessLog.Failed(logger, code, failure is StateException ? failure.Message : failure.ToString());
        else if (stop.Task.IsCompleted) WitnessLog.Stops(logger, await stop.Task);
        using var limit = new CancellationTokenSource(StopMax);
        await server.StopAsync(limit.Token);
        return code;
    }

    private static async Task<GrpcServer> StartServerAsync(WitnessServerConfiguration configuration, TlsListener listener, WitnessLoop loop, ILoggerFactory loggers, RefusalLog refusals)
    {
        var settings = new GrpcServerSettings
        {
            Tls = listener,
            LoggerFactory = loggers,
            Options = new GrpcServerOptions { MaxReceiveBytes = WitnessCodec.MessageBytesMax },
        };
        try
        {
            return await GrpcServer.StartAsync(settings, map => map.MapGrpcService(new WitnessApi(configuration, loop, refusals)), CancellationToken.None);
        }
        catch (Exception unusable) when (unusable is IOException or UnauthorizedAccessException or System.Net.Sockets.SocketException)
        {
            throw new StartException(ExitCode.InputOutput, $"{configuration.Listen}: the witness cannot listen there: {unusable.Message} Correct listen in its configuration, or see what uses the port: ss -ltnp");
        }
    }

    private static async Task LookAtCertificatesAsync(TlsListener listener, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(CertificatePace);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken)) listener.Refresh();
        }
        catch (OperationCanceledException)
        {
            // The witness stops.
        }
    }

    private static TlsCredentials Load(WitnessServerConfiguration configuration)
    {
        try
        {
            return TlsCredentials.Load(configuration.Tls);
        }
        catch (TlsFileException unusable)
        {
            throw new StartException(ExitCode.Configuration, unusable.Message);
        }
    }

    private static WitnessStore OpenStore(string path)
    {
        try
        {
            return WitnessStore.Open(path);
        }
        catch (StateException unusable)
        {
            throw new StartException(unusable.ExitCode, unusable.Message);
        }
    }

    private static string Served(WitnessServerConfiguration configuration) =>
        configuration.Clusters is null ? "any cluster" : $"clusters {string.Join(", ", configuration.Clusters.Select(cluster => cluster.Name))}";

    private static PosixSignalRegistration OnSignal(PosixSignal signal, Action act) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true; // the process ends by itself
        act();
    });
}
