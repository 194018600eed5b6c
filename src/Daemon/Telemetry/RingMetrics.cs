using Membership.Cpg;
using Membership.Links;
using Membership.Node;
using Membership.Totem;

namespace Membership.Daemon.Telemetry;

/// <summary>Why a regular view came.</summary>
internal enum ViewCause
{
    /// <summary>Nodes came.</summary>
    Join,

    /// <summary>Nodes left in order, and none was lost.</summary>
    Leave,

    /// <summary>At least one node was lost.</summary>
    Crash,

    /// <summary>Sides that had formed rings of their own came together.</summary>
    Merge,

    /// <summary>The same nodes formed a ring anew.</summary>
    Config,
}

/// <summary>Counts what the ring thread sees and the node does not count itself. Ring thread only; nothing here allocates per message.</summary>
internal sealed class RingMetrics(NodeId self)
{
    /// <summary>Messages of this node under way whose time of acceptance is kept; of older ones no duration is measured. A power of two.</summary>
    public const int AcceptedMax = 16_384;

    /// <summary>Highest health score.</summary>
    public const int HealthScoreMax = 8;

    /// <summary>The health score falls by one after each such time without a stall.</summary>
    private static readonly TimeSpan HealthForgets = TimeSpan.FromSeconds(30);

    /// <summary>A node that said goodbye may be left out of the view this long afterwards and still counts as having left.</summary>
    private static readonly TimeSpan GoodbyeKept = TimeSpan.FromSeconds(10);

    private readonly long[] _acceptedAt = new long[AcceptedMax];
    private readonly long[] _delivered = new long[2];
    private readonly long[] _sent = new long[2];
    private readonly long[] _views = new long[Enum.GetValues<ViewCause>().Length];
    private readonly DurationHistogram[] _delivery = [new(), new()];
    private readonly DurationHistogram _rotation = new();
    private readonly DurationHistogram _visit = new();
    private readonly DurationHistogram _viewChange = new();
    private readonly DurationHistogram _stall = new();
    private readonly Dictionary<NodeId, Instant> _goodbyes = [];
    private readonly Dictionary<string, int> _groups = new(StringComparer.Ordinal);
    private readonly Dictionary<NodeId, int> _groupsOfNodes = [];
    private long _groupMembers;
    private long _rotations;
    private ulong _lastAccepted;
    private View? _view;
    private Instant? _changeSince;
    private Instant? _lastStall;
    private TimeSpan _stoodBack;
    private int _healthScore;
    private Instant _healthAt;

    /// <summary>The node took a message of a client.</summary>
    public void Accepted(ulong counter, Instant now)
    {
        _acceptedAt[counter & (AcceptedMax - 1)] = now.Nanoseconds;
        _lastAccepted = counter;
    }

    /// <summary>A message of a client was delivered.</summary>
    public void Delivered(in Delivery delivery, bool isOwn, Instant now)
    {
        var level = (int)delivery.Level;
        _delivered[level]++;
        if (!isOwn) return;
        _sent[level]++;
        if (_lastAccepted - delivery.Counter < AcceptedMax) _delivery[level].Add(now.Nanoseconds - _acceptedAt[delivery.Counter & (AcceptedMax - 1)]);
    }

    /// <summary>A visit of the token, from its arrival until it was passed on or held.</summary>
    /// <param name="duration">This node's own time.</param>
    /// <param name="rotations">How many rotations were measured so far.</param>
    /// <param name="rotationNanoseconds">The last of them.</param>
    public void TokenVisit(TimeSpan duration, long rotations, long rotationNanoseconds)
    {
        _visit.Add(duration);
        if (rotations == _rotations) return;
        _rotations = rotations;
        _rotation.Add(rotationNanoseconds);
    }

    /// <summary>A view was installed.</summary>
    public void ViewInstalled(View view, Instant now)
    {
        if (view.Transitional) return;
        if (_changeSince is { } since) _viewChange.Add(now - since);
        _changeSince = null;
        if (_view is { } before) _views[(int)CauseOf(before, view, now)]++;
        _view = view;
    }

