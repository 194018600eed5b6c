using System.Globalization;
using System.Security.Cryptography;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Links;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>Reads configuration and keys again, says what differs from what runs, and exchanges keys and roles when asked to.</summary>
/// <param name="host">Takes the keys.</param>
/// <param name="running">What the daemon runs with.</param>
/// <param name="node">This node's name.</param>
/// <param name="applied">Told the keys that were exchanged; takes over what else can change while running.</param>
internal sealed class ConfigurationReload(RingHost host, ClusterConfiguration running, string node, Action<IReadOnlyList<ClusterKey>> applied)
{
    private const int MessageMax = 1000;   // characters of one mistake

    private IReadOnlyList<ClusterKey> _keys = [];

    /// <summary>These keys are in use from now on.</summary>
    public void KeysAre(IReadOnlyList<ClusterKey> keys) => Volatile.Write(ref _keys, keys);

    /// <summary>The keys in use.</summary>
    public IReadOnlyList<ClusterKey> Keys => Volatile.Read(ref _keys);

    /// <summary>Gives the node other keys. Reloads may overlap: what is said to be in use changes with the node, on the ring thread.</summary>
    /// <exception cref="ArgumentException">They are no set of keys; nothing has changed.</exception>
    /// <exception cref="RingStoppedException">The ring thread has ended.</exception>
    public Task ExchangeAsync(IReadOnlyList<ClusterKey> keys, CancellationToken cancellationToken) => host.ActAsync(
        loop =>
        {
            loop.ReplaceKeys(keys);
            KeysAre(keys);
            return true;
        },
        cancellationToken);

    /// <summary>Mistakes, differences, and what was applied. With mistakes nothing is.</summary>
    public async Task<Proto.ReloadResponse> RunAsync(bool apply, CancellationToken cancellationToken)
    {
        var response = new Proto.ReloadResponse();
        var configuration = Read(response);
        var keyFile = (configuration ?? running).KeyFile;
        var keys = ReadKeys(keyFile, response);
        if (configuration is not null) response.Differences.Add(Differences(configuration));
        if (keys is not null && Difference(Keys, keys) is { } difference)
        {
            difference.NeedsRestart = keyFile != running.KeyFile;
            response.Differences.Add(difference);
        }
        if (!apply || response.Mistakes.Count > 0 || keys is null || keyFile != running.KeyFile) return response;
        try
        {
            await ExchangeAsync(keys, cancellationToken);
            applied(keys);
            response.Applied = true;
        }
        catch (ArgumentException refused)
        {
            response.Mistakes.Add(new Proto.ConfigurationMistake { Message = $"{keyFile}: {refused.Message}" });
        }
        return response;
    }

    private ClusterConfiguration? Read(Proto.ReloadResponse response)
    {
        try
        {
            var result = ConfigurationCheck.Read(running.File, node);
            response.Mistakes.Add(result.Mistakes.Select(Mistake));
            return result.Configuration;
        }
        catch (StartException unreadable)
        {
            response.Mistakes.Add(new Proto.ConfigurationMistake { Message = unreadable.Message });
            return null;
        }
    }

    private static IReadOnlyList<ClusterKey>? ReadKeys(string file, Proto.ReloadResponse response)
    {
        var mistakes = new MistakeList(file);
        var keys = KeyFile.Read(file, mistakes);
        response.Mistakes.Add(mistakes.Mistakes.Select(Mistake));
        return mistakes.IsEmpty ? keys : null;
    }

    private IEnumerable<Proto.ConfigurationDifference> Differences(ClusterConfiguration file)
    {
        var (now, then) = (Values(running), Values(file));
        foreach (var what in now.Keys.Union(then.Keys))
        {
            var (before, after) = (now.GetValueOrDefault(what, "none"), then.GetValueOrDefault(what, "none"));
            var needsRestart = !what.StartsWith("api.roles.", StringComparison.Ordinal);
            if (before != after) yield return new Proto.ConfigurationDifference { What = what, Running = before, File = after, NeedsRestart = needsRestart };
        }
    }

    // By the path in the file; what is derived from others would only repeat them.
    private static Dictionary<string, string> Values(ClusterConfiguration configuration)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, text, _) in EffectiveConfiguration.Values(configuration))
        {
            if (name is not ("config_digest" or "config_file" or "quorum.votes_needed") && !name.StartsWith("derived.", StringComparison.Ordinal)) values[name] = text;
        }
        foreach (var node in configuration.Nodes)
        {
            values[$"nodes.{node.Name}.id"] = node.Id.ToString();
            values[$"nodes.{node.Name}.links"] = string.Join(' ', node.Links);
            values[$"nodes.{node.Name}.votes"] = node.Votes.ToString(CultureInfo.InvariantCulture);
        }
        return values;
    }

    // Secrets are compared, never shown.
    private static Proto.ConfigurationDifference? Difference(IReadOnlyList<ClusterKey> now, IReadOnlyList<ClusterKey> file)
    {
        var (before, after) = (Describe(now), Describe(file));
        if (before != after) return new Proto.ConfigurationDifference { What = "keys", Running = before, File = after };
        var isSame = now.All(key => file.Any(other => other.Id == key.Id && CryptographicOperations.FixedTimeEquals(other.Secret, key.Secret)));
        return isSame ? null : new Proto.ConfigurationDifference { What = "keys", Running = before, File = $"{after}, with other secrets" };
    }

    private static string Describe(IEnumerable<ClusterKey> keys) =>
        string.Join(", ", keys.OrderBy(key => key.Id).Select(key => $"{key.Id} {(key.Active ? "active" : "accepted")}"));

    private static Proto.ConfigurationMistake Mistake(Mistake mistake) => new()
    {
        Line = (uint)mistake.Line,
        Column = (uint)mistake.Column,
        Message = Printable.Text(mistake.Path.Length == 0 ? $"{mistake.File}: {mistake.Text}" : $"{mistake.File}: {mistake.Path} {mistake.Text}", MessageMax),
    };
}
