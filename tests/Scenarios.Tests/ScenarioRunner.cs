using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Membership.Invariants;
using Membership.Node;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Scenarios.Tests;

/// <summary>Does the commands of a scenario to a simulated cluster and writes down what its nodes report.</summary>
/// <remarks>
/// Commands (nodes by number, durations with unit): <c>cluster</c>, <c>start</c>, <c>submit</c>, <c>step until=</c>, <c>advance</c>, <c>settle</c>, <c>cut</c>, <c>heal</c>,
/// <c>drop</c>, <c>keep</c>, <c>replay</c>, <c>crash</c>, <c>restart</c>, <c>pause</c>, <c>leave</c>, <c>summary</c>. docs/testing.md has their arguments.
/// </remarks>
public sealed partial class ScenarioRunner
{
    private const int DeliveriesShown = 8;
    private static readonly TimeSpan SettleMax = TimeSpan.FromSeconds(120);

    /// <summary>Longer than the pace of the farthest heartbeat (2 s): what the nodes do not say by then they will not say.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan StepMax = TimeSpan.FromSeconds(20);

    private readonly List<(int Node, string Text)> _lines = [];
    private readonly List<Rule> _rules = [];
    private readonly List<(byte[] Bytes, int From, byte Link, int To)> _kept = [];
    private readonly Dictionary<int, int> _delivered = [];
    private readonly Dictionary<int, int> _failed = [];
    private World? _world;
    private WorldOptions _options = new();
    private HashSet<string> _shown = [];
    private (int Node, DatagramKind Kind)? _awaitedSend;
    private bool _sendSeen;

    /// <summary>Drops (or keeps a copy of) datagrams of a kind.</summary>
    private sealed record Rule(DatagramKind? Kind, int? From, int? To, bool Keeps)
    {
        public int Left { get; set; } = int.MaxValue;
    }

    private World World => _world ?? throw new FormatException("the first command is 'cluster'");

    /// <summary>Runs one block and returns its output, equal lines of several nodes joined.</summary>
    public IReadOnlyList<string> Run(ScenarioBlock block)
    {
        _lines.Clear();
        _delivered.Clear();
        _failed.Clear();
        foreach (var command in block.Commands)
        {
            try
            {
                Do(command);
            }
            catch (Exception failed) when (failed is not FormatException)
            {
                throw new FormatException($"'{command}': {failed.Message}", failed);
            }
        }
        foreach (var (node, count) in _delivered.Where(entry => entry.Value > DeliveriesShown).OrderBy(entry => entry.Key))
        {
            _lines.Add((node, $"... and {count - DeliveriesShown} more deliveries"));
        }
        foreach (var violation in World.History.Violations) _lines.Add((0, $"VIOLATION {violation}"));
        return Joined();
    }

    /// <summary>What the whole history breaks, once no more block follows.</summary>
    public IReadOnlyList<Violation> Finish()
    {
        World.History.Finish(new HistoryEnding());
        return World.History.Violations;
    }

    private void Do(string command)
    {
        var words = Words().Matches(command).Select(match => match.Value).ToList();
        var named = words.Skip(1).Where(word => word.Contains('=', StringComparison.Ordinal) && !word.StartsWith('"'))
            .ToDictionary(word => word[..word.IndexOf('=', StringComparison.Ordinal)], word => word[(word.IndexOf('=', StringComparison.Ordinal) + 1)..]);
        var plain = words.Skip(1).Where(word => !word.Contains('=', StringComparison.Ordinal) || word.StartsWith('"')).ToList();
        switch (words[0])
        {
            case "cluster": Begin(named); break;
            case "start" or "restart": foreach (var host in HostsOf(plain)) host.Start(!plain.Contains("without-disk")); break;
            case "submit": Submit(plain, named); break;
            case "step": StepUntil(named["until"].Trim('(', ')')); break;
            case "advance": World.RunTo(World.Now + Nanoseconds(plain[0])); break;
            case "settle": Settle(); break;
            case "cut": Cut(plain, named); break;
            case "heal": World.Network.HealAll(); break;
            case "drop" or "keep": AddRule(words[0] == "keep", plain, named); break;
            case "replay": foreach (var (bytes, from, link, to) in _kept) World.Replay(from, link, to, bytes); break;
            case "crash": foreach (var host in HostsOf(plain)) host.Crash(); break;
            case "leave": foreach (var host in HostsOf(plain)) host.Leave(); break;
            case "pause": Host(plain[0]).Pause(Nanoseconds(plain[1])); break;
            case "summary": Summarise(); break;
            default: throw new FormatException($"there is no command '{words[0]}'");
        }
    }

