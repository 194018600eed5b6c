using Membership.Daemon.Witness;
using Membership.Daemon.Witness.Client;
using Membership.Daemon.Witness.Rule;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;
using Membership.V1;
using static Membership.Daemon.Tests.Witness.Reports;
using View = Membership.Totem.View;
using WireAnswer = Membership.V1.WitnessAnswer;

namespace Membership.Daemon.Tests.Witness;

/// <summary>What a node may believe, and for how long.</summary>
public class WitnessLeaseTests
{
    private const double Lease = 6;
    private readonly WitnessLease _lease = new(
        new SessionHello(new NodeId(1), 11, "same", WitnessAlgorithm.FiftyFiftySplit, 1, WitnessTieBreaker.Lowest, TimeSpan.FromSeconds(Lease), Settle),
        new Dictionary<ushort, ulong> { [1] = 1, [2] = 1 });

    [Fact]
    public void A_grant_is_believed_for_the_lease_counted_from_when_the_report_was_handed_over()
    {
        Begin(at: 10);

        _lease.OnAnswer(At(12), Answer(1, 4, WitnessVerdict.Granted));

        Assert.True(_lease.Belief?.IsGranted);
        Assert.False(_lease.Expire(At(15.9)));
        Assert.True(_lease.Expire(At(16)));
        Assert.Null(_lease.Belief);
    }

    [Fact]
    public void An_answer_that_took_longer_than_the_lease_grants_nothing()
    {
        Begin(at: 10);

        Assert.Null(_lease.OnAnswer(At(16), Answer(1, 4, WitnessVerdict.Granted)));

        Assert.Null(_lease.Belief);
    }

    [Fact]
    public void Renewal_is_due_after_a_third_of_the_lease_and_extends_it()
    {
        Begin(at: 10);
        _lease.OnAnswer(At(10.1), Answer(1, 4, WitnessVerdict.Granted));

        Assert.Null(_lease.NextReport(At(11.9)));
        Assert.Equal(2UL, _lease.NextReport(At(12))?.Number);
        _lease.OnAnswer(At(12.1), Answer(2, 4, WitnessVerdict.Granted));

        Assert.False(_lease.Expire(At(17.9)));
        Assert.True(_lease.Expire(At(18)));
    }

    [Fact]
    public void A_lost_session_changes_nothing_before_the_lease_ends()
    {
        Begin(at: 10);
        _lease.OnAnswer(At(10.1), Answer(1, 4, WitnessVerdict.Granted));

        _lease.End();

        Assert.True(_lease.Belief?.IsGranted);
        Assert.True(_lease.Expire(At(16)));
    }

    [Fact]
    public void A_refusal_ends_a_grant_at_once_and_waiting_does_not()
    {
        Begin(at: 10);
        _lease.OnAnswer(At(10.1), Answer(1, 4, WitnessVerdict.Granted));

        _lease.OnAnswer(At(10.2), Answer(1, 4, WitnessVerdict.Wait));
        Assert.True(_lease.Belief?.IsGranted);

        _lease.OnAnswer(At(10.3), Answer(1, 4, WitnessVerdict.Refused));
        Assert.False(_lease.Belief?.IsGranted);
    }

    [Fact]
    public void A_new_view_ends_the_grant_of_the_old_one_and_asks_at_once()
    {
        Begin(at: 10);
        _lease.OnAnswer(At(10.1), Answer(1, 4, WitnessVerdict.Granted));

        Assert.True(_lease.Observe(Seen(8, 11)));

        Assert.Null(_lease.Belief);
        Assert.Equal(8UL, _lease.NextReport(At(10.2))?.Ring.Sequence);
        _lease.OnAnswer(At(10.3), Answer(1, 4, WitnessVerdict.Granted));
        Assert.Null(_lease.Belief);
    }

    [Fact]
    public void An_answer_to_a_report_that_was_never_sent_ends_the_session()
    {
        Begin(at: 10);

        Assert.NotNull(_lease.OnAnswer(At(11), Answer(2, 4, WitnessVerdict.Granted)));
        Assert.NotNull(_lease.OnAnswer(At(11), Answer(1, 8, WitnessVerdict.Granted)));
        Assert.NotNull(_lease.OnAnswer(At(11), Answer(1, 4, (WitnessVerdict)9)));
        Assert.Null(_lease.Belief);
    }

    [Fact]
    public void A_lease_longer_than_asked_for_is_cut_to_what_was_asked_for()
    {
        Begin(at: 10);
        var answer = Answer(1, 4, WitnessVerdict.Granted);
        answer.LeaseMs = uint.MaxValue;

        _lease.OnAnswer(At(10.1), answer);

        Assert.True(_lease.Expire(At(16)));
    }

    [Fact]
    public void A_report_says_who_is_in_the_view_with_which_votes()
    {
        Begin(at: 10);
        var report = _lease.NextReport(At(20));

        Assert.NotNull(report);
        Assert.Equal((2UL, 2), (report.TotalVotes, report.Members.Count));
        Assert.NotNull(WitnessCodec.Read(report, new SessionHello(new NodeId(1), 11, "same", WitnessAlgorithm.FiftyFiftySplit, 1, WitnessTieBreaker.Lowest, TimeSpan.FromSeconds(Lease), Settle), out _));
    }

    [Theory]
    [InlineData(10, 2.2, 10)]
    [InlineData(1, 2.2, 4.4)]
    [InlineData(0.5, 0.1, 1)]
    [InlineData(300, 180, 360)]
    public void The_lease_is_the_timeout_but_long_enough_for_a_view_to_settle_twice(double timeout, double settle, double lease) =>
        Assert.Equal(TimeSpan.FromSeconds(lease), WitnessSetup.LeaseOf(TimeSpan.FromSeconds(timeout), TimeSpan.FromSeconds(settle)));

    private static WireAnswer Answer(ulong number, ulong ring, WitnessVerdict verdict) => new()
    {
        Number = number,
        Ring = WitnessCodec.Ring(RingOf(ring, ring == 4 ? [11, 21] : [11])),
        Verdict = verdict,
        Epoch = 3,
        LeaseMs = (uint)(Lease * 1000),
        Reason = "because",
    };

    private static Observation Seen(ulong sequence, params int[] members) =>
        new(new View(ViewId.Regular(RingOf(sequence, members)), Identities(members), null, [], []), false, null);

    private void Begin(double at)
    {
        _lease.Observe(Seen(4, 11, 21));
        _lease.Begin(At(at));
        Assert.Equal(1UL, _lease.NextReport(At(at))?.Number);
    }
}
