using System.Text.Json;
using Membership.Cli.Errors;

namespace Membership.Cli.Checks;

/// <summary>A node of the configuration.</summary>
internal sealed record ConfiguredNode(string Name, IReadOnlyList<string> Links);

/// <summary>A mistake or warning of the daemon about its configuration.</summary>
internal sealed record ConfigurationRemark(string File, int Line, string Path, string Text)
{
    /// <summary>Where it is, for people.</summary>
    public string Place => Line > 0 ? $"{File}:{Line}: {Path}" : File;
}

/// <summary>What the daemon's own check says about a configuration.</summary>
internal sealed record CheckedConfiguration(
    string KeyFile, string Socket, string Digest, double LinkDownMs, IReadOnlyList<ConfiguredNode> Nodes,
    IReadOnlyList<ConfigurationRemark> Mistakes, IReadOnlyList<ConfigurationRemark> Warnings)
{
    /// <summary>Runs the daemon's check; its values are empty when there are mistakes.</summary>
    public static async Task<CheckedConfiguration> ReadAsync(CliHost host, string file, string? node, CancellationToken cancellationToken)
    {
        string[] arguments = [$"--check-config={file}", "--effective", "--json", .. node is null ? Array.Empty<string>() : [$"--node={node}"]];
        var answer = await DaemonProgram.ReadAsync(host, arguments, cancellationToken);
        try
        {
            using var document = JsonDocument.Parse(answer);
            return Parse(document.RootElement);
        }
        catch (JsonException garbled)
        {
            throw new CliException(ErrorCatalogue.DaemonProgramFailed, garbled, ("program", DaemonProgram.Find(host)),
                ("detail", answer.Length == 0 ? $"it cannot read {file}" : "its answer to --check-config is no JSON"));
        }
    }

    private static CheckedConfiguration Parse(JsonElement answer)
    {
        var hasValues = answer.TryGetProperty("effective", out var effective);
        string Text(string name) => hasValues && effective.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";
        return new CheckedConfiguration(
            Text("key_file"), Text("api.socket"), Text("config_digest"),
            hasValues && effective.TryGetProperty("timing.link_down_ms", out var linkDown) ? linkDown.GetDouble() : 0,
            hasValues ? [.. effective.GetProperty("nodes").EnumerateArray().Select(static node => new ConfiguredNode(
                node.GetProperty("name").GetString() ?? "", [.. node.GetProperty("links").EnumerateArray().Select(static link => link.GetString() ?? "")]))] : [],
            Remarks(answer, "mistakes"), Remarks(answer, "warnings"));
    }

    private static List<ConfigurationRemark> Remarks(JsonElement answer, string name) =>
        [.. answer.GetProperty(name).EnumerateArray().Select(static each => new ConfigurationRemark(
            each.GetProperty("file").GetString() ?? "", each.GetProperty("line").GetInt32(), each.GetProperty("path").GetString() ?? "", each.GetProperty("text").GetString() ?? ""))];
}
