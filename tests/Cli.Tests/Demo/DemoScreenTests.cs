using Membership.Cli.Demo;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Tests.Demo;

public class DemoScreenTests
{
    private readonly ClusterPicture _picture = new(2, TimeProvider.System);

    [Fact]
    public void The_screen_shows_nodes_views_and_the_proof_of_one_order()
    {
        for (var node = 1; node <= 2; node++)
        {
            _picture.Apply(new DemoEvent.Started(node, 4710 + node));
            _picture.Apply(new DemoEvent.StreamBegan(node));
            _picture.Apply(Piece(node, new RingEvent { View = View() }));
            _picture.Apply(Piece(node, new RingEvent { Message = new RingMessage { Seq = 9, Sender = 1, Counter = 5 } }));
        }

        var screen = DemoScreen.Render(_picture, Terminal.Plain, "/tmp/x");

        Assert.Contains("4711", screen, StringComparison.Ordinal);
        Assert.Contains("n1 n2", screen, StringComparison.Ordinal);
        Assert.Contains("order: identical on 2 nodes (n1 n2), 1 messages in this view", screen, StringComparison.Ordinal);
    }

    [Fact]
    public void A_daemon_that_ends_by_itself_is_told_apart_from_one_that_was_ended()
    {
        _picture.Apply(new DemoEvent.Exited(1, 137, Expected: true));
        _picture.Apply(new DemoEvent.Exited(2, 70, Expected: false));

        Assert.Equal(["n2 ended by itself with exit code 70"], _picture.Surprises);
    }

    private static DemoEvent.Stream Piece(int node, RingEvent item) => new(node, new SubscribeResponse { Events = { item } });

    private static View View() => new()
    {
        Id = "1.2a.9f3c51d0",
        Number = 42,
        Members = { new ViewMember { Node = 1, Name = "n1" }, new ViewMember { Node = 2, Name = "n2" } },
    };
}
