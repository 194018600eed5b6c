using System.Net;
using System.Numerics;
using Membership.Links;

namespace Membership.Daemon.Configuration;

/// <summary>A file as far as it could be read: the configuration when nothing is wrong, and what the operator should know.</summary>
internal sealed record ConfigurationResult(ClusterConfiguration? Configuration, IReadOnlyList<Mistake> Mistakes, IReadOnlyList<Mistake> Warnings);

/// <summary>Binds the file to a <see cref="ClusterConfiguration"/>; reports all mistakes at once.</summary>
/// <remarks>docs/operating/configuration.md documents each option: default, unit, range and what goes wrong at either end.</remarks>
internal sealed partial class ConfigurationReader
{
    /// <summary>A Unix socket's path has at most this many bytes (sun_path less its final zero).</summary>
    public const int SocketPathBytesMax = 107;

    /// <summary>A full frame carries at least so many bytes, whatever path it has to fit.</summary>
    /// <remarks>A member sends while at most half of the frames that may be in flight are; what it sends then in one visit must fit the other half, or members have to throw frames away.</remarks>
    private const int FrameBytesMin = 512;

    private readonly MistakeList _mistakes;
    private readonly string _directory;
    private readonly string _file;

    private ConfigurationReader(string file, MistakeList mistakes)
    {
        _mistakes = mistakes;
        _file = Path.GetFullPath(file);
        _directory = Path.GetDirectoryName(_file) ?? "/";
    }

    /// <summary>Reads and binds a file. <paramref name="self"/>: the node that has to be in it, or null to accept any.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static ConfigurationResult ReadFile(string file, string? self)
    {
        using var stream = File.OpenRead(file);
        var bytes = new byte[Math.Min(stream.CanSeek ? stream.Length : YamlReader.FileBytesMax, YamlReader.FileBytesMax) + 1];
        var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return Read(file, bytes.AsSpan(0, length), self);
    }

    /// <summary>Binds the bytes of a file that the operator calls <paramref name="file"/>.</summary>
    public static ConfigurationResult Read(string file, ReadOnlySpan<byte> bytes, string? self)
    {
        var mistakes = new MistakeList(file);
        var root = YamlReader.Read(bytes, mistakes);
        var configuration = root is null ? null : new ConfigurationReader(file, mistakes).Bind(root, self);
        return new ConfigurationResult(mistakes.IsEmpty ? configuration : null, mistakes.Mistakes, mistakes.Warnings);
    }

    private ClusterConfiguration? Bind(YamlNode root, string? self)
    {
        if (root is not YamlMap map)
        {
            _mistakes.Add(root, "", $"the file is {root.Kind}, not a map. It begins with a line like cluster: web.");
            return null;
        }
        var file = new MapBinder(map, "", _mistakes, "cluster", "key_file", "timing", "link_policy", "link_priorities", "datagram_max", "ring", "quorum", "nodes", "api", "telemetry", "resources");
        var nodes = ReadNodes(file, self);
        var linkCount = nodes.Count == 0 ? 1 : nodes[0].Links.Count;
        var timing = ReadTiming(file);
        var configuration = new ClusterConfiguration
        {
            File = _file,
            Cluster = ReadName(file, "cluster", "Name the cluster, for example cluster: web."),
            KeyFile = ReadKeyFile(file),
            Timing = timing,
            LinkPolicy = file.Choice("link_policy", LinkPolicy.Passive, ("passive", LinkPolicy.Passive), ("active", LinkPolicy.Active), ("round-robin", LinkPolicy.RoundRobin)),
            LinkPriorities = ReadPriorities(file, linkCount),
            DatagramBytesMax = (int)file.Size("datagram_max", 1232, 65507, 8952),
            Ring = ReadRing(file),
            Quorum = ReadQuorum(file, nodes),
            Nodes = nodes,
            Api = ReadApi(file),
            Telemetry = ReadTelemetry(file),
            ResourceCount = ReadResources(file),
            Table = new NodeTable(nodes.Count == 0 || !_mistakes.IsEmpty ? [new NodeId(1)] : nodes.Select(n => n.Id)),
        };
        return configuration;
    }

