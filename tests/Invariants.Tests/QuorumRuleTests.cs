using Membership.Links;
using Membership.Quorum;
using Membership.Totem;
using Xunit;

namespace Membership.Invariants.Tests;

/// <summary>For I29 to I32 a small history that keeps the rule and one that breaks it.</summary>
public sealed class QuorumRuleTests
{
    private readonly HistoryChecker _checker = new();
    private readonly int[] _incarnations;

    public QuorumRuleTests()
    {
        _incarnations = [.. Enumerable.Range(1, 5).Select(node => _checker.Begin(Member(node)))];
    }

    private static ViewMember Member(int node) => new(new NodeId((ushort)node), (ulong)node);

    private void Tell(int node, ulong ring, bool isQuorate, string reason, params int[] members)
    {
        var view = new View(ViewId.Regular(new RingId(new NodeId(1), ring, 1)), [.. members.Select(Member)], null, [], []);
        _checker.QuorumChanged(_incarnations[node - 1], (long)ring, new QuorumState(view, isQuorate, 3, 3, 5, reason, [], 1, false, false, []));
    }

    private string[] Broken => [.. _checker.Violations.Select(violation => violation.Id).Distinct()];

    [Fact]
    public void I29_two_quorate_sides_without_a_common_member_are_found()
    {
        Tell(1, 4, true, "majority", 1, 2, 3);
        Tell(2, 8, true, "majority", 2, 4, 5);
        Assert.Empty(Broken);

        Tell(4, 9, true, "a second side", 4, 5);
        Assert.Equal(["I29"], Broken);
    }

    [Fact]
    public void I29_does_not_count_who_has_stopped_or_lost_its_quorum()
    {
        Tell(1, 4, true, "majority", 1, 2, 3);
        Tell(2, 5, true, "majority", 1, 2, 3, 4);
        _checker.Crashed(_incarnations[0], 6);
        Tell(2, 7, false, "lost", 2);

        Tell(4, 9, true, "majority", 3, 4, 5);

        Assert.Empty(Broken);
    }

    [Fact]
    public void I30_a_primary_without_a_member_of_the_one_before_is_found()
    {
        Tell(1, 4, true, "majority", 1, 2, 3);
        Tell(1, 5, false, "lost", 1);

        Tell(4, 9, true, "from nowhere", 4, 5);

        Assert.Equal(["I30"], Broken);
    }

    [Fact]
    public void I32_members_of_a_ring_that_tell_different_verdicts_are_found()
    {
        Tell(1, 4, true, "3 of 5", 1, 2, 3);
        Tell(2, 4, true, "3 of 5", 1, 2, 3);
        Assert.Empty(Broken);

        Tell(3, 4, true, "4 of 5", 1, 2, 3);

        Assert.Equal(["I32"], Broken);
    }

    private static View ViewOf(ulong ring, params int[] members) => new(ViewId.Regular(new RingId(new NodeId(1), ring, 1)), [.. members.Select(Member)], null, [], []);

    private void MayActAlone(int node, long at, View view, long from, long until) => _checker.MayActAlone(_incarnations[node - 1], at, view, from, until);

    [Fact]
    public void I31_a_side_that_waits_for_the_times_of_the_one_before_breaks_nothing()
    {
        var (old, next) = (ViewOf(4, 1, 2, 3, 4, 5), ViewOf(8, 1, 2, 3));
        MayActAlone(5, 100, old, 50, 200);
        MayActAlone(5, 150, old, 50, 250);
        MayActAlone(1, 160, old, 50, 260);

        MayActAlone(2, 240, next, 260, 400);
        MayActAlone(1, 300, next, 260, 450);

        Assert.Empty(Broken);
        Assert.Equal(4, _checker.ExclusiveTimes);
    }

    [Fact]
    public void I31_a_node_left_behind_whose_time_reaches_into_that_of_the_others_is_found()
    {
        MayActAlone(5, 100, ViewOf(4, 1, 2, 3, 4, 5), 50, 200);

        MayActAlone(2, 150, ViewOf(8, 1, 2, 3), 199, 400);

        Assert.Equal(["I31"], Broken);
    }

    [Fact]
    public void I31_a_time_that_is_renewed_after_the_others_began_theirs_is_found()
    {
        var old = ViewOf(4, 1, 2, 3, 4, 5);
        MayActAlone(5, 100, old, 50, 200);
        MayActAlone(2, 150, ViewOf(8, 1, 2, 3), 200, 400);
        Assert.Empty(Broken);

        MayActAlone(5, 190, old, 50, 201);

        Assert.Equal(["I31"], Broken);
    }

    [Fact]
    public void I31_a_node_that_joins_must_not_begin_before_those_who_do_not_know_it_yet_have_ended()
    {
        var (old, next) = (ViewOf(4, 1, 2, 3), ViewOf(8, 1, 2, 3, 4));
        MayActAlone(1, 100, old, 50, 200);
        MayActAlone(2, 110, next, 50, 300);
        Assert.Empty(Broken);

        MayActAlone(4, 120, next, 120, 300);

        Assert.Equal(["I31"], Broken);
    }

    [Fact]
    public void I31_what_a_dead_node_told_holds_to_its_end()
    {
        MayActAlone(5, 100, ViewOf(4, 1, 2, 3, 4, 5), 50, 200);
        _checker.Crashed(_incarnations[4], 110);

        MayActAlone(2, 150, ViewOf(8, 1, 2, 3), 160, 400);

        Assert.Equal(["I31"], Broken);
    }
}
