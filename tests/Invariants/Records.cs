using Membership.Totem;

namespace Membership.Invariants;

/// <summary>A broken guarantee: which one, in words, and the events that show it.</summary>
/// <param name="Id">I1 to I40 of docs/protocol/invariants.md.</param>
/// <param name="Sentence">What happened, to whom.</param>
/// <param name="Events">The events concerned, oldest first.</param>
public sealed record Violation(string Id, string Sentence, IReadOnlyList<string> Events)
{
    /// <summary>Id, sentence and events, one a line.</summary>
    public override string ToString() => $"{Id}: {Sentence}{string.Concat(Events.Select(line => $"\n    {line}"))}";
}

/// <summary>What an event of a history is.</summary>
public enum HistoryEventKind
{
    /// <summary>A message was accepted for the ring.</summary>
    Send,

    /// <summary>A message was handed to the application.</summary>
    Deliver,

    /// <summary>A view was installed.</summary>
    View,

    /// <summary>The node withdrew a message it had accepted.</summary>
    Failed,

    /// <summary>The process died.</summary>
    Crash,

    /// <summary>The node left on purpose.</summary>
    Leave,

    /// <summary>The recording stopped while the node was healthy.</summary>
    End,
}

/// <summary>One event of one incarnation. <c>Subject</c> is the graph number of its message or view, or -1.</summary>
/// <param name="At">Nanoseconds of the clock that all incarnations of the history share.</param>
public readonly record struct HistoryEvent(HistoryEventKind Kind, long At, int Subject);

/// <summary>One message: what its sender said about it, and where it was ordered.</summary>
internal sealed class MessageRecord(int graph, IncarnationRecord sender, ulong counter)
{
    /// <summary>Number in the graph of I16 and in <see cref="HistoryEvent.Subject"/>.</summary>
    public int Graph { get; } = graph;

    public IncarnationRecord Sender { get; } = sender;

    public ulong Counter { get; } = counter;

    public bool IsSent { get; set; }

    public bool IsFailed { get; set; }

    public long SentAt { get; set; }

    public ulong Hash { get; set; }

    public int Size { get; set; }

    public DeliveryLevel Level { get; set; }

    /// <summary>Regular views its sender had installed when it was sent.</summary>
    public int ViewsAtSend { get; set; }

    /// <summary>Ring and place of the last message the sender had delivered when it sent this one.</summary>
    public RingRecord? SeenRing { get; set; }

    public ulong SeenSeq { get; set; }

    public int SeenIndex { get; set; }

    /// <summary>The ring that ordered it; null until somebody delivered it.</summary>
    public RingRecord? Ring { get; set; }

    public ulong Seq { get; set; }

    public int Index { get; set; }

    /// <summary>Somebody delivered it in the regular view.</summary>
    public bool InRegular { get; set; }

    /// <summary>Transitional views in which somebody delivered it.</summary>
    public List<ViewRecord>? InTransitional { get; set; }

    public IncarnationSet DeliveredBy;

    public int CompareOrder(ulong seq, int index) => Seq != seq ? Seq.CompareTo(seq) : Index.CompareTo(index);

    public override string ToString() =>
        $"message {Sender}#{Counter}" + (Ring is null ? "" : $" ({Ring.Id} seq {Seq}.{Index}{(Level == DeliveryLevel.Safe ? " safe" : "")})");
}

/// <summary>One view as some incarnation first showed it.</summary>
internal sealed class ViewRecord(int graph, ViewId id, ViewMember[] members)
{
    public int Graph { get; } = graph;

    public ViewId Id { get; } = id;

    public ViewMember[] Members { get; } = members;

    public IncarnationSet MemberSet;

    public IncarnationSet InstalledBy;

    /// <summary>Of a transitional view: the first epoch that ended through it, for I23.</summary>
    public Epoch? FirstClosed { get; set; }

    public override string ToString() =>
        $"{(Id.IsTransitional ? "transitional" : "regular")} view {Id} ({string.Join(',', Members.Select(member => member.Node.Value))})";
}

/// <summary>All messages known of one ring, in its order, and everybody's epoch in it.</summary>
internal sealed class RingRecord(RingId id)
{
    public RingId Id { get; } = id;

