using Membership.Links;
using Membership.Totem;

namespace Membership.Quorum.Tests;

/// <summary>One ring: its messages in their order.</summary>
internal sealed class RingLog(RingId id, HistoryNode[] members)
{
    public RingId Id { get; } = id;

    public HistoryNode[] Members { get; } = members;

    public ulong[] Boots { get; } = [.. members.Select(member => member.Boot)];

    public List<(NodeId Sender, ulong Boot, byte[] Payload)> Messages { get; } = [];
}

/// <summary>How a node goes over to its next ring, equal at all that go together.</summary>
internal sealed record Passage(RingLog Log, HistoryNode[] Companions, int Received, int Regular, HashSet<NodeId> Departed);

/// <summary>A machine with a quorum node: its disk, its place in the order, its queue.</summary>
internal sealed class HistoryNode(HistoryWorld world, NodeId id) : IQuorumEffects
{
    private readonly Queue<byte[]> _queue = new();
    private readonly Queue<QuorumRecord> _writes = new();
    private View? _view;

    public NodeId Id { get; } = id;

    public ulong Boot { get; private set; }

    public QuorumNode? Core { get; private set; }

    public QuorumRecord? Durable { get; private set; }

    public RingLog? Log { get; private set; }

    public int Received { get; private set; }

    public int Delivered { get; private set; }

    public Passage? Next { get; set; }

    public bool IsInTransition { get; private set; }

    public bool SaidGoodbye { get; set; }

    public bool HoldsGrant { get; set; }

    /// <summary>A word about the witness is still to be delivered here.</summary>
    public bool HasWitnessUnderWay =>
        _queue.Any(IsAboutWitness) || (Log is { } log && log.Messages.Skip(Delivered).Any(message => IsAboutWitness(message.Payload)));

    public Dictionary<ulong, string?> Done { get; } = [];

    public int Asked { get; private set; }

    public void Start(QuorumOptions options, ulong boot)
    {
        (Boot, Core) = (boot, new QuorumNode(options, boot, Durable));
        (Log, Received, Delivered, Next, _view, SaidGoodbye, HoldsGrant) = (null, 0, 0, null, null, false, false);
        _queue.Clear();
        Done.Clear();
        Asked = 0;
    }

    public void Stop(bool losesDisk)
    {
        (Core, Next, HoldsGrant) = (null, null, false);
        _writes.Clear();
        if (losesDisk) Durable = null;
    }

    public void Change(QuorumChange change)
    {
        if (Core is null) return;
        world.Note($"{Id}: asks for {change}");
        Core.Change(world.Now, change, (ulong)++Asked, this);
    }

    /// <summary>The token is here: one queued message gets its place, behind all that were ordered before.</summary>
    public bool Order()
    {
        if (Core is null || Log is null || Next is not null || !_queue.TryDequeue(out var payload)) return false;
        Received = Log.Messages.Count + 1;
        Log.Messages.Add((Id, Boot, payload));
        return true;
    }

    /// <summary>Receives what is missing and delivers one message.</summary>
    public bool Deliver()
    {
        if (Core is null || Log is null || Next is not null || Delivered >= Log.Messages.Count) return false;
        Received = Math.Max(Received, Delivered + 1);
        DeliverNext();
        return true;
    }

    public bool EndWrite()
    {
        if (Core is null || !_writes.TryDequeue(out var record)) return false;
        Durable = record;
        Core.OnPersisted(world.Now, record, this);
        return true;
    }

    /// <summary>Rest of the old regular view, transitional view, what is owed in it, new regular view.</summary>
    public void Install()
    {
        var passage = Next!; // only called on the way to another ring
        Next = null;
        HoldsGrant = false;
        View? transitional = null;
        if (Log is { } old && _view is { } view)
        {
            while (Delivered < passage.Regular) DeliverNext();
            ViewMember[] companions = [.. passage.Companions.Select(node => new ViewMember(node.Id, node.Boot))];
            ViewMember[] left = [.. view.Members.Except(companions)];
            transitional = new View(new ViewId(passage.Log.Id, old.Id), companions, view.Id, [], left)
            {
                // Not everybody hears a goodbye.
                LeftCleanly = [.. left.Where(member => passage.Departed.Contains(member.Node) && world.Random.Next(3) != 0)],
            };
            IsInTransition = true;
            Core!.OnView(world.Now, transitional, this);
            while (Delivered < passage.Received) DeliverNext();
            IsInTransition = false;
        }

        (Log, Received, Delivered) = (passage.Log, 0, 0);
        ViewMember[] members = [.. Log.Members.Zip(Log.Boots, (node, boot) => new ViewMember(node.Id, boot))];
        _view = new View(ViewId.Regular(Log.Id), members, transitional?.Id, transitional is null ? members : [.. members.Except(transitional.Members)], []);
        Core!.OnView(world.Now, _view, this);
        world.CheckAgreement(this);
    }

    private static bool IsAboutWitness(byte[] payload) => payload[0] == (byte)QuorumMessageKind.Witness;

    private void DeliverNext()
    {
        var (sender, boot, payload) = Log!.Messages[Delivered]; // there is a ring while something is delivered
        Delivered++;
        Core!.OnMessage(world.Now, new Delivery(Log.Id, new Seq((ulong)Delivered), 0, sender, boot, 0, DeliveryLevel.Agreed, 1), payload, this);
        world.CheckAgreement(this);
    }

    public void Submit(ReadOnlySpan<byte> payload) => _queue.Enqueue(payload.ToArray());

    public void Changed(QuorumState state) => world.OnChanged(this, state);

    public void Persist(QuorumRecord record) => _writes.Enqueue(record);

    public void ChangeDone(ulong tag, string? error)
    {
        world.Note($"{Id}: change {tag} {error ?? "done"}");
        if (!Done.TryAdd(tag, error)) throw new BrokenPromiseException($"change {tag} of node {Id} ended twice");
        if (error is null) world.Changes++;
    }
}
