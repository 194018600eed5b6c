using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Membership.Cli.Bench;
using Membership.Cli.Daemons;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>The benchmark: its histogram, its stamps, and that it finds gaps.</summary>
public sealed class BenchTests
{
    [Fact]
    public void A_percentile_is_never_understated_and_at_most_1_6_percent_too_high()
    {
        var histogram = new LatencyHistogram();
        for (long value = 1; value <= 100_000; value++)
            histogram.Add(value * 37);

        foreach (var (share, exact) in (ReadOnlySpan<(double, double)>)[(0.5, 50_000 * 37), (0.99, 99_000 * 37), (0.999, 99_900 * 37)])
        {
            Assert.InRange(histogram.Percentile(share), exact, exact * 1.016);
        }
        Assert.Equal(100_000 * 37, histogram.Percentile(1));
        Assert.Equal(100_000 * 37, histogram.MaxNs);
    }

    [Fact]
    public void Small_values_are_exact_and_huge_ones_fit()
    {
        var histogram = new LatencyHistogram();
        histogram.Add(3);
        histogram.Add(-5);
        histogram.Add(long.MaxValue);

        Assert.Equal(0, histogram.Percentile(0.3));
        Assert.Equal(3, histogram.Percentile(0.6));
        Assert.Equal(long.MaxValue, histogram.Percentile(1));
        Assert.Equal(0, new LatencyHistogram().Percentile(0.5));
    }

    [Fact]
    public async Task A_paced_sender_sends_nothing_before_it_is_due_and_what_falls_due_within_a_millisecond_together()
    {
        const int Messages = 5000;
        using var window = new SendWindow(new BenchOptions([], false, 64, TimeSpan.Zero, TimeSpan.Zero, Messages, 100_000, DeliveryLevel.Agreed, false));
        var started = BenchStamp.NowNs();
        window.Begin();
        var requests = 0;
        while (window.Sent < Messages)
        {
            var count = await window.NextAsync(CancellationToken.None);
            Assert.True(window.StampNs((uint)count - 1) <= BenchStamp.NowNs());
            window.Take(count);
            requests++;
        }

        var ticks = (BenchStamp.NowNs() - started) / 1_000_000;
        Assert.InRange(requests, 1, ticks + 1 + (Messages / SendWindow.BatchMax));
    }

    [Fact]
    public void A_stamp_survives_its_payload_and_nothing_else_is_one()
    {
        var payload = new byte[BenchStamp.Bytes];
        var stamp = new BenchStamp(7, 3, 9, true, 123_456_789_012);

        stamp.Write(payload);

        Assert.True(BenchStamp.TryRead(payload, out var read));
        Assert.Equal(stamp, read);
        Assert.False(BenchStamp.TryRead(payload.AsSpan(1), out _));
        Assert.False(BenchStamp.TryRead(new byte[64], out _));
    }

    [Theory]
    [InlineData("12 (mbr) S 1 1 1 0 -1 4 1 1 1 1 250 50 0 0", 3_000_000.0)]
    [InlineData("12 (a) b) (c) S 1 1 1 0 -1 4 1 1 1 1 1 0 0 0", 10_000.0)]
    [InlineData("12 (mbr) S 1", null)]
    [InlineData("", null)]
    public void Cpu_time_is_read_behind_the_last_bracket(string stat, double? microseconds)
    {
        Assert.Equal(microseconds, DaemonCost.ParseStat(stat));
    }

    [Fact]
    public async Task A_bench_over_two_daemons_reports_both_kinds_of_latency()
    {
        var ring = new LoopRing(2);

        var run = await MbrRun.With(ring.Setup(), "bench", "ring", "--senders", "0.sock,1.sock", "--seconds", "200ms", "--warmup", "20ms", "--json", "--idle-first", "--outstanding", "4");

        Assert.Equal("", run.Error);
        Assert.Equal(0, run.ExitCode);
        var json = run.Json;
        Assert.Equal(2, json.GetProperty("senders").GetInt32());
        Assert.True(json.GetProperty("delivered_per_s").GetDouble() > 0);
        Assert.True(json.GetProperty("mb_per_s").GetDouble() > 0);
        foreach (var kind in (string[])["self", "other"])
        {
            var latency = json.GetProperty("latency_us").GetProperty(kind);
            Assert.True(latency.GetProperty("p50").GetDouble() <= latency.GetProperty("p99").GetDouble());
            Assert.True(latency.GetProperty("p99").GetDouble() <= latency.GetProperty("p99_9").GetDouble());
        }
        Assert.Equal(2 * 2 * RingBench.IdleMessages, json.GetProperty("idle_first_us").GetProperty("count").GetInt64());
        Assert.Equal(0, json.GetProperty("order_errors").GetInt64());
        Assert.True(json.GetProperty("cpu_us_per_message").GetDouble() >= 0);
    }

