using System.Runtime.InteropServices;
using Membership.Links;
using Membership.Totem;

namespace Membership.Invariants;

/// <summary>What is known of how a history was recorded.</summary>
public sealed record HistoryOptions
{
    /// <summary>Every incarnation of the cluster records here; a message of an unknown one is then a violation of I1.</summary>
    public bool AllObserved { get; init; } = true;

    /// <summary><see cref="HistoryChecker.Recovering"/> is called for each recovery, so that I19 can be strict about obligations (I28).</summary>
    public bool RecoveriesRecorded { get; init; } = true;
}

/// <summary>How a history ends.</summary>
public sealed record HistoryEnding
{
    /// <summary>No message is in flight and no fault was active for twice (token + consensus): the liveness rules apply.</summary>
    public bool IsQuiesced { get; init; }

    /// <summary>Sets of incarnations (as <see cref="HistoryChecker.Begin"/> numbered them) that can talk to each other and to nobody else; null where unknown.</summary>
    public IReadOnlyList<IReadOnlyList<int>>? Cliques { get; init; }

    /// <summary>From this time on nothing happened that excuses a new view (I15); null where there is no such time.</summary>
    public long? CalmSince { get; init; }
}

/// <summary>A history of a cluster and the oracle over it: takes the events of all incarnations in the order of time and checks I1 to I40.</summary>
/// <remarks>
/// Source of the rules: docs/protocol/invariants.md (Moser, Amir, Melliar-Smith, Agarwal: Extended Virtual Synchrony, and TOCS'95).
/// Safety that one event can break is checked at once and costs constant time per delivery; the rest in <see cref="Finish"/>.
/// Not thread-safe. Used by the simulator, by schedule tests and by end-to-end histories (<see cref="JsonHistory"/>).
/// </remarks>
public sealed partial class HistoryChecker(HistoryOptions options)
{
    /// <summary>More violations than this are not recorded: the first explain the rest.</summary>
    public const int ViolationsMax = 50;

    private readonly Dictionary<ViewMember, IncarnationRecord> _byName = [];
    private readonly List<IncarnationRecord> _incarnations = [];
    private readonly Dictionary<RingId, RingRecord> _rings = [];
    private readonly Dictionary<ViewId, ViewRecord> _views = [];
    private readonly List<object> _graph = [];
    private readonly List<Violation> _violations = [];

    public HistoryChecker()
        : this(new HistoryOptions())
    {
    }

    /// <summary>What was broken so far.</summary>
    public IReadOnlyList<Violation> Violations => _violations;

    /// <summary>Regular views that were installed by somebody.</summary>
    public int RegularViews { get; private set; }

    /// <summary>Deliveries, counted at every incarnation.</summary>
    public long Deliveries { get; private set; }

    /// <summary>Messages accepted by their senders.</summary>
    public long Sends { get; private set; }

    /// <summary>Registers a start of a node. Returns the number by which the other calls name it.</summary>
    /// <param name="node">The node and its boot; unique for ever.</param>
    /// <param name="hasDisk">False when it starts without the disk of its last start: a new identity for I11.</param>
    /// <param name="joinsLate">Its recording begins in the middle of its life.</param>
    /// <param name="recordsSends">False when only its deliveries are recorded: the first delivery of a message then stands for its sending.</param>
    public int Begin(ViewMember node, bool hasDisk = true, bool joinsLate = false, bool recordsSends = true)
    {
        var incarnation = Incarnation(node);
        incarnation.IsObserved = true;
        incarnation.RecordsSends = recordsSends;
        incarnation.JoinsLate = joinsLate;
        if (hasDisk && _incarnations.FindLast(other => other.IsObserved && other.Name.Node == node.Node && other != incarnation) is { } earlier)
        {
            incarnation.Identity = earlier.Identity;
        }
        return incarnation.Index;
    }

    /// <summary>The number of an incarnation that <see cref="Begin"/> registered or that others spoke of.</summary>
    public int IndexOf(ViewMember node) => Incarnation(node).Index;

    /// <summary>Events of one incarnation, in its order.</summary>
    public IReadOnlyList<HistoryEvent> Events(int incarnation) => _incarnations[incarnation].Events;

