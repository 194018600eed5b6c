using System.Security.Cryptography;
using Google.Protobuf;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>The event lines of the raw ring, byte for byte: oracles and scripts read them.</summary>
public sealed class RingTests
{
    private const string Hello16 = "2cf24dba5fb0a30e"; // sha256("hello"), first 16 digits

    private static RingEvent Message(ulong seq, uint sender, string payload, string ringId = "", string boot = "") => new()
    {
        Position = seq,
        TNs = (long)seq * 10,
        Message = new RingMessage
        {
            RingId = ringId,
            Seq = seq,
            Index = 1,
            Sender = sender,
            Boot = boot,
            Counter = seq + 48,
            Level = seq % 2 == 0 ? DeliveryLevel.Safe : DeliveryLevel.Agreed,
            Payload = ByteString.CopyFromUtf8(payload),
            Size = (uint)payload.Length,
        },
    };

    private static SubscribeResponse Batch(params RingEvent[] events) => new() { Events = { events } };

    private static FakeDaemon Tailed(params RingEvent[] events) => new()
    {
        Stream = { Batch(new RingEvent { Position = 1, TNs = 5, View = Clusters.View(1, [1, 2]) }), Batch(events) },
        StreamsEnd = true,
    };

    [Fact]
    public async Task Tail_writes_the_view_first_and_fills_in_what_the_stream_leaves_out()
    {
        var daemon = Tailed(
            Message(7, 2, "hello", "1.2a.9f3c51d0", "9f3c000000000002"), Message(8, 2, "hello"), Message(9, 1, "", boot: "9f3c000000000001"));

        var run = await MbrRun.Of(FakeConnector.To(daemon), "ring", "tail", "--json", "--count", "3");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal($$"""
            {"event":"view","kind":"regular","id":"1.2a.9f3c51d0","number":42,"members":[{"node":1,"boot":"9f3c000000000001"},{"node":2,"boot":"9f3c000000000002"}],"previous":"","t_ns":1000000000}
            {"event":"message","ring_id":"1.2a.9f3c51d0","seq":7,"index":1,"view":"1.2a.9f3c51d0","sender":2,"boot":"9f3c000000000002","counter":55,"level":"agreed","size":5,"sha256":"{{Hello16}}","t_ns":70}
            {"event":"message","ring_id":"1.2a.9f3c51d0","seq":8,"index":1,"view":"1.2a.9f3c51d0","sender":2,"boot":"9f3c000000000002","counter":56,"level":"safe","size":5,"sha256":"{{Hello16}}","t_ns":80}
            {"event":"message","ring_id":"1.2a.9f3c51d0","seq":9,"index":1,"view":"1.2a.9f3c51d0","sender":1,"boot":"9f3c000000000001","counter":57,"level":"agreed","size":0,"sha256":"e3b0c44298fc1c14","t_ns":90}

            """, run.Output);
    }

    [Fact]
    public async Task Tail_keeps_the_ordering_ring_apart_from_the_view_of_delivery()
    {
        var daemon = Tailed(
            new RingEvent { View = Clusters.View(2, [1], transitional: true, left: [2]) }, Message(8, 1, "x", "1.2a.9f3c51d0", "b1"));

        var run = await MbrRun.Of(FakeConnector.To(daemon), "ring", "tail", "--json", "--count", "1");

        Assert.Equal("transitional", run.JsonLines[1].GetProperty("kind").GetString());
        Assert.Equal("t:1.2b.9f3c51d0/1.29.9f3c51d0", run.JsonLines[2].GetProperty("view").GetString());
        Assert.Equal("1.2a.9f3c51d0", run.JsonLines[2].GetProperty("ring_id").GetString());
    }

