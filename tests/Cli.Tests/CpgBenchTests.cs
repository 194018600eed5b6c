using System.Threading.Channels;
using Google.Protobuf;
using Membership.Cli.Bench;
using Membership.Cli.Daemons;
using Membership.Grpc.Messages;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>The benchmark of process groups: its bytes, what it measures, and that it finds what is wrong.</summary>
public sealed class CpgBenchTests
{
    [Fact]
    public void A_request_written_in_place_is_what_protobuf_reads()
    {
        var request = new SendRequest(1, 300, DeliveryLevel.Safe);
        foreach (var count in (int[])[3, 1, 200])
        {
            request.Begin(count);
            for (var i = 0; i < count; i++) request.Payload().Fill((byte)i);

            var read = GroupRequest.Parser.ParseFrom(request.Bytes.Span).Send;

            Assert.Equal((1U, DeliveryLevel.Safe, true, count), (read.Handle, read.Level, read.WithoutReceipts, read.Payloads.Count));
            Assert.All(read.Payloads.Select((payload, i) => (payload, i)), pair => Assert.True(pair.payload.Length == 300 && pair.payload.All(b => b == (byte)pair.i)));
        }
    }

    [Fact]
    public void Fields_are_read_where_they_lie_and_unknown_ones_skipped()
    {
        var message = new GroupMessage { Handle = 1, Counter = ulong.MaxValue, Payload = ByteString.CopyFromUtf8("text"), RingId = "r" };
        var reader = new WireReader([.. message.ToByteArray(), 0xa9, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0xa5, 1, 1, 2, 3, 4]);   // fixed64 and fixed32 of a later version
        List<int> fields = [];
        while (reader.Next())
        {
            fields.Add(reader.Field);
            if (reader.Field == GroupMessage.CounterFieldNumber) Assert.Equal(ulong.MaxValue, reader.Number);
            if (reader.Field == GroupMessage.PayloadFieldNumber) Assert.Equal("text"u8.ToArray(), reader.Bytes.ToArray());
        }

        Assert.Equal([1, 3, 5, 6, 21, 20], fields);
    }

    [Theory]
    [InlineData(new byte[] { 0x0a, 5, 1 })]
    [InlineData(new byte[] { 0x08 })]
    [InlineData(new byte[] { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 })]
    [InlineData(new byte[] { 0x0b })]
    [InlineData(new byte[] { 0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 })]
    public void Bytes_that_are_no_message_are_refused(byte[] bytes)
    {
        Assert.Throws<InvalidDataException>(() =>
        {
            var reader = new WireReader(bytes);
            while (reader.Next())
            {
            }
        });
    }

    [Fact]
    public async Task A_member_measures_what_its_group_delivers()
    {
        var group = new LoopGroup();

        var run = await MbrRun.With(group.Setup(), "bench", "cpg", "--group", "orders", "--seconds", "200ms", "--warmup", "20ms", "--outstanding", "8", "--json");

        Assert.Equal("", run.Error);
        Assert.Equal(0, run.ExitCode);
        Assert.Equal("orders", run.Json.GetProperty("group").GetString());
        Assert.Equal(1, run.Json.GetProperty("members").GetInt32());
        Assert.True(run.Json.GetProperty("delivered_per_s").GetDouble() > 0);
        Assert.True(run.Json.GetProperty("latency_us").GetProperty("self").GetProperty("count").GetInt64() > 0);
        Assert.Equal(System.Text.Json.JsonValueKind.Null, run.Json.GetProperty("latency_us").GetProperty("other").ValueKind);
        Assert.Equal(0, run.Json.GetProperty("order_errors").GetInt64());
        Assert.InRange(group.MostUnderWay, 1, 8);
        Assert.Equal("mbr bench cpg", group.Program);
    }

    [Fact]
    public async Task A_slow_pace_that_is_interrupted_leaves_nothing_outstanding()
    {
        var group = new LoopGroup();

        var run = await MbrRun.With(group.Setup(), "bench", "cpg", "--rate", "5", "--seconds", "500ms", "--warmup", "0s", "--json");

        Assert.Equal("", run.Error);
        Assert.InRange(group.Ordered, 1UL, 5UL);
    }

    [Fact]
    public async Task Stalled_members_join_the_group_and_never_read()
    {
        var group = new LoopGroup();

        var run = await MbrRun.With(group.Setup(), "bench", "cpg", "--stalled", "3", "--seconds", "200ms", "--warmup", "0s", "--json");

        Assert.Equal("", run.Error);
        Assert.Equal(3, run.Json.GetProperty("stalled").GetInt32());
        Assert.Equal(3, group.StalledJoins);
        Assert.Equal(0, group.StalledReads);
        Assert.True(run.Json.GetProperty("delivered_per_s").GetDouble() > 0);
    }

    [Fact]
    public async Task It_waits_for_the_members_it_was_told_of()
    {
        var group = new LoopGroup();

        var run = await MbrRun.With(group.Setup(), "bench", "cpg", "--members", "2", "--seconds", "100ms", "--timeout", "300ms");

        Assert.Equal(6, run.ExitCode);
        Assert.Contains("waiting for the group's members", run.Error, StringComparison.Ordinal);
        Assert.Equal(0UL, group.Ordered);
    }

