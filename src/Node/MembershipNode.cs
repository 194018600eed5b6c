using Membership.Cpg;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Node;

/// <summary>Everything a node needs to begin: settings and what the host drew or read.</summary>
/// <param name="Links">Settings of the links.</param>
/// <param name="Totem">Settings of the ring.</param>
/// <param name="Quorum">Settings of quorum; valid ones.</param>
/// <param name="QuorumRecord">What <see cref="INodeEffects.PersistQuorum"/> last made durable in an earlier start; null on the first.</param>
/// <param name="Groups">Limits of process groups.</param>
/// <param name="Boot">128 random bits of this start.</param>
/// <param name="RingSequence">Highest ring sequence that an earlier start may have used (the newest valid reservation).</param>
/// <param name="ReservedUpTo">Ring sequences up to this one are already durable for this start.</param>
/// <param name="Seed">Seed of the node's one random source.</param>
public sealed record NodeStart(
    LinkOptions Links, TotemOptions Totem, QuorumOptions Quorum, QuorumRecord? QuorumRecord, CpgOptions Groups, BootId Boot, ulong RingSequence, ulong ReservedUpTo, int Seed);

/// <summary>One node's whole stack behind three kinds of input: a datagram, a tick, a command. Decides everything, touches nothing.</summary>
/// <remarks>Single-threaded; the daemon, the simulator and the replayer run this same type.</remarks>
public sealed class MembershipNode : IDisposable
{
    private readonly LinkLayer _links;
    private readonly TotemNode _totem;
    private readonly QuorumNode _quorum;
    private readonly CpgNode _groups;
    private readonly Wiring _wiring;
    private readonly TimeSpan _shortStall;
    private readonly TimeSpan _longStall;
    private Instant _lastInput;
    private Instant _expected = Instant.Never;
    private bool _isDiscarding;

    public MembershipNode(NodeStart start, ICipherSuite ciphers)
    {
        _links = new LinkLayer(start.Links, start.Boot, ciphers, new Random(start.Seed));
        _totem = new TotemNode(start.Totem, start.Boot.Short, start.RingSequence, start.ReservedUpTo, _links.FrameBytesMax);
        _quorum = new QuorumNode(start.Quorum with { Lease = start.Totem.Token + start.Totem.Consensus }, start.Boot.Short, start.QuorumRecord);

        // Groups must not give the ring what it refuses: a control message of theirs has no other way.
        _groups = new CpgNode(start.Groups with { MessageBytesMax = Math.Min(start.Groups.MessageBytesMax, start.Totem.MessageBytesMax) });
        _wiring = new Wiring(_links, _totem, _quorum, _groups, start.Totem.Nodes);
        _longStall = start.Totem.LinkDown;
        _shortStall = start.Totem.LinkDown / 4;
    }

    /// <summary>When <see cref="OnTick"/> is next due.</summary>
    public Instant NextDeadline
    {
        get
        {
            var ring = _links.NextDeadline < _totem.NextDeadline ? _links.NextDeadline : _totem.NextDeadline;
            return ring < _quorum.NextDeadline ? ring : _quorum.NextDeadline;
        }
    }

    /// <summary>The state of the ring protocol.</summary>
    public TotemState State => _totem.State;

    /// <summary>The regular view in force; null before the first.</summary>
    public View? View => _totem.View;

    /// <summary>The verdict about quorum in force.</summary>
    public QuorumState Quorum => _quorum.State;

    /// <summary>The process groups, for reading only.</summary>
    public CpgNode Groups => _groups;

    /// <summary>Bytes waiting for the token.</summary>
    public int QueuedBytes => _totem.QueuedBytes;

    /// <summary>Messages waiting for the token.</summary>
    public int QueuedMessages => _totem.QueuedMessages;

    /// <summary>The links, for status only.</summary>
    public LinkLayer Links => _links;

    /// <summary>Messages of quorum that broke the format since the start. Anything but zero: another node runs an incompatible version, or a defect.</summary>
    public long QuorumMalformed => _quorum.Malformed;

