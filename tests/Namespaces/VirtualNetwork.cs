using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Membership.Namespaces;

/// <summary>Nodes 1 to N, each in a network namespace, joined by one bridge per link; and the faults of such a network.</summary>
/// <remarks>Not thread-safe. Everything is gone after <see cref="Dispose"/>, which throws when something is not.</remarks>
public sealed class VirtualNetwork : IDisposable
{
    /// <summary>Where iproute2 keeps named namespaces.</summary>
    private const string NamedNamespaces = "/run/netns";

    private const string Prefix = "me2e";
    private const int MtuBytes = 1500;
    private const int LinksMax = 8;

    private static int _count;

    private readonly string _tag = $"{Prefix}{Environment.ProcessId}x{Interlocked.Increment(ref _count)}";
    private readonly List<string> _namespaces = [];
    private readonly int _strangers;

    /// <summary>Makes the network.</summary>
    /// <param name="nodes">Number of nodes, 1 to 200.</param>
    /// <param name="links">Links of each node, 1 to 8.</param>
    /// <param name="strangers">Further namespaces on the same bridges that belong to no node; numbered from <see cref="StrangerFirst"/>.</param>
    public VirtualNetwork(int nodes, int links, int strangers = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nodes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(nodes, StrangerFirst - 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(links, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(links, LinksMax);
        Nodes = nodes;
        Links = links;
        _strangers = strangers;
        RemoveLeftOvers();
        try
        {
            Build();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Host number of the first namespace that belongs to no node.</summary>
    public static int StrangerFirst => 201;

    /// <summary>Number of nodes.</summary>
    public int Nodes { get; }

    /// <summary>Links of each node.</summary>
    public int Links { get; }

    /// <summary>Name of the namespace that holds the bridges (<c>br0</c> for the first link).</summary>
    public string BridgeNamespace => $"{_tag}b";

    /// <summary>Name of a host's namespace.</summary>
    public string Namespace(int host) => $"{_tag}n{host}";

    /// <summary>Address of a host on a link (0 is the first).</summary>
    public static IPAddress Address(int host, int link = 0) => new([10, 98, (byte)link, (byte)host]);

    /// <summary>Pulls a node's cables on all links, or plugs them in again.</summary>
    public void SetCables(int host, bool plugged)
    {
        for (var link = 0; link < Links; link++) SetCable(host, link, plugged);
    }

    /// <summary>Pulls one cable: the bridge's end goes down, the node loses its carrier.</summary>
    public void SetCable(int host, int link, bool plugged) =>
        Command.Run("ip", "-n", BridgeNamespace, "link", "set", $"v{host}l{link}", plugged ? "up" : "down");

    /// <summary>A node no longer hears another, on all links; the other still hears it.</summary>
    public void Deafen(int host, int towards)
    {
        for (var link = 0; link < Links; link++) AddInputRule(host, $"ip saddr {Address(towards, link)} drop");
    }

    /// <summary>Cuts two nodes from each other, both ways, on all links.</summary>
    public void Separate(int one, int other)
    {
        Deafen(one, other);
        Deafen(other, one);
    }

    /// <summary>Parts the nodes: no node of one part hears one of another, on all links. One packet filter per node, all set at the same time.</summary>
    public void Split(params int[][] parts)
    {
        var cuts = parts.SelectMany((part, index) => part.Select(host => (Host: host, Others: parts.Where((_, other) => other != index).SelectMany(other => other).ToArray())));
        Task.WaitAll([.. cuts.Where(cut => cut.Others.Length > 0).Select(cut => Task.Run(() =>
        {
            var sources = Enumerable.Range(0, Links).SelectMany(link => cut.Others.Select(other => Address(other, link)));
            AddInputRule(cut.Host, $"ip saddr {{ {string.Join(", ", sources)} }} drop");
        }))]);
    }

    /// <summary>A node loses a share of what arrives, at random, on all links.</summary>
    public void Lose(int host, int percent) => AddInputRule(host, $"iifname \"l*\" numgen random mod 100 < {percent} drop");

    /// <summary>A share of what arrives has one byte of its UDP payload overwritten, past the clear header; the checksum is repaired by nft.</summary>
    public void Corrupt(int host, int percent) =>
        AddRule(host, "spoil", "type filter hook prerouting priority -300;", $"iifname \"l*\" meta l4proto udp numgen random mod 100 < {percent} @th,320,8 set 0xff");

    /// <summary>A share of what a node sends on a link goes out twice.</summary>
    public void Duplicate(int host, int link, int percent)
    {
        Nft(host, $"add table netdev faults; add chain netdev faults out{link} {{ type filter hook egress device \"l{link}\" priority 0; }}; "
            + $"add rule netdev faults out{link} ip protocol udp numgen random mod 100 < {percent} dup to \"l{link}\"");
    }

    /// <summary>Takes back everything <see cref="Deafen"/>, <see cref="Lose"/>, <see cref="Corrupt"/> and <see cref="Duplicate"/> did to a node.</summary>
    public void RemoveRules(int host)
    {
        foreach (var family in new[] { "inet", "netdev" })
        {
            Nft(host, $"add table {family} faults; delete table {family} faults");
        }
    }

    /// <summary>Takes back the rules of all nodes and plugs in all cables.</summary>
    public void Heal()
    {
        for (var host = 1; host <= Nodes; host++)
        {
            RemoveRules(host);
            SetCables(host, plugged: true);
        }
    }

    /// <summary>Packets and bytes a node's interface of one link has received and sent.</summary>
    public (long ReceivedPackets, long SentPackets, long ReceivedBytes, long SentBytes) Traffic(int host, int link)
    {
        var fields = Command.Run("ip", "netns", "exec", Namespace(host), "cat", "/proc/net/dev").Split('\n')
            .Single(line => line.TrimStart().StartsWith($"l{link}:", StringComparison.Ordinal))
            .Split([' ', ':'], StringSplitOptions.RemoveEmptyEntries)[1..]
            .Select(field => long.Parse(field, CultureInfo.InvariantCulture)).ToArray();
        return (fields[1], fields[9], fields[0], fields[8]);
    }

    /// <summary>A socket that lives in a host's namespace, whatever thread uses it.</summary>
    public Socket OpenSocket(int host, SocketType kind, ProtocolType protocol)
    {
        Socket? socket = null;
        Exception? failure = null;
        // A thread of its own: the namespace belongs to the thread, and this one ends with it.
        var thread = new Thread(() =>
        {
            try
            {
                using var network = File.OpenHandle(Path.Combine(NamedNamespaces, Namespace(host)));
                Native.EnterNetwork(network);
                socket = new Socket(AddressFamily.InterNetwork, kind, protocol);
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return socket ?? throw new InvalidOperationException($"no socket in namespace {Namespace(host)}", failure);
    }

    /// <summary>Removes the namespaces.</summary>
    /// <exception cref="InvalidOperationException">A process is still in one of them, or one could not be removed.</exception>
    public void Dispose()
    {
        var problems = new List<string>();
        foreach (var name in _namespaces)
        {
            var processes = Command.Execute("ip", "netns", "pids", name).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (processes.Length > 0) problems.Add($"processes {string.Join(' ', processes)} are still in {name}");
            Command.Execute("ip", "netns", "delete", name);
        }

        _namespaces.Clear();
        problems.AddRange(Existing().Where(name => name.StartsWith(_tag, StringComparison.Ordinal)).Select(name => $"namespace {name} is left behind"));
        if (problems.Count > 0) throw new InvalidOperationException(string.Join("; ", problems));
    }

    private void Build()
    {
        AddNamespace(BridgeNamespace);
        Command.Run("ip", "netns", "exec", BridgeNamespace, "sh", "-c",
            "for f in /proc/sys/net/bridge/bridge-nf-call-*; do if [ -e \"$f\" ]; then echo 0 > \"$f\"; fi; done");
        for (var link = 0; link < Links; link++)
        {
            Command.Run("ip", "-n", BridgeNamespace, "link", "add", $"br{link}", "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0");
            Command.Run("ip", "-n", BridgeNamespace, "link", "set", $"br{link}", "mtu", $"{MtuBytes}", "up");
        }

        foreach (var host in Enumerable.Range(1, Nodes).Concat(Enumerable.Range(StrangerFirst, _strangers))) AddHost(host);
    }

    private void AddHost(int host)
    {
        var name = Namespace(host);
        AddNamespace(name);
        Command.Run("ip", "-n", name, "link", "set", "lo", "up");
        for (var link = 0; link < Links; link++)
        {
            Command.Run("ip", "link", "add", $"l{link}", "netns", name, "mtu", $"{MtuBytes}", "type", "veth",
                "peer", "name", $"v{host}l{link}", "netns", BridgeNamespace, "mtu", $"{MtuBytes}");
            Command.Run("ip", "-n", BridgeNamespace, "link", "set", $"v{host}l{link}", "master", $"br{link}", "up");
            Command.Run("ip", "-n", name, "address", "add", $"{Address(host, link)}/24", "dev", $"l{link}");
            Command.Run("ip", "-n", name, "link", "set", $"l{link}", "up");
        }
    }

    private void AddNamespace(string name)
    {
        Command.Run("ip", "netns", "add", name);
        _namespaces.Add(name);
    }

    private void AddInputRule(int host, string rule) => AddRule(host, "in", "type filter hook input priority -200;", rule);

    private void AddRule(int host, string chain, string hook, string rule) =>
        Nft(host, $"add table inet faults; add chain inet faults {chain} {{ {hook} }}; add rule inet faults {chain} {rule}");

    private void Nft(int host, string commands) => Command.Run("ip", "netns", "exec", Namespace(host), "nft", commands);

    private static IEnumerable<string> Existing() => Directory.Exists(NamedNamespaces)
        ? Directory.EnumerateFiles(NamedNamespaces).Select(path => Path.GetFileName(path))
        : [];

    /// <summary>A run that was killed could not clean up: namespaces whose process is gone are removed here.</summary>
    private static void RemoveLeftOvers()
    {
        foreach (var name in Existing().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            var digits = name[Prefix.Length..].TakeWhile(char.IsAsciiDigit).ToArray();
            if (!int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) || Directory.Exists($"/proc/{pid}")) continue;
            foreach (var left in Command.Execute("ip", "netns", "pids", name).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                Native.Signal(int.Parse(left, CultureInfo.InvariantCulture), Native.SignalKill);
            }

            Command.Execute("ip", "netns", "delete", name);
        }
    }
}