    [Fact]
    public async Task An_open_loop_sends_at_its_rate()
    {
        var ring = new LoopRing(1);

        var run = await MbrRun.With(ring.Setup(), "bench", "ring", "--socket", "0.sock", "--rate", "500", "--seconds", "1s", "--warmup", "0s", "--json");

        Assert.Equal("", run.Error);
        Assert.InRange(run.Json.GetProperty("sent").GetInt64(), 200, 1000);
    }

    [Fact]
    public async Task A_gap_is_an_error()
    {
        var ring = new LoopRing(1) { Drops = static number => number == 5 };

        var run = await MbrRun.With(ring.Setup(), "bench", "ring", "--socket", "0.sock", "--seconds", "200ms", "--warmup", "10ms", "--timeout", "300ms", "--json");

        Assert.NotEqual(0, run.ExitCode);
        Assert.Matches("MB1801|waiting for the last messages", run.Error);
    }

    [Fact]
    public async Task A_reader_that_is_cut_off_goes_on_and_the_cut_is_reported()
    {
        var ring = new LoopRing(1) { Cuts = static number => number == 5 };

        var run = await MbrRun.With(ring.Setup(), "bench", "ring", "--socket", "0.sock", "--seconds", "200ms", "--warmup", "10ms", "--outstanding", "4", "--json");

        Assert.Equal("", run.Error);
        Assert.Equal(0, run.ExitCode);
        Assert.Equal(1, run.Json.GetProperty("cuts").GetInt32());
        Assert.Equal(0, run.Json.GetProperty("order_errors").GetInt64());
        Assert.Equal(0, run.Json.GetProperty("view_changes").GetInt32());
        Assert.True(run.Json.GetProperty("delivered_per_s").GetDouble() > 0);
    }

    [Fact]
    public async Task A_sender_never_is_further_ahead_of_its_own_reader_than_its_window()
    {
        var ring = new LoopRing(1) { Withholds = static number => number > 10 };

        var run = await MbrRun.With(ring.Setup(), "bench", "ring", "--socket", "0.sock", "--seconds", "200ms", "--warmup", "0s", "--outstanding", "4", "--timeout", "200ms", "--json");

        Assert.Contains("waiting for the last messages", run.Error, StringComparison.Ordinal);
        Assert.InRange(ring.Ordered, 10UL, 14UL);
    }

