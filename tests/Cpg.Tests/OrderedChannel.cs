using Membership.Invariants;
using Membership.Links;
using Membership.Totem;

namespace Membership.Cpg.Tests;

/// <summary>A ring as EVS promises it and nothing more: one log of messages, of which each member has seen a prefix.</summary>
internal sealed class Ring(RingId id, IReadOnlyList<ViewMember> members)
{
    public RingId Id { get; } = id;

    public IReadOnlyList<ViewMember> Members { get; } = members;

    public List<(Delivery Delivery, byte[] Payload)> Log { get; } = [];
}

/// <summary>Several group cores over a perfect ordered channel with view changes: splits, merges, restarts, views that only some members install.</summary>
/// <remarks>Everything any node sees goes to the invariant library as well.</remarks>
internal sealed class OrderedChannel
{
    private readonly Random _random;
    private ulong _ringSequence;
    private ulong _boots;

    private readonly int _messageBytes;

    public OrderedChannel(int nodes, int seed = 0, int messageBytes = 1 << 20)
    {
        _messageBytes = messageBytes;
        _random = new Random(seed);
        for (var i = 0; i < nodes; i++) Nodes.Add(Boot((ushort)(i + 1)));
    }

    public HistoryChecker History { get; } = new();

    public List<ChannelNode> Nodes { get; } = [];

    /// <summary>A fresh start of a node; it has no view yet.</summary>
    public void Restart(int position)
    {
        History.Crashed(Nodes[position].Incarnation, 0);
        Nodes[position] = Boot(Nodes[position].Name.Node.Value);
    }

    /// <summary>The nodes of each set form a view; who is named nowhere stays where it is, without hearing anything.</summary>
    public void Form(params ReadOnlySpan<int[]> components)
    {
        foreach (var component in components) FormPartly(component, component);
    }

    /// <summary>As <see cref="Form"/> for one view, which only some of its members install.</summary>
    public void FormPartly(int[] component, int[] installing)
    {
        var nodes = component.Order().Select(position => Nodes[position]).ToList();
        var ring = new Ring(new RingId(nodes[0].Name.Node, ++_ringSequence, nodes[0].Name.Boot), [.. nodes.Select(node => node.Name)]);
        foreach (var companions in nodes.GroupBy(node => node.Ring).ToList())
        {
            var old = companions.Key;
            var moving = companions.Where(node => installing.Contains(Nodes.IndexOf(node))).ToList();
            if (moving.Count == 0) continue;
            if (old is null)
            {
                foreach (var node in moving) node.Install(ring, []);
                continue;
            }

            // The regular view ends at one place for all that come along, no earlier than any of them delivered; behind it a part of the log may be lost,
            // but for the messages of those who come along.
            var regularEnd = _random.Next(companions.Max(node => node.Delivered), old.Log.Count + 1);
            var cut = _random.Next(regularEnd, old.Log.Count + 1);
            ViewMember[] together = [.. companions.Select(node => node.Name)];
            foreach (var node in moving)
            {
                while (node.Delivered < regularEnd) node.DeliverNext();
                node.InstallTransitional(ring, together);
                for (var at = regularEnd; at < old.Log.Count; at++)
                {
                    if (at < cut || together.Any(member => member.Node == old.Log[at].Delivery.Sender)) node.Deliver(at);
                }

                node.Install(ring, together);
            }
        }
    }

    /// <summary>Orders and delivers until nothing is left.</summary>
    public void Settle()
    {
        var isQuiet = false;
        while (!isQuiet)
        {
            isQuiet = true;
            foreach (var node in Nodes)
            {
                while (node.OrderNext()) isQuiet = false;
            }

            foreach (var node in Nodes)
            {
                while (node.DeliverNext()) isQuiet = false;
            }
        }
    }

    private ChannelNode Boot(ushort number)
    {
        var name = new ViewMember(new NodeId(number), ++_boots);
        return new ChannelNode(name, History, History.Begin(name), _messageBytes);
    }
}

/// <summary>One node of an <see cref="OrderedChannel"/>.</summary>
internal sealed class ChannelNode : ICpgEffects
{
    private const int QueueMax = 40;

    private readonly HistoryChecker _history;
    private readonly Queue<(byte[] Payload, ulong Counter, DeliveryLevel Level)> _queue = new();
    private readonly int _messageBytes;
    private readonly uint[] _sessions = [1, 2, 3];
    private uint _lastSession = 3;
    private uint _lastSlot;
    private ulong _counter;
    private ViewId? _view;

    public ChannelNode(ViewMember name, HistoryChecker history, int incarnation, int messageBytes)
    {
        (Name, _history, Incarnation, _messageBytes) = (name, history, incarnation, messageBytes);
        Core = new CpgNode(new CpgOptions { Self = name.Node, MessageBytesMax = messageBytes });
    }

    public ViewMember Name { get; }

    public int Incarnation { get; }

    public CpgNode Core { get; }

    public Ring? Ring { get; private set; }

    /// <summary>How much of the ring's log it has seen.</summary>
    public int Delivered { get; private set; }

    public int Queued => _queue.Count;

    /// <summary>Views, changes and messages, in their order.</summary>
    public List<string> Log { get; } = [];

    public List<GroupChange> Changes { get; } = [];

