using System.Globalization;
using System.Text.Json;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Status;

/// <summary>A verdict of quorum as a screen, as one line, or as JSON fields.</summary>
internal static class QuorumText
{
    /// <summary><c>QUORATE 3/3 votes (need 2): reason</c></summary>
    public static string Line(Quorum quorum) =>
        $"{(quorum.Quorate ? "QUORATE" : "NOT QUORATE")} {quorum.Votes}/{quorum.VotesExpected} votes (need {quorum.VotesNeeded}): {quorum.Reason}";

    /// <summary>Everything on one screen: who votes, who is there, and why that suffices or not.</summary>
    public static Screen Draw(Quorum quorum, Terminal terminal)
    {
        var symbols = Symbols.Of(terminal);
        var screen = new Screen(terminal);
        var view = quorum.View is { } current ? $"   view {current.Number} ({current.Id})" : "   no view yet";
        screen.Fitted(
            [new Span(quorum.Quorate ? $" {symbols.Dot} QUORATE" : $" {symbols.Cross} NOT QUORATE", quorum.Quorate ? Tone.Good : Tone.Bad)],
            [new Span($"   {quorum.Votes}/{quorum.VotesExpected} votes (need {quorum.VotesNeeded})")],
            [new Span($"   mode {quorum.Mode}")],
            [new Span(view)],
            [new Span($"   epoch {quorum.Epoch}")]);
        if (quorum.Reason.Length > 0)
            screen.Line(new Span($" {symbols.Bar} {quorum.Reason}"));
        if (quorum.QuorateUntilNs != 0 || (quorum.Quorate && quorum.Flags.Contains("two-node")))
            screen.Line(new Span($" {symbols.Bar} {ExclusiveTime.Of(quorum, TimeSpan.Zero).Sentence}"));
        if (quorum.Synchronizing)
            screen.Line(new Span($" {symbols.Bar} the reports of the members of this view are still under way."));
        if (quorum.Flags.Count > 0)
            screen.Line(new Span($" {symbols.Bar} in force: {string.Join(", ", quorum.Flags)}"));
        if (quorum.Witness is { } witness)
            screen.Line(new Span($" {symbols.Bar} {Sentence(witness)}", witness.Granted ? Tone.Normal : Tone.Warning));
        if (!quorum.Quorate)
            screen.Line(new Span($" {symbols.Corner} next: mbr status {symbols.Separator} mbr link matrix {symbols.Separator} {Remedy(quorum)}"));
        screen.Line();

        var table = new Table("NODE", "ID", "VOTES", "PRESENT");
        foreach (var member in quorum.Members)
            table.Row(
                new Span(member.Name),
                new Span(member.Node.ToString(CultureInfo.InvariantCulture)),
                new Span(member.Votes.ToString(CultureInfo.InvariantCulture)),
                member.Present ? new Span("yes", Tone.Good) : new Span("no", Tone.Bad));
        table.WriteTo(screen);
        return screen;
    }

    /// <summary>The fields, inside an open object.</summary>
    public static void WriteFields(Utf8JsonWriter json, Quorum quorum)
    {
        json.WriteBoolean("quorate", quorum.Quorate);
        json.WriteNumber("votes", quorum.Votes);
        json.WriteNumber("needed", quorum.VotesNeeded);
        json.WriteNumber("expected", quorum.VotesExpected);
        json.WriteString("reason", quorum.Reason);
        json.WriteString("mode", quorum.Mode);
        json.WriteStartArray("flags");
        foreach (var flag in quorum.Flags)
            json.WriteStringValue(flag);
        json.WriteEndArray();
        WriteView(json, quorum.View);
        json.WriteStartArray("members");
        foreach (var member in quorum.Members)
        {
            json.WriteStartObject();
            json.WriteNumber("id", member.Node);
            json.WriteString("name", member.Name);
            json.WriteNumber("votes", member.Votes);
            json.WriteBoolean("present", member.Present);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteNumber("epoch", quorum.Epoch);
        json.WriteBoolean("synchronizing", quorum.Synchronizing);
        WriteWitness(json, quorum.Witness);
        json.WriteNumber("revision", quorum.Revision);
        json.WriteNumber("t_ns", quorum.TNs);
        json.WriteNumber("quorate_until_ns", quorum.QuorateUntilNs);
        json.WriteNumber("exclusive_from_ns", quorum.ExclusiveFromNs);
        json.WriteNumber("quorate_for_ms", quorum.QuorateForMs);
        json.WriteNumber("exclusive_in_ms", quorum.ExclusiveInMs);
    }

    private static void WriteView(Utf8JsonWriter json, View? view)
    {
        if (view is null)
        {
            json.WriteNull("view"); // before the first view of a daemon
            return;
        }
        json.WriteStartObject("view");
        json.WriteNumber("number", view.Number);
        json.WriteString("ring_id", view.Id);
        json.WriteEndObject();
    }

    private static void WriteWitness(Utf8JsonWriter json, WitnessState? witness)
    {
        if (witness is null)
        {
            json.WriteNull("witness"); // none is configured
            return;
        }
        json.WriteStartObject("witness");
        json.WriteString("address", witness.Address);
        json.WriteString("algorithm", witness.Algorithm);
        json.WriteNumber("votes", witness.Votes);
        json.WriteBoolean("connected", witness.Connected);
        json.WriteBoolean("granted", witness.Granted);
        json.WriteNumber("epoch", witness.Epoch);
        json.WriteNumber("lease_ms", witness.LeaseMs);
        json.WriteString("reason", witness.Reason);
        json.WriteEndObject();
    }

    private static string Sentence(WitnessState witness)
    {
        var state = !witness.Connected ? "no session" : witness.Granted ? $"granted for {Durations.Age(witness.LeaseMs)}" : "not granted";
        var reason = witness.Reason.Length > 0 ? $": {witness.Reason}" : "";
        return $"witness {witness.Address} ({witness.Algorithm}, {witness.Votes} {(witness.Votes == 1 ? "vote" : "votes")}) {state}{reason}";
    }

    private static string Remedy(Quorum quorum) => quorum.Flags.Contains("wait-for-all")
        ? "mbr quorum cancel-wait-for-all, but only when the missing nodes are certainly down"
        : "after repair nothing needs to be typed";
}
