using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Membership.Cli.Corosync;

/// <content>Nodes, their links and addresses.</content>
internal sealed partial class CorosyncImport
{
    private const string NodePath = "nodelist.node";
    private const int NodesMax = 64;
    private const int LinksMax = 8;
    private const int IdMax = ushort.MaxValue;
    private const int PortDefault = 5405;
    private const long VotesMax = 1_000_000;

    private sealed record NodeDraft(CorosyncSection Section, Dictionary<int, CorosyncEntry> Addresses);

    private Dictionary<int, CorosyncSection> ReadInterfaces()
    {
        var interfaces = new Dictionary<int, CorosyncSection>();
        foreach (var section in _root.All().Where(static section => section.Path == "totem.interface"))
        {
            var entry = Take(section, "linknumber") ?? Take(section, "ringnumber");
            var number = (int)Number(entry, "totem.interface.linknumber", 0, LinksMax - 1, interfaces.Count);
            if (!interfaces.TryAdd(number, section))
                Mistake(section.Line, $"totem.interface: link {number} has a section in line {interfaces[number].Line} already");
        }
        return interfaces;
    }

    private List<ImportedNode> ReadNodes(Dictionary<int, CorosyncSection> interfaces, out IReadOnlyList<int> links)
    {
        var ports = interfaces.Values.ToDictionary(static section => section, section => Take(section, "mcastport"));
        int Port(int link) => interfaces.TryGetValue(link, out var section) && ports[section] is { } entry
            ? (int)Number(entry, "totem.interface.mcastport", 1, ushort.MaxValue, PortDefault + link)
            : PortDefault + link;

        var drafts = _root.All().Where(static section => section.Path == NodePath).Select(Draft).ToList();
        if (drafts.Count == 0)
            return NamedNodes(out links);
        if (_choices.Nodes.Count > 0)
            Mistake(drafts[0].Section.Line, "the file has a nodelist; leave --nodes out");
        if (drafts.Count > NodesMax)
            Mistake(drafts[NodesMax].Section.Line, $"nodelist has {drafts.Count} nodes, at most {NodesMax} are possible");
        var common = CommonLinks(drafts);
        links = common;
        var ids = Ids(drafts);
        var nodes = new List<ImportedNode>();
        for (var index = 0; index < drafts.Count; index++)
            nodes.Add(ReadNode(drafts[index], ids[index], common, Port));
        RefuseTwins(drafts, nodes);
        return [.. nodes.OrderBy(static node => node.Id)];
    }

    // The old form: nodes find each other by multicast, and the file does not know them.
    private List<ImportedNode> NamedNodes(out IReadOnlyList<int> links)
    {
        links = [.. Enumerable.Range(0, _choices.Nodes.Count == 0 ? 0 : _choices.Nodes[0].Links.Count)];
        if (_choices.Nodes.Count == 0)
            Mistake(0, "the file has no nodelist, so it does not name the nodes; name them with --nodes n1=10.0.0.1,n2=10.0.0.2");
        var votes = (ulong)Number(Take("quorum", "votes"), "quorum.votes", 0, VotesMax, 1);
        var nodes = new List<ImportedNode>();
        foreach (var node in _choices.Nodes)
            nodes.Add(new ImportedNode(nodes.Count + 1, node.Name, [.. node.Links.Select(IPEndPoint.Parse)], votes));
        if (votes != 1)
            Note(0, $"quorum.votes: every node has {votes} votes; the files of the other nodes may say otherwise");
        return nodes;
    }

    private NodeDraft Draft(CorosyncSection section)
    {
        var addresses = new Dictionary<int, CorosyncEntry>();
        foreach (var key in section.Entries.Select(static entry => entry.Key).Distinct().ToList())
            if (LinkNumber(key) is { } link && Take(section, key) is { } entry)
                addresses[link] = entry;
        return new NodeDraft(section, addresses);
    }

    private static int? LinkNumber(string key) => key is ['r', 'i', 'n', 'g', >= '0' and <= '7' and var digit, '_', 'a', 'd', 'd', 'r'] ? digit - '0' : null;

    // A link exists for all nodes or for none.
    private List<int> CommonLinks(List<NodeDraft> drafts)
    {
        var common = Enumerable.Range(0, LinksMax).Where(link => drafts.TrueForAll(draft => draft.Addresses.ContainsKey(link))).ToList();
        foreach (var draft in drafts)
            foreach (var (link, entry) in draft.Addresses.Where(address => !common.Contains(address.Key)))
                Note(entry.Line, $"nodelist.node.{entry.Key}: left out, because not every node has an address on link {link}");
        if (common.Count == 0)
            Mistake(drafts[0].Section.Line, "there is no link that every node has an address on (ring0_addr)");
        for (var index = 0; index < common.Count; index++)
            if (common[index] != index)
                Note(drafts[0].Addresses[common[index]].Line, $"nodelist.node.ring{common[index]}_addr: it becomes link {(char)('A' + index)}; links have no gaps");
        return common;
    }

