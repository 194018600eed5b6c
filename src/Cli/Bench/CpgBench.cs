using System.Security.Cryptography;
using Membership.Cli.Commands;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;

namespace Membership.Cli.Bench;

/// <summary>One member of a process group, as corosync's cpgbench: attaches to the local daemon, sends, and measures what the group delivers.</summary>
internal sealed class CpgBench(CommandContext context, BenchOptions options, string group)
{
    private readonly MeasuredWindow _window = new();

    /// <summary>Runs the benchmark and returns what was measured.</summary>
    public async Task<BenchReport> RunAsync(CancellationToken cancellationToken)
    {
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var daemon = await context.ConnectAsync(cancellationToken);
        var run = BitConverter.ToUInt32(RandomNumberGenerator.GetBytes(sizeof(uint)));
        await using var client = new CpgClient(options, daemon, group, run, _window, reading.Token);
        var reader = client.RunAsync(reading.Token);
        try
        {
            await WithinAsync("waiting for the group's members", token => client.GroupComplete.WaitAsync(token), cancellationToken);
            var members = client.Members;
            await using var stalled = new StalledMembers(context, group);
            var (cost, growth) = await MeasureAsync(daemon, client, reader, stalled, cancellationToken);
            if (!options.ReceiveOnly)
                await WithinAsync("waiting for the last own messages", async token => await await Task.WhenAny(client.DrainAsync(token), reader), cancellationToken);
            return Report(client, members, cost) with { DaemonGrowthBytes = growth };
        }
        finally
        {
            await reading.CancelAsync();
            await reader.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // thrown where it was waited for
        }
    }

    private async Task<(DaemonCost Cost, long? Growth)> MeasureAsync(IDaemon daemon, CpgClient client, Task reader, StalledMembers stalled, CancellationToken cancellationToken)
    {
        using var sending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var load = options.ReceiveOnly ? Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, sending.Token) : Task.Run(() => client.LoadAsync(sending.Token, cancellationToken), CancellationToken.None);
        try
        {
            var growth = DaemonMemory.GrowthAsync(daemon.ProcessId, sending.Token);
            await stalled.JoinAsync(options.Stalled, cancellationToken);
            await WhileHealthyAsync(options.WarmUp, [reader, load], cancellationToken);
            var before = await CostAsync(daemon, cancellationToken);
            _window.Open();
            await WhileHealthyAsync(options.Measured, [reader, load], cancellationToken);
            _window.Close();
            var cost = (await CostAsync(daemon, cancellationToken)).Since(before);
            await sending.CancelAsync();
            return (cost, await growth);
        }
        finally
        {
            await sending.CancelAsync();
            await load.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // thrown by WhileHealthyAsync
        }
    }

    // Waits for the time to pass; a part that ends before ends the benchmark with its error.
    private static async Task WhileHealthyAsync(TimeSpan time, Task[] parts, CancellationToken cancellationToken)
    {
        var passed = Task.Delay(time, TimeProvider.System, cancellationToken);
        await await Task.WhenAny([passed, .. parts]);
        await passed;
    }

    private async Task<DaemonCost> CostAsync(IDaemon daemon, CancellationToken cancellationToken) =>
        DaemonCost.Of(daemon.ProcessId, await StatusCommand.ReadAsync(context, daemon, cancellationToken));

    private Task<bool> WithinAsync(string doing, Func<CancellationToken, Task> wait, CancellationToken cancellationToken) =>
        context.WithinTimeoutAsync(doing, async token =>
        {
            await wait(token);
            return true;
        }, cancellationToken);

    private BenchReport Report(CpgClient client, int members, DaemonCost cost)
    {
        var tally = client.Tally;
        if (tally.Delivered == 0)
            throw new CliException(ErrorCatalogue.NothingMeasured, ("seconds", options.Measured.TotalSeconds));
        return new BenchReport(options, 1, options.ReceiveOnly ? 0 : 1)
        {
            Group = group,
            Members = members,
            DeliveredPerSecond = tally.Delivered / _window.Seconds,
            MegabytesPerSecond = tally.Bytes / 1e6 / _window.Seconds,
            Sent = client.Sent,
            Self = tally.Self,
            Other = tally.Other,
            AfterIdle = tally.AfterIdle,
            CpuMicrosecondsPerMessage = cost.CpuMicroseconds / tally.Delivered,
            PacketsPerMessage = (double?)cost.Packets / tally.Delivered,
            ViewChanges = client.ViewChanges,
            Cuts = 0,
            Failed = client.Failed,
            FirstFailure = client.FirstFailure,
            OrderErrors = tally.OrderErrors,
            OrderError = tally.OrderError,
        };
    }
}
