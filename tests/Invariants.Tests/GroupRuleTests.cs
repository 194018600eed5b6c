using Membership.Cpg;
using Membership.Links;
using Membership.Totem;
using Xunit;

namespace Membership.Invariants.Tests;

/// <summary>For each invariant of groups one small history that keeps it and one that breaks it; nothing else may fire.</summary>
public class GroupRuleTests
{
    private static readonly RingId A = Script.Ring(4);
    private static readonly RingId B = Script.Ring(8);

    private sealed record Rule(string Id, Action<GroupScript> Good, Action<GroupScript> Bad);

    private static readonly Rule[] Rules =
    [
        new("I33", script => JoinsInOrder(script, 0, 1), script => JoinsInOrder(script, 1, 0)),
        new("I34", script => MessageAfterLeave(script, leavesFirst: false), script => MessageAfterLeave(script, leavesFirst: true)),
        new("I35", script => Leaves(script, asked: true), script => Leaves(script, asked: false)),
        new("I36", script => MessageFrom(script, senderJoined: true), script => MessageFrom(script, senderJoined: false)),
        new("I37", script => Loses(script, downFirst: true), script => Loses(script, downFirst: false)),
        new("I38", script => InView(script, A), script => InView(script, B)),
        new("I39", script => Told(script, isTold: true), script => Told(script, isTold: false)),
        new("I40", script => Whole(script, 50), script => Whole(script, 51)),
    ];

