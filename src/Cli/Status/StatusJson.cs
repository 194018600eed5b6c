using System.Text.Json;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Status;

/// <summary>The JSON form of a status. Scripts depend on the names; fields may be added, never changed.</summary>
/// <param name="socket">Where the status came from, for errors.</param>
internal sealed class StatusJson(string socket)
{
    /// <summary>The whole status as one line.</summary>
    public string Render(GetStatusResponse status) => JsonText.Object(json => Write(json, status));

    /// <summary>The nodes as an array named <c>nodes</c>.</summary>
    public void WriteNodes(Utf8JsonWriter json, IEnumerable<NodeStatus> nodes)
    {
        json.WriteStartArray("nodes");
        foreach (var node in nodes)
            WriteNode(json, node);
        json.WriteEndArray();
    }

    /// <summary>The fields of one link, inside an open object.</summary>
    public void WriteLinkFields(Utf8JsonWriter json, LinkStatus link)
    {
        json.WriteString("name", link.Name);
        json.WriteString("state", Words.Of(link.State, socket));
        json.WriteNumber("rtt_us", link.RttUs);
        json.WriteNumber("loss", link.Loss);
        json.WriteBoolean("hears", link.Hears);
        json.WriteBoolean("heard_by_peer", link.HeardByPeer);
        json.WriteNumber("datagram_bytes", link.DatagramBytes);
        if (link.LastHeardMs < 0)
            json.WriteNull("last_heard_ms");
        else
            json.WriteNumber("last_heard_ms", link.LastHeardMs);
    }

    private void Write(Utf8JsonWriter json, GetStatusResponse status)
    {
        json.WriteString("cluster", status.Cluster);
        json.WriteString("state", Words.Of(status.State, socket));
        json.WriteStartObject("node");
        json.WriteNumber("id", status.Node);
        json.WriteString("name", status.NodeName);
        json.WriteString("boot", status.Boot);
        json.WriteString("version", status.Version);
        json.WriteNumber("uptime_ms", status.UptimeMs);
        json.WriteEndObject();
        WriteView(json, status);
        WriteQuorum(json, status);
        WriteNodes(json, status.Nodes);
        json.WriteStartArray("resources");
        json.WriteEndArray();
        json.WriteString("ring_state", status.RingState);
        json.WriteString("profile", status.Profile);
        json.WriteBoolean("fault_injection", status.FaultInjection);
        json.WriteNumber("t_ns", status.TNs);
        WriteCounts(json, "counters", status.Counters);
        WriteCounts(json, "dropped", status.Dropped);
    }

    private static void WriteView(Utf8JsonWriter json, GetStatusResponse status)
    {
        if (status.View is not { } view)
        {
            json.WriteNull("view"); // before the first view of a daemon
            return;
        }
        json.WriteStartObject("view");
        json.WriteNumber("number", view.Number);
        json.WriteString("ring_id", view.Id);
        json.WriteStartArray("members");
        foreach (var member in view.Members)
            json.WriteNumberValue(member.Node);
        json.WriteEndArray();
        json.WriteNumber("since_ms", status.ViewSinceMs);
        json.WriteNumber("revision", view.Revision);
        json.WriteEndObject();
    }

    private static void WriteQuorum(Utf8JsonWriter json, GetStatusResponse status)
    {
        json.WriteStartObject("quorum");
        json.WriteBoolean("quorate", status.Quorate);
        json.WriteNumber("votes", status.Votes);
        json.WriteNumber("needed", status.VotesNeeded);
        json.WriteNumber("expected", status.VotesExpected);
        json.WriteString("reason", status.QuorumReason);
        json.WriteEndObject();
    }

    private void WriteNode(Utf8JsonWriter json, NodeStatus node)
    {
        json.WriteStartObject();
        json.WriteNumber("id", node.Node);
        json.WriteString("name", node.Name);
        json.WriteString("state", Words.Of(node.State, socket));
        json.WriteNumber("votes", node.Votes);
        json.WriteString("version", node.Version);
        json.WriteNumber("since_ms", node.SinceMs);
        json.WriteNumber("groups", node.Groups);
        json.WriteStartArray("hears");
        foreach (var heard in node.Hears)
            json.WriteNumberValue(heard);
        json.WriteEndArray();
        json.WriteStartArray("links");
        foreach (var link in node.Links)
        {
            json.WriteStartObject();
            WriteLinkFields(json, link);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteCounts(Utf8JsonWriter json, string name, IEnumerable<KeyValuePair<string, long>> counts)
    {
        json.WriteStartObject(name);
        foreach (var (key, value) in counts.OrderBy(static count => count.Key, StringComparer.Ordinal))
            json.WriteNumber(key, value);
        json.WriteEndObject();
    }
}
