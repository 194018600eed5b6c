using System.CommandLine;
using System.Reflection;
using System.Text.Json;
using Membership.Cli.Text;

namespace Membership.Cli.Commands;

/// <summary><c>mbr version</c>: what this program is.</summary>
internal static class VersionCommand
{
    /// <summary>The version of this program.</summary>
    public static string Current { get; } =
        typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0.0.0";

    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("version", "Show the version of mbr.");
        var json = new Option<bool>("--json") { Description = "Write JSON instead of text." };
        command.Options.Add(json);
        command.SetAction(parse =>
        {
            if (parse.GetValue(json))
                host.Out.WriteLine(JsonText.Object(writer => Write(writer)));
            else
                host.Out.WriteLine($"mbr {Current} (.NET {Environment.Version})");
            return ExitCode.Ok;
        });
        return command;
    }

    private static void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("name", "mbr");
        writer.WriteString("version", Current);
        writer.WriteString("runtime", $".NET {Environment.Version}");
        writer.WriteString("contract", "membership.v1");
    }
}
