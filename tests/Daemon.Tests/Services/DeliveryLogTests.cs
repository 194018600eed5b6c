using System.Buffers.Binary;
using System.Security.Cryptography;
using Google.Protobuf;
using Membership.Daemon.Services;
using Membership.Links;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services;

public sealed class DeliveryLogTests
{
    private const int SmallRing = 256 * 1024;

    private static readonly RingId Ring = new(new NodeId(1), 0x2a, 0x9f3c51d0_00000000);

    [Fact]
    public void Readers_see_events_in_order_and_only_after_they_are_published()
    {
        var log = new DeliveryLog(SmallRing);
        var reader = log.ReadFromNow();
        Append(log, 1, 10);
        Append(log, 2, 0);
        Assert.Equal(ReadResult.Nothing, reader.Next(out _, out _));

        log.Publish();

        Assert.Equal(ReadResult.Event, reader.Next(out var first, out var payload));
        Assert.Equal((1L, 1UL, 10), (first.Position, first.Counter, payload.Length));
        Assert.Equal(Payload(1, 10), payload.ToArray());
        Assert.Equal(ReadResult.Event, reader.Next(out var second, out payload));
        Assert.Equal((2L, 0), (second.Position, payload.Length));
        Assert.Equal(ReadResult.Nothing, reader.Next(out _, out _));
    }

    [Fact]
    public void A_reader_that_keeps_up_sees_everything_while_the_ring_wraps_many_times()
    {
        var log = new DeliveryLog(SmallRing);
        var reader = log.ReadFromNow();
        var random = new Random(1);
        for (ulong counter = 1; counter <= 20_000;)
        {
            var batch = counter;
            for (var i = random.Next(1, 8); i > 0; i--, counter++) Append(log, counter, Size(counter));
            log.Publish();
            for (; batch < counter; batch++)
            {
                Assert.Equal(ReadResult.Event, reader.Next(out var record, out var payload));
                Assert.Equal((batch, (long)batch), (record.Counter, record.Position));
                Assert.True(payload.SequenceEqual(Payload(batch, Size(batch))), $"payload of {batch}");
            }
        }

        static int Size(ulong counter) => (int)(counter * 7919 % 300) + (counter % 500 == 0 ? DeliveryLog.InlineBytesMax - 100 : 0);
    }

    [Fact]
    public void A_reader_that_falls_behind_is_cut_and_can_resume_at_what_is_kept()
    {
        var log = new DeliveryLog(SmallRing);
        var reader = log.ReadFromNow();
        for (ulong counter = 1; counter <= 10_000; counter++) Append(log, counter, 64);
        log.Publish();

        Assert.Equal(ReadResult.Overwritten, reader.Next(out _, out _));

        var resume = log.OldestResumable();
        Assert.InRange(resume, 10_000 - SmallRing / 144, 9_999);
        var again = log.ReadAfter(resume, out _);
        Assert.NotNull(again);
        Assert.Equal(ReadResult.Event, again.Next(out var record, out _));
        Assert.Equal(resume + 1, record.Position);
    }

    [Fact]
    public void Every_position_that_is_kept_can_be_resumed_after_exactly()
    {
        var log = new DeliveryLog(SmallRing);
        for (ulong counter = 1; counter <= 5_000; counter++) Append(log, counter, 20);
        log.Publish();

        for (var position = log.OldestResumable(); position < 5_000; position += 13)
        {
            var reader = log.ReadAfter(position, out _);
            Assert.NotNull(reader);
            Assert.Equal(ReadResult.Event, reader.Next(out var record, out var payload));
            Assert.Equal(position + 1, record.Position);
            Assert.Equal(Payload((ulong)position + 1, 20), payload.ToArray());
        }
        Assert.Null(log.ReadAfter(log.OldestResumable() - 1, out _));
        Assert.Null(log.ReadAfter(5_001, out _));
        Assert.Equal(ReadResult.Nothing, log.ReadAfter(5_000, out _)!.Next(out _, out _));
    }

    [Fact]
    public void Large_payloads_are_kept_beside_the_ring_up_to_their_limit()
    {
        var log = new DeliveryLog(SmallRing);
        var early = log.ReadFromNow();
        for (ulong counter = 1; counter <= 3; counter++) Append(log, counter, 16 * 1024 * 1024);
        log.Publish();
        for (ulong counter = 1; counter <= 3; counter++)
        {
            Assert.Equal(ReadResult.Event, early.Next(out var record, out var payload));
            Assert.Equal((counter, 16 * 1024 * 1024), (record.Counter, payload.Length));
            Assert.Equal(counter, BinaryPrimitives.ReadUInt64LittleEndian(payload));
        }
        var behind = log.ReadAfter(1, out _)!;

        Append(log, 4, 16 * 1024 * 1024);
        Append(log, 5, 16 * 1024 * 1024);
        log.Publish();

        Assert.Equal(ReadResult.Overwritten, behind.Next(out _, out _));
        Assert.Equal(ReadResult.Event, early.Next(out var fourth, out _));
        Assert.Equal(4UL, fourth.Counter);
    }