    /// <summary>Counters of the ring, for status and metrics.</summary>
    public TotemCounters Counters => _totem.Counters;

    /// <summary>Begins: hellos go out, the first ring is gathered.</summary>
    public void Start(Instant now, INodeEffects effects)
    {
        _lastInput = now;
        _wiring.Begin(now, effects);
        _links.Start(now, _wiring);
        _wiring.DrainEvidence();
        _totem.Start(now, _wiring);
        End();
    }

    /// <summary>A datagram from the network. <paramref name="source"/>: configured owner of the source address on that link, or null.</summary>
    public void OnDatagram(Instant now, LinkId link, NodeId? source, ReadOnlySpan<byte> datagram, INodeEffects effects)
    {
        NoteTime(now, effects);
        if (_isDiscarding) return;
        _wiring.Begin(now, effects);
        _links.OnDatagram(now, link, source, datagram, _wiring);
        _wiring.DrainEvidence();
    }

    /// <summary>All datagrams at hand have been fed: queued sends go out, deliveries are complete. Called once per receive batch.</summary>
    public void OnBatchEnd(Instant now, INodeEffects effects)
    {
        _isDiscarding = false;
        _wiring.Begin(now, effects);
        End();
    }

    /// <summary>A deadline came. Early or repeated calls do nothing.</summary>
    public void OnTick(Instant now, INodeEffects effects)
    {
        NoteTime(now, effects);
        _isDiscarding = false;
        _wiring.Begin(now, effects);
        _links.OnTick(now, _wiring);
        _wiring.DrainEvidence();
        _totem.OnTick(now, _wiring);
        _quorum.OnTick(now, _wiring);
        End();
    }

    /// <summary>A message of the raw ring to be ordered. On Accepted it will be delivered here too, or <see cref="INodeEffects.Failed"/> is called.</summary>
    public SubmitResult Submit(Instant now, ReadOnlySpan<byte> payload, DeliveryLevel level, INodeEffects effects)
    {
        _wiring.Begin(now, effects);
        return _wiring.Submit([], payload, level, ServiceId.Raw);
    }

    /// <summary>A message to a group of one of this node's memberships. On Accepted it comes back by <see cref="INodeEffects.GroupMessage"/>, <see cref="INodeEffects.GroupDropped"/> or <see cref="INodeEffects.Failed"/>. <see cref="OnSubmitted"/> follows a batch.</summary>
    public SendResult SendToGroup(Instant now, uint slot, ReadOnlySpan<byte> payload, DeliveryLevel level, INodeEffects effects)
    {
        _wiring.Begin(now, effects);
        return _groups.Send(slot, payload, level, _wiring);
    }

    /// <summary>A session of this host asks to join a group; see <see cref="CpgNode.Join"/>. A node that holds the token reports the change before it answers.</summary>
    public JoinResult JoinGroup(Instant now, uint session, uint pid, string group, INodeEffects effects)
    {
        NoteTime(now, effects);
        _wiring.Begin(now, effects);
        var result = _groups.Join(session, pid, group, _wiring);
        End();
        return result;
    }

    /// <summary>A membership asks to leave its group; see <see cref="CpgNode.Leave"/>.</summary>
    public GroupStatus LeaveGroup(Instant now, uint slot, INodeEffects effects)
    {
        NoteTime(now, effects);
        _wiring.Begin(now, effects);
        var status = _groups.Leave(slot, _wiring);
        End();
        return status;
    }

    /// <summary>A session of this host is gone; see <see cref="CpgNode.EndSession"/>.</summary>
    public void EndSession(Instant now, uint session, INodeEffects effects)
    {
        NoteTime(now, effects);
        _wiring.Begin(now, effects);
        _groups.EndSession(session, _wiring);
        End();
    }

    /// <summary>Reports the messages of a group although nobody here may be in it; see <see cref="CpgNode.Watch"/>.</summary>
    public void WatchGroup(string group) => _groups.Watch(group);

    /// <summary>Ends one <see cref="WatchGroup"/>.</summary>
    public void UnwatchGroup(string group) => _groups.Unwatch(group);