    private static string ReadName(MapBinder map, string key, string remedy)
    {
        if (map.Require(key, remedy) is null) return "";
        var text = map.Text(key, NameForm, remedy) ?? "";
        if (text.Length > 0 && !IsName(text)) map.Add(key, $"is {Printable.Value(text)}, not {NameForm}. {remedy}");
        else if (text.Length == 0 && map.Find(key) is YamlScalar { IsQuoted: true }) map.Add(key, $"is \"\", not {NameForm}. {remedy}");
        return text;
    }

    internal const string NameForm = "1 to 63 letters, digits, dots, dashes or underscores that begin with a letter or digit";

    internal static bool IsName(string text) =>
        text.Length is >= 1 and <= 63 && char.IsAsciiLetterOrDigit(text[0]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');

    private string ReadKeyFile(MapBinder file)
    {
        const string Remedy = "Name the file with the cluster's keys, relative to this file, for example key_file: web.key.";
        file.Require("key_file", Remedy);
        var text = file.Text("key_file", "the name of a file", Remedy);
        if (text is null) return "";
        if (text.Length == 0) file.Add("key_file", $"is \"\", not the name of a file. {Remedy}");
        return Path.GetFullPath(text, _directory);
    }

    private TimingConfiguration ReadTiming(MapBinder file)
    {
        if (file.Find("timing") is not YamlMap)
            return file.Choice("timing", TimingConfiguration.Lan, ("fast", TimingConfiguration.Fast), ("lan", TimingConfiguration.Lan), ("wan", TimingConfiguration.Wan));
        var map = file.Map("timing", "", "token", "consensus", "link_down")!;   // a map, as just seen
        var before = _mistakes.Mistakes.Count;
        var token = map.Duration("token", TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(60), TimingConfiguration.Lan.Token);
        var consensus = map.Duration("consensus", TimeSpan.FromMilliseconds(60), TimeSpan.FromSeconds(120), token * 1.2);
        var linkDown = map.Duration("link_down", TimeSpan.FromMilliseconds(30), TimeSpan.FromSeconds(45), token * 0.6);
        if (_mistakes.Mistakes.Count > before) return TimingConfiguration.Lan;
        if (consensus < token * 1.2)
            map.Add("consensus", $"is {Units.Text(consensus)}, below 1.2 x token ({Units.Text(token * 1.2)}). Raise it, or delete the line (default 1.2 x token).");
        if (linkDown > token * 0.75)
            map.Add("link_down", $"is {Units.Text(linkDown)}, above 0.75 x token ({Units.Text(token * 0.75)}). Lower it, or delete the line (default 0.6 x token).");
        return new TimingConfiguration("custom", token, consensus, linkDown);
    }

    private static int[] ReadPriorities(MapBinder file, int linkCount)
    {
        var items = file.List("link_priorities", "Write one number per link, like [2, 1].");
        int[] priorities = [.. items.Select((item, i) => (int)file.Number(item, $"link_priorities[{i}]", 0, 255, 1))];
        if (priorities.Length != 0 && priorities.Length != linkCount)
            file.Add("link_priorities", $"is a list of {priorities.Length}, not of {linkCount}, the number of links. Write one number per link, A first.");
        return priorities;
    }

    private RingConfiguration ReadRing(MapBinder file)
    {
        var fallback = new Totem.TotemOptions { Nodes = new NodeTable([new NodeId(1)]), Self = new NodeId(1) };
        var defaults = new RingConfiguration(fallback.MessageBytesMax, fallback.QueueBytesMax, fallback.WindowBytes, fallback.VisitBytes, fallback.PostTokenBytes, fallback.WindowFrames);
        if (file.Map("ring", "Write for example ring: { post_token: 64KiB }, or delete the line.", "message_max", "queue", "window", "visit", "post_token", "window_frames") is not { } map) return defaults;
        var before = _mistakes.Mistakes.Count;
        var ring = new RingConfiguration(
            (int)map.Size("message_max", 1024, 16 << 20, defaults.MessageBytesMax),
            (int)map.Size("queue", 64 << 10, 256 << 20, defaults.QueueBytesMax),
            (int)map.Size("window", 16 << 10, 16 << 20, defaults.WindowBytes),
            (int)map.Size("visit", 8 << 10, 16 << 20, defaults.VisitBytes),
            (int)map.Size("post_token", 0, 16 << 20, defaults.PostTokenBytes),
            (int)map.Number("window_frames", 1024, 1 << 20, defaults.WindowFrames));
        if (_mistakes.Mistakes.Count > before) return defaults;
        if (ring.VisitBytes > ring.WindowBytes)
            map.Add("visit", $"is {Units.Text(ring.VisitBytes)}, above window ({Units.Text(ring.WindowBytes)}). Lower it, or raise window.");
        if (ring.PostTokenBytes > ring.VisitBytes)
            map.Add("post_token", $"is {Units.Text(ring.PostTokenBytes)}, above visit ({Units.Text(ring.VisitBytes)}). Lower it, or raise visit.");
        if (ring.QueueBytesMax < ring.MessageBytesMax)
            map.Add("queue", $"is {Units.Text(ring.QueueBytesMax)}, below message_max ({Units.Text(ring.MessageBytesMax)}). Raise it, or lower message_max.");
        if ((ring.WindowFrames & (ring.WindowFrames - 1)) != 0)
            map.Add("window_frames", $"is {ring.WindowFrames}, not a power of two. Write for example 16384.");
        else if (ring.VisitBytes / FrameBytesMin > ring.WindowFrames / 2)
            map.Add("window_frames", $"is {ring.WindowFrames}, half of which one visit of {Units.Text(ring.VisitBytes)} may exceed. Write at least {BitOperations.RoundUpToPowerOf2((uint)(ring.VisitBytes / FrameBytesMin * 2))}, or lower visit.");
        return ring;
    }

    private ApiConfiguration ReadApi(MapBinder file)
    {
        const string Remedy = "Write for example api: { socket: /run/membership/api.sock }, or delete the line.";
        if (file.Map("api", Remedy, "socket", "tcp", "tls", "roles", "page") is not { } map) return new ApiConfiguration(null, null, null) { Tls = ReadTls(null), Roles = [] };
        var (socket, tcp) = (ReadSocket(map), ReadTcp(map));
        var page = map.Text("page", "an address and port", "Write for example 127.0.0.1:7800.");
        IPEndPoint? at = null;
        if (page is not null && !(Units.TryEndPoint(page, out at) && at.Port != 0)) map.Add("page", $"is {Printable.Value(page)}, not an address and port. Write for example 127.0.0.1:7800.");
        else if (at is not null && !IPAddress.IsLoopback(at.Address))
            map.Warn("page", $"is {at}, not a loopback address: whoever reaches it may read metrics and health. Write 127.0.0.1:{at.Port}, or see to it that only a management network does.");
        return new ApiConfiguration(socket, tcp, at) { Tls = ReadTls(map), Roles = ReadRoles(map, tcp is not null) };
    }

    private int ReadResources(MapBinder file)
    {
        var items = file.List("resources", "Write a list of maps, or delete the line.");
        for (var i = 0; i < items.Count; i++) ReadResource(items[i], $"resources[{i}]");
        if (items.Count > 0) file.Warn("resources", $"has {items.Count} {(items.Count == 1 ? "entry" : "entries")}, not supported by this version: nothing is started or stopped.");
        return items.Count;
    }

    private void ReadResource(YamlNode node, string path)
    {
        if (node is not YamlMap map)
        {
            _mistakes.Add(node, path, $"is {node.Kind}, not a map. Write for example {{ name: web-ip, type: ip }}.");
            return;
        }
        HashSet<string> seen = [];
        foreach (var (key, _) in map.Entries)
        {
            if (!seen.Add(key.Text)) _mistakes.Add(key, $"{path}.{Printable.Text(key.Text)}", "is there twice. Delete one of them.");
        }
    }
}
