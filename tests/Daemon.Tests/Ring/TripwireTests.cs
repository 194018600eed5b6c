using System.Net;
using System.Net.Sockets;
using Membership.Daemon.Ring;
using Membership.Links;

namespace Membership.Daemon.Tests.Ring;

/// <summary>Two sets of tripwires on loopback, turned by the test's own thread and the test's own clock.</summary>
public sealed class TripwireTests
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(100);

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.2")]
    [InlineData("::1", "::1")]
    public void A_neighbour_that_goes_away_is_noticed_by_the_one_that_connected(string first, string second)
    {
        using var one = new End(first, second, self: 0);
        var two = new End(first, second, self: 1, one);
        one.Wires.SetNeighbours(default, NodeSet.Of(1));
        DatagramIoTests.Until(() => one.Wires.Established == NodeSet.Of(1), () => one.Turn(two));

        two.Dispose();
        var broken = NodeSet.Empty;
        DatagramIoTests.Until(() => !broken.IsEmpty, () => broken = one.Turn());

        Assert.Equal(NodeSet.Of(1), broken);
        Assert.Equal(NodeSet.Empty, one.Wires.Established);
    }

    [Fact]
    public void The_side_that_was_connected_to_notices_as_well()
    {
        var one = new End("127.0.0.1", "127.0.0.2", self: 0);
        using var two = new End("127.0.0.1", "127.0.0.2", self: 1, one);
        one.Wires.SetNeighbours(default, NodeSet.Of(1));
        DatagramIoTests.Until(() => two.Wires.Established == NodeSet.Of(0), () => two.Turn(one));

        one.Dispose();
        var broken = NodeSet.Empty;
        DatagramIoTests.Until(() => !broken.IsEmpty, () => broken = two.Turn());

        Assert.Equal(NodeSet.Of(0), broken);
    }

    [Fact]
    public void A_lost_tripwire_is_connected_again_at_the_pace_of_the_retry_and_not_before()
    {
        using var one = new End("127.0.0.1", "127.0.0.2", self: 0);
        var two = new End("127.0.0.1", "127.0.0.2", self: 1, one);
        one.Wires.SetNeighbours(default, NodeSet.Of(1));
        DatagramIoTests.Until(() => !one.Wires.Established.IsEmpty, () => one.Turn(two));
        two.Dispose();
        var broken = NodeSet.Empty;
        DatagramIoTests.Until(() => !broken.IsEmpty, () => broken = one.Turn());

        Assert.Equal(one.Now + Retry, one.Wires.NextDeadline);
        using var again = new End("127.0.0.1", "127.0.0.2", self: 1, one);
        one.Now += Retry;
        DatagramIoTests.Until(() => !one.Wires.Established.IsEmpty, () => one.Turn(again));
    }

    [Fact]
    public void A_node_that_is_no_longer_a_neighbour_is_not_alarmed_by_a_closed_connection()
    {
        using var one = new End("127.0.0.1", "127.0.0.2", self: 0);
        using var two = new End("127.0.0.1", "127.0.0.2", self: 1, one);
        one.Wires.SetNeighbours(default, NodeSet.Of(1));
        DatagramIoTests.Until(() => !two.Wires.Established.IsEmpty, () => two.Turn(one));

        one.Wires.SetNeighbours(default, NodeSet.Empty);
        for (var turn = 0; turn < 20; turn++) Assert.Equal(NodeSet.Empty, one.Turn(two) | two.Turn());

        Assert.Equal(NodeSet.Of(0), two.Wires.Established);
        Assert.Equal(Instant.Never, one.Wires.NextDeadline);
    }

    [Fact]
    public void A_stranger_is_closed_at_once_and_a_byte_closes_a_tripwire()
    {
        using var one = new End("127.0.0.1", "127.0.0.2", self: 0);
        using var stranger = Connect(IPAddress.Parse("127.0.0.9"), one.Peers[0].Links[0]);
        DatagramIoTests.Until(() => stranger.Poll(0, SelectMode.SelectRead), () => one.Turn());
        Assert.Equal(0, stranger.Receive(new byte[1]));

        using var talker = Connect(IPAddress.Parse("127.0.0.2"), one.Peers[0].Links[0]);
        DatagramIoTests.Until(() => !one.Wires.Established.IsEmpty, () => one.Turn());
        talker.Send([1]);
        DatagramIoTests.Until(() => one.Wires.Established.IsEmpty, () => one.Turn());
    }

    [Fact]
    public void An_attempt_that_comes_to_nothing_is_followed_by_one_on_the_next_link()
    {
        var peers = DatagramIoTests.Addresses("127.0.0.1", 2, links: 2);
        using var one = new End(peers, self: 0);
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(peers[1].Links[1]); // link A of the peer answers nobody, link B does
        listener.Listen();

        one.Wires.SetNeighbours(default, NodeSet.Of(1));
        DatagramIoTests.Until(() => !one.Wires.Established.IsEmpty, () =>
        {
            one.Turn();
            one.Now += Retry;
        });

        Assert.Equal(NodeSet.Of(1), one.Wires.Established);
    }

    private static Socket Connect(IPAddress from, IPEndPoint to)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(from, 0));
        socket.Connect(to);
        return socket;
    }

    private sealed class End : IDatagramReader, IDisposable
    {
        private readonly AddressBook[] _books;
        private readonly PollSet _poll = new(64);
        private bool _isDisposed;

        public End(string first, string second, int self, End? other = null)
            : this(other?.Peers ?? [DatagramIoTests.Addresses(first, 1)[0], DatagramIoTests.Addresses(second, 1)[0] with { Node = new NodeId(2) }], self)
        {
        }

        public End(RingPeer[] peers, int self)
        {
            Peers = peers;
            var nodes = new NodeTable(peers.Select(peer => peer.Node));
            _books = [.. peers[0].Links.Select((_, link) => new AddressBook(nodes, peers, new LinkId((byte)link)))];
            Wires = new Tripwires(_books, self, peers.Length, Retry, TimeSpan.FromSeconds(1));
            Wires.Listen(default, this);
        }

        public RingPeer[] Peers { get; }

        public Tripwires Wires { get; }

        public Instant Now { get; set; }

        public NodeSet Turn()
        {
            Wires.OnTick(Now, this);
            _poll.Clear();
            Wires.AddTo(_poll);
            _poll.Wait(1_000_000);
            return Wires.Collect(_poll, Now);
        }

        public NodeSet Turn(End other)
        {
            other.Turn();
            return Turn();
        }

        public void OnDatagram(LinkId link, int position, ReadOnlySpan<byte> datagram)
        {
        }

        public void OnBatchEnd()
        {
        }

        public void OnFact(RingHostFact fact) => Assert.Fail(fact.ToString());

        public void Dispose()
        {
            if (_isDisposed) return;
            _isDisposed = true;
            Wires.Dispose();
            _poll.Dispose();
            foreach (var book in _books) book.Dispose();
        }
    }
}
