using System.Globalization;
using System.Text.Json;
using Membership.Links;
using Membership.Totem;

namespace Membership.Invariants;

/// <summary>Reads the event streams of <c>mbr ring tail --json</c> and <c>mbr ring send --json</c> (design, event streams for scripts) into a checker.</summary>
/// <remarks>
/// All daemons must share one monotonic clock (one machine). Sends are known once they were ordered, so they are entered first:
/// I1 then means "sent at all", not "sent earlier". Streams that end with a <c>cut</c> line are refused: their end proves nothing.
/// </remarks>
public sealed class JsonHistory
{
    private readonly List<(long At, int Stream, int Line, JsonElement Event)> _events = [];
    private readonly List<ViewMember> _streams = [];
    private readonly List<(ViewMember Sender, JsonElement Event)> _sends = [];
    private readonly Dictionary<ViewMember, DeliveryLevel> _levels = [];

    /// <summary>Adds the tail of one daemon. Its incarnation is found in its first view.</summary>
    /// <exception cref="FormatException">A line is not what the format says, or the stream was cut.</exception>
    public ViewMember AddTail(NodeId node, IEnumerable<string> lines)
    {
        ViewMember? self = null;
        var number = 0;
        foreach (var happened in Parse(lines))
        {
            number++;
            var kind = happened.GetProperty("event").GetString();
            if (kind == "cut") throw new FormatException($"the tail of node {node} was cut at line {number}: its end is unknown");
            if (self is null && kind == "view") self = Members(happened).Find(member => member.Node == node);
            _events.Add((happened.GetProperty("t_ns").GetInt64(), _streams.Count, number, happened));
        }
        _streams.Add(self ?? throw new FormatException($"the tail of node {node} shows no view with node {node} in it"));
        return self.Value;
    }

    /// <summary>Adds what one <c>ring send</c> to this incarnation reported.</summary>
    public void AddSends(ViewMember sender, DeliveryLevel level, IEnumerable<string> lines)
    {
        foreach (var happened in Parse(lines)) _sends.Add((sender, happened));
        _levels[sender] = level;
    }

    /// <summary>Feeds everything, in the order of time, to a new checker. Senders whose <c>ring send</c> was not added are not observed.</summary>
    public HistoryChecker Read(bool tailsJoinLate)
    {
        var checker = new HistoryChecker(new HistoryOptions { AllObserved = false, RecoveriesRecorded = false });
        var senders = _sends.Select(send => send.Sender).ToHashSet();
        foreach (var stream in _streams) checker.Begin(stream, joinsLate: tailsJoinLate, recordsSends: senders.Contains(stream));
        foreach (var (sender, happened) in _sends) ReadSend(checker, checker.IndexOf(sender), sender, happened);
        foreach (var (at, stream, _, happened) in _events.OrderBy(entry => entry.At).ThenBy(entry => entry.Stream).ThenBy(entry => entry.Line))
        {
            ReadTail(checker, checker.IndexOf(_streams[stream]), at, happened);
        }
        return checker;
    }

    private void ReadSend(HistoryChecker checker, int sender, ViewMember name, JsonElement happened)
    {
        var at = happened.GetProperty("t_ns").GetInt64();
        var counter = happened.GetProperty("counter").GetUInt64();
        switch (happened.GetProperty("event").GetString())
        {
            case "sent":
                checker.Sent(sender, at, counter, Hash(happened), happened.GetProperty("size").GetInt32(), _levels[name]);
                break;
            case "failed":
                checker.Failed(sender, at, counter);
                break;
            case var other:
                throw new FormatException($"ring send wrote an event '{other}'");
        }
    }

    private static void ReadTail(HistoryChecker checker, int node, long at, JsonElement happened)
    {
        switch (happened.GetProperty("event").GetString())
        {
            case "view":
                checker.Installed(node, at, ParseViewId(happened.GetProperty("id").GetString()!), Members(happened));
                break;
            case "message":
                var delivery = new Delivery(
                    ParseRingId(happened.GetProperty("ring_id").GetString()!),
                    new Seq(happened.GetProperty("seq").GetUInt64()),
                    happened.GetProperty("index").GetInt32(),
                    new NodeId(happened.GetProperty("sender").GetUInt16()),
                    Boot(happened),
                    happened.GetProperty("counter").GetUInt64(),
                    happened.GetProperty("level").GetString() == "safe" ? DeliveryLevel.Safe : DeliveryLevel.Agreed,
                    0);
                checker.Delivered(node, at, delivery, Hash(happened), happened.GetProperty("size").GetInt32());
                break;
            case var other:
                throw new FormatException($"ring tail wrote an event '{other}'");
        }
    }

    /// <summary>Reads representative.sequence-hex.incarnation.</summary>
    /// <exception cref="FormatException">The text is something else.</exception>
    public static RingId ParseRingId(string text)
    {
        var parts = text.Split('.');
        if (parts.Length != 3) throw new FormatException($"'{text}' is not a ring id");
        return new RingId(
            new NodeId(ushort.Parse(parts[0], CultureInfo.InvariantCulture)),
            ulong.Parse(parts[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture),
            ulong.Parse(parts[2], NumberStyles.HexNumber, CultureInfo.InvariantCulture) << 32);
    }

    /// <summary>Reads a ring id, or <c>t:NEW/OLD</c>.</summary>
    /// <exception cref="FormatException">The text is something else.</exception>
    public static ViewId ParseViewId(string text)
    {
        if (!text.StartsWith("t:", StringComparison.Ordinal)) return ViewId.Regular(ParseRingId(text));
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0) throw new FormatException($"'{text}' is not a view id");
        return new ViewId(ParseRingId(text[2..slash]), ParseRingId(text[(slash + 1)..]));
    }

    private static List<ViewMember> Members(JsonElement view) =>
        [.. view.GetProperty("members").EnumerateArray().Select(member => new ViewMember(new NodeId(member.GetProperty("node").GetUInt16()), Boot(member)))];

    private static ulong Boot(JsonElement element)
    {
        var text = element.GetProperty("boot").GetString()!;
        return ulong.Parse(text.Length > 16 ? text[^16..] : text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }

    private static ulong Hash(JsonElement element) =>
        ulong.Parse(element.GetProperty("sha256").GetString()!, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static IEnumerable<JsonElement> Parse(IEnumerable<string> lines)
    {
        foreach (var line in lines)
        {
            if (line.Length == 0) continue;
            using var document = JsonDocument.Parse(line);
            yield return document.RootElement.Clone();
        }
    }
}
