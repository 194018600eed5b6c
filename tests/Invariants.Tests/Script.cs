using Membership.Links;
using Membership.Totem;

namespace Membership.Invariants.Tests;

/// <summary>Writes a history by hand: one call, one event. Time rises by a millisecond with each.</summary>
internal sealed class Script
{
    private readonly List<ViewMember> _names = [];
    private readonly Dictionary<(int Sender, ulong Counter), (ulong Hash, DeliveryLevel Level)> _sent = [];
    private readonly Dictionary<int, ulong> _counters = [];

    public HistoryChecker Checker { get; } = new();

    public long Now { get; private set; }

    /// <summary>Starts a node; boot tells its starts apart.</summary>
    public int Node(ushort id, ulong boot = 1, bool hasDisk = true)
    {
        var name = new ViewMember(new NodeId(id), boot);
        var index = Checker.Begin(name, hasDisk);
        while (_names.Count <= index) _names.Add(default);
        _names[index] = name;
        return index;
    }

    public static RingId Ring(ulong sequence, ushort representative = 1) => new(new NodeId(representative), sequence, 7UL << 32);

    public ViewMember[] Names(params int[] nodes) => [.. nodes.Select(node => _names[node])];

    /// <summary>Each of <paramref name="members"/> installs a regular view of all of them.</summary>
    public void Form(RingId ring, params int[] members)
    {
        foreach (var member in members) Regular(member, ring, members);
    }

    public void Regular(int node, RingId ring, params int[] members) => Checker.Installed(node, Tick(), ViewId.Regular(ring), Names(members));

    public void Transitional(int node, RingId next, RingId old, params int[] members) =>
        Checker.Installed(node, Tick(), new ViewId(next, old), Names(members));

    /// <summary>A node goes through the transitional view into the next ring.</summary>
    public void Move(int node, RingId old, RingId next, int[] along, int[] members)
    {
        Transitional(node, next, old, along);
        Regular(node, next, members);
    }

    /// <summary>The node accepts a message and returns its counter.</summary>
    public ulong Send(int node, DeliveryLevel level = DeliveryLevel.Agreed)
    {
        var counter = _counters[node] = _counters.GetValueOrDefault(node) + 1;
        var hash = (counter * 1000) + (ulong)node;
        _sent[(node, counter)] = (hash, level);
        Checker.Sent(node, Tick(), counter, hash, 10, level);
        return counter;
    }

    public void Deliver(int node, RingId ring, ulong seq, int sender, ulong counter, ulong? hash = null)
    {
        var (sent, level) = _sent.GetValueOrDefault((sender, counter), (99UL, DeliveryLevel.Agreed));
        var delivery = new Delivery(ring, new Seq(seq), 0, _names[sender].Node, _names[sender].Boot, counter, level, 0);
        Checker.Delivered(node, Tick(), delivery, hash ?? sent, 10);
    }

    public void Crash(int node) => Checker.Crashed(node, Tick());

    /// <summary>The history ends without a claim of rest.</summary>
    public void Cut() => Checker.Finish(new HistoryEnding());

    /// <summary>The history ends at rest.</summary>
    public void Rest(long? calmSince = null, params int[][] cliques) =>
        Checker.Finish(new HistoryEnding { IsQuiesced = true, CalmSince = calmSince, Cliques = cliques.Length > 0 ? cliques : null });

    private long Tick() => Now += 1_000_000;
}
