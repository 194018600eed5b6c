using System.Net;
using System.Net.Sockets;
using Membership.Links;

namespace Membership.Daemon.Configuration;

/// <content>The nodes.</content>
internal sealed partial class ConfigurationReader
{
    private const ulong VotesMax = 1_000_000;

    private List<NodeConfiguration> ReadNodes(MapBinder file, string? self)
    {
        const string Remedy = "Write a list with one line per node, like - { name: n1, id: 1, links: [\"10.0.0.1:5405\"] }.";
        if (file.Require("nodes", Remedy) is not { } place) return [];
        var before = _mistakes.Mistakes.Count;
        var items = file.List("nodes", Remedy);
        if (_mistakes.Mistakes.Count > before) return [];
        if (items.Count == 0) _mistakes.Add(place, "nodes", $"is an empty list, not 1 to {NodeTable.Max} nodes. {Remedy}");
        if (items.Count > NodeTable.Max) _mistakes.Add(place, "nodes", $"is a list of {items.Count}, above {NodeTable.Max} nodes. A cluster has at most {NodeTable.Max}.");

        var unique = new Uniqueness();
        List<NodeConfiguration> nodes = [];
        for (var i = 0; i < items.Count; i++)
        {
            if (file.Map(items[i], $"nodes[{i}]", Remedy, "name", "id", "links", "votes") is { } map) nodes.Add(ReadNode(map, unique));
        }
        CheckTogether(file, nodes, self);
        return [.. nodes.OrderBy(n => n.Id)];
    }

    private NodeConfiguration ReadNode(MapBinder map, Uniqueness unique)
    {
        var name = ReadName(map, "name", "Name the node, usually by its host name.");
        if (name.Length > 0 && !unique.Names.TryAdd(name, map.At("name").Line))
            map.Add("name", $"is {Printable.Value(name)}, the name of the node in line {unique.Names[name]}. Give each node its own name.");
        map.Require("id", "Number the nodes from 1; a number stays with its node for ever.");
        var id = (ushort)map.Number("id", 1, ushort.MaxValue, 0);
        if (id != 0 && !unique.Ids.TryAdd(id, map.At("id").Line))
            map.Add("id", $"is {id}, the id of the node in line {unique.Ids[id]}. Give each node its own id.");
        return new NodeConfiguration(name, new NodeId(id), ReadLinks(map, unique), (ulong)map.Number("votes", 0, (long)VotesMax, 1));
    }

    private List<IPEndPoint> ReadLinks(MapBinder map, Uniqueness unique)
    {
        const string Remedy = "Write one address per link, like links: [\"10.0.0.1:5405\"].";
        if (map.Require("links", Remedy) is not { } place) return [];
        var before = _mistakes.Mistakes.Count;
        var items = map.List("links", Remedy);
        if (_mistakes.Mistakes.Count == before && items.Count is 0 or > LinkId.Max)
            _mistakes.Add(place, map.PathOf("links"), $"is a list of {items.Count}, not of 1 to {LinkId.Max} addresses. {Remedy}");
        List<IPEndPoint> links = [];
        for (var i = 0; i < items.Count; i++)
        {
            var address = ReadLink(map, items[i], $"{map.PathOf("links")}[{i}]");
            if (address is not null && !unique.Addresses.TryAdd(address, items[i].Line))
                _mistakes.Add(items[i], $"{map.PathOf("links")}[{i}]", $"is {address}, already used in line {unique.Addresses[address]}. Each link of each node needs an address and port of its own.");
            links.Add(address ?? new IPEndPoint(IPAddress.None, 0));
        }
        return links;
    }

    private IPEndPoint? ReadLink(MapBinder map, YamlNode item, string path)
    {
        const string Form = "an address and port";
        const string Remedy = "Write it in quotes like \"10.0.0.1:5405\" or \"[fd00::1]:5405\"; names are not looked up.";
        if (map.Scalar(item, path, Form, Remedy) is not { } text) return null;
        if (!Units.TryEndPoint(text, out var address)) _mistakes.Add(item, path, $"is {Printable.Value(text)}, not {Form}. {Remedy}");
        else if (address.Port == 0) _mistakes.Add(item, path, $"is {text}, but port 0 reaches nobody. Write a port from 1 to 65535, usually 5405.");
        else if (WhyUnusable(address.Address) is { } why) _mistakes.Add(item, path, $"is {text}, {why}. Write an address of one interface of this node that the other nodes reach.");
        else return address;
        return null;
    }

    private static string? WhyUnusable(IPAddress address)
    {
        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)) return "the address of every interface";
        if (address.Equals(IPAddress.Broadcast)) return "the broadcast address";
        if (address.IsIPv6Multicast || address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes()[0] is >= 224 and < 240) return "a multicast address";
        if (address.IsIPv6LinkLocal) return "a link-local address, which means another thing on each interface";
        return address.IsIPv4MappedToIPv6 ? "an IPv4 address written as IPv6" : null;
    }

    private void CheckTogether(MapBinder file, List<NodeConfiguration> nodes, string? self)
    {
        if (nodes.Count == 0) return;
        var items = file.List("nodes", "");
        for (var i = 1; i < nodes.Count && nodes.Count == items.Count; i++)
        {
            var place = items[i] is YamlMap map && map.Entries.FirstOrDefault(e => e.Key.Text == "links") is { } entry ? entry.Value : items[i];
            CheckLinksAgainstFirst(nodes[0], nodes[i], place, i);
        }
        if (nodes.All(n => n.Votes == 0)) file.Add("nodes", "has no votes at all, so that there is never a quorum. Give at least one node votes: 1, or delete the votes lines (default 1).");
        if (self is not null && nodes.All(n => n.Name != self))
        {
            var names = nodes.Select(n => n.Name).ToList();
            var nearest = NearestKey.Of(self, names);
            file.Add("nodes", $"has no node {Printable.Value(self)}, the name of this node, only {string.Join(", ", names)}. Add it, or start with --node {nearest ?? names[0]}.");
        }
    }

    private void CheckLinksAgainstFirst(NodeConfiguration first, NodeConfiguration node, YamlNode place, int index)
    {
        if (node.Links.Count == 0 || first.Links.Count == 0) return;
        if (node.Links.Count != first.Links.Count)
        {
            _mistakes.Add(place, $"nodes[{index}].links", $"is a list of {node.Links.Count}, not of {first.Links.Count} as for {Printable.Value(first.Name)}. Give every node the same number of links.");
            return;
        }
        for (var link = 0; link < node.Links.Count; link++)
        {
            var (mine, firsts) = (node.Links[link], first.Links[link]);
            if (mine.Port == 0 || firsts.Port == 0 || mine.AddressFamily == firsts.AddressFamily) continue;
            var at = place is YamlList list ? list.Items[link] : place;
            _mistakes.Add(at, $"nodes[{index}].links[{link}]", $"is {mine}, not {FamilyName(firsts)} as for {Printable.Value(first.Name)}. All addresses of one link are of one kind.");
        }
    }

    private static string FamilyName(IPEndPoint address) => address.AddressFamily == AddressFamily.InterNetwork ? "IPv4" : "IPv6";

    /// <summary>Where each name, id and address was first seen.</summary>
    private sealed class Uniqueness
    {
        public Dictionary<string, int> Names { get; } = new(StringComparer.Ordinal);

        public Dictionary<ushort, int> Ids { get; } = [];

        public Dictionary<IPEndPoint, int> Addresses { get; } = [];
    }
}
