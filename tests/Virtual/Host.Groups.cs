using Membership.Cpg;
using Membership.Node;
using Membership.Totem;

namespace Membership.Virtual;

/// <summary>Sessions of a simulated machine: what its processes ask of groups, and what they see of them.</summary>
public sealed partial class Host
{
    /// <summary>Sessions at a time on each machine.</summary>
    public const int Sessions = 3;

    private readonly Dictionary<(int Place, string Group), uint> _slots = [];
    private readonly uint[] _sessions = new uint[Sessions];
    private uint _lastSession;
    private long _synchronisations;
    private long _synchronisationsCut;

    /// <summary>Exchanges of join lists that ended, at this process and those before it.</summary>
    public long Synchronisations => _synchronisations + (Node?.Groups.Counters.Synchronisations ?? 0);

    /// <summary>Exchanges that the end of their view cut off.</summary>
    public long SynchronisationsCut => _synchronisationsCut + (Node?.Groups.Counters.SynchronisationsCut ?? 0);

    /// <summary>A session asks to join a group.</summary>
    public void JoinGroup(int place, string group)
    {
        if (Awake() is not { } node) return;
        var session = _sessions[place];
        var pid = 1000 + session;
        _world.History.GroupJoining(Incarnation, session, pid, group);
        var joined = node.JoinGroup(Local, session, pid, group, this);
        var isAccepted = joined.Status == GroupStatus.Accepted;
        _world.History.GroupJoined(Incarnation, session, pid, group, isAccepted ? joined.Slot : null);
        if (isAccepted) _slots[(place, group)] = joined.Slot;
        AfterInput();
    }

    /// <summary>A session asks to leave a group.</summary>
    public void LeaveGroup(int place, string group)
    {
        if (Awake() is not { } node || !_slots.Remove((place, group), out var slot)) return;
        _world.History.GroupLeft(Incarnation, slot);
        node.LeaveGroup(Local, slot, this);
        AfterInput();
    }

    /// <summary>The process of a session dies; another takes its place.</summary>
    public void EndSession(int place)
    {
        if (Awake() is not { } node) return;
        foreach (var key in _slots.Keys.Where(key => key.Place == place).ToList()) _slots.Remove(key);
        var ended = _sessions[place];
        _sessions[place] = ++_lastSession;
        _world.History.SessionEnded(Incarnation, ended);
        node.EndSession(Local, ended, this);
        AfterInput();
    }

    /// <summary>A session sends to each of its groups.</summary>
    public void SendToGroups(int place, ReadOnlySpan<byte> payload, DeliveryLevel level)
    {
        if (Awake() is not { } node) return;
        var hash = KeyedHashCipherSuite.Fold(0, payload);
        foreach (var (key, slot) in _slots)
        {
            if (key.Place != place) continue;
            var sent = node.SendToGroup(Local, slot, payload, level, this);
            if (sent.Status == GroupStatus.Accepted) _world.History.GroupSent(Incarnation, sent.Counter, slot, hash, payload.Length, level);
        }
        node.OnSubmitted(Local, this);
        AfterInput();
    }

    /// <summary>The sessions of the process before are gone with it.</summary>
    private void ForgetSessions()
    {
        _slots.Clear();
        for (var place = 0; place < _sessions.Length; place++) _sessions[place] = (uint)place + 1;
        _lastSession = Sessions;
    }

    /// <summary>The process ends: what its groups counted is kept, and a membership that its own node did not confirm is our mistake.</summary>
    private void EndGroups()
    {
        if (Node is null) return;
        CheckGroupCounters();
        (_synchronisations, _synchronisationsCut) = (Synchronisations, SynchronisationsCut);
    }

    /// <summary>Nodes that follow the protocol never send what the others have to drop, but for what a view that did not last left behind.</summary>
    internal void CheckGroupCounters()
    {
        if (Node is not { } node) return;
        var counters = node.Groups.Counters;
        if (counters.Ghosts > 0) throw new PromiseBrokenException("D18", $"node {Id} had {counters.Ghosts} memberships that their own node did not confirm");
        foreach (var error in Enum.GetValues<GroupError>())
        {
            if (error is GroupError.StaleJoinList or GroupError.NotSynchronised || counters.Dropped(error) == 0) continue;
            throw new PromiseBrokenException("D18", $"node {Id} dropped {counters.Dropped(error)} messages of groups: {error}");
        }
    }

    private MembershipNode? Awake()
    {
        if (Node is null || _isLeaving || _world.Now < BusyUntil) return null;
        NoteAwake();
        return Node;
    }

    void INodeEffects.GroupChanged(GroupChange change)
    {
        CheckSlept(isRegularView: false);
        if (_world.Distortion?.TellsGroupChange?.Invoke(this, change) != false) _world.History.GroupChanged(Incarnation, _world.Now, change);
        if (_world.TraceSink is not null) _world.Trace(this, Describe.Of(change));
    }

    void INodeEffects.GroupMessage(in GroupDelivery message, ReadOnlySpan<byte> payload)
    {
        CheckSlept(isRegularView: false);
        _world.History.GroupMessage(Incarnation, _world.Now, message, KeyedHashCipherSuite.Fold(0, payload), payload.Length);
        if (_world.TraceSink is not null) _world.Trace(this, Describe.Of(message, payload.Length));
    }

    void INodeEffects.GroupDropped(ulong counter)
    {
        _world.History.GroupDropped(Incarnation, counter);
        _world.Trace(this, $"dropped own group message {counter}");
    }
}
