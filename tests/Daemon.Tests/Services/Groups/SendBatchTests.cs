using System.Buffers;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Membership.Cpg;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services.Groups;

/// <summary>Sends are read where they lie: as protobuf would, and no longer than the ring thread needs them.</summary>
public sealed class SendBatchTests
{
    [Fact]
    public void A_send_reads_as_protobuf_reads_it()
    {
        var random = new Random(3);
        for (var run = 0; run < 500; run++)
        {
            var send = new Proto.SendToGroup { Handle = (uint)random.Next(), Level = (Proto.DeliveryLevel)random.Next(4), WithoutReceipts = random.Next(2) == 1 };
            for (var count = random.Next(5); count > 0; count--) send.Payloads.Add(ByteString.CopyFrom(Bytes(random, random.Next(300))));
            var bytes = new Proto.GroupRequest { Send = send }.ToByteArray();

            using var read = SessionRequest.Read(new ReadOnlySequence<byte>(bytes)).Send;

            Assert.NotNull(read);
            Assert.Equal((send.Handle, send.WithoutReceipts), (read.Handle, read.WithoutReceipts));
            Assert.Equal(send.Level == Proto.DeliveryLevel.Safe ? DeliveryLevel.Safe : DeliveryLevel.Agreed, read.Level);
            Assert.Equal(send.Payloads.Select(payload => payload.ToByteArray()), Payloads(read));
        }
    }

    [Fact]
    public void Fields_of_a_later_version_and_requests_that_are_no_send_become_objects()
    {
        var send = new Proto.GroupRequest { Send = new Proto.SendToGroup { Handle = 3, Payloads = { ByteString.CopyFromUtf8("a") } } }.ToByteArray();
        byte[] later = [.. send, 0x7a, 1, 0];   // field 15 of the request

        Assert.Equal(3U, Object(later).Send.Handle);
        Assert.Equal("g", Object(new Proto.GroupRequest { Join = new Proto.JoinGroup { Group = "g" } }.ToByteArray()).Join.Group);
        Assert.Equal(Proto.GroupRequest.RequestOneofCase.None, Object([]).RequestCase);
        using var batch = SendBatch.Of(Object(later).Send);
        Assert.Equal([[(byte)'a']], Payloads(batch));
    }

    [Fact]
    public void Spoiled_bytes_are_what_protobuf_says_they_are()
    {
        var random = new Random(4);
        var whole = new Proto.GroupRequest { Send = new Proto.SendToGroup { Handle = 300, Payloads = { ByteString.CopyFrom(Bytes(random, 40)), ByteString.Empty }, Level = Proto.DeliveryLevel.Safe } }.ToByteArray();
        var refused = 0;
        for (var run = 0; run < 20_000; run++)
        {
            var bytes = whole[..(random.Next(4) == 0 ? random.Next(whole.Length + 1) : whole.Length)];
            for (var flips = random.Next(3); flips > 0 && bytes.Length > 0; flips--) bytes[random.Next(Math.Min(bytes.Length, 8))] = (byte)random.Next(256);

            Proto.GroupRequest? expected = null;
            try
            {
                expected = Proto.GroupRequest.Parser.ParseFrom(bytes);
            }
            catch (InvalidProtocolBufferException)
            {
                refused++;
            }
            if (expected is null)
            {
                var refusal = Record.Exception(() => SessionRequest.Read(new ReadOnlySequence<byte>(bytes)));
                Assert.True(refusal is InvalidProtocolBufferException or InvalidDataException, $"{refusal}");
                continue;
            }
            var read = SessionRequest.Read(new ReadOnlySequence<byte>(bytes));
            using var send = read.Send;
            if (send is null) Assert.Equal(expected, read.Message);
            else Assert.Equal(expected.Send.Payloads.Select(payload => payload.ToByteArray()).Prepend(BitConverter.GetBytes(expected.Send.Handle)), Payloads(send).Prepend(BitConverter.GetBytes(send.Handle)));
        }
        Assert.InRange(refused, 1000, 19_000);
    }

    [Fact]
    public async Task The_block_goes_back_with_the_last_answer_and_not_before()
    {
        var window = new ReceiptWindow(new ReceiptTable(1024), new BatchSignal());
        var tag = await window.TakeAsync(CancellationToken.None);   // there is room: goes on on this thread
        var request = new Proto.GroupRequest { Send = new Proto.SendToGroup { Handle = 1, Payloads = { ByteString.CopyFrom(new byte[3000]), ByteString.CopyFrom(new byte[3000]) } } };
        var send = SessionRequest.Read(new ReadOnlySequence<byte>(request.ToByteArray())).Send!;   // a send
        Assert.True(send.TryNext(out var first));
        var sink = send.HandOver(window);
        Assert.True(send.TryNext(out _));
        send.HandOver(window);
        send.TakeBack();
        send.Dispose();
        Assert.True(MemoryMarshal.TryGetArray(first, out var block));

        Assert.DoesNotContain(block.Array, Rentable(block.Array!.Length));
        sink.Submitted(tag, new SendResult(GroupStatus.NotRunning, 0));

        Assert.Contains(block.Array, Rentable(block.Array.Length));
    }

    [Fact]
    public void Reading_a_send_allocates_no_more_than_itself_however_much_it_carries()
    {
        var bytes = new ReadOnlySequence<byte>(new Proto.GroupRequest { Send = new Proto.SendToGroup { Handle = 1, Payloads = { Enumerable.Repeat(ByteString.CopyFrom(new byte[1024]), 100) } } }.ToByteArray());
        Consume();
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var run = 0; run < 100; run++) Consume();

        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 100, 0, 160);

        void Consume()
        {
            using var send = SessionRequest.Read(bytes).Send!;   // a send
            while (send.TryNext(out _))
            {
            }
        }
    }

    private static byte[] Bytes(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private static List<byte[]> Payloads(SendBatch send)
    {
        List<byte[]> payloads = [];
        while (send.TryNext(out var payload)) payloads.Add(payload.ToArray());
        return payloads;
    }

    private static Proto.GroupRequest Object(byte[] bytes)
    {
        var read = SessionRequest.Read(new ReadOnlySequence<byte>(bytes));
        Assert.Null(read.Send);
        return read.Message!;   // one of the two is there
    }

    // Whatever of this size the pool would hand out on this thread, without keeping it.
    private static List<byte[]> Rentable(int length)
    {
        List<byte[]> rented = [.. Enumerable.Range(0, 64).Select(_ => ArrayPool<byte>.Shared.Rent(length))];
        rented.ForEach(block => ArrayPool<byte>.Shared.Return(block));
        return rented;
    }
}
