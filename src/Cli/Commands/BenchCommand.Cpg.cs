using System.CommandLine;
using Membership.Cli.Bench;

namespace Membership.Cli.Commands;

/// <content><c>mbr bench cpg</c>: what a process group delivers to one of its members.</content>
internal static partial class BenchCommand
{
    private const int MembersMax = 65_536;
    private const int StalledMax = 1000;

    /// <summary>Builds the command.</summary>
    public static Command Cpg(CliHost host)
    {
        var command = new Command("cpg", "Join a process group at the local daemon, send stamped messages, measure throughput, latency and cost, and check the order.");
        var group = Option("--group", "The group to join.", "NAME", "bench");
        var members = new Option<int>("--members") { Description = "Begin once the group has so many members, for runs on several nodes.", HelpName = "N", DefaultValueFactory = static _ => 1 };
        var size = Option("--size", "Payload of each message.", "SIZE", "64");
        var seconds = Option("--seconds", "How long to measure.", "DURATION", "10s");
        var warmUp = Option("--warmup", "How long to send before that.", "DURATION", "1s");
        var outstanding = new Option<int?>("--outstanding") { Description = $"Messages not yet delivered to this member itself; 1 is a closed loop (default {OutstandingDefault}).", HelpName = "N" };
        var rate = new Option<double>("--rate") { Description = "Messages a second, latency counted from when each should have left (0: as fast as possible).", HelpName = "N" };
        var level = RingCommands.Level();
        var stalled = new Option<int>("--stalled") { Description = "Let so many further members join here that never read, to see what they cost the others.", HelpName = "N" };
        var receiveOnly = new Option<bool>("--receive-only") { Description = "Send nothing; measure what the other members send." };
        foreach (var option in (ReadOnlySpan<Option>)[group, members, size, seconds, warmUp, outstanding, rate, level, stalled, receiveOnly])
            command.Options.Add(option);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var messagesPerSecond = Values.Within(parse, rate, 0, RingCommands.RateMax);
            var options = new BenchOptions(
                [context.Socket],
                parse.GetValue(receiveOnly),
                Values.Size(size.Name, parse.GetRequiredValue(size), BenchStamp.Bytes, RingCommands.PayloadBytesMax),
                Values.Duration(parse, seconds, MeasuredMin, MeasuredMax),
                Values.Duration(parse, warmUp, TimeSpan.Zero, MeasuredMax),
                Values.Within(outstanding.Name, parse.GetValue(outstanding) ?? (messagesPerSecond > 0 ? OutstandingWithRate : OutstandingDefault), 1, OutstandingMax),
                messagesPerSecond,
                RingCommands.LevelOf(parse, level),
                IdleFirst: false)
            {
                Members = Values.Within(members.Name, parse.GetRequiredValue(members), 1, MembersMax),
                Stalled = Values.Within(stalled.Name, parse.GetValue(stalled), 0, StalledMax),
            };
            return Write(context, await new CpgBench(context, options, parse.GetRequiredValue(group)).RunAsync(cancellationToken));
        });
        return command;
    }
}
