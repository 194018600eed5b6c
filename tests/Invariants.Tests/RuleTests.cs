using Membership.Totem;
using Xunit;
using static Membership.Invariants.Tests.Script;

namespace Membership.Invariants.Tests;

/// <summary>For each invariant one small history that keeps it and one that breaks it; nothing else may fire.</summary>
public class RuleTests
{
    private static readonly RingId A = Ring(4);
    private static readonly RingId B = Ring(8);
    private static readonly RingId B2 = Ring(9, 2);
    private static readonly RingId C = Ring(12);

    /// <param name="Implied">Rules that the bad history breaks as well, because they follow from each other.</param>
    private sealed record Rule(string Id, Action<Script> Good, Action<Script> Bad, params string[] Implied);

    private static readonly Rule[] Rules =
    [
        new("I1", script => Exchange(script, 1), script => Exchange(script, 0)),
        new("I2", script => DeliverTimes(script, 1), script => DeliverTimes(script, 2)),
        new("I3", script => LateDelivery(script, isBeforeTheNextView: true), script => LateDelivery(script, isBeforeTheNextView: false)),
        new("I4", script => OrderedBy(script, senderStayed: true), script => OrderedBy(script, senderStayed: false)),
        new("I5", script => WithHash(script, null), script => WithHash(script, 5)),
        new("I6", script => Outsider(script, isMember: true), script => Outsider(script, isMember: false)),
        new("I7", script => SameId(script, isSameSet: true), script => SameId(script, isSameSet: false)),
        new("I8", script => script.Form(A, script.Node(1)), WithoutSelf),
        new("I9", script => Alternate(script, withTransitional: true), script => Alternate(script, withTransitional: false)),
        new("I10", script => Along(script, cameAlong: true), script => Along(script, cameAlong: false)),
        new("I11", script => Restart(script, B), script => Restart(script, A)),
        new("I12", script => InstallTwice(script, inOneOrder: true), script => InstallTwice(script, inOneOrder: false), "I11", "I16"),
        new("I13", script => Entered(script, everybody: true), script => Entered(script, everybody: false)),
        new("I14", script => Settled(script, inOneView: true), script => Settled(script, inOneView: false)),
        new("I15", script => Calm(script, untilTheEnd: true), script => Calm(script, untilTheEnd: false)),
        new("I16", script => TransitionalPlace(script, atOnePlace: true), script => TransitionalPlace(script, atOnePlace: false)),
        new("I17", script => TwoMessages(script, 1, 2), script => TwoMessages(script, 2, 1)),
        new("I18", script => Gap(script, DeliveryLevel.Agreed, passOver: false), script => Gap(script, DeliveryLevel.Agreed, passOver: true)),
        new("I19", script => TransitionalGap(script, senderComes: false), script => TransitionalGap(script, senderComes: true)),
        new("I20", script => Fifo(script, 1, 2), script => Fifo(script, 1, 3)),
        new("I21", script => Causal(script, senderComes: false), script => Causal(script, senderComes: true)),
        new("I22", script => Own(script, delivered: true), script => Own(script, delivered: false)),
        new("I23", script => Together(script, both: true), script => Together(script, both: false)),
        new("I24", script => Accepted(script, delivered: true), script => Accepted(script, delivered: false)),
        new("I25", script => SafeAcrossSplit(script, DeliveryLevel.Agreed), script => SafeAcrossSplit(script, DeliveryLevel.Safe)),
        new("I26", script => SafeBeforeInstall(script, installed: true), script => SafeBeforeInstall(script, installed: false)),
        new("I27", script => Gap(script, DeliveryLevel.Safe, passOver: false), script => Gap(script, DeliveryLevel.Safe, passOver: true)),
        new("I28", script => Obligation(script, kept: true), script => Obligation(script, kept: false)),
    ];

