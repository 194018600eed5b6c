using System.Collections.Concurrent;
using System.Net;
using Membership.Cpg;
using Membership.Daemon.Ring;
using Membership.Daemon.State;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;
using Xunit.Abstractions;

namespace Membership.Daemon.Tests.Ring;

/// <summary>Whole hosts in one process on loopback: real sockets, real time; each wait is for a state, with a limit.</summary>
/// <remarks>Beside other tests a ring thread may have to wait for a processor for longer than a token may take, and the ring changes its view.</remarks>
[Collection(AloneCollection.Name)]
public sealed class RingHostTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Three_hosts_order_ten_thousand_messages_alike_and_the_rest_goes_on_when_one_stops_hard()
    {
        await using var cluster = new TestCluster(3);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2, 3]), "a ring of three");
        const int PerNode = 10_000 / 3 + 1;

        var sending = cluster.All.Select(node => node.SendAsync(PerNode)).ToArray();
        await Task.WhenAll(sending).WaitAsync(Limit);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Delivered.Count == 3 * PerNode), "all messages everywhere");

        var order = cluster.All[0].Observer.Delivered.ToArray();
        Assert.All(cluster.All, node => Assert.Equal(order, node.Observer.Delivered.ToArray()));
        Assert.Equal(order.Length, order.Distinct().Count());
        Assert.All(cluster.All, node => Assert.Equal(PerNode, node.Sink.Accepted));

        var stopped = cluster.All[2].Host.Clock.Absolute(cluster.All[2].Host.Clock.Now);
        await cluster.All[2].Host.DisposeAsync();
        await cluster.UntilAsync(() => cluster.All[..2].All(node => node.Observer.Members is [1, 2]), "a ring of the two left");
        foreach (var node in cluster.All[..2])
        {
            output.WriteLine($"node {node.Id}: view without node 3 after {(node.Observer.ViewAt - stopped) / 1e6:F1} ms");
            Assert.InRange(node.Observer.ViewAt - stopped, 0, 2_200_000_000); // token + consensus: what is promised even without evidence
        }
    }

    [Fact]
    public async Task Leaving_ends_the_thread_with_code_zero_and_the_others_see_it_at_once()
    {
        await using var cluster = new TestCluster(2);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2]), "a ring of two");

        cluster.All[0].Host.Leave();
        var exit = await cluster.All[0].Host.Completion.WaitAsync(Limit);

        Assert.Equal(0, exit.Code);
        Assert.Equal(1, cluster.All[0].Observer.LeftCount);
        await cluster.UntilAsync(() => cluster.All[1].Observer.Members is [2], "a ring of the one left");
        Assert.False(cluster.All[0].Host.TrySubmit(new byte[1], DeliveryLevel.Agreed, 0, cluster.All[0].Sink, 0));
        await Assert.ThrowsAsync<RingStoppedException>(() => cluster.All[0].Host.QueryAsync(view => view.Now, CancellationToken.None));
        await Assert.ThrowsAsync<RingStoppedException>(() =>
            cluster.All[0].Host.SubmitAsync(new byte[1], DeliveryLevel.Agreed, 0, cluster.All[0].Sink, 0, CancellationToken.None).AsTask());
    }

    [Fact]
    public async Task A_query_runs_on_the_ring_thread_and_sees_tripwires_to_the_neighbours()
    {
        await using var cluster = new TestCluster(3);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2, 3]), "a ring of three");

        var wires = NodeSet.Empty;
        var thread = "";
        while (wires != NodeSet.Of(1).With(2))
            (wires, thread) = await cluster.All[0].Host.QueryAsync(view => (view.Tripwires, Thread.CurrentThread.Name ?? ""), CancellationToken.None).WaitAsync(Limit);

        Assert.Equal("ring", thread);
    }

    [Fact]
    public async Task Faults_are_refused_without_the_switch_and_split_the_ring_with_it()
    {
        await using var plain = new TestCluster(1);
        await Assert.ThrowsAsync<InvalidOperationException>(() => plain.All[0].Host.SetFaults([], CancellationToken.None));
        await Assert.ThrowsAsync<InvalidOperationException>(() => plain.All[0].Host.Freeze(TimeSpan.FromSeconds(1), CancellationToken.None));

        await using var cluster = new TestCluster(3, faults: true);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2, 3]), "a ring of three");
        await cluster.All[2].Host.SetFaults([new FaultRule(null, null, FaultDirection.Both, 1)], CancellationToken.None);
        await cluster.UntilAsync(() => cluster.All[0].Observer.Members is [1, 2] && cluster.All[2].Observer.Members is [3], "two rings");
        await cluster.All[2].Host.SetFaults([], CancellationToken.None);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2, 3]), "one ring again");
    }

    [Fact]
    public async Task A_frozen_host_is_left_out_and_comes_back_by_itself()
    {
        await using var cluster = new TestCluster(3, faults: true);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2, 3]), "a ring of three");

        var length = TimeSpan.FromSeconds(3);
        var before = cluster.All[1].Host.Clock.Now;
        await cluster.All[1].Host.Freeze(length, CancellationToken.None).WaitAsync(Limit);
        await cluster.UntilAsync(() => cluster.All[0].Observer.Members is [1, 3], "a ring without the frozen one");
        var answered = await cluster.All[1].Host.QueryAsync(view => view.Now, CancellationToken.None).WaitAsync(Limit);   // asked while it is frozen: left out, it says nothing
        Assert.InRange(answered - before, length, TimeSpan.MaxValue);

        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2, 3]), "all three again");
    }

    [Fact]
    public async Task An_observer_that_throws_stops_the_node_with_code_seventy_and_says_why()
    {
        await using var cluster = new TestCluster(1);
        await cluster.UntilAsync(() => cluster.All[0].Observer.Members is [1], "a ring of one");
        cluster.All[0].Observer.OnDeliver = () => throw new InvariantBrokenException("TEST-1");

        await cluster.All[0].SendAsync(1).WaitAsync(Limit);
        var exit = await cluster.All[0].Host.Completion.WaitAsync(Limit);

        Assert.Equal(ExitCode.Internal, exit.Code);
        Assert.Contains("TEST-1", exit.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_state_directory_that_cannot_be_written_makes_the_node_leave_and_exit_with_seventy_four()
    {
        await using var cluster = new TestCluster(2);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2]), "a ring of two");

        ((IReservationSink)cluster.All[0].Host).ReservationFailed("cannot write /x: errno 28");
        var exit = await cluster.All[0].Host.Completion.WaitAsync(Limit);

        Assert.Equal((ExitCode.InputOutput, "cannot write /x: errno 28"), (exit.Code, exit.Message));
        await cluster.UntilAsync(() => cluster.All[1].Observer.Members is [2], "the other goes on");
    }

    [Fact]
    public async Task An_idle_ring_costs_next_to_no_processor_time()
    {
        await using var cluster = new TestCluster(3);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2, 3]), "a ring of three");
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Quiet > TimeSpan.FromSeconds(1)), "quiet");

        var turns = await TurnsAsync();
        await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System);
        var perSecond = (await TurnsAsync() - turns) / 2.0;

        output.WriteLine($"{perSecond:F0} turns per second and host while idle");
        Assert.InRange(perSecond, 0, 400);

        async Task<double> TurnsAsync()
        {
            var all = await Task.WhenAll(cluster.All.Select(node => node.Host.QueryAsync(view => view.Turns, CancellationToken.None)));
            return all.Average();
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(40_000)]
    public async Task A_steady_ring_allocates_next_to_nothing_on_its_thread(int messages)
    {
        await using var cluster = new TestCluster(3);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2, 3]), "a ring of three");
        foreach (var node in cluster.All) node.Observer.IsRecording = false;
        var warm = cluster.All[0].Observer.Count;
        await cluster.All[1].SendAsync(30_000).WaitAsync(Limit);
        await cluster.UntilAsync(() => cluster.All[0].Observer.Count == warm + 30_000, "the warm-up");
        var (bytes, turns) = await AllocatedAsync();
        var before = cluster.All[0].Observer.Count;

        await cluster.All[1].SendAsync(messages).WaitAsync(Limit);
        await cluster.UntilAsync(() => cluster.All[0].Observer.Count == before + messages, "all messages");
        if (messages == 0) await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System);

        var after = await AllocatedAsync();
        output.WriteLine($"{after.Bytes - bytes} bytes in {after.Turns - turns} turns and {messages} messages");
        Assert.InRange(after.Bytes - bytes, 0, 64 * 1024);

        Task<(long Bytes, long Turns)> AllocatedAsync() =>
            cluster.All[0].Host.QueryAsync(view => (GC.GetAllocatedBytesForCurrentThread(), view.Turns), CancellationToken.None);
    }

    [Fact]
    public async Task A_host_that_stands_back_for_its_clients_slows_the_ring_and_changes_no_view()
    {
        await using var cluster = new TestCluster(3);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2, 3]), "a ring of three");
        var views = cluster.All.Select(node => node.Observer.ViewAt).ToArray();
        var slow = cluster.All[1];
        ConcurrentQueue<Instant> asked = [];
        var pause = TimeSpan.Zero;
        slow.Observer.OnStandBack = max =>
        {
            pause = max;
            asked.Enqueue(slow.Host.Clock.Now);
            return asked.Count <= 10 ? max : TimeSpan.Zero;
        };

        for (var message = 1; message <= 20; message++)
        {
            var expected = message;
            await cluster.All[0].SendAsync(1).WaitAsync(Limit);
            await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Count == expected), "the message everywhere");
        }

        Assert.All(asked.Take(10).Zip(asked.Skip(1)), pair => Assert.InRange(pair.Second - pair.First, pause, TimeSpan.MaxValue));
        Assert.NotEqual(TimeSpan.Zero, pause);
        Assert.InRange(asked.Count, 11, int.MaxValue);
        Assert.Equal(views, cluster.All.Select(node => node.Observer.ViewAt));
    }

    [Fact]
    public async Task Keys_are_exchanged_one_node_after_the_other_without_a_view_change()
    {
        await using var cluster = new TestCluster(3);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Members is [1, 2, 3]), "a ring of three");
        var views = cluster.All.Select(node => node.Observer.ViewAt).ToArray();
        byte[] old = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
        byte[] fresh = [.. old.Reverse()];

        await ReplaceEverywhere(new ClusterKey(1, true, old), new ClusterKey(2, false, fresh));
        await ReplaceEverywhere(new ClusterKey(1, false, old), new ClusterKey(2, true, fresh));
        await ReplaceEverywhere(new ClusterKey(2, true, fresh));
        await Assert.ThrowsAsync<ArgumentException>(() => ReplaceAsync(cluster.All[0].Host, []));
        await cluster.All[0].SendAsync(100).WaitAsync(Limit);
        await cluster.UntilAsync(() => cluster.All.All(node => node.Observer.Count == 100), "messages under the new key");

        Assert.Equal(views, cluster.All.Select(node => node.Observer.ViewAt));

        async Task ReplaceEverywhere(params ClusterKey[] keys)
        {
            foreach (var node in cluster.All) await ReplaceAsync(node.Host, keys).WaitAsync(Limit);
        }

        static Task ReplaceAsync(RingHost host, IReadOnlyList<ClusterKey> keys) => host.ActAsync(
            loop =>
            {
                loop.ReplaceKeys(keys);
                return true;
            },
            CancellationToken.None);
    }

    [Fact]
    public async Task A_node_alone_among_ports_without_a_socket_stays_calm()
    {
        await using var cluster = new TestCluster(3, started: 1);
        await cluster.UntilAsync(() => cluster.All[0].Observer.Members is [1], "a ring of one");

        var turns = await cluster.All[0].Host.QueryAsync(view => view.Turns, CancellationToken.None);
        await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System);
        turns = await cluster.All[0].Host.QueryAsync(view => view.Turns, CancellationToken.None) - turns;

        output.WriteLine($"{turns / 2} turns per second");
        Assert.InRange(turns, 0, 400);
    }

    [Fact]
    public async Task The_ring_thread_alone_is_favoured_where_that_is_permitted_and_says_so_once()
    {
        await using var cluster = new TestCluster(1);
        await cluster.UntilAsync(() => cluster.All[0].Observer.Members is [1], "a ring of one");

        var nice = await cluster.All[0].Host.QueryAsync(_ => Libc.GetNice(), CancellationToken.None);

        var told = Assert.Single(cluster.All[0].Observer.HostFacts.OfType<RingHostFact.Priority>());
        output.WriteLine(told.ToString());
        Assert.Equal(told.Nice, nice);
        Assert.Equal(told.Errno == 0, nice == -15);
        Assert.True(Libc.GetNice() > -15, "another thread is favoured too");
    }

    [Fact]
    public async Task Submits_beyond_the_queue_wait_and_are_all_answered()
    {
        await using var cluster = new TestCluster(1, submitCapacity: 4);
        await cluster.UntilAsync(() => cluster.All[0].Observer.Members is [1], "a ring of one");

        await cluster.All[0].SendAsync(2000).WaitAsync(Limit);
        await cluster.UntilAsync(() => cluster.All[0].Observer.Delivered.Count == 2000, "all delivered");

        Assert.Equal(2000, cluster.All[0].Sink.Accepted);
    }

    /// <summary>Hosts on 127.0.0.n of one free port.</summary>
    private sealed class TestCluster : IAsyncDisposable
    {
        private static readonly MemoryReservations Reservations = new();

        public TestCluster(int count, bool faults = false, int submitCapacity = 4096, int? started = null)
        {
            var port = DatagramIoTests.Addresses("127.0.0.1", 1)[0].Links[0].Port;
            var peers = Enumerable.Range(1, count)
                .Select(id => new RingPeer(new NodeId((ushort)id), [new IPEndPoint(new IPAddress([127, 0, 0, (byte)id]), port)])).ToArray();
            All = [.. peers.Take(started ?? count).Select(peer => new TestNode(peer.Node, peers, faults, submitCapacity, Reservations))];
        }

        public TestNode[] All { get; }

        public async Task UntilAsync(Func<bool> condition, string what)
        {
            var start = TimeProvider.System.GetTimestamp();
            while (!condition())
            {
                foreach (var node in All)
                {
                    if (node.Host.Completion is { IsCompleted: true } ended && (await ended).Code == ExitCode.Internal && node.Observer.OnDeliver is null)
                        Assert.Fail((await ended).Message);
                }

                if (TimeProvider.System.GetElapsedTime(start) > Limit)
                    Assert.Fail($"not within {Limit}: {what}; " + string.Join("; ", All.Select(node => $"{node.Id}: [{string.Join(",", node.Observer.Members)}] {node.Observer.Delivered.Count} delivered")));
                await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System);
            }
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var node in All) await node.Host.DisposeAsync();
        }
    }

    private sealed class TestNode
    {
        public TestNode(NodeId id, RingPeer[] peers, bool faults, int submitCapacity, IReservationStore reservations)
        {
            Id = id;
            var nodes = new NodeTable(peers.Select(peer => peer.Node));
            var links = new LinkOptions
            {
                ClusterName = "test",
                Nodes = nodes,
                Self = id,
                Keys = [new ClusterKey(1, true, [.. Enumerable.Range(0, 32).Select(i => (byte)i)])],
                LinkDown = TimeSpan.FromMilliseconds(600),
            };
            var totem = new TotemOptions { Nodes = nodes, Self = id };
            var start = new NodeStart(links, totem, new QuorumOptions { Self = id, Voters = [.. peers.Select(peer => new Voter(peer.Node, 1))] }, null, new CpgOptions { Self = id }, new BootId((ulong)Random.Shared.NextInt64(), (ulong)Random.Shared.NextInt64()), 0, 1024, id.Value);
            var options = new RingHostOptions { Peers = peers, Self = id, AllowFaultInjection = faults, SubmitCapacity = submitCapacity };
            Host = RingHost.Start(options, start, new AesGcmSuite(), Observer, reservations);
        }

        public NodeId Id { get; }

        public RecordingObserver Observer { get; } = new();

        public CountingSink Sink { get; } = new();

        public RingHost Host { get; }

        public async Task SendAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                var payload = new byte[64];
                BitConverter.TryWriteBytes(payload, i);
                await Host.SubmitAsync(payload, DeliveryLevel.Agreed, 0, Sink, (ulong)i, CancellationToken.None);
            }
        }
    }

    private sealed class CountingSink : ISubmitSink
    {
        private int _accepted;

        public int Accepted => Volatile.Read(ref _accepted);

        public void Submitted(ulong tag, SendResult result)
        {
            if (result.Status is GroupStatus.Accepted) Interlocked.Increment(ref _accepted);
        }
    }

    private sealed class MemoryReservations : IReservationStore
    {
        public void Request(ulong upTo, IReservationSink sink) => sink.Reserved(upTo);

        public void Persist(QuorumRecord record, IReservationSink sink) => sink.QuorumPersisted(record);
    }

    private sealed class RecordingObserver : IRingObserver
    {
        private readonly MonotonicClock _clock = new();
        private volatile int[] _members = [];
        private long _lastEvent;
        private long _count;
        private long _viewAt;

        public ConcurrentQueue<(RingId, Seq, int, NodeId, ulong)> Delivered { get; } = new();

        public ConcurrentQueue<RingHostFact> HostFacts { get; } = new();

        public int[] Members => _members;

        /// <summary>False: messages are counted only, which allocates nothing.</summary>
        public bool IsRecording { get; set; } = true;

        public long Count => Volatile.Read(ref _count);

        public int LeftCount { get; private set; }

        /// <summary>CLOCK_MONOTONIC nanoseconds of the last view.</summary>
        public long ViewAt => Volatile.Read(ref _viewAt);

        public TimeSpan Quiet => _clock.Now - new Instant(Volatile.Read(ref _lastEvent));

        public Action? OnDeliver { get; set; }

        public Func<TimeSpan, TimeSpan>? OnStandBack { get; set; }

        public TimeSpan StandBack(Instant now, TimeSpan max) => OnStandBack?.Invoke(max) ?? TimeSpan.Zero;

        public void Deliver(in Delivery delivery, ReadOnlySpan<byte> payload, Instant now)
        {
            OnDeliver?.Invoke();
            Volatile.Write(ref _count, _count + 1);
            if (IsRecording) Delivered.Enqueue((delivery.Ring, delivery.Seq, delivery.Index, delivery.Sender, delivery.Counter));
            Note();
        }

        public void InstallView(View view, Instant now)
        {
            Note();
            Volatile.Write(ref _viewAt, _clock.Absolute(_clock.Now));
            if (!view.Transitional) _members = [.. view.Members.Select(member => (int)member.Node.Value)];
        }

        public void Failed(ulong counter, Instant now) => Note();

        public void Fact(NodeFact fact, Instant now) => Note();

        public void HostFact(RingHostFact fact, Instant now)
        {
            HostFacts.Enqueue(fact);
            Note();
        }

        public void BatchEnd(Instant now)
        {
        }

        public void Left(Instant now) => LeftCount++;

        private void Note() => Volatile.Write(ref _lastEvent, _clock.Now.Nanoseconds);
    }
}