    public ViewRecord? Regular { get; set; }

    public List<MessageRecord> Order { get; } = [];

    public List<Epoch> Epochs { get; } = [];

    /// <summary>I26 holds already: every member was seen to install the view.</summary>
    public bool IsInstalledByAll { get; set; }

    /// <summary>First place in the order at or after (seq, index).</summary>
    public int Find(ulong seq, int index)
    {
        var (low, high) = (0, Order.Count);
        while (low < high)
        {
            var middle = (low + high) >> 1;
            if (Order[middle].CompareOrder(seq, index) < 0) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}

/// <summary>One incarnation's stay in one ring: from its regular view to the next regular view, the transitional one included.</summary>
internal sealed class Epoch(IncarnationRecord owner, RingRecord ring, bool isPartial)
{
    public IncarnationRecord Owner { get; } = owner;

    public RingRecord Ring { get; } = ring;

    /// <summary>The recording began inside this epoch: what came before is unknown.</summary>
    public bool IsPartial { get; } = isPartial;

    /// <summary>Place in the ring's order after the last delivery; -1 before the first of a partial epoch.</summary>
    public int Position { get; set; } = isPartial ? -1 : 0;

    /// <summary>Place after the last delivery in the regular view.</summary>
    public int RegularEnd { get; set; }

    /// <summary>First place that was passed over in the transitional view; -1 while none was.</summary>
    public int FirstSkipped { get; set; } = -1;

    /// <summary>Hash over what was delivered, in order, for I23 and I24.</summary>
    public ulong Chain { get; set; }

    public int Count { get; set; }

    public ViewRecord? Transitional { get; set; }

    public bool IsClosed { get; set; }

    /// <summary>Nodes that took part with the owner in a recovery of this ring, finished or not (I28).</summary>
    public List<Links.NodeId> Recovered { get; } = [];
}

/// <summary>One start of one node.</summary>
internal sealed class IncarnationRecord(int index, ViewMember name, Identity identity)
{
    public int Index { get; } = index;

    public ViewMember Name { get; } = name;

    /// <summary>False when other nodes speak of it but it recorded nothing.</summary>
    public bool IsObserved { get; set; }

    public bool RecordsSends { get; set; }

    public bool JoinsLate { get; set; }

    public Identity Identity { get; set; } = identity;

    public List<HistoryEvent> Events { get; } = [];

    /// <summary>By counter, from 1.</summary>
    public List<MessageRecord?> Messages { get; } = [];

    public List<Epoch> Epochs { get; } = [];

    public Epoch? Epoch => Epochs.Count > 0 ? Epochs[^1] : null;

    public ViewRecord? View { get; set; }

    /// <summary>Crash or leave; null while it runs or ended healthy.</summary>
    public HistoryEventKind? Stopped { get; set; }

    public GroupRecord Groups { get; } = new();

    /// <summary>By sender: the last counter delivered, and whether the sender has stayed since.</summary>
    public List<(ulong Counter, bool Together)> Fifo { get; } = [];

    public bool HasInstalled(RingRecord ring) => ring.Regular is { } view && view.InstalledBy.Contains(Index);

    public Epoch? EpochOf(RingRecord ring)
    {
        for (var i = Epochs.Count - 1; i >= 0; i--)
        {
            if (ReferenceEquals(Epochs[i].Ring, ring)) return Epochs[i];
        }
        return null;
    }

    public override string ToString() => $"{Name.Node}/{(ushort)Name.Boot:x4}";
}

/// <summary>A node with one disk: what I11 counts along. A restart without the disk starts a new one.</summary>
internal sealed class Identity
{
    public ulong LastSequence { get; set; }

    public bool HasInstalled { get; set; }
}

/// <summary>A set of incarnations: 64 without allocation, more with.</summary>
internal struct IncarnationSet
{
    private ulong _low;
    private HashSet<int>? _high;

    public readonly bool Contains(int index) => index < 64 ? (_low >> index & 1) != 0 : _high?.Contains(index) == true;

    public void Add(int index)
    {
        if (index < 64) _low |= 1UL << index;
        else (_high ??= []).Add(index);
    }
}
