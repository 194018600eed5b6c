using Membership.Exploration.Cluster.Copying;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Exploration.Cluster.Ideal;

/// <summary>Ring and quorum of one node over links that are told what they see: no sealing, no heartbeats, nothing but the protocol.</summary>
internal sealed class IdealNode : ITotemEffects, IQuorumEffects
{
    private readonly IdealCluster _cluster;
    private ulong _boots;
    private bool _hasSubmitted;
    private bool _isTouched = true;
    private Instant _hashedAt;

    public IdealNode(IdealCluster cluster, int position) => (_cluster, Position) = (cluster, position);

    public int Position { get; }

    public TotemNode? Ring { get; private set; }

    public QuorumNode? Quorum { get; private set; }

    public BootId Boot { get; private set; }

    public int Incarnation { get; private set; } = -1;

    /// <summary>The last regular view of this process.</summary>
    public View? View { get; private set; }

    /// <summary>Folds views and deliveries of this process in their order: what the history is judged by is part of the state.</summary>
    public ulong Seen { get; private set; }

    /// <summary>Folds what was submitted: a queue is known by it and by its counters.</summary>
    public ulong Submitted { get; private set; }

    /// <summary>Messages accepted from it, its quorum's too, that it has neither delivered nor been told to be lost.</summary>
    public int Owed { get; private set; }

    /// <summary>Messages delivered in <see cref="View"/>.</summary>
    public int DeliveredInView { get; private set; }

    /// <summary>Highest ring sequence reserved on its disk.</summary>
    public ulong Reserved { get; private set; }

    public QuorumRecord? Record { get; private set; }

    /// <summary>Whom its links reach, itself included.</summary>
    public NodeSet Reached { get; private set; }

    public bool IsUp => Ring is not null;

    public void Start(TotemOptions totem, QuorumOptions quorum)
    {
        _boots++;
        Boot = new BootId(0, ((ulong)(Position + 1) << 32) | _boots);
        Incarnation = _cluster.History.Begin(new ViewMember(totem.Self, Boot.Short));
        Ring = new TotemNode(totem, Boot.Short, Reserved, Reserved, IdealCluster.FrameBytes);
        Quorum = new QuorumNode(quorum, Boot.Short, Record);
        (View, Seen, Submitted, Reached) = (null, 0, 0, NodeSet.Of(Position));
        (Owed, DeliveredInView) = (0, 0);
        Ring.Start(_cluster.Now, this);
        Drain();
    }

    public void Crash()
    {
        _cluster.History.Crashed(Incarnation, _cluster.Now.Nanoseconds);
        (Ring, Quorum, View) = (null, null, null);
        _isTouched = true;
    }

    public void Tick()
    {
        Ring!.OnTick(_cluster.Now, this); // it is up
        Quorum!.OnTick(_cluster.Now, this); // it is up
        Drain();
    }

    public void Receive(int from, BootId boot, ReadOnlySpan<byte> packet)
    {
        Ring!.OnPacket(_cluster.Now, _cluster.Nodes[from], boot, packet, this); // it is up
        Drain();
    }

    public void Learn(int peer, BootId boot, bool isReachable)
    {
        Ring!.OnPeer(_cluster.Now, _cluster.Nodes[peer], boot, isReachable ? PeerState.Reachable : PeerState.Dead, isReachable ? PeerReason.Handshake : PeerReason.Silent, this); // it is up
        Reached = isReachable ? Reached.With(peer) : Reached.Without(peer);
        _cluster.SendRow(this, Reached);
        Drain();
    }

    public void LearnRow(int peer, BootId boot, NodeSet reached)
    {
        Ring!.OnRow(_cluster.Now, _cluster.Nodes[peer], boot, reached, this); // it is up
        Drain();
    }

    public void Submit(ReadOnlySpan<byte> payload, DeliveryLevel level)
    {
        if (Ring is not { } ring) return;
        var result = ring.Submit(payload, level, ServiceId.Raw);
        if (result.Status != SubmitStatus.Accepted) return;
        Owed++;
        Submitted = KeyedHashCipherSuite.Fold(Submitted, payload);
        _cluster.History.Sent(Incarnation, _cluster.Now.Nanoseconds, result.Counter, KeyedHashCipherSuite.Fold(0, payload), payload.Length, level);
        ring.OnSubmitted(_cluster.Now, this);
        Drain();
    }

    /// <summary>What quorum said while it was called goes out, as the node's wiring does it.</summary>
    private void Drain()
    {
        _isTouched = true;
        while (_hasSubmitted && Ring is { } ring)
        {
            _hasSubmitted = false;
            ring.OnSubmitted(_cluster.Now, this);
        }
    }

