using Membership.Daemon.Witness.Rule;
using Membership.Links;
using Membership.Quorum;
using static Membership.Daemon.Tests.Witness.Reports;

namespace Membership.Daemon.Tests.Witness;

/// <summary>The witness's side of leases and epochs, step by step.</summary>
public class WitnessClusterTests
{
    private const double Lease = 6;
    private static readonly double Hold = WitnessCluster.HoldOf(Hello(11)).TotalSeconds;

    [Fact]
    public void A_first_start_gives_nothing_before_one_whole_lease_has_passed()
    {
        var cluster = new WitnessCluster(At(0), null);
        Join(cluster, 1, session: 1, 11);

        Assert.Equal(Verdict.Wait, Ask(cluster, 2, 1, 1, 8, 11).Verdict);
        Assert.Equal(Verdict.Wait, Ask(cluster, 4, 1, 2, 8, 11).Verdict);
        Assert.Equal(At(Hold), cluster.NextDeadline);
        Assert.Equal(Verdict.Granted, Assert.Single(cluster.Evaluate(At(Hold), out _)).Verdict);
    }

    [Fact]
    public void A_start_with_its_disk_lets_those_go_on_that_had_the_votes_and_makes_others_wait_for_the_lease()
    {
        var record = new GrantRecord(7, RingOf(4, 11, 21), Identities(11, 21), TimeSpan.FromSeconds(Hold));
        var cluster = new WitnessCluster(At(0), record);
        Join(cluster, 0.1, session: 1, 11);
        Join(cluster, 0.1, session: 2, 32);

        Assert.Equal(Verdict.Wait, Ask(cluster, 0.2, 1, 1, 4, 11, 21).Verdict);
        Assert.Equal(Verdict.Granted, Ask(cluster, 2.1, 1, 2, 4, 11, 21).Verdict);
        Assert.Equal(Verdict.Refused, Ask(cluster, 2.2, 2, 1, 8, 32).Verdict);
        Assert.Equal(7UL, cluster.Epoch);
    }

    [Fact]
    public void Whoever_was_not_with_the_last_grant_waits_for_its_lease_after_a_restart()
    {
        var record = new GrantRecord(7, RingOf(4, 11), Identities(11), TimeSpan.FromSeconds(Hold));
        var cluster = new WitnessCluster(At(0), record);
        Join(cluster, 3, session: 2, 21);

        Assert.Equal(Verdict.Wait, Ask(cluster, 3, 2, 1, 8, 21).Verdict);
        Assert.Equal(Verdict.Granted, Ask(cluster, Hold, 2, 2, 8, 21).Verdict);
        Assert.Equal(8UL, cluster.Epoch);
    }

    [Fact]
    public void A_witness_without_its_disk_goes_on_above_the_epochs_the_nodes_have_heard()
    {
        var cluster = new WitnessCluster(At(0), null);
        Join(cluster, 20, session: 1, 11);

        var answer = Ask(cluster, 20, 1, 1, 8, grantEpoch: 40, 11);

        Assert.Equal((Verdict.Granted, 41UL), (answer.Verdict, answer.Epoch));
    }

    [Fact]
    public void A_claimed_epoch_beyond_all_reason_is_ignored()
    {
        var cluster = new WitnessCluster(At(0), null);
        Join(cluster, 20, session: 1, 11);

        Assert.Equal(1UL, Ask(cluster, 20, 1, 1, 8, grantEpoch: ulong.MaxValue, 11).Epoch);
    }

    [Fact]
    public void A_lease_counts_on_after_the_session_that_got_it_ended()
    {
        var cluster = Granted(11);
        cluster.Disconnect(1);
        Join(cluster, 21, session: 2, 21);

        Assert.Equal(Verdict.Wait, Ask(cluster, 21, 2, 1, 12, 21).Verdict);
        Assert.Equal(Verdict.Wait, Ask(cluster, 20 + Hold - 0.1, 2, 2, 12, 21).Verdict);
        Assert.Equal(Verdict.Granted, Ask(cluster, 20 + Hold, 2, 3, 12, 21).Verdict);
    }

    [Fact]
    public void A_node_alone_that_releases_its_grant_makes_nobody_wait()
    {
        var cluster = Granted(11);
        Join(cluster, 21, session: 2, 21);
        cluster.Release(At(21), 1);
        cluster.Disconnect(1);

        Assert.Equal(Verdict.Granted, Ask(cluster, 21, 2, 1, 12, 21).Verdict);
    }

