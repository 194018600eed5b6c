using System.Net;
using System.Net.Sockets;
using Membership.Daemon.Ring;
using Membership.Links;
using Xunit.Abstractions;

namespace Membership.Daemon.Tests.Ring;

/// <summary>Real sockets on loopback, driven by the test's own thread: no node, no loop.</summary>
public sealed class DatagramIoTests(ITestOutputHelper output)
{
    private static readonly LinkId A = new(0);

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void A_segmented_burst_arrives_split_as_it_was_sent_including_the_short_last_one(string address)
    {
        using var pair = new Pair(address);
        var burst = Bytes((10 * 1000) + 123);

        pair.First.Transmit(A, pair.ToSecond, burst, 1000);
        var received = pair.ReceiveAtSecond(11);

        Assert.Equal(Enumerable.Repeat(1000, 10).Append(123), received.Select(datagram => datagram.Bytes.Length));
        Assert.Equal(burst, received.SelectMany(datagram => datagram.Bytes));
        Assert.All(received, datagram => Assert.Equal(0, datagram.Position));
        Assert.Equal(1, pair.First.Counters[0].SendCalls);
        Assert.Equal(11, pair.First.Counters[0].DatagramsSent);
    }

    [Fact]
    public void A_burst_beyond_one_kernel_message_goes_in_several()
    {
        using var pair = new Pair("127.0.0.1");
        var burst = Bytes((200 * 1400) + 1);

        pair.First.Transmit(A, pair.ToSecond, burst, 1400);
        var received = pair.ReceiveAtSecond(201);

        Assert.Equal(burst, received.SelectMany(datagram => datagram.Bytes));
        Assert.Single(received[^1].Bytes);
        Assert.InRange(pair.First.Counters[0].SendCalls, 1, 5);
    }

    [Fact]
    public void A_hundred_thousand_datagrams_cost_few_system_calls_and_no_memory()
    {
        using var pair = new Pair("127.0.0.1");
        const int Segments = 46;
        const int SegmentBytes = 1400;
        const int Rounds = 100_000 / Segments;
        var burst = Bytes(Segments * SegmentBytes);
        for (var warm = 0; warm < 200; warm++) RoundTrip();
        var counters = (Sent: pair.First.Counters[0], Received: pair.Second.Counters[0]);
        var (datagrams, sends, receives) = (counters.Received.DatagramsReceived, counters.Sent.SendCalls, counters.Received.ReceiveCalls);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var round = 0; round < Rounds; round++) RoundTrip();

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        datagrams = counters.Received.DatagramsReceived - datagrams;
        var perSend = (double)datagrams / (counters.Sent.SendCalls - sends);
        var perReceive = (double)datagrams / (counters.Received.ReceiveCalls - receives);
        output.WriteLine($"{datagrams} datagrams, {perSend:F1} per send call, {perReceive:F1} per receive call, {allocated} bytes allocated");
        Assert.Equal(Rounds * Segments, datagrams);
        Assert.Equal(0, allocated);
        Assert.True(perSend >= 40, $"{perSend:F1} datagrams per send call");
        Assert.True(perReceive >= 20, $"{perReceive:F1} datagrams per receive call");