    void ITotemEffects.Send(NodeSet targets, ReadOnlySpan<byte> packet)
    {
        foreach (var to in targets.Without(Position)) _cluster.Send(this, to, packet);
    }

    void ITotemEffects.SendTo(int target, ReadOnlySpan<byte> packet) => _cluster.Send(this, target, packet);

    void ITotemEffects.Flush()
    {
    }

    void ITotemEffects.Deliver(in Delivery delivery, ReadOnlySpan<byte> payload)
    {
        Seen = KeyedHashCipherSuite.Fold(Seen ^ delivery.Seq.Value ^ (delivery.Counter << 20) ^ ((ulong)delivery.Sender.Value << 40), payload);
        DeliveredInView++;
        if (delivery.Sender == _cluster.Nodes[Position]) Owed--;
        if (delivery.Service == ServiceId.Quorum) Quorum!.OnMessage(_cluster.Now, delivery, payload, this); // it is up
        else _cluster.History.Delivered(Incarnation, _cluster.Now.Nanoseconds, delivery, KeyedHashCipherSuite.Fold(0, payload), payload.Length);
    }

    void ITotemEffects.InstallView(View view)
    {
        Seen = KeyedHashCipherSuite.Fold(Seen ^ view.Id.Ring.Sequence ^ (view.Id.Old.Sequence << 32), []);
        _cluster.History.Installed(Incarnation, _cluster.Now.Nanoseconds, view.Id, view.Members);
        if (!view.Transitional) (View, DeliveredInView) = (view, 0);
        Quorum!.OnView(_cluster.Now, view, this); // it is up
    }

    void ITotemEffects.RingConfirmed(RingId ring, Instant since) => Quorum!.OnRingConfirmed(ring, since); // it is up

    void ITotemEffects.Failed(ulong counter)
    {
        Owed--;
        _cluster.History.Failed(Incarnation, _cluster.Now.Nanoseconds, counter);
    }

    /// <summary>A reservation is durable.</summary>
    public void OnReserved(ulong upTo)
    {
        Ring?.OnReserved(_cluster.Now, upTo, this);
        Drain();
    }

    void ITotemEffects.Reserve(ulong upTo)
    {
        Reserved = upTo;
        _cluster.Reserved(this, upTo);
    }

    void ITotemEffects.Neighbours(NodeSet neighbours)
    {
    }

    void ITotemEffects.Suspect()
    {
    }

    void ITotemEffects.Fact(TotemFact fact)
    {
        if (fact is TotemFact.Consensus consensus) _cluster.Proposed[consensus.Ring] = consensus.Members;
        if (fact is TotemFact.Recovering recovering && _cluster.Proposed.TryGetValue(recovering.Ring, out var members))
            _cluster.History.Recovering(Incarnation, recovering.Old, _cluster.Nodes.Nodes(members));
        _cluster.Tell(this, fact);
    }

    void ITotemEffects.Left()
    {
    }

    void IQuorumEffects.Submit(ReadOnlySpan<byte> payload)
    {
        if (Ring!.Submit(payload, DeliveryLevel.Agreed, ServiceId.Quorum).Status == SubmitStatus.Accepted) Owed++; // it is up
        Submitted = KeyedHashCipherSuite.Fold(Submitted, payload);
        _hasSubmitted = true;
    }

    void IQuorumEffects.Changed(QuorumState state)
    {
        _cluster.History.QuorumChanged(Incarnation, _cluster.Now.Nanoseconds, state);
        _cluster.Tell(this, state);
    }

    void IQuorumEffects.Persist(QuorumRecord record) => Record = record;

    void IQuorumEffects.ChangeDone(ulong tag, string? error)
    {
    }

    /// <summary>Of everything that decides what this node does next, as of the last <see cref="Refresh"/>.</summary>
    public ulong StateHash { get; private set; }

    /// <summary>Looks at the node again, if it was touched or time has passed since.</summary>
    public void Refresh(StateHasher hasher)
    {
        if (!_isTouched && _hashedAt == _cluster.Now) return;
        (_isTouched, _hashedAt) = (false, _cluster.Now);
        hasher.Begin(_cluster.Now);
        hasher.AddObject(Ring);
        hasher.AddObject(Quorum);
        hasher.Add((long)Seen);
        hasher.Add((long)Submitted);
        hasher.Add((long)Reserved);
        hasher.Add((long)Reached.Bits);
        hasher.AddObject(Record);
        hasher.Add((long)_boots);
        StateHash = hasher.End();
    }
}