    private void Begin(Dictionary<string, string> named)
    {
        _options = new WorldOptions
        {
            Nodes = int.Parse(named["nodes"], CultureInfo.InvariantCulture),
            Links = named.TryGetValue("links", out var links) ? int.Parse(links, CultureInfo.InvariantCulture) : 1,
            Token = Span(named, "token", 1000),
            Consensus = Span(named, "consensus", 1200),
            LinkDown = Span(named, "link-down", 600),
        };
        _shown = [.. (named.GetValueOrDefault("show") ?? "views,messages,gather").Split(',')];
        _world = new World(_options, ulong.Parse(named.GetValueOrDefault("seed") ?? "1", CultureInfo.InvariantCulture), new KeyedHashCipherSuite());
        _world.Network.Options = new NetworkOptions { Hop = (long)Span(named, "hop", 1).TotalNanoseconds, Unreachable = 1 };
        _world.Network.Drops = OnSent;
        _world.FactReported = OnFact;
        _world.ViewInstalled = (host, view) => Add("views", host, Describe.Of(view));
        _world.MessageDelivered = OnDelivered;
        _world.MessageFailed = (host, counter) => Add("messages", host, $"failed own message {counter}");
    }

    private void OnFact(Host host, NodeFact fact)
    {
        var topic = fact switch
        {
            NodeFact.Ring { Fact: TotemFact.StateChanged } => "states",
            NodeFact.Ring { Fact: TotemFact.Recovering } => "recovery",
            NodeFact.Ring { Fact: TotemFact.Consensus } => "consensus",
            NodeFact.Ring { Fact: TotemFact.Committing } => "commits",
            NodeFact.Ring => "gather",
            NodeFact.Peer => "peers",
            NodeFact.Link => "links",
            _ => "gather",
        };
        Add(topic, host, Describe.Of(fact, World.Nodes));
    }

    private void OnDelivered(Host host, Delivery delivery, byte[] payload)
    {
        var count = _delivered[host.Position] = _delivered.GetValueOrDefault(host.Position) + 1;
        if (count > DeliveriesShown) return;
        var isText = payload.Length <= 40 && payload.All(value => value is >= 32 and < 127);
        Add("messages", host, string.Create(
            CultureInfo.InvariantCulture,
            $"deliver {Describe.Word(delivery.Level)} from={delivery.Sender} seq={delivery.Seq} {(isText ? $"\"{Encoding.ASCII.GetString(payload)}\"" : $"{payload.Length} bytes")}"));
    }

    private bool OnSent(Datagram datagram, int to)
    {
        var kind = Peek.Of(datagram.Bytes);
        if (_awaitedSend is { } awaited && awaited.Kind == kind && awaited.Node == datagram.From) _sendSeen = true;
        foreach (var rule in _rules)
        {
            if ((rule.Kind is { } wanted && wanted != kind) || (rule.From is { } from && from != datagram.From) || (rule.To is { } target && target != to)) continue;
            if (rule.Left-- <= 0) continue;
            if (!rule.Keeps) return true;
            _kept.Add((datagram.Bytes.ToArray(), datagram.From, datagram.Link, to));
        }
        return false;
    }

    private void Submit(List<string> plain, Dictionary<string, string> named)
    {
        var level = plain.Contains("safe") ? DeliveryLevel.Safe : DeliveryLevel.Agreed;
        var payload = named.TryGetValue("bytes", out var bytes)
            ? new byte[int.Parse(bytes, CultureInfo.InvariantCulture)]
            : Encoding.ASCII.GetBytes(plain[1].Trim('"'));
        var count = named.TryGetValue("times", out var times) ? int.Parse(times, CultureInfo.InvariantCulture) : 1;
        var result = Host(plain[0]).Submit(payload, level, count);
        if (result.Status != SubmitStatus.Accepted) _lines.Add((Host(plain[0]).Position, $"submit refused: {Describe.Word(result.Status)}"));
    }

    private void StepUntil(string condition)
    {
        var words = condition.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var host = Host(words[0]);
        var deadline = World.Now + (long)StepMax.TotalNanoseconds;
        Func<bool> isMet;
        if (words[1] == "sends")
        {
            _awaitedSend = (host.Position, Kind(words[2]));
            _sendSeen = false;
            isMet = () => _sendSeen;
        }
        else if (words[1] == "delivers")
        {
            var before = _delivered.GetValueOrDefault(host.Position);
            isMet = () => _delivered.GetValueOrDefault(host.Position) > before;
        }
        else
        {
            var state = Enum.Parse<TotemState>(words[1], ignoreCase: true);
            isMet = () => host.Node?.State == state;
        }
        if (!World.RunTo(deadline, isMet)) _lines.Add((host.Position, $"never: {condition}"));
        _awaitedSend = null;
    }

    /// <summary>Runs until every running node is operational, nothing is queued and nothing was reported for a while.</summary>
    private void Settle()
    {
        var quiet = (long)Quiet.TotalNanoseconds;
        var deadline = World.Now + (long)SettleMax.TotalNanoseconds;
        var (seen, since) = (_reports, World.Now);
        while (World.Now < deadline && World.History.Violations.Count == 0)
        {
            World.RunTo(World.Now + (quiet / 64));
            if (_reports != seen) (seen, since) = (_reports, World.Now);
            if (World.Now - since >= quiet && World.Hosts.All(host => host.Node is null or { State: TotemState.Operational, QueuedBytes: 0 })) return;
        }
        _lines.Add((-1, "not settled"));
    }

