using System.CommandLine;
using System.Runtime.InteropServices;
using Membership.Cli.Errors;

namespace Membership.Cli.Demo;

/// <summary><c>mbr demo</c>: a cluster of real daemons on this machine's loopback addresses, without root.</summary>
internal static class DemoCommand
{
    private const int NodesDefault = 5;
    private const int NodesMax = 9;
    private const string TourName = "tour";
    private static readonly TimeSpan ReadingPause = TimeSpan.FromSeconds(4);

    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("demo", "Run a cluster of real daemons on this machine, without root; kill, split, cut and freeze them with single keys.");
        var nodes = new Option<int>("--nodes") { Description = $"How many nodes, 1 to {NodesMax}.", HelpName = "N", DefaultValueFactory = static _ => NodesDefault };
        var script = new Option<string?>("--script") { Description = "tour: a guided tour that checks what it promises; exit code 0 only when all of it happened.", HelpName = "NAME" };
        var keep = new Option<bool>("--keep") { Description = "Keep the folder with configuration, state and logs." };
        var json = new Option<bool>("--json") { Description = "Write one JSON object a line instead of a screen." };
        script.AcceptOnlyFromAmong(TourName);
        command.Options.Add(nodes);
        command.Options.Add(script);
        command.Options.Add(keep);
        command.Options.Add(json);
        command.SetAction((parse, cancellationToken) =>
        {
            var count = parse.GetValue(nodes);
            if (count is < 1 or > NodesMax) throw new CliException(ErrorCatalogue.OutOfRange, ("option", "--nodes"), ("value", count), ("minimum", 1), ("maximum", NodesMax));
            var isTour = parse.GetValue(script) is not null;
            if (isTour && count != NodesDefault) throw new CliException(ErrorCatalogue.OptionsExclude, ("option", "--script tour"), ("other", $"--nodes {count}"));
            return RunAsync(host, count, isTour, parse.GetValue(keep), parse.GetValue(json), cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(CliHost host, int nodes, bool isTour, bool keep, bool json, CancellationToken cancellationToken)
    {
        var program = DaemonProgram.Find(host);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true; // clean up first
            ends.Cancel();
        });
        var seed = Random.Shared.Next();
        var addresses = DemoAddresses.Find(nodes, new Random(seed)) ?? throw new CliException(ErrorCatalogue.NoDemoPort, ("nodes", nodes));
        var folder = DemoFolder.Create(nodes, addresses, keep);
        var isLive = host.Terminal.IsLive && !json && !isTour;
        using IDemoOutput output = isLive ? new DemoScreen(host.Out, host.Terminal, folder.Path) : json ? new JsonOutput(host.Out) : new PlainOutput(host.Out);
        await using var session = new DemoSession(nodes, program, folder, output, host.Time, seed);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ends.Token, session.OutputEnded);
        await session.NoteAsync($"{nodes} daemons of {program} in {folder.Path}, seed {seed}");
        try
        {
            if (isTour) return await TourAsync(host, session, either.Token);
            await new DemoDriver(session).RunAsync(isLive && !host.InputIsRedirected ? DemoKeys.ReadConsole() : null, either.Token);
            return await session.ReadAsync(picture => picture.Order.DifferenceCount == 0, CancellationToken.None) ? ExitCode.Ok : ExitCode.Failed;
        }
        catch (OperationCanceledException) when (session.OutputError is { } error)
        {
            throw error;
        }
        catch (OperationCanceledException) when (ends.IsCancellationRequested && !isTour)
        {
            return ExitCode.Ok; // a demo without keys is ended by a signal
        }
    }

    private static async Task<int> TourAsync(CliHost host, DemoSession session, CancellationToken cancellationToken)
    {
        var pause = host.Terminal.IsLive ? ReadingPause : TimeSpan.Zero;
        return await new Tour(session, host.Time, pause).RunAsync(cancellationToken) ? ExitCode.Ok : ExitCode.Failed;
    }
}