    /// <summary>An operator's change of votes or expected votes; ends in <see cref="INodeEffects.QuorumChangeDone"/>, maybe at once.</summary>
    public void ChangeQuorum(Instant now, QuorumChange change, ulong tag, INodeEffects effects)
    {
        NoteTime(now, effects);
        _wiring.Begin(now, effects);
        _quorum.Change(now, change, tag, _wiring);
        End();
    }

    /// <summary>A record handed out by <see cref="INodeEffects.PersistQuorum"/> is durable.</summary>
    public void OnQuorumPersisted(Instant now, QuorumRecord record, INodeEffects effects)
    {
        NoteTime(now, effects);
        _wiring.Begin(now, effects);
        _quorum.OnPersisted(now, record, _wiring);
        End();
    }

    /// <summary>What the witness says to this node; null: the session with it, or its lease, is gone.</summary>
    public void OnWitness(Instant now, WitnessAnswer? answer, INodeEffects effects)
    {
        NoteTime(now, effects);
        _wiring.Begin(now, effects);
        _quorum.OnWitness(now, answer, _wiring);
        End();
    }

    /// <summary>All submits at hand have been fed: a held token may be used now.</summary>
    public void OnSubmitted(Instant now, INodeEffects effects)
    {
        NoteTime(now, effects);
        _wiring.Begin(now, effects);
        _totem.OnSubmitted(now, _wiring);
        End();
    }

    /// <summary>Unauthenticated evidence from the host (port unreachable, closed tripwire).</summary>
    public void OnHint(Instant now, NodeId peer, LinkHint hint, INodeEffects effects)
    {
        NoteTime(now, effects);
        _wiring.Begin(now, effects);
        _links.OnHint(now, peer, hint, _wiring);
        _wiring.DrainEvidence();
        End();
    }

    /// <summary>Seals and opens with other keys from now on; sessions stay. Exactly one of <paramref name="keys"/> is active.</summary>
    /// <exception cref="ArgumentException">The keys make no key ring; nothing has changed.</exception>
    public void ReplaceKeys(Instant now, IReadOnlyList<ClusterKey> keys, INodeEffects effects)
    {
        NoteTime(now, effects);
        _wiring.Begin(now, effects);
        _links.ReplaceKeys(keys, _wiring);
        _wiring.DrainEvidence();
        End();
    }

    /// <summary>The reservation asked for by <see cref="INodeEffects.Reserve"/> is durable.</summary>
    public void OnReserved(Instant now, ulong upTo, INodeEffects effects)
    {
        NoteTime(now, effects);
        _wiring.Begin(now, effects);
        _totem.OnReserved(now, upTo, _wiring);
        End();
    }

    /// <summary>Leave cleanly: what is queued is ordered first (for at most the token timeout), then the others are told; ends with <see cref="INodeEffects.Left"/>.</summary>
    public void Leave(Instant now, INodeEffects effects)
    {
        NoteTime(now, effects);
        _wiring.Begin(now, effects);
        _totem.Leave(now, _wiring);
        End();
    }

    /// <summary>Zeroes the keys; no other call may follow.</summary>
    public void Dispose() => _links.Dispose();

    private void End()
    {
        _wiring.DrainEvidence();
        _wiring.DrainControl();
        _links.Flush(_wiring);
        _expected = NextDeadline;
    }

    /// <summary>A deadline that passed long ago says that this node slept. What the links knew before is void; after a long sleep all is.</summary>
    private void NoteTime(Instant now, INodeEffects effects)
    {
        var awake = _expected < _lastInput ? _lastInput : _expected;
        _lastInput = now;
        if (_expected == Instant.Never || now <= awake) return;
        var slept = now - awake;
        if (slept < _shortStall) return;
        _expected = Instant.Never;
        var isLong = slept >= _longStall;
        _wiring.Begin(now, effects);
        _links.OnStall(now);
        if (isLong)
        {
            _isDiscarding = true;
            effects.DiscardReceived();
        }

        _totem.OnStall(now, slept, isLong, _wiring);
        End();
    }
}