    [Fact]
    public async Task A_message_delivered_twice_is_an_error()
    {
        var ring = new LoopRing(1) { Doubles = static number => number == 5 };

        var run = await MbrRun.With(ring.Setup(), "bench", "ring", "--socket", "0.sock", "--seconds", "200ms", "--warmup", "10ms", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("MB1801", run.Error, StringComparison.Ordinal);
        Assert.True(run.Json.GetProperty("order_errors").GetInt64() > 0);
    }

    [Fact]
    public async Task A_receiver_that_hears_nothing_says_so()
    {
        var ring = new LoopRing(1);

        var run = await MbrRun.With(ring.Setup(), "bench", "ring", "--socket", "0.sock", "--receive-only", "--seconds", "100ms", "--warmup", "0s");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("MB1802", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--size 8", "MB1004")]
    [InlineData("--size many", "MB1003")]
    [InlineData("--seconds soon", "MB1002")]
    [InlineData("--senders a.sock --socket b.sock", "MB1005")]
    [InlineData("--receive-only --idle-first", "MB1005")]
    [InlineData("--outstanding 0", "MB1004")]
    [InlineData("--level maybe", "MB1001")]
    public async Task Values_outside_their_limits_are_usage_errors(string options, string code)
    {
        var run = await MbrRun.Of(new FakeConnector(), ["bench", "ring", .. options.Split(' ')]);

        Assert.Equal(64, run.ExitCode);
        Assert.StartsWith(code + " ", run.Error, StringComparison.Ordinal);
    }

    /// <summary>Daemons in memory whose ring orders at once: each message goes to every daemon's stream, then its receipt leaves.</summary>
    private sealed class LoopRing
    {
        private readonly Lock _gate = new();
        private readonly List<Channel<SubscribeResponse>> _streams = [];
        private ulong _seq;

        public LoopRing(int daemons)
        {
            for (var index = 0; index < daemons; index++)
                _streams.Add(Channel.CreateUnbounded<SubscribeResponse>());
        }

        public Func<ulong, bool> Drops { get; init; } = static _ => false;

        public Func<ulong, bool> Doubles { get; init; } = static _ => false;

        /// <summary>In place of this message every reader is cut off.</summary>
        public Func<ulong, bool> Cuts { get; init; } = static _ => false;

        /// <summary>This message has its receipt, but its readers do not see it in time.</summary>
        public Func<ulong, bool> Withholds { get; init; } = static _ => false;

        /// <summary>Messages ordered so far.</summary>
        public ulong Ordered => Volatile.Read(ref _seq);

        public MbrSetup Setup() => new(new Connector(this)) { Time = TimeProvider.System };

        private MulticastResponse Order(MulticastRequest request)
        {
            var receipts = new MulticastResponse();
            lock (_gate)
            {
                foreach (var payload in request.Payloads)
                {
                    _seq++;
                    var copies = Drops(_seq) || Withholds(_seq) || Cuts(_seq) ? 0 : Doubles(_seq) ? 2 : 1;
                    for (var copy = 0; copy < copies; copy++)
                        foreach (var stream in _streams)
                            stream.Writer.TryWrite(Item(new RingEvent { Message = new RingMessage { Seq = _seq, Sender = 1, Payload = payload } }));
                    if (Cuts(_seq))
                        foreach (var stream in _streams)
                            stream.Writer.TryWrite(Item(new RingEvent { Cut = new Cut { Resume = _seq, Reason = "too slow" } }));
                    receipts.Receipts.Add(new Receipt { Counter = _seq, Seq = _seq, RingId = "r" });
                }
            }
            return receipts;
        }

        private static SubscribeResponse Item(RingEvent item) => new() { Events = { item } };

        private sealed class Connector(LoopRing ring) : IDaemonConnector
        {
            public Task<IDaemon> ConnectAsync(string socket, CancellationToken cancellationToken) =>
                Task.FromResult<IDaemon>(new Daemon(ring, socket, int.Parse(socket.Split('.')[0], System.Globalization.CultureInfo.InvariantCulture)));
        }

        private sealed class Daemon(LoopRing ring, string socket, int index) : IDaemon
        {
            public string Socket => socket;

            public int? ProcessId => Environment.ProcessId;

            public Task<GetStatusResponse> GetStatusAsync(CancellationToken cancellationToken) => Task.FromResult(Clusters.Healthy());

            public IAsyncEnumerable<View> WatchViewsAsync(ulong afterRevision, CancellationToken cancellationToken) => throw new NotSupportedException();

            public async IAsyncEnumerable<SubscribeResponse> SubscribeAsync(SubscribeRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
            {
                yield return Item(new RingEvent { View = Clusters.View(1, [1, 2]) });
                await foreach (var item in ring._streams[index].Reader.ReadAllAsync(cancellationToken))
                    yield return item;
            }

            public IMulticast Multicast(CancellationToken cancellationToken) => new Stream(ring);

            public IQuorumCalls Quorum => throw new NotSupportedException();

            public IGroupCalls Groups => throw new NotSupportedException();

            public IAdminCalls Admin => throw new NotSupportedException();

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }

        private sealed class Stream(LoopRing ring) : IMulticast
        {
            private readonly Channel<MulticastResponse> _receipts = Channel.CreateUnbounded<MulticastResponse>();

            public Task SendAsync(MulticastRequest request, CancellationToken cancellationToken)
            {
                _receipts.Writer.TryWrite(ring.Order(request));
                return Task.CompletedTask;
            }

            public Task CompleteAsync()
            {
                _receipts.Writer.Complete();
                return Task.CompletedTask;
            }

            public IAsyncEnumerable<MulticastResponse> ReceiptsAsync(CancellationToken cancellationToken) => _receipts.Reader.ReadAllAsync(cancellationToken);

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
