using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Membership.Cli.Errors;
using Membership.Cli.Keys;
using Membership.Cli.Text;

namespace Membership.Cli.Commands;

/// <summary>A node as an operator writes it on the command line.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Links">Address and port of each link.</param>
internal sealed record NodeEntry(string Name, IReadOnlyList<string> Links);

/// <summary><c>mbr config init</c>: a commented configuration and its key, ready to be copied to every node.</summary>
internal static partial class ConfigInitCommand
{
    /// <summary>Port of a link whose address names none.</summary>
    public const int DefaultPort = 5405;

    /// <summary>Links of one node (design.md, "Links").</summary>
    public const int LinksMax = 8;

    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("init", "Write a commented configuration and a fresh key for a new cluster.");
        var nodes = new Option<string>("--nodes")
        {
            Description = "name=host:port of each node; further links of a node follow with +.",
            HelpName = "n1=10.0.0.1:5405,n2=...",
            Required = true,
        };
        var cluster = new Option<string>("--cluster") { Description = "Name of the cluster.", HelpName = "NAME", Required = true };
        var output = new Option<string>("--out")
        {
            Description = "Folder to write membership.yaml and the key to.",
            HelpName = "DIR",
            DefaultValueFactory = static _ => ".",
        };
        var json = new Option<bool>("--json") { Description = "Write JSON instead of text." };
        foreach (var option in (ReadOnlySpan<Option>)[nodes, cluster, output, json])
            command.Options.Add(option);
        command.SetAction(parse =>
        {
            var name = parse.GetRequiredValue(cluster);
            if (!NameForm().IsMatch(name))
                throw new CliException(ErrorCatalogue.BadName, ("option", cluster.Name), ("value", name));
            var parsed = Parse(parse.GetRequiredValue(nodes));
            var folder = parse.GetRequiredValue(output);
            var (configuration, key) = (Path.Combine(folder, "membership.yaml"), Path.Combine(folder, $"{name}.key"));
            foreach (var file in (ReadOnlySpan<string>)[configuration, key]) // both or none
                if (File.Exists(file))
                    throw new CliException(ErrorCatalogue.FileExists, ("file", file));

            NewFile.Write(key, KeyGenerateCommand.Render(KeyLine.Generate(1), []), NewFile.Secret);
            NewFile.Write(configuration, Render(name, parsed), NewFile.Public);
            host.Out.WriteLine(parse.GetValue(json)
                ? JsonText.Object(writer =>
                {
                    writer.WriteString("configuration", Path.GetFullPath(configuration));
                    writer.WriteString("key", Path.GetFullPath(key));
                    writer.WriteNumber("nodes", parsed.Count);
                })
                : $"wrote {Escape.ForTerminal(configuration)} and {Escape.ForTerminal(key)} (mode 0600) for {parsed.Count} nodes.\n" +
                  $"next: mbr config check {Escape.ForTerminal(configuration)}; copy both files to /etc/membership on every node; start membershipd there");
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>Whether a text may be the name of a cluster or node.</summary>
    public static bool IsName(string text) => NameForm().IsMatch(text);

    /// <summary>Reads a list of nodes.</summary>
    public static List<NodeEntry> Parse(string text)
    {
        var nodes = new List<NodeEntry>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
                throw Wrong(part, "there is no =");
            var name = part[..equals];
            if (!NameForm().IsMatch(name))
                throw Wrong(part, "the name is not letters, digits, . _ - (63 at most, a letter or digit first)");
            if (nodes.Exists(node => node.Name == name))
                throw Wrong(part, $"the name {name} is there twice");
            var links = part[(equals + 1)..].Split('+').Select(address => Address(part, address)).ToList();
            if (links.Count > LinksMax)
                throw Wrong(part, $"{links.Count} links, at most {LinksMax} are possible");
            if (links.Find(link => links.Count(other => other == link) > 1 || nodes.Exists(node => node.Links.Contains(link))) is { } twice)
                throw Wrong(part, $"the address {twice} is there twice");
            if (nodes.Count > 0 && nodes[0].Links.Count != links.Count)
                throw Wrong(part, $"{links.Count} links, but {nodes[0].Name} has {nodes[0].Links.Count}");
            nodes.Add(new NodeEntry(name, links));
        }
        return nodes;
    }

    private static string Address(string part, string text)
    {
        if (!IPEndPoint.TryParse(text, out var address) || text.Length == 0 || (!text.Contains('.', StringComparison.Ordinal) && !text.Contains(':', StringComparison.Ordinal)))
            throw Wrong(part, $"\"{text}\" is not an address and port like 10.0.0.1:5405 or [fd00::1]:5405; names are not looked up");
        return new IPEndPoint(address.Address, address.Port == 0 ? DefaultPort : address.Port).ToString();
    }

    private static string Render(string cluster, List<NodeEntry> nodes)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            # Configuration of the cluster "{cluster}": the same file on every node, as /etc/membership/membership.yaml.
            # Check it with: mbr config check FILE
            cluster: "{cluster}"

            # Beside this file; mode 0600, or the daemon refuses to start. Make another with: mbr key generate
            key_file: "{cluster}.key"

            # How fast a failure is noticed: fast (local network, quick machines), lan, or wan.
            timing: lan

            # A majority of votes decides. wait_for_all: true makes a starting cluster wait until every node was there once.
            quorum: {"{"} mode: majority, wait_for_all: false {"}"}

            # One line per node. Ids never change and are never given to another machine; links are named A, B, ... in this order.
            nodes:

            """);
        for (var index = 0; index < nodes.Count; index++)
            text.Append(CultureInfo.InvariantCulture,
                $"  - {{ name: \"{nodes[index].Name}\", id: {index + 1}, links: [{string.Join(", ", nodes[index].Links.Select(static link => $"\"{link}\""))}] }}\n");
        return text.ToString();
    }

    private static CliException Wrong(string part, string problem) =>
        new(ErrorCatalogue.BadNodeList, ("part", part), ("problem", problem));

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]{0,62}\\z")]
    private static partial Regex NameForm();
}
