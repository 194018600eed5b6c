using System.Globalization;
using System.Net;
using System.Text;
using Membership.Cli.Text;

namespace Membership.Cli.Corosync;

/// <summary>A node as it goes into the new configuration.</summary>
internal sealed record ImportedNode(int Id, string Name, IReadOnlyList<IPEndPoint> Links, ulong Votes);

/// <summary>What a corosync.conf says, in our terms.</summary>
internal sealed record ImportedConfiguration
{
    /// <summary>Name of the cluster.</summary>
    public required string Cluster { get; init; }

    /// <summary>Token timeout, ms; null: the profile lan.</summary>
    public long? TokenMs { get; init; }

    /// <summary>Consensus timeout, ms; null: 1.2 x token.</summary>
    public long? ConsensusMs { get; init; }

    /// <summary>passive, active or round-robin; null: not said.</summary>
    public string? LinkPolicy { get; init; }

    /// <summary>Priority of each link; empty: equal.</summary>
    public IReadOnlyList<int> LinkPriorities { get; init; } = [];

    /// <summary>The quorum section, key and value, in order.</summary>
    public required IReadOnlyList<(string Key, string Value)> Quorum { get; init; }

    /// <summary>All nodes, ascending by id.</summary>
    public required IReadOnlyList<ImportedNode> Nodes { get; init; }

    /// <summary>The configuration file with the notes as comments.</summary>
    public string Render(IReadOnlyList<ImportNote> notes)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            # Configuration of the cluster "{Cluster}", made from a corosync.conf: the same file on every node, as /etc/membership/membership.yaml.
            # Check it with: mbr config check FILE
            cluster: "{Cluster}"

            # Beside this file; mode 0600, or the daemon refuses to start. A new key: that of corosync is of another kind.
            key_file: "{Cluster}.key"


            """);
        text.Append("timing: ").Append(Timing()).Append('\n');
        if (LinkPolicy is not null)
            text.Append("link_policy: ").Append(LinkPolicy).Append('\n');
        if (LinkPriorities.Count > 0)
            text.Append("link_priorities: [").AppendJoin(", ", LinkPriorities).Append("]\n");
        text.Append("quorum: { ").AppendJoin(", ", Quorum.Select(static item => $"{item.Key}: {item.Value}")).Append(" }\n");
        text.Append("nodes:\n");
        foreach (var node in Nodes)
            text.Append(CultureInfo.InvariantCulture, $"  - {{ name: \"{node.Name}\", id: {node.Id}, links: [{string.Join(", ", node.Links.Select(static link => $"\"{link}\""))}]{Votes(node)} }}\n");
        if (notes.Count > 0)
            text.Append("\n# Lines of corosync.conf without a counterpart:\n");
        foreach (var note in notes)
            text.Append(CultureInfo.InvariantCulture, $"# line {note.Line}: {Escape.ForTerminal(note.Text)}\n");
        return text.ToString();
    }

    private string Timing()
    {
        if (TokenMs is not { } token)
            return "lan";
        return ConsensusMs is { } consensus ? $"{{ token: {token}ms, consensus: {consensus}ms }}" : $"{{ token: {token}ms }}";
    }

    private static string Votes(ImportedNode node) => node.Votes == 1 ? "" : $", votes: {node.Votes}";
}
