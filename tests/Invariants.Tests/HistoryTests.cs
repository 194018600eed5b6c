using Membership.Links;
using Membership.Totem;
using Xunit;
using static Membership.Invariants.Tests.Script;

namespace Membership.Invariants.Tests;

/// <summary>Rules at their edges, and the reading of event streams.</summary>
public class HistoryTests
{
    private static readonly RingId A = Ring(4);
    private static readonly RingId B = Ring(8);

    [Fact]
    public void A_restart_without_its_disk_counts_as_a_new_identity()
    {
        var script = new Script();
        var first = script.Node(1);
        script.Form(B, first);
        script.Crash(first);

        var second = script.Node(1, boot: 2, hasDisk: false);
        script.Form(new RingId(new NodeId(1), 4, 9UL << 32), second);

        Assert.Empty(script.Checker.Violations);
    }

    [Fact]
    public void A_message_after_a_gap_is_accepted_when_its_sender_came_along_in_a_recovery_that_failed()
    {
        Assert.Empty(GapThenOutsider(recoveredWith: 3));
        Assert.Equal("I19", Assert.Single(GapThenOutsider(recoveredWith: 2)).Id);
    }

    [Fact]
    public void A_message_that_turns_up_behind_a_delivery_shows_the_gap_of_the_first_reader()
    {
        var script = new Script();
        var (p, q) = (script.Node(1), script.Node(2));
        script.Form(A, p, q);
        script.Send(p);
        script.Send(q);

        script.Deliver(p, A, 2, q, 1);
        script.Deliver(q, A, 1, p, 1);

        Assert.Equal("I18", script.Checker.Violations[0].Id);
    }

    [Fact]
    public void A_message_sent_after_a_delivery_is_ordered_after_it()
    {
        var script = new Script();
        var (p, q) = (script.Node(1), script.Node(2));
        script.Form(A, p, q);
        script.Deliver(p, A, 5, q, script.Send(q));

        script.Deliver(q, A, 3, p, script.Send(p));

        Assert.Contains(script.Checker.Violations, violation => violation.Id == "I21");
    }

    [Fact]
    public void A_sender_that_goes_another_way_and_returns_may_have_sent_what_this_node_never_sees()
    {
        var script = new Script();
        var (p, q) = (script.Node(1), script.Node(2));
        script.Form(A, p, q);
        for (var i = 0; i < 3; i++) script.Send(p);
        script.Deliver(p, A, 1, p, 1);
        script.Transitional(q, Ring(8, 2), A, q);
        script.Deliver(q, A, 1, p, 1);
        script.Regular(q, Ring(8, 2), q);
        script.Deliver(p, A, 2, p, 2);
        script.Move(p, A, Ring(9), [p], [p]);

        script.Move(p, Ring(9), Ring(12), [p], [p, q]);
        script.Move(q, Ring(8, 2), Ring(12), [q], [p, q]);
        script.Deliver(q, Ring(12), 1, p, 3);

        Assert.Empty(script.Checker.Violations);
    }

    [Fact]
    public void A_withdrawn_message_is_never_delivered()
    {
        var script = new Script();
        var (p, q) = (script.Node(1), script.Node(2));
        script.Form(A, p, q);
        script.Checker.Failed(p, script.Now, script.Send(p));

        script.Deliver(q, A, 1, p, 1);

        Assert.Equal("I24", Assert.Single(script.Checker.Violations).Id);
    }

    [Fact]
    public void Streams_of_the_command_line_are_read_and_judged()
    {
        var tail = (string node, string seq) => new[]
        {
            """{"event":"view","kind":"regular","id":"1.4.00000007","number":4,"members":[{"node":1,"boot":"000000000000000000000000000000a1"},{"node":2,"boot":"00000000000000b2"}],"previous":null,"t_ns":10}""",
            $$"""{"event":"message","ring_id":"1.4.00000007","seq":{{seq}},"index":0,"view":"1.4.00000007","sender":1,"boot":"00000000000000a1","counter":1,"level":"safe","size":3,"sha256":"00000000000000ff","t_ns":2{{node}}}""",
        };
        var good = new JsonHistory();
        var sender = good.AddTail(new NodeId(1), tail("1", "7"));
        good.AddTail(new NodeId(2), tail("2", "7"));
        good.AddSends(sender, DeliveryLevel.Safe, ["""{"event":"sent","counter":1,"ring_id":"1.4.00000007","seq":7,"index":0,"size":3,"sha256":"00000000000000ff","t_ns":30}"""]);
        var bad = new JsonHistory();
        bad.AddTail(new NodeId(1), tail("1", "7"));
        bad.AddTail(new NodeId(2), tail("2", "8"));

        var accepted = good.Read(tailsJoinLate: false);
        accepted.Finish(new HistoryEnding { IsQuiesced = true });
        var rejected = bad.Read(tailsJoinLate: false);

        Assert.Empty(accepted.Violations);
        Assert.Equal(2, accepted.Deliveries);
        Assert.Equal("I17", Assert.Single(rejected.Violations).Id);
    }

    [Fact]
    public void A_stream_that_was_cut_is_refused() =>
        Assert.Throws<FormatException>(() => new JsonHistory().AddTail(new NodeId(1), ["""{"event":"cut","resume":7}"""]));

    [Theory]
    [InlineData("1.2a.9f3c51d0")]
    [InlineData("t:1.2b.00000001/2.2a.9f3c51d0")]
    public void View_ids_are_read_as_they_are_written(string text) => Assert.Equal(text, JsonHistory.ParseViewId(text).ToString());

    /// <summary>q passes over a message of p, then delivers one of s; neither comes along to the next ring.</summary>
    private static IReadOnlyList<Violation> GapThenOutsider(ushort recoveredWith)
    {
        var script = new Script();
        var (p, q, s) = (script.Node(1), script.Node(2), script.Node(3));
        script.Form(A, p, q, s);
        script.Send(p);
        script.Send(s);
        script.Deliver(p, A, 1, p, 1);
        script.Crash(p);
        script.Crash(s);
        script.Checker.Recovering(q, A, [new NodeId(recoveredWith)]);
        script.Transitional(q, B, A, q);
        script.Deliver(q, A, 2, s, 1);
        script.Regular(q, B, q);
        script.Cut();
        return script.Checker.Violations;
    }
}
