using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Membership.Daemon.Access;
using Membership.Node;
using Membership.Quorum;

namespace Membership.Daemon.Configuration;

/// <summary>What a configuration comes to, with the timers derived from it: what <c>mbr config show --effective</c> prints.</summary>
internal static class EffectiveConfiguration
{
    /// <summary>Every value in a fixed order: name, value as the file would have it, and the JSON value.</summary>
    public static IEnumerable<(string Name, string Text, object Json)> Values(ClusterConfiguration c)
    {
        yield return Word("cluster", c.Cluster);
        yield return Word("config_file", c.File);
        yield return Word("config_digest", c.Digest.ToString("x16", CultureInfo.InvariantCulture));
        yield return Word("key_file", c.KeyFile);
        yield return Word("timing.profile", c.Timing.Profile);
        yield return Time("timing.token", c.Timing.Token);
        yield return Time("timing.consensus", c.Timing.Consensus);
        yield return Time("timing.link_down", c.Timing.LinkDown);
        yield return Time("derived.join_pace", c.Timing.Join);
        yield return Time("derived.token_retransmit", c.Timing.TokenRetransmit);
        yield return Time("derived.held_token_pace", c.Timing.TokenRetransmit);
        yield return Time("derived.heartbeat_neighbours", c.Timing.Heartbeat);
        yield return Time("derived.heartbeat_others", TimeSpan.FromSeconds(2));
        yield return Time("derived.detection_worst_case", c.Timing.DetectionWorstCase);
        yield return Word("link_policy", c.LinkPolicy == Links.LinkPolicy.RoundRobin ? "round-robin" : c.LinkPolicy.ToString().ToLowerInvariant());
        yield return Word("link_priorities", c.LinkPriorities.Count == 0 ? "equal" : string.Join(",", c.LinkPriorities));
        yield return Size("datagram_max", c.DatagramBytesMax);
        yield return Size("ring.message_max", c.Ring.MessageBytesMax);
        yield return Size("ring.queue", c.Ring.QueueBytesMax);
        yield return Size("ring.window", c.Ring.WindowBytes);
        yield return Size("ring.visit", c.Ring.VisitBytes);
        yield return Size("ring.post_token", c.Ring.PostTokenBytes);
        yield return Count("ring.window_frames", c.Ring.WindowFrames);
        foreach (var value in QuorumValues(c)) yield return value;
        yield return Word("api.socket", c.Api.Socket ?? "/run/membership/api.sock");
        yield return Word("api.tcp", c.Api.Tcp ?? "none");
        yield return Word("api.tls.ca", c.Api.Tls.Authorities);
        yield return Word("api.tls.certificate", c.Api.Tls.Certificate);
        yield return Word("api.tls.key", c.Api.Tls.Key);
        foreach (var role in RoleText.Grantable)
        {
            string[] grantees = [.. c.Api.Roles.Where(grant => grant.Role == role).Select(grant => Printable.Text(grant.Text))];
            yield return Word($"api.roles.{RoleText.Of(role)}", grantees.Length == 0 ? "none" : string.Join(", ", grantees));
        }
        yield return Word("api.page", c.Api.Page?.ToString() ?? "none");
        yield return Word("telemetry.otlp", c.Telemetry.Otlp?.ToString() ?? "none");
        yield return Word("telemetry.protocol", c.Telemetry.Protocol.ToString().ToLowerInvariant());
        yield return Time("telemetry.interval", c.Telemetry.Interval);
        yield return ("telemetry.traces", c.Telemetry.Traces ? "true" : "false", c.Telemetry.Traces);
        yield return Word("telemetry.groups", c.Telemetry.Groups.Count == 0 ? "none" : string.Join(",", c.Telemetry.Groups));
        yield return Count("resources", c.ResourceCount);
    }

