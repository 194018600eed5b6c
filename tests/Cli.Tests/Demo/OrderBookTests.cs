using Membership.Cli.Demo;

namespace Membership.Cli.Tests.Demo;

public class OrderBookTests
{
    private readonly OrderBook _book = new();

    [Fact]
    public void Two_nodes_that_deliver_the_same_have_one_hash()
    {
        Enter("1.1", 1, 2);

        Deliver(1, 1, 2, 3);
        Deliver(2, 1, 2, 3);

        var component = Assert.Single(_book.Components());
        Assert.Equal([1, 2], component.Nodes);
        Assert.Equal(3, component.Common);
        Assert.Equal(3, _book.Confirmed);
        Assert.Empty(_book.Differences);
    }

    [Fact]
    public void A_node_that_is_behind_is_compared_at_the_highest_common_position()
    {
        Enter("1.1", 1, 2);

        Deliver(1, 1, 2, 3);
        Deliver(2, 1);
        var behind = Assert.Single(_book.Components());
        Deliver(2, 2, 3);
        var level = Assert.Single(_book.Components());

        Assert.Equal(1, behind.Common);
        Assert.Equal(3, level.Common);
        Assert.NotEqual(behind.Hash, level.Hash);
    }

    [Fact]
    public void Two_messages_in_another_order_are_a_difference()
    {
        Enter("1.1", 1, 2);

        _book.Deliver(1, new Delivered(1, 0, Sender: 1, Counter: 8, Payload: 0));
        _book.Deliver(1, new Delivered(2, 0, Sender: 2, Counter: 9, Payload: 0));
        _book.Deliver(2, new Delivered(1, 0, Sender: 2, Counter: 9, Payload: 0));
        _book.Deliver(2, new Delivered(2, 0, Sender: 1, Counter: 8, Payload: 0));

        Assert.Equal(2, _book.DifferenceCount);
        Assert.Contains("n2 delivered", _book.Differences[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Another_payload_at_the_same_place_is_a_difference()
    {
        Enter("1.1", 1, 2);

        _book.Deliver(1, Message(1) with { Payload = 7 });
        _book.Deliver(2, Message(1) with { Payload = 8 });

        Assert.Single(_book.Differences);
    }

    [Fact]
    public void A_message_that_one_node_skips_is_a_difference()
    {
        Enter("1.1", 1, 2);

        Deliver(1, 1, 2, 3);
        Deliver(2, 1, 3);

        Assert.Equal(1, _book.DifferenceCount);
    }

    [Fact]
    public void Components_have_histories_of_their_own()
    {
        Enter("1.1", 1, 2, 3, 4);
        Deliver([1, 2, 3, 4], 1, 2);

        Enter("1.2", 1, 2);
        Enter("3.2", 3, 4);
        Deliver([1, 2], 1, 2, 3);
        Deliver([3, 4], 1);

        var components = _book.Components();
        Assert.Equal(["1.2", "3.2"], components.Select(component => component.View));
        Assert.Equal([3, 1], components.Select(component => component.Common));
        Assert.Empty(_book.Differences);
    }

    [Fact]
    public void Two_nodes_that_go_from_one_view_to_the_same_next_view_must_have_delivered_the_same_set()
    {
        Enter("1.1", 1, 2);
        Deliver(1, 1, 2);
        Deliver(2, 1);

        Enter("t:1.2/1.1", 1, 2);

        Assert.Contains("another node after a different set", Assert.Single(_book.Differences), StringComparison.Ordinal);
    }

    [Fact]
    public void Two_nodes_that_part_may_have_delivered_different_sets_of_the_old_view()
    {
        Enter("1.1", 1, 2);
        Deliver(1, 1, 2);
        Deliver(2, 1);

        Enter("t:1.2/1.1", 1);
        Enter("t:2.2/1.1", 2);

        Assert.Empty(_book.Differences);
    }

    [Fact]
    public void A_stream_that_begins_in_the_middle_of_a_view_takes_its_place_by_its_first_message()
    {
        Enter("1.1", 1, 2);
        Deliver([1, 2], 1, 2, 3);
        _book.Begin(3);
        _book.EnterView(3, "1.1");

        Deliver(3, 2, 3);
        Deliver([1, 2, 3], 4);

        var component = Assert.Single(_book.Components());
        Assert.Equal((3, 4L), (component.Placed, component.Common));
        Assert.Empty(_book.Differences);
    }

    [Fact]
    public void A_stream_that_begins_ahead_of_the_others_waits_for_them()
    {
        Enter("1.1", 1, 2);
        Deliver([1, 2], 1);
        _book.Begin(3);
        _book.EnterView(3, "1.1");

        Deliver(3, 3, 4);
        var waiting = Assert.Single(_book.Components());
        Deliver([1, 2], 2, 3, 4);
        var placed = Assert.Single(_book.Components());

        Assert.Equal((2, 1L), (waiting.Placed, waiting.Common));
        Assert.Equal((3, 4L), (placed.Placed, placed.Common));
        Assert.Empty(_book.Differences);
    }

    [Fact]
    public void A_message_that_all_others_passed_without_is_a_difference_also_for_a_late_stream()
    {
        Enter("1.1", 1, 2);
        Deliver([1, 2], 1, 2, 4);
        _book.Begin(3);
        _book.EnterView(3, "1.1");

        Deliver(3, 3);

        Assert.Contains("passed without it", Assert.Single(_book.Differences), StringComparison.Ordinal);
    }

    [Fact]
    public void A_killed_node_leaves_no_trace_in_the_comparison_of_the_others()
    {
        Enter("1.1", 1, 2, 3);
        Deliver([1, 2, 3], 1);
        Deliver(3, 2); // delivered by nobody else before it died

        _book.End(3);
        Enter("t:1.2/1.1", 1, 2);
        Enter("1.2", 1, 2);
        Deliver([1, 2], 1, 2);

        Assert.Equal([1, 2], Assert.Single(_book.Components()).Nodes);
        Assert.Empty(_book.Differences);
    }

    [Fact]
    public void A_node_that_is_further_behind_than_the_book_remembers_is_placed_anew()
    {
        Enter("1.1", 1, 2);

        for (var seq = 1; seq <= (2 * OrderLedger.EntriesMax) + 10; seq++) Deliver(1, seq);
        Deliver(2, 1, 2, (2 * OrderLedger.EntriesMax) + 5);

        Assert.Empty(_book.Differences);
        Assert.Equal(2, Assert.Single(_book.Components()).Placed);
    }

    private void Enter(string view, params int[] nodes)
    {
        foreach (var node in nodes)
        {
            if (!_begun.Contains(node))
            {
                // a first view of its own, so that the one under test is entered from its start
                _book.Begin(node);
                _book.EnterView(node, $"{node}.0");
                _begun.Add(node);
            }

            _book.EnterView(node, view);
        }
    }

    private readonly HashSet<int> _begun = [];

    private void Deliver(int node, params int[] seqs) => Deliver([node], seqs);

    private void Deliver(int[] nodes, params int[] seqs)
    {
        foreach (var node in nodes)
        {
            foreach (var seq in seqs) _book.Deliver(node, Message(seq));
        }
    }

    private static Delivered Message(int seq) => new((ulong)seq, 0, Sender: 1, Counter: (ulong)seq, Payload: 42);
}
