using System.CommandLine;
using Membership.Cli.Ring;
using Membership.V1;

namespace Membership.Cli.Commands;

/// <summary><c>mbr ring tail</c> and <c>mbr ring send</c>: the raw ordered ring for tools and tests.</summary>
internal static class RingCommands
{
    /// <summary>Largest payload, bytes (membership.proto).</summary>
    public const int PayloadBytesMax = 16 * 1024 * 1024;

    /// <summary>Most messages a second that can be asked for.</summary>
    public const double RateMax = 10_000_000;

    /// <summary>Builds <c>ring tail</c>.</summary>
    public static Command Tail(CliHost host)
    {
        var command = new Command("tail", "Write every view and message of the raw ring in its order, until interrupted.");
        var count = new Option<long>("--count") { Description = "Stop after that many messages (0: never).", HelpName = "N" };
        var after = new Option<ulong>("--after") { Description = "Go on behind this position of an earlier run (its \"resume\").", HelpName = "POSITION" };
        var views = new Option<bool>("--views-only") { Description = "Leave the messages out." };
        command.Options.Add(count);
        command.Options.Add(after);
        command.Options.Add(views);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var limit = Values.Within(parse, count, 0, long.MaxValue);
            await using var daemon = await context.ConnectAsync(cancellationToken);
            var request = new SubscribeRequest { AfterPosition = parse.GetValue(after), ViewsOnly = parse.GetValue(views) };
            return await new RingTail(context, daemon, limit).RunAsync(request, cancellationToken);
        });
        return command;
    }

    /// <summary>Builds <c>ring send</c>.</summary>
    public static Command Send(CliHost host)
    {
        var command = new Command("send", "Send messages on the raw ring and wait for a receipt of each; the payload comes from standard input or is made.");
        var options = SendOptions.AddTo(command);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var plan = await options.ReadAsync(host, parse, cancellationToken);
            await using var daemon = await context.ConnectAsync(cancellationToken);
            return await new RingSend(context, daemon.Socket, plan).RunAsync(token => Task.FromResult(daemon.Multicast(token)), cancellationToken);
        });
        return command;
    }

    /// <summary>The option --level agreed|safe.</summary>
    public static Option<string> Level()
    {
        var level = new Option<string>("--level")
        {
            Description = "Delivery guarantee.",
            HelpName = "agreed|safe",
            DefaultValueFactory = static _ => "agreed",
        };
        return level.AcceptOnlyFromAmong("agreed", "safe");
    }

    /// <summary>The value of --level.</summary>
    public static DeliveryLevel LevelOf(ParseResult parse, Option<string> level) =>
        parse.GetRequiredValue(level) == "safe" ? DeliveryLevel.Safe : DeliveryLevel.Agreed;
}
