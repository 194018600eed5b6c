using Membership.Cli.Text;

namespace Membership.Cli.Errors;

/// <summary>Writes an error for people (code, sentence, cause, fix) or as one JSON line.</summary>
internal static class ErrorWriter
{
    /// <summary>Writes <paramref name="error"/>.</summary>
    public static void Write(TextWriter writer, CliException error, bool json) => writer.WriteLine(json
        ? ToJson(error)
        : $"{error.Entry.Code} {error.Message}\n  cause: {error.Cause}\n  fix: {error.Fix}");

    private static string ToJson(CliException error) => JsonText.Object(json =>
    {
        json.WriteStartObject("error");
        json.WriteString("code", error.Entry.Code);
        json.WriteString("message", error.Message);
        json.WriteString("cause", error.Cause);
        json.WriteString("fix", error.Fix);
        json.WriteNumber("exit", error.Entry.ExitCode);
        json.WriteEndObject();
    });
}