    /// <summary>One of the latest memberships, or one that never was.</summary>
    public uint Slot(int back) => _lastSlot > back ? _lastSlot - (uint)back : uint.MaxValue;

    /// <summary>One of three sessions at a time; who ends is followed by a new one.</summary>
    public uint Session(int which) => _sessions[which];

    public JoinResult Join(uint session, string group)
    {
        _history.GroupJoining(Incarnation, session, 100 + session, group);
        var result = Core.Join(session, 100 + session, group, this);
        _history.GroupJoined(Incarnation, session, 100 + session, group, result.Status == GroupStatus.Accepted ? result.Slot : null);
        if (result.Status == GroupStatus.Accepted) _lastSlot = result.Slot;
        return result;
    }

    public GroupStatus Leave(uint slot)
    {
        var status = Core.Leave(slot, this);
        if (status == GroupStatus.Accepted) _history.GroupLeft(Incarnation, slot);
        return status;
    }

    public void EndSession(uint session)
    {
        _history.SessionEnded(Incarnation, session);
        Core.EndSession(session, this);
        if (Array.IndexOf(_sessions, session) is >= 0 and var which) _sessions[which] = ++_lastSession;
    }

    public SendResult Send(uint slot, ReadOnlySpan<byte> payload, DeliveryLevel level = DeliveryLevel.Agreed)
    {
        var result = Core.Send(slot, payload, level, this);
        if (result.Status == GroupStatus.Accepted) _history.GroupSent(Incarnation, result.Counter, slot, Hash(payload), payload.Length, level);
        return result;
    }

    /// <summary>Puts bytes into the order as they are.</summary>
    public void SubmitRaw(params ReadOnlySpan<byte> message) => SubmitControl(message);

    /// <summary>The token comes by: one message gets its place.</summary>
    public bool OrderNext()
    {
        if (Ring is not { } ring || !_queue.TryDequeue(out var next)) return false;
        ring.Log.Add((new Delivery(ring.Id, new Seq((ulong)ring.Log.Count + 1), 0, Name.Node, Name.Boot, next.Counter, next.Level, 2), next.Payload));
        return true;
    }

    public bool DeliverNext()
    {
        if (Ring is not { } ring || Delivered == ring.Log.Count) return false;
        Deliver(Delivered);
        return true;
    }

    public void Deliver(int at)
    {
        Delivered = at + 1;
        var (delivery, payload) = Ring!.Log[at]; // called for a node with a ring
        Core.OnMessage(delivery, payload, this);
    }

    public void InstallTransitional(Ring next, IReadOnlyList<ViewMember> together)
    {
        var old = Ring!; // called for a node that comes from a ring
        Install(new View(new ViewId(next.Id, old.Id), together, _view, [], [.. old.Members.Except(together)]));
    }

    public void Install(Ring ring, IReadOnlyList<ViewMember> together)
    {
        (Ring, Delivered) = (ring, 0);
        Install(new View(ViewId.Regular(ring.Id), ring.Members, _view, [.. ring.Members.Except(together)], []));
    }

    public SubmitResult Submit(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, DeliveryLevel level)
    {
        if (_queue.Count >= QueueMax) return new SubmitResult(SubmitStatus.QueueFull, 0);
        _queue.Enqueue(([.. header, .. payload], ++_counter, level));
        return new SubmitResult(SubmitStatus.Accepted, _counter);
    }

    public void SubmitControl(ReadOnlySpan<byte> payload)
    {
        if (payload.Length > _messageBytes) throw new InvalidOperationException($"a control message of {payload.Length} bytes, which the ring does not take");
        _queue.Enqueue((payload.ToArray(), ++_counter, DeliveryLevel.Agreed));
    }

    public void Changed(GroupChange change)
    {
        _history.GroupChanged(Incarnation, 0, change);
        Changes.Add(change);
        Log.Add($"{change.Group}: {change.Reason} +({Text(change.Joined)}) -({Text(change.Left)}) = ({Text(change.Members)})");
    }

    public void Message(in GroupDelivery message, ReadOnlySpan<byte> payload)
    {
        _history.GroupMessage(Incarnation, 0, message, Hash(payload), payload.Length);
        Log.Add($"{message.Group}: {Text([message.Sender])} says {System.Text.Encoding.UTF8.GetString(payload)}");
    }

    public void Dropped(ulong counter)
    {
        _history.GroupDropped(Incarnation, counter);
        Log.Add($"dropped {counter}");
    }

    private void Install(View view)
    {
        _view = view.Id;
        if (view.Transitional) _history.GroupsKnown(Incarnation, !Core.IsSynchronising);
        _history.Installed(Incarnation, 0, view.Id, view.Members);
        Log.Add($"{(view.Transitional ? "transitional" : "view")} ({string.Join(' ', view.Members.Select(member => member.Node.Value))})");
        Core.OnView(view, this);
    }

    private static ulong Hash(ReadOnlySpan<byte> payload)
    {
        var hash = 14695981039346656037UL;
        foreach (var one in payload) hash = (hash ^ one) * 1099511628211UL;
        return hash;
    }

    private static string Text(IEnumerable<GroupMember> members) => string.Join(' ', members.Select(member => $"{member.Node}.{member.Session}"));
}