    private static IEnumerable<(string Name, string Text, object Json)> QuorumValues(ClusterConfiguration c)
    {
        var q = c.Quorum;
        yield return Word("quorum.mode", Describe.Word(q.Mode));
        yield return Flag("quorum.wait_for_all", q.WaitForAll);
        yield return Time("quorum.last_man_standing_window", q.LastManStandingWindow);
        yield return Word("quorum.tie_breaker", TieBreaker(c, q.TieBreaker, q.TieBreakerNodes));
        yield return Flag("quorum.allow_downscale", q.AllowDownscale);
        var verdict = QuorumRule.Full(c.QuorumOptions(c.Nodes[0].Id));
        yield return Count("quorum.expected_votes", (long)verdict.Expected);
        yield return Count("quorum.votes_needed", (long)verdict.Needed);
        yield return Flag("quorum.expected_votes_tracking", q.TrackExpectedVotes);
        if (q.Witness is not { } w)
        {
            yield return Word("quorum.witness", "none");
            yield break;
        }
        yield return Word("quorum.witness.address", w.Host.Contains(':') ? $"[{w.Host}]:{w.Port}" : $"{w.Host}:{w.Port}");
        yield return Word("quorum.witness.algorithm", w.Algorithm == WitnessAlgorithm.LastManStanding ? "lms" : "ffsplit");
        yield return Count("quorum.witness.votes", (long)w.Votes);
        yield return Word("quorum.witness.ca_file", w.CaFile);
        yield return Word("quorum.witness.certificate_file", w.CertificateFile);
        yield return Word("quorum.witness.key_file", w.KeyFile);
        yield return Time("quorum.witness.timeout", w.Timeout);
        yield return Word("quorum.witness.heuristics", w.HeuristicsCommands.Count == 0 ? "none" : string.Join("; ", w.HeuristicsCommands.Select(words => string.Join(' ', words))));
        yield return Time("quorum.witness.heuristics_timeout", w.HeuristicsTimeout);
        yield return Word("quorum.witness.tie_breaker", TieBreaker(c, w.TieBreaker, w.TieBreakerNodes));
    }

    private static string TieBreaker(ClusterConfiguration c, TieBreakerKind kind, IReadOnlyList<Links.NodeId> nodes) =>
        kind == TieBreakerKind.List ? string.Join(",", nodes.Select(c.NameOf)) : Describe.Word(kind);

    /// <summary>One <c>name = value</c> a line, then the nodes.</summary>
    public static string Text(ClusterConfiguration configuration)
    {
        var text = new StringBuilder();
        foreach (var (name, value, _) in Values(configuration)) text.Append(CultureInfo.InvariantCulture, $"{name} = {value}\n");
        foreach (var node in configuration.Nodes)
            text.Append(CultureInfo.InvariantCulture, $"node {node.Id} = {node.Name} votes {node.Votes} links {string.Join(' ', node.Links)}\n");
        return text.ToString();
    }

    /// <summary>What a check found, as one JSON object: durations in milliseconds and sizes in bytes, as their names say.</summary>
    /// <param name="effective">Adds the effective values, where the configuration is valid.</param>
    public static string Json(string file, ConfigurationResult result, bool effective)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("file", file);
            json.WriteBoolean("ok", result.Mistakes.Count == 0);
            Write(json, "mistakes", result.Mistakes);
            Write(json, "warnings", result.Warnings);
            if (effective && result.Configuration is { } configuration) WriteEffective(json, configuration);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Write(Utf8JsonWriter json, string name, IReadOnlyList<Mistake> mistakes)
    {
        json.WriteStartArray(name);
        foreach (var mistake in mistakes)
        {
            json.WriteStartObject();
            json.WriteString("file", mistake.File);
            json.WriteNumber("line", mistake.Line);
            json.WriteNumber("column", mistake.Column);
            json.WriteString("path", mistake.Path);
            json.WriteString("text", mistake.Text);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteEffective(Utf8JsonWriter json, ClusterConfiguration configuration)
    {
        json.WriteStartObject("effective");
        foreach (var (name, _, value) in Values(configuration))
        {
            switch (value)
            {
                case TimeSpan time: json.WriteNumber($"{name}_ms", time.TotalMilliseconds); break;
                case SizeValue size: json.WriteNumber($"{name}_bytes", size.Bytes); break;
                case long number: json.WriteNumber(name, number); break;
                case bool flag: json.WriteBoolean(name, flag); break;
                default: json.WriteString(name, (string)value); break;
            }
        }
        json.WriteStartArray("nodes");
        foreach (var node in configuration.Nodes)
        {
            json.WriteStartObject();
            json.WriteString("name", node.Name);
            json.WriteNumber("id", node.Id.Value);
            json.WriteNumber("votes", node.Votes);
            json.WriteStartArray("links");
            foreach (var link in node.Links) json.WriteStringValue(link.ToString());
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private sealed record SizeValue(long Bytes);

    private static (string, string, object) Word(string name, string value) => (name, value, value);

    private static (string, string, object) Flag(string name, bool value) => (name, value ? "true" : "false", value);

    private static (string, string, object) Count(string name, long value) => (name, value.ToString(CultureInfo.InvariantCulture), value);

    private static (string, string, object) Time(string name, TimeSpan value) => (name, Units.Text(value), value);

    private static (string, string, object) Size(string name, long value) => (name, Units.Text(value), new SizeValue(value));
}