    public static TheoryData<string> Ids => new(Rules.Select(rule => rule.Id));

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_history_that_keeps_the_rule_is_accepted(string id)
    {
        var script = new GroupScript();

        Find(id).Good(script);

        Assert.Empty(script.Checker.Violations);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_history_that_breaks_only_this_rule_is_rejected_by_it(string id)
    {
        var script = new GroupScript();

        Find(id).Bad(script);

        Assert.NotEmpty(script.Checker.Violations);
        Assert.All(script.Checker.Violations, violation => Assert.Equal(id, violation.Id));
    }

    [Fact]
    public void A_member_that_nobody_wants_is_found_at_rest()
    {
        var script = new GroupScript();
        script.Join(0);
        script.Change(0, GroupReason.Join, 0);
        script.Change(1, GroupReason.Join, 0);
        script.Checker.SessionEnded(0, 1);
        script.Rest();

        Assert.Equal(["I33", "I33"], script.Checker.Violations.Select(violation => violation.Id));
    }

    [Fact]
    public void Who_goes_together_agrees_on_whether_all_were_known()
    {
        var script = new GroupScript();
        script.Move(0, B, [0, 1], knewAll: true);
        script.Move(1, B, [0, 1], knewAll: false);

        Assert.Equal("I33", Assert.Single(script.Checker.Violations).Id);
    }

    private static Rule Find(string id) => Rules.Single(rule => rule.Id == id);

    private static void JoinsInOrder(GroupScript script, int first, int second)
    {
        script.Join(0);
        script.Join(1);
        script.Change(0, GroupReason.Join, 0);
        script.Change(0, GroupReason.Join, 1);
        script.Change(1, GroupReason.Join, first);
        script.Change(1, GroupReason.Join, second);
        script.Move(0, B, [0, 1]);
        script.Move(1, B, [0, 1]);
    }

    private static void MessageAfterLeave(GroupScript script, bool leavesFirst)
    {
        script.Join(0);
        script.Join(1);
        script.Change(1, GroupReason.Join, 0);
        script.Change(1, GroupReason.Join, 1);
        script.Checker.GroupLeft(1, 1);
        script.Send(0);
        if (leavesFirst) script.Change(1, GroupReason.Leave, 1);
        script.Message(1, 0);
        if (!leavesFirst) script.Change(1, GroupReason.Leave, 1);
    }

    private static void Leaves(GroupScript script, bool asked)
    {
        script.Join(0);
        script.Change(1, GroupReason.Join, 0);
        if (asked) script.Checker.GroupLeft(0, 1);
        script.Change(1, GroupReason.Leave, 0);
    }

    private static void MessageFrom(GroupScript script, bool senderJoined)
    {
        script.Join(0);
        script.Join(1);
        script.Change(1, GroupReason.Join, 1);
        if (senderJoined) script.Change(1, GroupReason.Join, 0);
        script.Send(0);
        script.Message(1, 0);
    }

    private static void Loses(GroupScript script, bool downFirst)
    {
        script.Join(0);
        script.Join(1);
        script.Change(0, GroupReason.Join, 1);
        script.Move(0, B, [0]);
        if (downFirst) script.Change(0, GroupReason.NodeDown, 1);
        script.Change(0, GroupReason.Join, 0);
    }

    private static void InView(GroupScript script, RingId named)
    {
        script.Join(0);
        script.Change(0, GroupReason.Join, 0, named);
    }

    private static void Told(GroupScript script, bool isTold)
    {
        script.Join(0);
        script.Change(0, GroupReason.Join, 0);
        script.Change(1, GroupReason.Join, 0);
        script.Send(0);
        if (isTold) script.Message(0, 0);
        script.Rest();
    }

    private static void Whole(GroupScript script, int size)
    {
        script.Join(0);
        script.Change(0, GroupReason.Join, 0);
        script.Send(0);
        script.Message(0, 0, size);
    }

    /// <summary>Two nodes in ring A with one session each and one group. Both began there, so they learn of each other by what they see.</summary>
    private sealed class GroupScript
    {
        private readonly Dictionary<int, List<GroupMember>> _members = new() { [0] = [], [1] = [] };
        private readonly ulong[] _changes = new ulong[2];
        private readonly RingId[] _rings = [A, A];
        private readonly ViewMember[] _names = [new(new NodeId(1), 1), new(new NodeId(2), 1)];

        public GroupScript()
        {
            foreach (var name in _names) Checker.Begin(name);
            for (var node = 0; node < 2; node++) Checker.Installed(node, 0, ViewId.Regular(A), _names);
        }

        public HistoryChecker Checker { get; } = new();

        public void Join(int node)
        {
            Checker.GroupJoining(node, 1, 0, "a");
            Checker.GroupJoined(node, 1, 0, "a", 1);
        }

        public void Send(int node) => Checker.GroupSent(node, 1, 1, 7, 50, DeliveryLevel.Agreed);

        public void Change(int node, GroupReason reason, int whose, RingId? view = null)
        {
            GroupMember[] who = [Member(whose)];
            var isJoin = reason is GroupReason.Join or GroupReason.NodeUp;
            _members[node] = [.. (isJoin ? _members[node].Union(who) : _members[node].Except(who)).Order()];
            var number = ++_changes[node];
            if (_members[node].Count == 0) _changes[node] = 0;
            Checker.GroupChanged(node, 0, new GroupChange("a", ViewId.Regular(view ?? _rings[node]), _members[node], isJoin ? who : [], isJoin ? [] : who, reason, number));
        }

        public void Message(int node, int sender, int size = 50)
        {
            var order = new Delivery(_rings[node], new Seq(1), 0, _names[sender].Node, 1, 1, DeliveryLevel.Agreed, 2);
            Checker.GroupMessage(node, 0, new GroupDelivery("a", Member(sender), 1, ViewId.Regular(_rings[node]), order), 7, size);
        }

        public void Move(int node, RingId next, int[] together, bool knewAll = true)
        {
            var names = together.Select(one => _names[one]).ToArray();
            Checker.GroupsKnown(node, knewAll);
            Checker.Installed(node, 0, new ViewId(next, _rings[node]), names);
            _rings[node] = next;
            Checker.Installed(node, 0, ViewId.Regular(next), names);
        }

        public void Rest() => Checker.Finish(new HistoryEnding { IsQuiesced = true });

        private GroupMember Member(int node) => new(_names[node].Node, 0, 1);
    }
}