    [Fact]
    public async Task Concurrent_readers_never_see_a_torn_event_and_never_skip_one_silently()
    {
        var log = new DeliveryLog(SmallRing);
        const ulong Last = 300_000;
        var readers = Enumerable.Range(0, 3).Select(_ => ReadAllAsync(log, Last)).ToArray();

        var writing = Task.Factory.StartNew(
            () =>
            {
                for (ulong counter = 1; counter <= Last; counter++)
                {
                    Append(log, counter, (int)(counter % 100));
                    if (counter % 50 == 0) log.Publish();
                }
                log.Publish();
                log.End();
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        await writing.WaitAsync(TimeSpan.FromSeconds(60));
        foreach (var reader in readers) Assert.True(await reader.WaitAsync(TimeSpan.FromSeconds(60)) > 0);
    }

    [Fact]
    public void Appending_small_messages_allocates_nothing()
    {
        var log = new DeliveryLog(SmallRing);
        var payload = new byte[64];
        var delivery = Delivery(1);
        for (var i = 0; i < 10_000; i++) log.Append(delivery, payload, 1);
        log.Publish();

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10_000; i++)
        {
            log.Append(delivery, payload, 1);
            if (i % 32 == 0) log.Publish();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Encoded_events_are_what_generated_code_reads()
    {
        var encoder = new EventEncoder(headersOnly: false);
        var log = new DeliveryLog(SmallRing);
        var reader = log.ReadFromNow();
        log.Append(Delivery(300), Payload(300, 5), 1_000_000_007);
        log.Append(Delivery(301) with { Sender = new NodeId(65535), Level = DeliveryLevel.Safe, Seq = new Seq(ulong.MaxValue), Service = 7 }, [], 1_000_000_008);
        log.Append(Delivery(302), Payload(302, 200), 1_000_000_009);
        log.Publish();
        encoder.View(0, 5, new Proto.View { Id = "1.2a.9f3c51d0", Number = 42 });
        while (reader.Next(out var record, out var payload) == ReadResult.Event) encoder.Message(record, payload);

        var response = Proto.SubscribeResponse.Parser.ParseFrom(encoder.Response.Span);

        Assert.Equal(4, response.Events.Count);
        Assert.Equal("1.2a.9f3c51d0", response.Events[0].View.Id);
        var expected = new Proto.RingEvent
        {
            Position = 1,
            TNs = 1_000_000_007,
            Message = new Proto.RingMessage
            {
                RingId = Ring.ToString(),
                Seq = 9,
                Index = 2,
                Sender = 2,
                Boot = "00000000000000ff",
                Counter = 300,
                Level = Proto.DeliveryLevel.Agreed,
                Payload = ByteString.CopyFrom(Payload(300, 5)),
                Size = 5,
            },
        };
        Assert.Equal(expected, response.Events[1]);
        Assert.Equal((65535U, ulong.MaxValue, Proto.DeliveryLevel.Safe, 7U, 0U), (response.Events[2].Message.Sender, response.Events[2].Message.Seq, response.Events[2].Message.Level, response.Events[2].Message.Service, response.Events[2].Message.Size));
        Assert.Equal(("", "00000000000000ff"), (response.Events[2].Message.RingId, response.Events[2].Message.Boot));
        Assert.Equal(("", ""), (response.Events[3].Message.RingId, response.Events[3].Message.Boot));
        Assert.Equal(response.ToByteArray(), encoder.Response.ToArray());
    }

    [Fact]
    public void Headers_carry_size_and_hash_in_place_of_the_payload()
    {
        var encoder = new EventEncoder(headersOnly: true);
        var log = new DeliveryLog(SmallRing);
        var reader = log.ReadFromNow();
        log.Append(Delivery(1), Payload(1, 50), 1);
        log.Publish();
        reader.Next(out var record, out var payload);

        encoder.Message(record, payload);

        var message = Proto.SubscribeResponse.Parser.ParseFrom(encoder.Response.Span).Events[0].Message;
        Assert.Equal((0, 50U), (message.Payload.Length, message.Size));
        Assert.Equal(SHA256.HashData(Payload(1, 50))[..8], message.Sha256.ToByteArray());
    }

    private static async Task<long> ReadAllAsync(DeliveryLog log, ulong last)
    {
        long read = 0;
        var reader = log.ReadFromNow();
        while (true)
        {
            switch (reader.Next(out var record, out var payload))
            {
                case ReadResult.Event:
                    if (record.Counter != (ulong)record.Position) throw new InvalidOperationException($"counter {record.Counter} at position {record.Position}");
                    if (!payload.SequenceEqual(Payload(record.Counter, (int)(record.Counter % 100)))) throw new InvalidOperationException($"torn payload at {record.Position}");
                    read++;
                    if (record.Counter == last) return read;
                    break;
                case ReadResult.Overwritten:
                    reader = log.ReadAfter(log.OldestResumable(), out _) ?? log.ReadFromNow();
                    break;
                default:
                    if (!await reader.WaitAsync(CancellationToken.None)) return read;
                    break;
            }
        }
    }

    private static void Append(DeliveryLog log, ulong counter, int size) => log.Append(Delivery(counter), Payload(counter, size), (long)counter);

    private static Delivery Delivery(ulong counter) => new(Ring, new Seq(9), 2, new NodeId(2), 0xff, counter, DeliveryLevel.Agreed, 0);

    private static byte[] Payload(ulong counter, int size)
    {
        var bytes = new byte[size];
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(number, counter);
        for (var i = 0; i < Math.Min(size, 4096); i++) bytes[i] = number[i % 8];
        return bytes;
    }
}