    private List<int> Ids(List<NodeDraft> drafts)
    {
        var entries = drafts.ConvertAll(draft => Take(draft.Section, "nodeid"));
        var asked = entries.ConvertAll(static entry =>
            entry is not null && long.TryParse(entry.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id is >= 1 and <= IdMax ? (int)id : 0);
        var taken = new HashSet<int>();
        for (var index = 0; index < asked.Count; index++)
            if (asked[index] != 0 && !taken.Add(asked[index]))
                Mistake(entries[index]!.Line, $"nodelist.node.nodeid: {asked[index]} is the id of another node already"); // asked from an entry
        var next = 1;
        for (var index = 0; index < asked.Count; index++)
        {
            if (asked[index] != 0)
                continue;
            while (!taken.Add(next))
                next++;
            asked[index] = next;
            Note(entries[index]?.Line ?? drafts[index].Section.Line, $"nodelist.node.nodeid: {(entries[index] is null ? "missing" : $"not a number from 1 to {IdMax}")}; the node gets {next}");
        }
        return asked;
    }

    private ImportedNode ReadNode(NodeDraft draft, int id, List<int> links, Func<int, int> port)
    {
        var votes = (ulong)Number(Take(draft.Section, "quorum_votes"), "nodelist.node.quorum_votes", 0, VotesMax, 1);
        var addresses = new List<IPEndPoint>();
        foreach (var link in links)
            if (Address(draft.Addresses[link]) is { } address)
                addresses.Add(new IPEndPoint(address, port(link)));
        return new ImportedNode(id, NodeName(draft, id), addresses, votes);
    }

    private string NodeName(NodeDraft draft, int id)
    {
        var name = Take(draft.Section, "name");
        if (name is not null && IsName(name.Value))
            return name.Value;
        var first = draft.Addresses.OrderBy(static address => address.Key).Select(static address => address.Value.Value).FirstOrDefault();
        var made = first is not null && ParseAddress(first) is null && IsName(first) ? first : $"n{id}";
        Note(name?.Line ?? draft.Section.Line, $"nodelist.node.name: {(name is null ? "missing" : "not 1 to 63 letters, digits, . _ -")}; the node is called {made}");
        return made;
    }

    private IPAddress? Address(CorosyncEntry entry)
    {
        var path = $"nodelist.node.{entry.Key}";
        var address = ParseAddress(entry.Value) ?? LookedUp(entry, path);
        if (address is null)
            return null;
        if (WhyUnusable(address) is { } why)
        {
            Mistake(entry.Line, $"{path} is {address}, {why}");
            return null;
        }
        return address;
    }

    private IPAddress? LookedUp(CorosyncEntry entry, string path)
    {
        if (!_choices.Addresses.TryGetValue(entry.Value, out var found) || found.Count == 0)
        {
            Mistake(entry.Line, $"{path} is neither an address nor a host name that can be looked up here; give it with --address NAME=ADDRESS");
            return null;
        }
        var address = found.FirstOrDefault(static each => each.AddressFamily == AddressFamily.InterNetwork) ?? found[0];
        if (IPAddress.IsLoopback(address))
        {
            Mistake(entry.Line, $"{path} is {entry.Value}, which is {address} on this machine and another machine on each other; give it with --address {entry.Value}=ADDRESS");
            return null;
        }
        Note(entry.Line, $"{path}: {entry.Value} is {address} here today; names are not looked up later");
        return address;
    }

    private void RefuseTwins(List<NodeDraft> drafts, List<ImportedNode> nodes)
    {
        for (var index = 1; index < nodes.Count; index++)
        {
            var (node, line) = (nodes[index], drafts[index].Section.Line);
            if (nodes.FindIndex(other => other.Name == node.Name) is var name && name < index)
                Mistake(line, $"nodelist.node: the node of line {drafts[name].Section.Line} is called {node.Name} too");
            if (node.Links.FirstOrDefault(link => nodes.Take(index).Any(other => other.Links.Contains(link))) is { } twice)
                Mistake(line, $"nodelist.node: {twice} is the address of another node already");
            for (var link = 0; link < Math.Min(node.Links.Count, nodes[0].Links.Count); link++)
                if (node.Links[link].AddressFamily != nodes[0].Links[link].AddressFamily)
                    Mistake(line, $"nodelist.node: {node.Links[link].Address} and {nodes[0].Links[link].Address} are addresses of one link, but one is IPv4 and one IPv6");
        }
        foreach (var (node, draft) in nodes.Zip(drafts))
            if (node.Links.Distinct().Count() != node.Links.Count)
                Mistake(draft.Section.Line, "nodelist.node: two links have the same address and port");
        if (nodes.TrueForAll(static node => node.Votes == 0))
            Mistake(drafts[0].Section.Line, "nodelist: no node has a vote");
    }

    private static IPAddress? ParseAddress(string text)
    {
        var isPlain = text.Contains(':', StringComparison.Ordinal) ? !text.Contains('[', StringComparison.Ordinal) : text.Count(static c => c == '.') == 3;
        return isPlain && IPAddress.TryParse(text, out var address) ? address : null;
    }

    private static string? WhyUnusable(IPAddress address)
    {
        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)) return "the address of every interface";
        if (address.Equals(IPAddress.Broadcast)) return "the broadcast address";
        if (address.IsIPv6Multicast || (address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes()[0] is >= 224 and < 240)) return "a multicast address";
        if (address.IsIPv6LinkLocal) return "a link-local address, which means another thing on each interface";
        return address.IsIPv4MappedToIPv6 ? "an IPv4 address written as IPv6" : null;
    }
}