    /// <summary>The node reports something.</summary>
    public void Fact(NodeFact fact, Instant now)
    {
        switch (fact)
        {
            case NodeFact.Ring { Fact: TotemFact.Gathering }:
                _changeSince ??= now;
                break;
            case NodeFact.Ring { Fact: TotemFact.Stalled stalled }:
                _stall.Add(stalled.For);
                _lastStall = now;
                _healthScore = Math.Min(HealthScoreMax, HealthScore(now) + 1);
                _healthAt = now;
                break;
            case NodeFact.Peer { Reason: PeerReason.Left } left:
                _goodbyes[left.Node] = now;
                break;
        }
    }

    /// <summary>The ring thread stands back for clients that cannot keep up.</summary>
    public void StoodBack(TimeSpan duration) => _stoodBack += duration;

    /// <summary>The membership of a group changed.</summary>
    public void GroupChanged(GroupChange change)
    {
        if (change.Members.Count == 0) _groups.Remove(change.Group);
        else _groups[change.Group] = change.Members.Count;
        _groupMembers += change.Joined.Count - change.Left.Count;
        for (var at = 0; at < change.Joined.Count; at++)
        {
            var node = change.Joined[at].Node;
            var isItsFirst = at == 0 || change.Joined[at - 1].Node != node;   // members are ascending by node
            if (isItsFirst && MembersOf(node, change.Members) == MembersOf(node, change.Joined)) _groupsOfNodes[node] = GroupsOf(node) + 1;
        }
        for (var at = 0; at < change.Left.Count; at++)
        {
            var node = change.Left[at].Node;
            var isItsFirst = at == 0 || change.Left[at - 1].Node != node;
            if (isItsFirst && MembersOf(node, change.Members) == 0) _groupsOfNodes[node] = GroupsOf(node) - 1;
        }
    }

    /// <summary>Groups with at least one member on a node.</summary>
    public int GroupsOf(NodeId node) => _groupsOfNodes.GetValueOrDefault(node);

    /// <summary>A copy for other threads.</summary>
    /// <param name="now">The present.</param>
    /// <param name="groupsShown">Groups whose members are counted by name.</param>
    public RingReading Read(Instant now, IReadOnlyList<string> groupsShown) => new(
        [.. _delivered], [.. _sent], [.. _views], [_delivery[0].Read(), _delivery[1].Read()],
        _rotation.Read(), _visit.Read(), _viewChange.Read(), _stall.Read(),
        _lastStall is { } stall ? now - stall : null, HealthScore(now), _stoodBack,
        _groups.Count, _groupMembers, [.. groupsShown.Select(group => (group, _groups.GetValueOrDefault(group)))]);

    private static int MembersOf(NodeId node, IReadOnlyList<GroupMember> members)
    {
        var count = 0;
        for (var at = 0; at < members.Count; at++)
        {
            if (members[at].Node == node) count++;
        }
        return count;
    }

    private int HealthScore(Instant now) => Math.Max(0, _healthScore - (int)((now - _healthAt) / HealthForgets));

    // A node lost outweighs nodes that come. A joiner that was no ring of its own has no past; one with members of another ring beside it has.
    private ViewCause CauseOf(View before, View view, Instant now)
    {
        var lost = before.Members.Where(member => !view.Members.Contains(member)).ToList();
        if (lost.Count > 0) return lost.TrueForAll(member => SaidGoodbye(member.Node, now)) ? ViewCause.Leave : ViewCause.Crash;
        if (view.Joined.Count == 0) return ViewCause.Config;
        return view.Joined.Count > 1 && before.Members.Any(member => member.Node != self) ? ViewCause.Merge : ViewCause.Join;
    }

    private bool SaidGoodbye(NodeId node, Instant now) => _goodbyes.TryGetValue(node, out var at) && now - at < GoodbyeKept;
}

/// <summary>What <see cref="RingMetrics"/> had counted at one moment; arrays by delivery level and by <see cref="ViewCause"/>.</summary>
internal sealed record RingReading(
    IReadOnlyList<long> Delivered,
    IReadOnlyList<long> Sent,
    IReadOnlyList<long> Views,
    IReadOnlyList<DurationCounts> Delivery,
    DurationCounts Rotation,
    DurationCounts Visit,
    DurationCounts ViewChange,
    DurationCounts Stall,
    TimeSpan? SinceStall,
    int HealthScore,
    TimeSpan StoodBack,
    int Groups,
    long GroupMembers,
    IReadOnlyList<(string Group, int Members)> GroupsShown);