    private int _reports;

    private void Cut(List<string> plain, Dictionary<string, string> named)
    {
        int? link = named.TryGetValue("link", out var name) ? name[0] - 'A' : null;
        if (plain is [var single] && single.Contains("->", StringComparison.Ordinal))
        {
            var ends = single.Split("->");
            Cut([Host(ends[0]).Position], [Host(ends[1]).Position], link, isBothWays: false);
            return;
        }
        var first = Set(plain[0]);
        var second = plain.Count > 1 ? Set(plain[1]) : [.. Enumerable.Range(0, _options.Nodes).Except(first)];
        Cut(first, second, link, isBothWays: true);
    }

    private void Cut(List<int> from, List<int> to, int? onlyLink, bool isBothWays)
    {
        foreach (var (source, target) in from.SelectMany(source => to.Select(target => (source, target))))
        {
            for (var link = 0; link < _options.Links; link++)
            {
                if (onlyLink is { } only && only != link) continue;
                World.Network.Cut(source, target, link, 1);
                if (isBothWays) World.Network.Cut(target, source, link, 1);
            }
        }
    }

    private void AddRule(bool keeps, List<string> plain, Dictionary<string, string> named)
    {
        if (plain.Contains("nothing"))
        {
            _rules.Clear();
            return;
        }
        var rule = new Rule(
            named.TryGetValue("kind", out var kind) ? Kind(kind) : null,
            named.TryGetValue("from", out var from) ? Host(from).Position : null,
            named.TryGetValue("to", out var to) ? Host(to).Position : null,
            keeps);
        if (named.TryGetValue("count", out var count)) rule.Left = int.Parse(count, CultureInfo.InvariantCulture);
        _rules.Add(rule);
    }

    /// <summary>What each node has: view, deliveries since the block began.</summary>
    private void Summarise()
    {
        foreach (var host in World.Hosts)
        {
            var text = host.Node is not { } node ? "is down"
                : $"{Describe.Word(node.State)} in {(host.View is { } view ? $"({string.Join(',', view.Members.Select(member => member.Node))})" : "no view")}, delivered {_delivered.GetValueOrDefault(host.Position)}";
            _lines.Add((host.Position, text));
        }
    }

    private void Add(string topic, Host host, string text)
    {
        _reports++;
        if (_shown.Contains(topic)) _lines.Add((host.Position, Incarnation().Replace(text, "$1")));
    }

    /// <summary>The n-th time a text appears at several nodes it is one line, where it appeared first.</summary>
    private List<string> Joined()
    {
        var places = new Dictionary<(string Text, int Time), (int Place, List<int> Nodes)>();
        var times = new Dictionary<(int, string), int>();
        foreach (var (node, text) in _lines)
        {
            var time = times[(node, text)] = times.GetValueOrDefault((node, text)) + 1;
            if (!places.TryGetValue((text, time), out var entry)) places[(text, time)] = entry = (places.Count, []);
            entry.Nodes.Add(node);
        }
        return
        [
            .. places.OrderBy(entry => entry.Value.Place)
                .Select(entry => entry.Value.Nodes[0] < 0 ? entry.Key.Text : $"{string.Join(',', entry.Value.Nodes.Order().Select(node => node + 1))}: {entry.Key.Text}"),
        ];
    }

    private Host Host(string number) => World.Hosts[int.Parse(number, CultureInfo.InvariantCulture) - 1];

    private IEnumerable<Host> HostsOf(List<string> plain) =>
        plain.Contains("all") ? World.Hosts : plain.Where(word => char.IsDigit(word[0])).Select(Host);

    private static List<int> Set(string text) => [.. text.Trim('(', ')').Split(',').Select(number => int.Parse(number, CultureInfo.InvariantCulture) - 1)];

    private static DatagramKind Kind(string word) => Enum.Parse<DatagramKind>(word.Replace("-", "", StringComparison.Ordinal), ignoreCase: true);

    private static TimeSpan Span(Dictionary<string, string> named, string name, int milliseconds) =>
        named.TryGetValue(name, out var text) ? TimeSpan.FromMicroseconds(Nanoseconds(text) / 1000) : TimeSpan.FromMilliseconds(milliseconds);

    private static long Nanoseconds(string text)
    {
        var (number, unit) = text.EndsWith("us", StringComparison.Ordinal) ? (text[..^2], 1_000L)
            : text.EndsWith("ms", StringComparison.Ordinal) ? (text[..^2], 1_000_000L)
            : text.EndsWith('s') ? (text[..^1], 1_000_000_000L)
            : throw new FormatException($"'{text}' has no unit (us, ms, s)");
        return long.Parse(number, CultureInfo.InvariantCulture) * unit;
    }

    [GeneratedRegex("""[a-z-]+=\([^)]*\)|"[^"]*"|\S+""")]
    private static partial Regex Words();

    [GeneratedRegex("""\b(\d+\.[0-9a-f]+)\.[0-9a-f]{8}\b""")]
    private static partial Regex Incarnation();
}