    public static TheoryData<string> Ids => new(Rules.Select(rule => rule.Id));

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_history_that_keeps_the_rule_is_accepted(string id)
    {
        var script = new Script();

        Find(id).Good(script);

        Assert.Empty(script.Checker.Violations);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_history_that_breaks_only_this_rule_is_rejected_by_it(string id)
    {
        var script = new Script();

        Find(id).Bad(script);

        Assert.Contains(script.Checker.Violations, violation => violation.Id == id);
        Assert.All(script.Checker.Violations, violation => Assert.Contains(violation.Id, Find(id).Implied.Append(id)));
    }

    [Fact]
    public void Every_invariant_of_the_ring_has_its_pair() =>
        Assert.Equal(Enumerable.Range(1, 28).Select(number => $"I{number}"), Rules.Select(rule => rule.Id));

    private static Rule Find(string id) => Array.Find(Rules, rule => rule.Id == id)!;

    private static (int P, int Q) Pair(Script script)
    {
        var pair = (script.Node(1), script.Node(2));
        script.Form(A, pair.Item1, pair.Item2);
        return pair;
    }

    private static void Exchange(Script script, int sends)
    {
        var (p, q) = Pair(script);
        for (var i = 0; i < sends; i++) script.Send(p);
        script.Deliver(q, A, 1, p, 1);
        script.Cut();
    }

    private static void DeliverTimes(Script script, int times)
    {
        var (p, q) = Pair(script);
        var counter = script.Send(p);
        for (var i = 0; i < times; i++) script.Deliver(q, A, 1, p, counter);
        script.Cut();
    }

    private static void LateDelivery(Script script, bool isBeforeTheNextView)
    {
        var (p, q) = Pair(script);
        var counter = script.Send(p);
        script.Crash(p);
        script.Transitional(q, B, A, q);
        if (isBeforeTheNextView) script.Deliver(q, A, 1, p, counter);
        script.Regular(q, B, q);
        if (!isBeforeTheNextView) script.Deliver(q, A, 1, p, counter);
        script.Cut();
    }

    private static void OrderedBy(Script script, bool senderStayed)
    {
        var (p, q) = Pair(script);
        if (!senderStayed) script.Move(p, A, B, [p], [p]);
        var counter = script.Send(p);
        if (senderStayed) script.Deliver(p, A, 1, p, counter);
        script.Deliver(q, A, 1, p, counter);
        script.Cut();
    }

    private static void WithHash(Script script, ulong? hash)
    {
        var (p, q) = Pair(script);
        script.Deliver(q, A, 1, p, script.Send(p), hash);
        script.Cut();
    }

    private static void Outsider(Script script, bool isMember)
    {
        var (p, q) = Pair(script);
        var other = script.Node(3);
        script.Form(B, other);
        var counter = script.Send(other);
        if (isMember) script.Deliver(other, B, 1, other, counter);
        else script.Deliver(q, A, 1, other, counter);
        script.Cut();
    }

    private static void SameId(Script script, bool isSameSet)
    {
        var (p, q, other) = (script.Node(1), script.Node(2), script.Node(3));
        script.Regular(p, A, p, q);
        if (isSameSet) script.Regular(q, A, p, q);
        else script.Regular(q, A, p, q, other);
        script.Cut();
    }

    private static void WithoutSelf(Script script)
    {
        var (p, q) = (script.Node(1), script.Node(2));
        script.Regular(p, A, q);
        script.Cut();
    }

    private static void Alternate(Script script, bool withTransitional)
    {
        var p = script.Node(1);
        script.Form(A, p);
        if (withTransitional) script.Transitional(p, B, A, p);
        script.Form(B, p);
        script.Cut();
    }

    private static void Along(Script script, bool cameAlong)
    {
        // q reaches ring C by a ring of its own, so it does not come along with p, who never was there.
        var (p, q) = Pair(script);
        script.Move(q, A, B2, [q], [q]);
        script.Move(q, B2, C, [q], [p, q]);
        script.Move(p, A, C, cameAlong ? [p] : [p, q], [p, q]);
        script.Cut();
    }

    private static void Restart(Script script, RingId second)
    {
        var p = script.Node(1);
        script.Form(A, p);
        script.Crash(p);
        var again = script.Node(1, boot: 2);
        script.Regular(again, new RingId(second.Representative, second.Sequence, 9UL << 32), again);
        script.Cut();
    }

    private static void InstallTwice(Script script, bool inOneOrder)
    {
        var (p, q) = (script.Node(1), script.Node(2));
        script.Regular(p, A, p, q);
        script.Move(p, A, B, inOneOrder ? [p, q] : [p], [p, q]);
        script.Regular(q, inOneOrder ? A : B, p, q);
        if (inOneOrder) script.Move(q, A, B, [p, q], [p, q]);
        else script.Move(q, B, A, [q], [p, q]);
        script.Cut();
    }

    private static void Entered(Script script, bool everybody)
    {
        var (p, q) = (script.Node(1), script.Node(2));
        script.Regular(p, A, p, q);
        if (everybody) script.Regular(q, A, p, q);
        script.Rest();
    }

    private static void Settled(Script script, bool inOneView)
    {
        var (p, q) = (script.Node(1), script.Node(2));
        if (inOneView) script.Form(A, p, q);
        else script.Form(A, p);
        if (!inOneView) script.Form(B2, q);
        script.Rest(null, [[p, q]]);
    }

    private static void Calm(Script script, bool untilTheEnd)
    {
        var (p, q) = Pair(script);
        var since = script.Now;
        if (!untilTheEnd) foreach (var node in (int[])[p, q]) script.Move(node, A, B, [p, q], [p, q]);
        script.Rest(since);
    }

    private static void TransitionalPlace(Script script, bool atOnePlace)
    {
        var (p, q) = Pair(script);
        var counter = script.Send(p);
        script.Deliver(p, A, 1, p, counter);
        if (atOnePlace) script.Deliver(q, A, 1, p, counter);
        script.Transitional(p, B, A, p, q);
        script.Transitional(q, B, A, p, q);
        if (!atOnePlace) script.Deliver(q, A, 1, p, counter);
        script.Form(B, p, q);
        script.Cut();
    }

    private static void TwoMessages(Script script, ulong first, ulong second)
    {
        var (p, q) = Pair(script);
        script.Send(p);
        script.Send(q);
        script.Deliver(q, A, first, p, 1);
        script.Deliver(q, A, second, q, 1);
        script.Cut();
    }

    private static void Gap(Script script, DeliveryLevel level, bool passOver)
    {
        var (p, q) = Pair(script);
        script.Send(p, level);
        script.Send(q);
        script.Deliver(p, A, 1, p, 1);
        script.Deliver(p, A, 2, q, 1);
        if (!passOver) script.Deliver(q, A, 1, p, 1);
        script.Deliver(q, A, 2, q, 1);
        script.Cut();
    }

    private static void TransitionalGap(Script script, bool senderComes)
    {
        // p sends 1 and q sends 2; r has seen both, q alone goes on without 1.
        var (p, q, r) = (script.Node(1), script.Node(2), script.Node(3));
        script.Form(A, p, q, r);
        script.Send(p);
        script.Send(q);
        script.Deliver(r, A, 1, p, 1);
        script.Deliver(r, A, 2, q, 1);
        script.Crash(p);
        script.Crash(r);
        script.Transitional(q, B, A, senderComes ? [p, q] : [q]);
        script.Deliver(q, A, 2, q, 1);
        script.Regular(q, B, senderComes ? [p, q] : [q]);
        script.Cut();
    }

    private static void Fifo(Script script, ulong first, ulong second)
    {
        var (p, q) = Pair(script);
        for (var i = 0; i < 3; i++) script.Send(p);
        script.Deliver(q, A, 1, p, first);
        script.Deliver(q, A, 2, p, second);
        script.Cut();
    }

    private static void Causal(Script script, bool senderComes)
    {
        // s sends 1, which p delivers; p answers in ring C, where q reads the answer without having seen 1.
        var (p, q, s) = (script.Node(1), script.Node(2), script.Node(3));
        script.Form(A, p, q, s);
        script.Send(s);
        script.Deliver(p, A, 1, s, 1);
        script.Crash(s);
        script.Move(p, A, B, [p], [p]);
        script.Move(q, A, B2, senderComes ? [q, s] : [q], senderComes ? [q, s] : [q]);
        script.Move(p, B, C, [p], [p, q]);
        script.Move(q, B2, C, [q], [p, q]);
        script.Send(p);
        script.Deliver(q, C, 1, p, 1);
        script.Cut();
    }

    private static void Own(Script script, bool delivered)
    {
        var (p, q) = Pair(script);
        script.Send(p);
        script.Deliver(q, A, 1, p, 1);
        script.Transitional(p, B, A, p);
        if (delivered) script.Deliver(p, A, 1, p, 1);
        script.Regular(p, B, p);
        script.Cut();
    }

    private static void Together(Script script, bool both)
    {
        // A message of a node that is gone: whoever goes on together has it or has it not, together.
        var (p, q, s) = (script.Node(1), script.Node(2), script.Node(3));
        script.Form(A, p, q, s);
        script.Send(s);
        script.Crash(s);
        script.Deliver(p, A, 1, s, 1);
        if (both) script.Deliver(q, A, 1, s, 1);
        script.Move(p, A, B, [p, q], [p, q]);
        script.Move(q, A, B, [p, q], [p, q]);
        script.Cut();
    }

    private static void Accepted(Script script, bool delivered)
    {
        var (p, q) = Pair(script);
        script.Send(p);
        if (delivered) foreach (var node in (int[])[p, q]) script.Deliver(node, A, 1, p, 1);
        script.Rest();
    }

    private static void SafeAcrossSplit(Script script, DeliveryLevel level)
    {
        var (p, q) = Pair(script);
        script.Send(p, level);
        script.Deliver(p, A, 1, p, 1);
        script.Move(q, A, B2, [q], [q]);
        script.Cut();
    }

    private static void SafeBeforeInstall(Script script, bool installed)
    {
        var (p, q) = (script.Node(1), script.Node(2));
        script.Regular(p, A, p, q);
        if (installed) script.Regular(q, A, p, q);
        script.Send(p, DeliveryLevel.Safe);
        script.Deliver(p, A, 1, p, 1);
        script.Cut();
    }

    private static void Obligation(Script script, bool kept)
    {
        // p finishes the recovery with q and delivers what the lost s had sent; q's recovery fails and it goes on alone.
        var (p, q, s) = (script.Node(1), script.Node(2), script.Node(3));
        script.Form(A, p, q, s);
        script.Send(s);
        script.Crash(s);
        script.Transitional(p, B, A, p, q);
        script.Deliver(p, A, 1, s, 1);
        script.Regular(p, B, p, q);
        script.Transitional(q, B2, A, q);
        if (kept) script.Deliver(q, A, 1, s, 1);
        script.Regular(q, B2, q);
        script.Cut();
    }
}