    [Fact]
    public async Task A_gap_is_an_error()
    {
        var run = await MbrRun.With(new LoopGroup { Copies = static number => number == 5 ? 0 : 1 }.Setup(), "bench", "cpg", "--seconds", "200ms", "--warmup", "0s", "--outstanding", "4", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("MB1801", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_delivered_twice_is_an_error()
    {
        var run = await MbrRun.With(new LoopGroup { Copies = static number => number == 5 ? 2 : 1 }.Setup(), "bench", "cpg", "--seconds", "200ms", "--warmup", "0s", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("MB1801", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_member_that_is_cut_off_says_why()
    {
        var run = await MbrRun.With(new LoopGroup { CutAt = 5 }.Setup(), "bench", "cpg", "--seconds", "200ms", "--warmup", "0s");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("the client did not read", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_group_that_cannot_be_joined_is_named()
    {
        var run = await MbrRun.With(new LoopGroup { Refuses = "nobody may" }.Setup(), "bench", "cpg", "--group", "secret", "--seconds", "200ms");

        Assert.Contains("cannot join the group secret: nobody may", run.Error, StringComparison.Ordinal);
        Assert.NotEqual(0, run.ExitCode);
    }

    [Theory]
    [InlineData("--size 8", "MB1004")]
    [InlineData("--members 0", "MB1004")]
    [InlineData("--outstanding 0", "MB1004")]
    [InlineData("--stalled 1001", "MB1004")]
    [InlineData("--level maybe", "MB1001")]
    public async Task Values_outside_their_limits_are_usage_errors(string options, string code)
    {
        var run = await MbrRun.Of(new FakeConnector(), ["bench", "cpg", .. options.Split(' ')]);

        Assert.Equal(64, run.ExitCode);
        Assert.StartsWith(code + " ", run.Error, StringComparison.Ordinal);
    }

    /// <summary>A daemon in memory with one group of one member, which orders at once.</summary>
    private sealed class LoopGroup
    {
        private ulong _ordered;

        /// <summary>How often a message is delivered.</summary>
        public Func<ulong, int> Copies { get; init; } = static _ => 1;

        /// <summary>In place of this message the member is cut off; 0: never.</summary>
        public ulong CutAt { get; init; }

        /// <summary>Why nobody can join; null: everybody can.</summary>
        public string? Refuses { get; init; }

        public ulong Ordered => Volatile.Read(ref _ordered);

        /// <summary>Most messages of one request.</summary>
        public int MostUnderWay { get; private set; }

        public string Program { get; private set; } = "";

        /// <summary>Joins of members that say they stall.</summary>
        public int StalledJoins { get; private set; }

        /// <summary>Reads by such members.</summary>
        public int StalledReads { get; private set; }

        public MbrSetup Setup() => new(FakeConnector.To(new FakeDaemon { Status = Clusters.Healthy(), RawGroups = taker => new Session(this, taker) })) { Time = TimeProvider.System };

        private IEnumerable<GroupEvent> Answers(GroupRequest request)
        {
            var self = new GroupMember { Node = 1, Pid = 7, Session = 1 };
            switch (request.RequestCase)
            {
                case GroupRequest.RequestOneofCase.Open:
                    Program = request.Open.Name;
                    yield return new GroupEvent { Opened = new SessionOpened { Self = self } };
                    break;
                case GroupRequest.RequestOneofCase.Join when Refuses is { } why:
                    yield return new GroupEvent { Refused = new GroupRefused { Handle = request.Join.Handle, Message = why } };
                    break;
                case GroupRequest.RequestOneofCase.Join:
                    yield return new GroupEvent { Membership = new GroupMembership { Handle = request.Join.Handle, Members = { self }, Joined = { self }, View = new View { Number = 4 } } };
                    break;
                case GroupRequest.RequestOneofCase.Send:
                    MostUnderWay = Math.Max(MostUnderWay, request.Send.Payloads.Count);
                    foreach (var payload in request.Send.Payloads)
                    {
                        var number = ++_ordered;
                        if (number == CutAt) yield return new GroupEvent { Cut = new Cut { Reason = "the client did not read" } };
                        else for (var copy = 0; copy < Copies(number); copy++) yield return new GroupEvent { Position = number, Message = new GroupMessage { Handle = 1, Sender = self, Seq = number, Payload = payload } };
                    }
                    break;
            }
        }

        private sealed class Session(LoopGroup group, ResponseTaker taker) : IRawGroupSession
        {
            private readonly Channel<byte[]> _responses = Channel.CreateUnbounded<byte[]>();

            private bool _isStalled;

            public Task SendAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
            {
                var asked = GroupRequest.Parser.ParseFrom(request.Span);
                _isStalled |= asked.Open?.Name == "mbr bench stalled";
                if (_isStalled)
                {
                    if (asked.Join is not null) group.StalledJoins++;
                    return Task.CompletedTask;
                }
                _responses.Writer.TryWrite(new GroupResponse { Events = { group.Answers(asked) } }.ToByteArray());
                return Task.CompletedTask;
            }

            public Task CompleteAsync()
            {
                _responses.Writer.Complete();
                return Task.CompletedTask;
            }

            public async Task<bool> ReadAsync(CancellationToken cancellationToken)
            {
                if (_isStalled) group.StalledReads++;
                taker(await _responses.Reader.ReadAsync(cancellationToken));
                return true;
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