    /// <summary>The message or view an event is about, in words.</summary>
    public string Describe(HistoryEvent happened) =>
        happened.Subject < 0 ? happened.Kind.ToString() : $"{happened.Kind} {_graph[happened.Subject]}";

    /// <summary>A message was accepted.</summary>
    public void Sent(int incarnation, long at, ulong counter, ulong hash, int size, DeliveryLevel level)
    {
        var sender = _incarnations[incarnation];
        var message = Message(sender, counter);
        if (message.IsSent) Broken("I1", $"{sender} accepted two messages under the counter {counter}", message.ToString());
        message.IsSent = true;
        message.SentAt = at;
        message.Hash = hash;
        message.Size = size;
        message.Level = level;
        message.ViewsAtSend = sender.Epochs.Count;
        if (sender.Epoch is { Position: > 0 } epoch)
        {
            var last = epoch.Ring.Order[epoch.Position - 1];
            (message.SeenRing, message.SeenSeq, message.SeenIndex) = (epoch.Ring, last.Seq, last.Index);
        }
        Sends++;
        sender.Events.Add(new HistoryEvent(HistoryEventKind.Send, at, message.Graph));
    }

    /// <summary>An accepted message was withdrawn by its sender.</summary>
    public void Failed(int incarnation, long at, ulong counter)
    {
        var sender = _incarnations[incarnation];
        var message = Message(sender, counter);
        message.IsFailed = true;
        if (sender.Groups.Sent.ContainsKey(counter)) Tell(sender, counter, "failed");
        sender.Events.Add(new HistoryEvent(HistoryEventKind.Failed, at, message.Graph));
        if (message.Ring is not null) Broken("I24", $"{sender} withdrew {message}, but it was delivered", Who(message));
    }

    /// <summary>A node took part in a recovery from its old ring together with these nodes (finished or not).</summary>
    public void Recovering(int incarnation, RingId old, IReadOnlyList<NodeId> members)
    {
        if (_incarnations[incarnation].Epoch is not { } epoch || epoch.Ring.Id != old) return;
        foreach (var member in members)
        {
            if (!epoch.Recovered.Contains(member)) epoch.Recovered.Add(member);
        }
    }

    /// <summary>The process died.</summary>
    public void Crashed(int incarnation, long at) => Stop(incarnation, at, HistoryEventKind.Crash);

    /// <summary>The node left on purpose.</summary>
    public void Left(int incarnation, long at) => Stop(incarnation, at, HistoryEventKind.Leave);

    /// <summary>The recording of a healthy node ends.</summary>
    public void Ended(int incarnation, long at) => _incarnations[incarnation].Events.Add(new HistoryEvent(HistoryEventKind.End, at, -1));

    private void Stop(int incarnation, long at, HistoryEventKind kind)
    {
        _incarnations[incarnation].Stopped = kind;
        _incarnations[incarnation].Events.Add(new HistoryEvent(kind, at, -1));
    }

    private IncarnationRecord Incarnation(ViewMember name)
    {
        if (_byName.TryGetValue(name, out var known)) return known;
        var fresh = new IncarnationRecord(_incarnations.Count, name, new Identity());
        _byName.Add(name, fresh);
        _incarnations.Add(fresh);
        return fresh;
    }

    private RingRecord Ring(RingId id)
    {
        ref var ring = ref CollectionsMarshal.GetValueRefOrAddDefault(_rings, id, out _);
        return ring ??= new RingRecord(id);
    }

    private MessageRecord Message(IncarnationRecord sender, ulong counter)
    {
        var place = checked((int)counter);
        while (sender.Messages.Count <= place) sender.Messages.Add(null);
        if (sender.Messages[place] is { } known) return known;
        var fresh = new MessageRecord(_graph.Count, sender, counter);
        _graph.Add(fresh);
        sender.Messages[place] = fresh;
        return fresh;
    }

    private void Broken(string id, string sentence, params ReadOnlySpan<string> events)
    {
        if (_violations.Count < ViolationsMax) _violations.Add(new Violation(id, sentence, events.ToArray()));
    }

    private string Who(MessageRecord message)
    {
        var nodes = _incarnations.Where(incarnation => message.DeliveredBy.Contains(incarnation.Index)).Select(incarnation => incarnation.ToString());
        return $"{message}, delivered by {string.Join(' ', nodes)}";
    }
}
