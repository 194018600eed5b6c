using Membership.Links;
using Membership.Quorum;
using Membership.Totem;
using Xunit;

namespace Membership.Invariants.Tests;

/// <summary>For I29, I30 and I32 a small history that keeps the rule and one that breaks it.</summary>
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
}