    [Fact]
    public void A_grant_is_durable_before_it_is_told_and_renewals_write_nothing()
    {
        var cluster = new WitnessCluster(At(0), null);
        Join(cluster, 20, session: 1, 11);
        cluster.Report(At(20), 1, 1, Of(11, RingOf(8, 11), 2, 11), 0);
        Assert.Equal(Verdict.Granted, Assert.Single(cluster.Evaluate(At(20), out var first)).Verdict);
        cluster.Report(At(21), 1, 2, Of(11, RingOf(8, 11), 2, 11), 0);
        Assert.Equal(Verdict.Granted, Assert.Single(cluster.Evaluate(At(21), out var second)).Verdict);

        Assert.Equal((1UL, RingOf(8, 11)), (first?.Epoch ?? 0, first?.Ring ?? default));
        Assert.Null(second);
    }

    [Fact]
    public void All_members_of_the_ring_that_wins_get_the_same_answer_whoever_the_tie_breaker_names()
    {
        // Older witnesses asked whether the asking node itself was the tie-breaker's, and refused its mates.
        var cluster = new WitnessCluster(At(0), null);
        foreach (var member in new[] { 11, 21, 31, 41 })
            Assert.Null(cluster.Connect(At(20), (ulong)member, Hello(member) with { Algorithm = WitnessAlgorithm.LastManStanding, TieBreaker = new WitnessTieBreaker(TieBreakerKind.List, [new NodeId(3)]) }));
        foreach (var report in All(4, 8, [11, 21], [31, 41])) Assert.Null(cluster.Report(At(20), report.Boot, 1, report, 0));

        var answers = cluster.Evaluate(At(23), out _);

        Assert.Equal([(31UL, Verdict.Granted), (41UL, Verdict.Granted)], answers.Where(answer => answer.Session > 30).Select(answer => (answer.Session, answer.Verdict)));
        Assert.All(answers.Where(answer => answer.Session < 30), answer => Assert.Equal(Verdict.Refused, answer.Verdict));
    }

    [Fact]
    public void A_node_with_another_configuration_is_refused_while_others_have_sessions()
    {
        var cluster = Granted(11);

        var why = cluster.Connect(At(20), 2, Hello(21) with { Digest = "other" });

        Assert.Contains("node 1", why, StringComparison.Ordinal);
    }

    [Fact]
    public void Reports_of_the_same_ring_with_other_members_or_out_of_order_end_the_session()
    {
        var cluster = Granted(11);
        Join(cluster, 20, session: 2, 21);

        Assert.NotNull(cluster.Report(At(20), 1, 1, Of(11, RingOf(8, 11), 2, 11), 0));
        Assert.NotNull(cluster.Report(At(20), 2, 1, Of(21, RingOf(8, 11), 2, 11, 21), 0));
    }

    [Fact]
    public void A_session_that_is_silent_for_a_lease_is_over()
    {
        var cluster = Granted(11);

        cluster.Evaluate(At(20 + Lease), out _);

        Assert.False(cluster.IsCurrent(1));
    }

    private static SessionHello Hello(int member) => new(
        new NodeId((ushort)(member / 10)), (ulong)member, "same", WitnessAlgorithm.FiftyFiftySplit, 1, WitnessTieBreaker.Lowest, TimeSpan.FromSeconds(Lease), Settle);

    private static void Join(WitnessCluster cluster, double at, ulong session, int member)
    {
        Assert.Null(cluster.Connect(At(at), session, Hello(member)));
        cluster.Evaluate(At(at), out _);
    }

    private static SessionAnswer Ask(WitnessCluster cluster, double at, ulong session, ulong number, ulong ring, params int[] members) =>
        Ask(cluster, at, session, number, ring, 0UL, members);

    private static SessionAnswer Ask(WitnessCluster cluster, double at, ulong session, ulong number, ulong ring, ulong grantEpoch, params int[] members)
    {
        Assert.Null(cluster.Report(At(at), session, number, Of(members[0], RingOf(ring, members), 2, members), grantEpoch));
        return cluster.Evaluate(At(at), out _).Single(answer => answer.Session == session);
    }

    /// <summary>Session 1 of this one member has had the votes since second 20.</summary>
    private static WitnessCluster Granted(int member)
    {
        var cluster = new WitnessCluster(At(0), null);
        Join(cluster, 20, session: 1, member);
        Assert.Equal(Verdict.Granted, Ask(cluster, 20, 1, 1, 8, member).Verdict);
        return cluster;
    }
}
