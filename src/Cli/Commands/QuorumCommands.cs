using System.CommandLine;
using System.Globalization;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.Cli.Status;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Commands;

/// <summary><c>mbr quorum</c>: who may act, why, and what an operator may change about it.</summary>
internal static class QuorumCommands
{
    /// <summary>Most votes of one node.</summary>
    public const ulong VotesMax = 1_000_000;

    /// <summary>Most expected votes: 64 nodes with the most votes each.</summary>
    public const ulong ExpectedMax = 64 * VotesMax;

    /// <summary>Builds <c>quorum status</c>.</summary>
    public static Command Status(CliHost host)
    {
        var command = new Command("status", "Show whether this side may act, and why. Exits 0 when quorate, 2 when not.");
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, _, cancellationToken) =>
        {
            await using var daemon = await context.ConnectAsync(cancellationToken);
            var quorum = await ReadAsync(context, daemon, cancellationToken);
            if (context.Json)
                await host.Out.WriteLineAsync(JsonText.Object(json => QuorumText.WriteFields(json, quorum)));
            else
                QuorumText.Draw(quorum, host.Terminal).WriteTo(host.Out);
            return quorum.Quorate ? ExitCode.Ok : ExitCode.NotQuorate;
        });
        return command;
    }

    /// <summary>Builds <c>quorum watch</c>.</summary>
    public static Command Watch(CliHost host)
    {
        var command = new Command("watch", "Show the current verdict, then every later one, until interrupted. Exits 0 or 2 by the last one.");
        var count = new Option<long>("--count") { Description = "Stop after that many (0: never).", HelpName = "N" };
        command.Options.Add(count);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var limit = Values.Within(parse, count, 0, long.MaxValue);
            await using var daemon = await context.ConnectAsync(cancellationToken);
            await using var verdicts = new WatchStream<Quorum>(context, "waiting for the current verdict", token => daemon.Quorum.WatchAsync(0, token), cancellationToken);
            var quorate = false;
            try
            {
                for (long shown = 0; limit == 0 || shown < limit; shown++)
                {
                    var quorum = await verdicts.NextAsync() ?? throw new CliException(ErrorCatalogue.StreamEnded, ("socket", daemon.Socket));
                    quorate = quorum.Quorate;
                    await host.Out.WriteLineAsync(Line(context, quorum));
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return quorate ? ExitCode.Ok : ExitCode.NotQuorate; // the operator ended the watch
            }
            return quorate ? ExitCode.Ok : ExitCode.NotQuorate;
        });
        return command;
    }

    /// <summary>Builds <c>quorum set-expected</c>.</summary>
    public static Command SetExpected(CliHost host)
    {
        var command = new Command("set-expected", "Change the expected votes of the whole cluster, for example after nodes were taken out for good. Refused where a quorate cluster would cease to be.");
        var votes = new Argument<ulong>("VOTES") { Description = "Votes that count as all, at least those present." };
        command.Arguments.Add(votes);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var expected = Values.Within(votes.Name, parse.GetValue(votes), 1UL, ExpectedMax);
            await using var daemon = await context.ConnectAsync(cancellationToken);
            var answer = await context.WithinTimeoutAsync(
                "changing the expected votes", token => daemon.Admin.SetExpectedVotesAsync(new SetExpectedVotesRequest { Votes = expected }, token), cancellationToken);
            await host.Out.WriteLineAsync(context.Json
                ? JsonText.Object(json =>
                {
                    json.WriteNumber("expected", expected);
                    json.WriteNumber("needed", answer.VotesNeeded);
                })
                : $"{expected} votes are expected now, {answer.VotesNeeded} are needed");
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>Builds <c>quorum set-votes</c>.</summary>
    public static Command SetVotes(CliHost host)
    {
        var command = new Command("set-votes", "Change the votes of one node, in the whole cluster and in one place of the order.");
        var node = new Argument<string>("NODE") { Description = "Name or id." };
        var votes = new Argument<ulong>("VOTES") { Description = "From 0 to 1000000." };
        command.Arguments.Add(node);
        command.Arguments.Add(votes);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var count = Values.Within(votes.Name, parse.GetValue(votes), 0UL, VotesMax);
            await using var daemon = await context.ConnectAsync(cancellationToken);
            var member = Find((await ReadAsync(context, daemon, cancellationToken)).Members, parse.GetRequiredValue(node));
            var answer = await context.WithinTimeoutAsync(
                "changing the votes", token => daemon.Admin.SetVotesAsync(new SetVotesRequest { Node = member.Node, Votes = count }, token), cancellationToken);
            await host.Out.WriteLineAsync(context.Json
                ? JsonText.Object(json =>
                {
                    json.WriteNumber("id", member.Node);
                    json.WriteString("name", member.Name);
                    json.WriteNumber("votes", count);
                    json.WriteNumber("expected", answer.VotesExpected);
                })
                : Escape.ForTerminal($"{member.Name} has {count} {(count == 1 ? "vote" : "votes")} now, {answer.VotesExpected} are expected in all"));
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>Builds <c>quorum cancel-wait-for-all</c>.</summary>
    public static Command CancelWaitForAll(CliHost host)
    {
        var command = new Command("cancel-wait-for-all", "Stop waiting for nodes that were not seen since the start. Only when they are certainly down: if they run, there may be two clusters.");
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, _, cancellationToken) =>
        {
            await using var daemon = await context.ConnectAsync(cancellationToken);
            await context.WithinTimeoutAsync("ending the wait for all", async token =>
            {
                await daemon.Admin.CancelWaitForAllAsync(token);
                return true;
            }, cancellationToken);
            await host.Out.WriteLineAsync(context.Json
                ? JsonText.Object(static json => json.WriteBoolean("cancelled", true))
                : "nobody waits for missing nodes any more");
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>Reads the verdict within the time limit.</summary>
    public static Task<Quorum> ReadAsync(CommandContext context, IDaemon daemon, CancellationToken cancellationToken) =>
        context.WithinTimeoutAsync("reading the quorum", daemon.Quorum.GetAsync, cancellationToken);

    private static QuorumMember Find(IReadOnlyList<QuorumMember> members, string asked) =>
        members.FirstOrDefault(member => member.Name == asked)
        ?? members.FirstOrDefault(member => member.Node.ToString(CultureInfo.InvariantCulture) == asked)
        ?? throw new CliException(ErrorCatalogue.NoSuchNode, ("node", asked), ("names", string.Join(", ", members.Select(static member => member.Name))));

    private static string Line(CommandContext context, Quorum quorum)
    {
        if (context.Json)
            return JsonText.Object(json =>
            {
                json.WriteString("event", "quorum");
                QuorumText.WriteFields(json, quorum);
            });
        var seen = context.Host.Time.GetLocalNow().ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
        return Escape.ForTerminal($"{seen}  {QuorumText.Line(quorum)}");
    }
}
