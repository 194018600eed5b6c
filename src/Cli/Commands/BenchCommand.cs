using System.CommandLine;
using Membership.Cli.Bench;
using Membership.Cli.Errors;
using Membership.Cli.Text;

namespace Membership.Cli.Commands;

/// <summary><c>mbr bench ring</c>: what the ring delivers, how fast, and at what cost; checks the order on the way.</summary>
internal static partial class BenchCommand
{
    /// <summary>Most messages of one sender that are not delivered to itself yet.</summary>
    public const int OutstandingMax = 65_536;

    /// <summary>With a rate the sender is held back only when it is this far ahead of its own deliveries.</summary>
    public const int OutstandingWithRate = OutstandingMax;

    private const int OutstandingDefault = 64;
    private const int SendersMax = 64;
    private static readonly TimeSpan MeasuredMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MeasuredMax = TimeSpan.FromHours(24);

    /// <summary>Builds the command.</summary>
    public static Command Ring(CliHost host)
    {
        var command = new Command("ring", "Send stamped messages on the raw ring, measure throughput, latency and cost, and check the order.");
        var size = Option("--size", "Payload of each message.", "SIZE", "64");
        var seconds = Option("--seconds", "How long to measure.", "DURATION", "10s");
        var warmUp = Option("--warmup", "How long to send before that.", "DURATION", "1s");
        var outstanding = new Option<int?>("--outstanding") { Description = $"Messages of a sender not yet delivered to itself; 1 is a closed loop (default {OutstandingDefault}).", HelpName = "N" };
        var rate = new Option<double>("--rate") { Description = "Messages a second of each sender, latency counted from when each should have left (0: as fast as possible).", HelpName = "N" };
        var level = RingCommands.Level();
        var senders = new Option<string?>("--senders") { Description = "Drive several daemons of this machine.", HelpName = "A.sock,B.sock,..." };
        var receiveOnly = new Option<bool>("--receive-only") { Description = "Send nothing; measure what others on this machine send." };
        var idleFirst = new Option<bool>("--idle-first") { Description = "First measure messages that find the ring idle." };
        foreach (var option in (ReadOnlySpan<Option>)[size, seconds, warmUp, outstanding, rate, level, senders, receiveOnly, idleFirst])
            command.Options.Add(option);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var messagesPerSecond = Values.Within(parse, rate, 0, RingCommands.RateMax);
            var options = new BenchOptions(
                Sockets(parse, common, senders, context.Socket),
                parse.GetValue(receiveOnly),
                Values.Size(size.Name, parse.GetRequiredValue(size), BenchStamp.Bytes, RingCommands.PayloadBytesMax),
                Values.Duration(parse, seconds, MeasuredMin, MeasuredMax),
                Values.Duration(parse, warmUp, TimeSpan.Zero, MeasuredMax),
                Values.Within(outstanding.Name, parse.GetValue(outstanding) ?? (messagesPerSecond > 0 ? OutstandingWithRate : OutstandingDefault), 1, OutstandingMax),
                messagesPerSecond,
                RingCommands.LevelOf(parse, level),
                parse.GetValue(idleFirst));
            if (options.ReceiveOnly && options.IdleFirst)
                throw new CliException(ErrorCatalogue.OptionsExclude, ("option", receiveOnly.Name), ("other", idleFirst.Name));
            return Write(context, await new RingBench(context, options).RunAsync(cancellationToken));
        });
        return command;
    }

    private static int Write(CommandContext context, BenchReport report)
    {
        context.Host.Out.WriteLine(context.Json ? JsonText.Object(report.Write) : report.ToText());
        if (report.OrderError is { } broken)
            throw new CliException(ErrorCatalogue.OrderBroken, ("detail", broken));
        if (report.Failed > 0)
            throw new CliException(ErrorCatalogue.SendFailed, ("failed", report.Failed), ("total", report.Sent), ("detail", report.FirstFailure ?? ""));
        return ExitCode.Ok;
    }

    private static string[] Sockets(ParseResult parse, CommonOptions common, Option<string?> senders, string socket)
    {
        if (parse.GetValue(senders) is not { } list)
            return [socket];
        if (parse.GetValue(common.Socket) is not null)
            throw new CliException(ErrorCatalogue.OptionsExclude, ("option", senders.Name), ("other", common.Socket.Name));
        var sockets = list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Values.Within("the number of --senders", sockets.Length, 1, SendersMax);
        return sockets;
    }

    private static Option<string> Option(string name, string description, string help, string fallback) =>
        new(name) { Description = description, HelpName = help, DefaultValueFactory = _ => fallback };
}
