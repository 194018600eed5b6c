using System.CommandLine;
using Membership.Cli.Errors;
using Membership.Cli.Keys;
using Membership.Cli.Text;

namespace Membership.Cli.Commands;

/// <summary><c>mbr key generate</c>: a new key file, mode 0600; older keys may stay accepted, so that a key is changed without downtime.</summary>
internal static class KeyGenerateCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("generate", "Write a new key file with a fresh active key; never overwrites a file.");
        var output = new Option<string>("--out") { Description = "The file to write.", HelpName = "FILE", Required = true };
        var id = new Option<int?>("--id") { Description = "Number of the new key (default: one above the accepted ones).", HelpName = "1..255" };
        var accepted = new Option<string[]>("--accepted")
        {
            Description = "Keep the keys of this key file accepted; may be given several times.",
            HelpName = "OLDFILE",
            AllowMultipleArgumentsPerToken = true,
        };
        var json = new Option<bool>("--json") { Description = "Write JSON instead of text." };
        foreach (var option in (ReadOnlySpan<Option>)[output, id, accepted, json])
            command.Options.Add(option);
        command.SetAction(parse =>
        {
            var file = parse.GetRequiredValue(output);
            var old = Merge(parse.GetValue(accepted) ?? []);
            var key = KeyLine.Generate(ChooseId(id.Name, parse.GetValue(id), old));
            NewFile.Write(file, Render(key, old), NewFile.Secret);
            host.Out.WriteLine(parse.GetValue(json)
                ? JsonText.Object(writer =>
                {
                    writer.WriteString("file", Path.GetFullPath(file));
                    writer.WriteNumber("active", key.Id);
                    writer.WriteStartArray("accepted");
                    foreach (var each in old)
                        writer.WriteNumberValue(each.Id);
                    writer.WriteEndArray();
                })
                : Escape.ForTerminal($"wrote {file} (mode 0600): key {key.Id} active{Others(old)}. Copy it to every node."));
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>The text of a key file.</summary>
    public static string Render(KeyLine active, IReadOnlyList<KeyLine> accepted) =>
        "# Keys of a membership cluster: id active|accepted base64. The same on every node; readable by the daemon alone.\n" +
        string.Concat(accepted.Select(static key => key.Render(isActive: false) + "\n").Prepend(active.Render(isActive: true) + "\n"));

    private static int ChooseId(string option, int? asked, List<KeyLine> old)
    {
        var id = Values.Within(option, asked ?? (old.Count == 0 ? 1 : old.Max(static key => key.Id) + 1), 1, KeyLine.IdMax);
        return old.Exists(key => key.Id == id)
            ? throw new CliException(ErrorCatalogue.KeyIdTaken, ("id", id))
            : id;
    }

    private static List<KeyLine> Merge(string[] files)
    {
        var keys = new List<KeyLine>();
        foreach (var file in files)
        {
            foreach (var key in KeyLine.Read(file))
            {
                if (keys.Find(known => known.Id == key.Id) is not { } known)
                    keys.Add(key);
                else if (!known.Secret.AsSpan().SequenceEqual(key.Secret))
                    throw new CliException(ErrorCatalogue.KeyIdTaken, ("id", key.Id));
            }
        }
        return keys;
    }

    private static string Others(List<KeyLine> old) =>
        old.Count == 0 ? "" : $", accepted {string.Join(", ", old.Select(static key => key.Id))}";
}