        void RoundTrip()
        {
            pair.First.Transmit(A, pair.ToSecond, burst, SegmentBytes);
            pair.CountAtSecond(Segments);
        }
    }

    [Fact]
    public void A_peer_without_a_socket_is_reported_and_does_not_stop_the_datagrams_to_others()
    {
        var peers = Addresses("127.0.0.1", 3);
        var nodes = new NodeTable(peers.Select(peer => peer.Node));
        using var first = Open(nodes, peers, 0);
        using var second = Open(nodes, peers, 1);
        var reader = new Recorder();

        var gone = NodeSet.Empty;
        for (var round = 0; round < 50; round++)
        {
            first.Transmit(A, NodeSet.Of(1).With(2), Bytes(100), 100);
            first.Transmit(A, NodeSet.Of(1).With(2), Bytes(100), 100); // meets what the kernel has to say about the first
            gone |= Poll(first, new Recorder());
        }

        Until(() => reader.Received.Count >= 100, () => Poll(second, reader));
        Assert.Equal(NodeSet.Of(2), gone);
        Assert.True(first.Counters[0].PortUnreachable > 0);
        Assert.Equal(0, first.Counters[0].SendOtherError);
    }

    [Fact]
    public void A_stranger_has_no_position_and_a_neighbour_of_the_same_address_keeps_its_own()
    {
        using var pair = new Pair("127.0.0.1");
        using var stranger = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        stranger.Bind(new IPEndPoint(IPAddress.Loopback, 0));

        stranger.SendTo(Bytes(10), pair.Peers[1].Links[0]);
        var received = pair.ReceiveAtSecond(1);

        Assert.Equal(AddressBook.Nobody, Assert.Single(received).Position);
        Assert.Equal(1, pair.Second.Counters[0].UnknownSource);
    }

    [Fact]
    public void An_oversized_datagram_is_counted_and_the_next_one_passes()
    {
        using var pair = new Pair("127.0.0.1");

        pair.First.Transmit(A, pair.ToSecond, Bytes(70_000), 70_000);
        pair.First.Transmit(A, pair.ToSecond, Bytes(7), 7);

        Assert.Equal(7, Assert.Single(pair.ReceiveAtSecond(1)).Bytes.Length);
        Assert.Equal(1, pair.First.Counters[0].SendTooLong);
    }

    [Fact]
    public void Discard_throws_away_what_is_queued_and_nothing_that_comes_later()
    {
        using var pair = new Pair("127.0.0.1");
        for (var i = 0; i < 20; i++) pair.First.Transmit(A, pair.ToSecond, Bytes(100), 100);

        pair.Second.Discard();
        pair.First.Transmit(A, pair.ToSecond, Bytes(5), 5);

        Assert.Equal(5, Assert.Single(pair.ReceiveAtSecond(1)).Bytes.Length);
        Assert.True(pair.Second.Counters[0].Discarded > 0);
    }

    [Fact]
    public void Discard_in_the_middle_of_a_batch_ends_that_batch_too()
    {
        using var pair = new Pair("127.0.0.1");
        pair.First.Transmit(A, pair.ToSecond, Bytes(40 * 100), 100);
        var reader = new Recorder { AfterEach = pair.Second.Discard };

        Until(() => reader.Batches > 0, () => Poll(pair.Second, reader));

        Assert.Single(reader.Received);
    }

    [Fact]
    public void Injected_loss_drops_what_matches_in_both_directions_and_nothing_else()
    {
        var faults = new FaultInjection(new NodeTable([new NodeId(1), new NodeId(2)]), seed: 7);
        using var pair = new Pair("127.0.0.1", faults);

        faults.Set([new FaultRule(new NodeId(2), null, FaultDirection.Out, 0.5)]);
        pair.First.Transmit(A, pair.ToSecond, Bytes(400 * 10), 10);
        var passed = 400 - (int)pair.First.Counters[0].FaultDropped;
        var received = pair.ReceiveAtSecond(passed);
        faults.Set([new FaultRule(null, A, FaultDirection.In, 1)]);
        pair.Second.Transmit(A, NodeSet.Of(0), Bytes(10), 10);
        Until(() => pair.First.Counters[0].DatagramsReceived > 0, () => Poll(pair.First, new Recorder { AfterEach = () => Assert.Fail("it passed") }));

        Assert.InRange(passed, 150, 250);
        Assert.Equal(passed, received.Count);
        Assert.Equal(400 - passed + 1, pair.First.Counters[0].FaultDropped);
    }

    [Fact]
    public void A_link_that_cannot_be_bound_is_down_and_comes_up_when_its_address_appears()
    {
        var peers = Addresses("127.0.0.1", 2, links: 2);
        var nodes = new NodeTable(peers.Select(peer => peer.Node));
        using var occupant = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        occupant.Bind(peers[0].Links[1]);
        var reader = new Recorder();

        using var io = new DatagramIo(nodes, Options(peers, 0), null);
        io.Open(new Instant(0), reader);
        var missing = Assert.IsType<RingHostFact.LinkNotBound>(reader.Facts.Single(fact => fact is RingHostFact.LinkNotBound));
        occupant.Dispose();
        io.OnTick(new Instant(999_999_999), reader);
        Assert.False(io.Counters[1].IsBound);
        io.OnTick(new Instant(1_000_000_000), reader);

        Assert.Equal((new LinkId(1), 98), (missing.Link, missing.Errno));
        Assert.True(io.Counters[1].IsBound);
        Assert.Single(reader.Facts, fact => fact is RingHostFact.LinkBound);
        Assert.Equal(Instant.Never, io.NextDeadline);
    }

    [Fact]
    public void No_link_at_all_is_an_error_that_names_each_address_and_errno()
    {
        var peers = new[] { new RingPeer(new NodeId(1), [new IPEndPoint(IPAddress.Parse("192.0.2.77"), 5405)]) };
        using var io = new DatagramIo(new NodeTable([new NodeId(1)]), Options(peers, 0), null);

        var error = Assert.Throws<LinkBindException>(() => io.Open(new Instant(0), new Recorder()));

        Assert.Contains("192.0.2.77:5405", error.Message, StringComparison.Ordinal);
        Assert.Contains("errno 99", error.Message, StringComparison.Ordinal);
    }

    private static byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        new Random(count).NextBytes(bytes);
        return bytes;
    }

    internal static RingPeer[] Addresses(string address, int count, int links = 1) =>
        [.. Enumerable.Range(1, count).Select(node => new RingPeer(new NodeId((ushort)node),
            [.. Enumerable.Range(0, links).Select(_ => FreePorts.Next(IPAddress.Parse(address)))]))];

    private static RingHostOptions Options(RingPeer[] peers, int self) => new() { Peers = peers, Self = peers[self].Node };

    private static DatagramIo Open(NodeTable nodes, RingPeer[] peers, int self, FaultInjection? faults = null)
    {
        var io = new DatagramIo(nodes, Options(peers, self), faults);
        io.Open(new Instant(0), new Recorder());
        return io;
    }

    private static NodeSet Poll(DatagramIo io, Recorder reader)
    {
        using var poll = new PollSet(8);
        io.AddTo(poll);
        poll.Wait(1_000_000);
        return io.Receive(poll, reader);
    }

    /// <summary>Turns until something is so; each turn waits for the sockets, and what never comes about fails.</summary>
    internal static void Until(Func<bool> isSo, Action turn)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!isSo())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(20), "not within 20 s");
            turn();
        }
    }

    private sealed record Datagram(int Position, byte[] Bytes);

    private sealed class Recorder : IDatagramReader
    {
        public List<Datagram> Received { get; } = [];

        public List<RingHostFact> Facts { get; } = [];

        public int Batches { get; private set; }

        public Action? AfterEach { get; init; }

        public void OnDatagram(LinkId link, int position, ReadOnlySpan<byte> datagram)
        {
            Received.Add(new Datagram(position, datagram.ToArray()));
            AfterEach?.Invoke();
        }

        public void OnBatchEnd() => Batches++;

        public void OnFact(RingHostFact fact) => Facts.Add(fact);
    }

    private sealed class Counter : IDatagramReader
    {
        public int Count { get; set; }

        public void OnDatagram(LinkId link, int position, ReadOnlySpan<byte> datagram) => Count++;

        public void OnBatchEnd()
        {
        }

        public void OnFact(RingHostFact fact)
        {
        }
    }

    private sealed class Pair : IDisposable
    {
        private readonly PollSet _poll = new(8);
        private readonly Counter _counter = new();

        public Pair(string address, FaultInjection? faults = null)
        {
            Peers = Addresses(address, 2);
            var nodes = new NodeTable(Peers.Select(peer => peer.Node));
            First = Open(nodes, Peers, 0, faults);
            Second = Open(nodes, Peers, 1);
        }

        public RingPeer[] Peers { get; }

        public DatagramIo First { get; }

        public DatagramIo Second { get; }

        public NodeSet ToSecond { get; } = NodeSet.Of(1);

        public List<Datagram> ReceiveAtSecond(int count)
        {
            var reader = new Recorder();
            Until(() => reader.Received.Count >= count, () => Poll(Second, reader));
            return reader.Received;
        }

        public void CountAtSecond(int count)
        {
            _counter.Count = 0;
            while (_counter.Count < count)
            {
                _poll.Clear();
                Second.AddTo(_poll);
                _poll.Wait(1_000_000_000);
                Second.Receive(_poll, _counter);
            }
        }

        public void Dispose()
        {
            _poll.Dispose();
            First.Dispose();
            Second.Dispose();
        }
    }
}
