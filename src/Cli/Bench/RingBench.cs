using System.Security.Cryptography;
using Membership.Cli.Commands;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;

namespace Membership.Cli.Bench;

/// <summary>Drives one or several daemons of this machine and measures what the ring delivers.</summary>
internal sealed class RingBench(CommandContext context, BenchOptions options)
{
    /// <summary>How long a ring is left alone before a message that shall find it idle.</summary>
    public static readonly TimeSpan IdleTime = TimeSpan.FromMilliseconds(500);

    /// <summary>Messages each sender sends on the idle ring.</summary>
    public const int IdleMessages = 5;

    private static readonly TimeSpan DrainPoll = TimeSpan.FromMilliseconds(5);

    private readonly uint _run = BitConverter.ToUInt32(RandomNumberGenerator.GetBytes(sizeof(uint)));
    private readonly MeasuredWindow _window = new();
    private readonly List<IDaemon> _daemons = [];
    private readonly List<BenchReceiver> _receivers = [];
    private readonly List<BenchSender> _senders = [];

    /// <summary>Runs the benchmark and returns what was measured.</summary>
    public async Task<BenchReport> RunAsync(CancellationToken cancellationToken)
    {
        using var listening = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] listeners = [];
        try
        {
            foreach (var socket in options.Sockets)
                _daemons.Add(await context.ConnectAsync(socket, cancellationToken));
            for (ushort index = 0; index < _daemons.Count; index++)
                _receivers.Add(new BenchReceiver(_daemons[index], _run, index, _window));
            listeners = [.. _receivers.Select(receiver => receiver.RunAsync(listening.Token))];
            await WithinAsync("waiting for the current view", token => Task.WhenAll(_receivers.Select(static receiver => receiver.Ready)).WaitAsync(token), cancellationToken);
            for (ushort index = 0; index < _daemons.Count && !options.ReceiveOnly; index++)
            {
                _senders.Add(new BenchSender(context, options, _daemons[index], _run, index, cancellationToken));
                _receivers[index].Sender = _senders[index];
            }

            if (options.IdleFirst)
                await MeasureIdleAsync(cancellationToken);
            var costs = await MeasureLoadAsync(listeners, cancellationToken);
            await DrainAsync(listeners, cancellationToken);
            return Report(costs);
        }
        finally
        {
            foreach (var sender in _senders)
                await sender.DisposeAsync();
            await listening.CancelAsync();
            await Task.WhenAll(listeners).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // thrown where it was waited for
            foreach (var daemon in _daemons)
                await daemon.DisposeAsync();
        }
    }

    private async Task MeasureIdleAsync(CancellationToken cancellationToken)
    {
        for (var message = 0; message < IdleMessages; message++)
        {
            foreach (var sender in _senders)
            {
                await Task.Delay(IdleTime, TimeProvider.System, cancellationToken);
                await sender.SendOneAsync(cancellationToken);
            }
        }
    }

    private async Task<IReadOnlyList<DaemonCost>> MeasureLoadAsync(Task[] listeners, CancellationToken cancellationToken)
    {
        using var sending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] senders = [.. _senders.Select(sender => Task.Run(() => sender.RunAsync(sending.Token), CancellationToken.None))];
        try
        {
            await WhileHealthyAsync(options.WarmUp, [.. listeners, .. senders], cancellationToken);
            var before = await CostsAsync(cancellationToken);
            _window.Open();
            await WhileHealthyAsync(options.Measured, [.. listeners, .. senders], cancellationToken);
            _window.Close();
            var after = await CostsAsync(cancellationToken);
            return [.. after.Zip(before, static (late, early) => late.Since(early))];
        }
        finally
        {
            await sending.CancelAsync();
            await Task.WhenAll(senders);
        }
    }

    // Waits for the time to pass; a part that ends before ends the benchmark with its error.
    private static async Task WhileHealthyAsync(TimeSpan time, Task[] parts, CancellationToken cancellationToken)
    {
        var passed = Task.Delay(time, TimeProvider.System, cancellationToken);
        var first = await Task.WhenAny([passed, .. parts]);
        await first;
        await passed;
    }

    private async Task<IReadOnlyList<DaemonCost>> CostsAsync(CancellationToken cancellationToken)
    {
        var costs = new List<DaemonCost>();
        foreach (var daemon in _daemons)
            costs.Add(DaemonCost.Of(daemon.ProcessId, await StatusCommand.ReadAsync(context, daemon, cancellationToken)));
        return costs;
    }

    // Everything this process sent and that did not fail must arrive at every daemon; a reader that was cut off has missed some of it.
    private async Task DrainAsync(Task[] listeners, CancellationToken cancellationToken)
    {
        foreach (var sender in _senders)
            await sender.CompleteAsync(cancellationToken);
        var expected = _senders.Sum(static sender => sender.Sent - sender.Failed);
        await WithinAsync("waiting for the last messages at every daemon", async token =>
        {
            while (_receivers.Any(receiver => receiver.Tally.OwnRun < expected && receiver.Cuts == 0))
            {
                if (Array.Find(listeners, static listener => listener.IsFaulted) is { } failed)
                    await failed;
                await Task.Delay(DrainPoll, TimeProvider.System, token);
            }
        }, cancellationToken);
    }

    private Task<bool> WithinAsync(string doing, Func<CancellationToken, Task> wait, CancellationToken cancellationToken) =>
        context.WithinTimeoutAsync(doing, async token =>
        {
            await wait(token);
            return true;
        }, cancellationToken);

    private BenchReport Report(IReadOnlyList<DaemonCost> costs)
    {
        var (self, other, idle) = (new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram());
        foreach (var receiver in _receivers)
        {
            self.Add(receiver.Tally.Self);
            other.Add(receiver.Tally.Other);
            idle.Add(receiver.Tally.AfterIdle);
        }
        var perDaemon = _receivers.Average(static receiver => (double)receiver.Tally.Delivered);
        if (perDaemon == 0)
            throw new CliException(ErrorCatalogue.NothingMeasured, ("seconds", options.Measured.TotalSeconds));
        return new BenchReport(options, _daemons.Count, _senders.Count)
        {
            DeliveredPerSecond = perDaemon / _window.Seconds,
            MegabytesPerSecond = _receivers.Average(static receiver => (double)receiver.Tally.Bytes) / 1e6 / _window.Seconds,
            Sent = _senders.Sum(static sender => (long)sender.Sent),
            Self = self,
            Other = other,
            AfterIdle = idle,
            CpuMicrosecondsPerMessage = costs.Average(static cost => cost.CpuMicroseconds) / perDaemon,
            PacketsPerMessage = costs.All(static cost => cost.Packets is not null) ? costs.Sum(static cost => cost.Packets) / perDaemon : null,
            ViewChanges = _receivers.Max(static receiver => receiver.ViewChanges),
            Cuts = _receivers.Sum(static receiver => receiver.Cuts),
            Failed = _senders.Sum(static sender => sender.Failed),
            FirstFailure = _senders.Select(static sender => sender.FirstFailure).FirstOrDefault(static reason => reason.Length > 0),
            OrderErrors = _receivers.Sum(static receiver => receiver.Tally.OrderErrors),
            OrderError = _receivers.Select(static receiver => receiver.Tally.OrderError).FirstOrDefault(static error => error is not null),
        };
    }
}
