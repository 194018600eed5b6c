using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Membership.Cli.Corosync;
using Membership.Cli.Errors;
using Membership.Cli.Keys;
using Membership.Cli.Text;

namespace Membership.Cli.Commands;

/// <summary><c>mbr config import</c>: a corosync.conf becomes a configuration with a fresh key.</summary>
internal static class ConfigImportCommand
{
    private static readonly TimeSpan LookUpLimit = TimeSpan.FromSeconds(3);

    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("import", "Turn a corosync.conf into a configuration: to standard output, or with --out to a folder, with a fresh key. Lines without a counterpart are named.");
        var file = new Argument<string>("FILE") { Description = "The corosync.conf.", DefaultValueFactory = static _ => "/etc/corosync/corosync.conf" };
        var output = new Option<string?>("--out") { Description = "Folder to write membership.yaml and the key to; existing files are not overwritten.", HelpName = "DIR" };
        var cluster = new Option<string?>("--cluster") { Description = "Name of the cluster, instead of that in the file.", HelpName = "NAME" };
        var nodes = new Option<string?>("--nodes") { Description = "The nodes, where the file has no nodelist.", HelpName = "n1=10.0.0.1:5405,n2=..." };
        var addresses = new Option<string[]>("--address") { Description = "Address of a host name in the file; may be given several times.", HelpName = "NAME=ADDRESS" };
        var json = new Option<bool>("--json") { Description = "Write JSON instead of text." };
        command.Arguments.Add(file);
        foreach (var option in (ReadOnlySpan<Option>)[output, cluster, nodes, addresses, json])
            command.Options.Add(option);
        command.SetAction(async (parse, cancellationToken) =>
        {
            if (parse.GetValue(cluster) is { } name && !ConfigInitCommand.IsName(name))
                throw new CliException(ErrorCatalogue.BadName, ("option", cluster.Name), ("value", name));
            var path = parse.GetRequiredValue(file);
            var notes = new List<ImportNote>();
            var root = CorosyncFile.Read(await ReadAsync(path, cancellationToken), notes);
            var known = Addresses(addresses.Name, parse.GetValue(addresses) ?? []);
            var choices = new ImportChoices(
                parse.GetValue(cluster),
                parse.GetValue(nodes) is { } list ? ConfigInitCommand.Parse(list) : [],
                await LookUpAsync(host, CorosyncImport.HostNames(root), known, cancellationToken));
            var configuration = CorosyncImport.Run(root, choices, notes);
            await WriteNotesAsync(host, path, notes);
            if (configuration is null)
                throw Failed(path, notes);
            return await WriteAsync(host, configuration, notes, parse.GetValue(output), parse.GetValue(json));
        });
        return command;
    }

    private static async Task<int> WriteAsync(CliHost host, ImportedConfiguration configuration, List<ImportNote> notes, string? folder, bool isJson)
    {
        var text = configuration.Render(notes);
        var files = folder is null ? [] : WriteFiles(folder, configuration.Cluster, text);
        if (isJson)
            await host.Out.WriteLineAsync(JsonText.Object(json => Write(json, configuration, text, files, notes)));
        else if (folder is null)
            await host.Out.WriteAsync(text);
        else
            await host.Out.WriteLineAsync(Escape.ForTerminal($"wrote {string.Join(" and ", files)} (key with mode 0600) for {configuration.Nodes.Count} nodes.") +
                Escape.ForTerminal($" next: mbr config check {files[0]}"));
        return ExitCode.Ok;
    }

    private static string[] WriteFiles(string folder, string cluster, string text)
    {
        string[] files = [Path.Combine(folder, "membership.yaml"), Path.Combine(folder, $"{cluster}.key")];
        foreach (var file in files) // both or none
            if (File.Exists(file))
                throw new CliException(ErrorCatalogue.FileExists, ("file", file));
        NewFile.Write(files[1], KeyGenerateCommand.Render(KeyLine.Generate(1), []), NewFile.Secret);
        NewFile.Write(files[0], text, NewFile.Public);
        return files;
    }

    private static void Write(Utf8JsonWriter json, ImportedConfiguration configuration, string text, string[] files, List<ImportNote> notes)
    {
        json.WriteString("cluster", configuration.Cluster);
        json.WriteNumber("nodes", configuration.Nodes.Count);
        json.WriteStartArray("files");
        foreach (var file in files)
            json.WriteStringValue(Path.GetFullPath(file));
        json.WriteEndArray();
        json.WriteString("configuration", text);
        json.WriteStartArray("notes");
        foreach (var note in notes)
        {
            json.WriteStartObject();
            json.WriteNumber("line", note.Line);
            json.WriteString("text", note.Text);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static async Task WriteNotesAsync(CliHost host, string file, List<ImportNote> notes)
    {
        foreach (var note in notes)
            await host.Error.WriteLineAsync(Escape.ForTerminal($"{file}:{note.Line}: {(note.IsMistake ? "mistake: " : "")}{note.Text}"));
    }

    private static CliException Failed(string file, List<ImportNote> notes)
    {
        var mistakes = notes.FindAll(static note => note.IsMistake);
        return new CliException(ErrorCatalogue.ImportFailed,
            ("file", file), ("count", mistakes.Count), ("line", mistakes[0].Line), ("problem", mistakes[0].Text));
    }

    private static async Task<byte[]> ReadAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = File.OpenRead(file);
            var bytes = new byte[CorosyncFile.BytesMax + 1];
            var length = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
            return length <= CorosyncFile.BytesMax
                ? bytes[..length]
                : throw new CliException(ErrorCatalogue.CannotRead, ("file", file), ("detail", $"it has more than {CorosyncFile.BytesMax} bytes, which no corosync.conf has"));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ErrorCatalogue.CannotRead, error, ("file", file), ("detail", error.Message));
        }
    }

    private static Dictionary<string, IReadOnlyList<IPAddress>> Addresses(string option, string[] given)
    {
        var addresses = new Dictionary<string, IReadOnlyList<IPAddress>>(StringComparer.Ordinal);
        foreach (var pair in given)
        {
            if (pair.Split('=', 2) is not [{ Length: > 0 } name, var text] || !IPAddress.TryParse(text, out var address))
                throw new CliException(ErrorCatalogue.CommandLine, ("problem", $"{option} {pair} is not NAME=ADDRESS"), ("help", "mbr config import --help"));
            addresses[name] = [address];
        }
        return addresses;
    }

    private static async Task<Dictionary<string, IReadOnlyList<IPAddress>>> LookUpAsync(
        CliHost host, IReadOnlyList<string> names, Dictionary<string, IReadOnlyList<IPAddress>> known, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(LookUpLimit, host.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        foreach (var name in names.Where(name => !known.ContainsKey(name)))
        {
            try
            {
                known[name] = await Dns.GetHostAddressesAsync(name, either.Token).WaitAsync(either.Token);
            }
            catch (SocketException)
            {
                known[name] = []; // becomes a mistake with its line
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                known[name] = []; // the resolver takes too long: as unknown
            }
        }
        return known;
    }
}
