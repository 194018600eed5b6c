using System.CommandLine;
using System.Text.Json;
using Membership.Cli.Errors;
using Membership.Cli.Text;

namespace Membership.Cli.Commands;

/// <summary><c>mbr explain</c>: the error catalogue, whole or one entry. Needs no daemon.</summary>
internal static class ExplainCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("explain", "Explain an error code: what it means, why that happens, what to do. Without a code, list all.");
        var code = new Argument<string?>("CODE") { Description = "As printed, for example MB1203; 1203 will do.", Arity = ArgumentArity.ZeroOrOne, HelpName = "CODE" };
        code.CompletionSources.Add(static _ => ErrorCatalogue.All.Select(static entry => new System.CommandLine.Completions.CompletionItem(entry.Code)));
        var json = new Option<bool>("--json") { Description = "Write JSON instead of text." };
        command.Arguments.Add(code);
        command.Options.Add(json);
        command.SetAction(parse =>
        {
            var asked = parse.GetValue(code);
            if (asked is null)
                List(host, parse.GetValue(json));
            else
                One(host, Find(asked), parse.GetValue(json));
            return ExitCode.Ok;
        });
        return command;
    }

    private static ErrorEntry Find(string asked)
    {
        var code = asked.StartsWith("MB", StringComparison.OrdinalIgnoreCase) ? asked.ToUpperInvariant() : $"MB{asked}";
        return ErrorCatalogue.All.FirstOrDefault(entry => entry.Code == code)
            ?? throw new CliException(ErrorCatalogue.NoSuchCode, ("code", asked));
    }

    private static void One(CliHost host, ErrorEntry entry, bool isJson) => host.Out.WriteLine(isJson
        ? JsonText.Object(json => Write(json, entry))
        : $"{entry.Code} {entry.Sentence}\n  exit code: {entry.ExitCode} ({ExitCode.MeaningOf(entry.ExitCode)})\n  cause: {entry.Cause}\n  fix: {entry.Fix}");

    private static void List(CliHost host, bool isJson)
    {
        if (isJson)
        {
            host.Out.WriteLine(JsonText.Object(static json =>
            {
                json.WriteStartArray("errors");
                foreach (var entry in ErrorCatalogue.All)
                {
                    json.WriteStartObject();
                    Write(json, entry);
                    json.WriteEndObject();
                }
                json.WriteEndArray();
            }));
            return;
        }
        var table = new Table("CODE", "EXIT", "SENTENCE");
        foreach (var entry in ErrorCatalogue.All)
            table.Row(new Span(entry.Code), new Span(entry.ExitCode.ToString(System.Globalization.CultureInfo.InvariantCulture)), new Span(entry.Sentence));
        var screen = new Screen(host.Terminal with { Width = Terminal.UnlimitedWidth }); // a sentence that is left out would explain nothing
        table.WriteTo(screen);
        screen.WriteTo(host.Out);
    }

    private static void Write(Utf8JsonWriter json, ErrorEntry entry)
    {
        json.WriteString("code", entry.Code);
        json.WriteNumber("exit", entry.ExitCode);
        json.WriteString("sentence", entry.Sentence);
        json.WriteString("cause", entry.Cause);
        json.WriteString("fix", entry.Fix);
    }
}
