using System.CommandLine;
using Membership.Cli.Checks;
using Membership.Cli.Text;

namespace Membership.Cli.Commands;

/// <summary><c>mbr doctor</c>: looks at everything that commonly goes wrong and says how to repair it. Exits 7 on warnings, 2 when something does not work.</summary>
internal static class DoctorCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("doctor", "Look at configuration, key, ports, state directory, clock, links, versions and quorum, and say how to repair what is wrong. Works without a daemon too. Exits 7 on warnings, 2 when something does not work.");
        var file = new Option<string>("--config") { Description = "The configuration.", HelpName = "FILE", DefaultValueFactory = static _ => ConfigCommands.DefaultFile };
        var node = new Option<string?>("--node") { Description = "Which node of the configuration this is (default: the daemon's, or the host name).", HelpName = "NAME" };
        var state = new Option<string>("--state-dir") { Description = "The daemon's state directory.", HelpName = "DIR", DefaultValueFactory = static _ => "/var/lib/membership" };
        foreach (var option in (ReadOnlySpan<Option>)[file, node, state])
            command.Options.Add(option);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var places = new DoctorPlaces(parse.GetRequiredValue(file), parse.GetValue(node), parse.GetRequiredValue(state));
            var socketIsNamed = parse.GetValue(common.Socket) is not null || host.Environment("MBR_SOCKET") is { Length: > 0 };
            var findings = await new Doctor(context, places).ExamineAsync(socketIsNamed, cancellationToken);
            if (context.Json)
                await host.Out.WriteLineAsync(Json(findings));
            else
                Draw(findings, host.Terminal).WriteTo(host.Out);
            return ExitCodeOf(findings);
        });
        return command;
    }

    private static int ExitCodeOf(IReadOnlyList<Finding> findings) => findings.Max(static finding => finding.State) switch
    {
        CheckState.Critical => ExitCode.NotQuorate,
        CheckState.Warning => ExitCode.Degraded,
        _ => ExitCode.Ok,
    };

    private static Screen Draw(IReadOnlyList<Finding> findings, Terminal terminal)
    {
        var symbols = Symbols.Of(terminal);
        var screen = new Screen(terminal);
        foreach (var finding in findings)
        {
            var (symbol, word, tone) = finding.State switch
            {
                CheckState.Ok => (symbols.Dot, "ok", Tone.Good),
                CheckState.Warning => (symbols.Triangle, "warning", Tone.Warning),
                CheckState.Critical => (symbols.Cross, "broken", Tone.Bad),
                _ => ("?", "skipped", Tone.Dim),
            };
            screen.Line(new Span($" {symbol} {word,-9}", tone), new Span($"{finding.Check,-14}{finding.Text}"));
            if (finding.Fix.Length > 0)
                screen.Line(new Span($"{"",26}{symbols.Corner} {finding.Fix}"));
        }
        var (broken, warnings) = (findings.Count(static each => each.State == CheckState.Critical), findings.Count(static each => each.State == CheckState.Warning));
        screen.Line(new Span($" {broken} broken, {warnings} warnings, {findings.Count(static each => each.State is null)} skipped", Tone.Dim));
        return screen;
    }

    private static string Json(IReadOnlyList<Finding> findings) => JsonText.Object(json =>
    {
        json.WriteNumber("exit", ExitCodeOf(findings));
        json.WriteStartArray("findings");
        foreach (var finding in findings)
        {
            json.WriteStartObject();
            json.WriteString("check", finding.Check);
            json.WriteString("state", finding.State is { } state ? CheckResult.WordOf(state) : "skipped");
            json.WriteString("text", finding.Text);
            json.WriteString("fix", finding.Fix);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });
}
