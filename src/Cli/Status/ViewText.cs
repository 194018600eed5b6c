using System.Text.Json;
using Membership.V1;

namespace Membership.Cli.Status;

/// <summary>A view as one line of text or as JSON fields.</summary>
internal static class ViewText
{
    /// <summary><c>view 43 (4.2b.9f3c51d0) members n4 n5, left n1 n2 n3</c></summary>
    public static string Line(View view)
    {
        var kind = view.Transitional ? "transitional view" : "view";
        var line = $"{kind} {view.Number} ({view.Id}) members {Names(view.Members)}";
        if (view.Joined.Count > 0)
            line += $", joined {Names(view.Joined)}";
        if (view.Left.Count > 0)
            line += $", left {Names(view.Left)}";
        return line;
    }

    /// <summary>The names, or numbers where a name is missing.</summary>
    public static string Names(IEnumerable<ViewMember> members) =>
        string.Join(' ', members.Select(static member => member.Name.Length > 0 ? member.Name : $"#{member.Node}"));

    /// <summary>The fields of a view, inside an open object; the first seven are those of the event stream.</summary>
    public static void WriteFields(Utf8JsonWriter json, View view)
    {
        json.WriteString("kind", view.Transitional ? "transitional" : "regular");
        json.WriteString("id", view.Id);
        json.WriteNumber("number", view.Number);
        WriteMembers(json, "members", view.Members);
        json.WriteString("previous", view.Previous);
        json.WriteNumber("t_ns", view.TNs);
        json.WriteNumber("revision", view.Revision);
        WriteMembers(json, "joined", view.Joined);
        WriteMembers(json, "left", view.Left);
    }

    private static void WriteMembers(Utf8JsonWriter json, string name, IEnumerable<ViewMember> members)
    {
        json.WriteStartArray(name);
        foreach (var member in members)
        {
            json.WriteStartObject();
            json.WriteNumber("node", member.Node);
            json.WriteString("boot", member.Boot);
            json.WriteString("name", member.Name);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