    [Fact]
    public async Task A_reader_that_is_cut_off_gets_the_cut_as_its_last_line_and_exits_1()
    {
        var daemon = Tailed(Message(7, 2, "x", "r", "b"), new RingEvent { Cut = new Cut { Resume = 991, Reason = "queue of 4096 events is full" } });

        var run = await MbrRun.Of(FakeConnector.To(daemon), "ring", "tail", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.EndsWith("\n{\"event\":\"cut\",\"resume\":991}\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("MB1501", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tail_goes_on_behind_a_position_when_asked()
    {
        var daemon = Tailed(Message(7, 2, "x", "r", "b"));

        await MbrRun.Of(FakeConnector.To(daemon), "ring", "tail", "--after", "991", "--count", "1");

        Assert.Equal(991ul, Assert.Single(daemon.Subscriptions).AfterPosition);
    }

    [Fact]
    public async Task A_stream_that_the_daemon_ends_is_a_failure()
    {
        var run = await MbrRun.Of(FakeConnector.To(Tailed()), "ring", "tail", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("MB1503", run.Error, StringComparison.Ordinal);
        Assert.Single(run.JsonLines);
    }

    [Fact]
    public async Task Interrupting_a_tail_is_its_ordinary_end()
    {
        using var stop = new CancellationTokenSource();
        var daemon = Tailed(Message(7, 2, "x", "r", "b"));
        daemon.StreamsEnd = false;
        daemon.OnStreamIdle = stop.Cancel;

        var run = await MbrRun.With(new MbrSetup(FakeConnector.To(daemon)) { Cancellation = stop.Token }, "ring", "tail", "--json");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(2, run.JsonLines.Count);
    }

    [Fact]
    public async Task Text_lines_of_tail_are_harmless()
    {
        var run = await MbrRun.Of(FakeConnector.To(Tailed(Message(7, 2, "hello", "r\e", "b"))), "ring", "tail", "--count", "1");

        Assert.Equal($"-- view 42 (1.2a.9f3c51d0) members n1 n2\n7.1  n2 #55  agreed  5 B  sha256 {Hello16}\n", run.Output);
    }

    [Fact]
    public async Task Send_writes_a_line_for_each_receipt_in_order()
    {
        var daemon = new FakeDaemon();

        var run = await MbrRun.With(new MbrSetup(FakeConnector.To(daemon)) { Input = "hello"u8.ToArray() }, "ring", "send", "--json");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(
            $"{{\"event\":\"sent\",\"counter\":1,\"ring_id\":\"1.2a.9f3c51d0\",\"seq\":2,\"index\":0,\"size\":5,\"sha256\":\"{Hello16}\",\"t_ns\":1000}}\n",
            run.Output);
        Assert.Equal("hello"u8.ToArray(), Assert.Single(daemon.Received).Payload);
    }

    [Fact]
    public async Task A_message_that_is_not_delivered_is_a_failed_line_and_exit_1()
    {
        var daemon = new FakeDaemon
        {
            Receipt = static (counter, _, _) => counter == 2
                ? new Receipt { Counter = 2, Failure = "view changed \"now\"", TNs = 9 }
                : new Receipt { Counter = counter, RingId = "r", Seq = counter, TNs = 9 },
        };

        var run = await MbrRun.Of(FakeConnector.To(daemon), "ring", "send", "--json", "--count", "3");

        Assert.Equal(1, run.ExitCode);
        Assert.Equal("{\"event\":\"failed\",\"counter\":2,\"reason\":\"view changed \\\"now\\\"\",\"t_ns\":9}", run.Output.Split('\n')[1]);
        var error = System.Text.Json.JsonDocument.Parse(run.Error).RootElement.GetProperty("error");
        Assert.Equal("1 of 3 messages were not delivered: view changed \"now\"", error.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Made_payloads_come_from_seed_and_number_alone()
    {
        var first = new FakeDaemon();
        var again = new FakeDaemon();
        var other = new FakeDaemon();

        await MbrRun.Of(FakeConnector.To(first), "ring", "send", "--count", "1000", "--size", "13", "--seed", "5", "--level", "safe");
        await MbrRun.Of(FakeConnector.To(again), "ring", "send", "--count", "1000", "--size", "13", "--seed", "5");
        await MbrRun.Of(FakeConnector.To(other), "ring", "send", "--count", "1000", "--size", "13", "--seed", "6");

        Assert.Equal(1000, first.Received.Select(static sent => Convert.ToHexString(sent.Payload)).Distinct().Count());
        Assert.Equal(first.Received.Select(static sent => sent.Payload), again.Received.Select(static sent => sent.Payload));
        Assert.NotEqual(first.Received.First().Payload, other.Received.First().Payload);
        Assert.All(first.Received, static sent => Assert.Equal(13, sent.Payload.Length));
        Assert.All(first.Received, static sent => Assert.Equal(DeliveryLevel.Safe, sent.Level));
        Assert.All(again.Received, static sent => Assert.Equal(DeliveryLevel.Agreed, sent.Level));
    }

    [Fact]
    public async Task A_ring_that_gives_no_receipt_ends_the_send_after_the_time_limit()
    {
        var daemon = new FakeDaemon { GivesReceipts = false };

        var run = await MbrRun.Of(FakeConnector.To(daemon), "ring", "send", "--count", "3", "--timeout", "50ms");

        Assert.Equal(6, run.ExitCode);
        Assert.Contains("MB1206", run.Error, StringComparison.Ordinal);
        Assert.Contains("waiting for a receipt", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_to_send_is_a_usage_error()
    {
        var run = await MbrRun.Of(FakeConnector.To(new FakeDaemon()), "ring", "send");

        Assert.Equal(64, run.ExitCode);
        Assert.Contains("MB1008", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_hundred_thousand_lines_are_written_well_within_their_second()
    {
        var batch = Batch([.. Enumerable.Range(0, 1000).Select(static number => Message((ulong)number, 2, new string('x', 64), number == 0 ? "1.2a.9f3c51d0" : "", number == 0 ? "9f3c000000000002" : ""))]);
        var daemon = new FakeDaemon { StreamsEnd = true };
        daemon.Stream.Add(Batch(new RingEvent { View = Clusters.View(1, [1, 2]) }));
        daemon.Stream.AddRange(Enumerable.Repeat(batch, 200));
        var watch = System.Diagnostics.Stopwatch.StartNew();

        var run = await MbrRun.Of(FakeConnector.To(daemon), "ring", "tail", "--json", "--count", "200000");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(200_001, run.Output.Count(static character => character == '\n'));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"200 000 lines took {watch.Elapsed}");
    }

    [Fact]
    public void Payloads_of_different_length_share_their_beginning()
    {
        Span<byte> shorter = stackalloc byte[9];
        Span<byte> longer = stackalloc byte[32];

        Ring.Payload.Fill(shorter, 1, 2);
        Ring.Payload.Fill(longer, 1, 2);

        Assert.True(longer.StartsWith(shorter));
        Assert.Equal("9e080957", Convert.ToHexStringLower(SHA256.HashData(longer))[..8]);
    }
}
