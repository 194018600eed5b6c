using System.Buffers;
using Google.Protobuf;
using Membership.Daemon.Services.Groups;
using Membership.Fuzz.Engine;
using Membership.V1;
using Level = Membership.Totem.DeliveryLevel;

namespace Membership.Fuzz.Targets;

/// <summary>A client's request to send, which the daemon reads by hand: what it takes must be what the generated reader reads. First byte: bit 0 = in pieces.</summary>
internal sealed class SendBatchTarget : Target
{
    public override string Name => "daemon/send-batch";

    public override IReadOnlyList<string> Reasons { get; } = ["taken by hand", "taken by the generated reader", "refused"];

    // The payloads go into one block of the shared pool; the generated reader, beside it, makes an object for each.
    public override long AllocationMax(int length) => (200L * length) + (16 * 1024);

    public override int RateMin => 10_000;

    public override IEnumerable<Seed> Seeds()
    {
        var send = new SendToGroup { Handle = 7, Level = DeliveryLevel.Safe, WithoutReceipts = true };
        send.Payloads.Add(ByteString.CopyFromUtf8("one"));
        send.Payloads.Add(ByteString.Empty);
        send.Payloads.Add(ByteString.CopyFrom(new byte[200]));
        yield return Of("three", 0, new GroupRequest { Send = send });
        yield return Of("three-in-pieces", 1, new GroupRequest { Send = send });
        yield return Of("none", 0, new GroupRequest { Send = new SendToGroup { Handle = 300 } });
        yield return Of("no-send", 0, new GroupRequest { Credit = new Credit() });
        yield return new Seed("twice", [0, .. new GroupRequest { Send = send }.ToByteArray(), .. new GroupRequest { Send = send }.ToByteArray()]);
        yield return new Seed("later-field", [0, .. Request([8, 7, 0x7a, 1, 9])]);
        yield return new Seed("handle-as-bytes", [0, .. Request([0x0a, 1, 9])]);
        yield return new Seed("handle-of-64-bits", [0, .. Request([8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])]);
        yield return new Seed("unknown-level", [0, .. Request([8, 7, 0x18, 9])]);
        yield return new Seed("cut", [0, .. Request([8])]);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return 1;
        var bytes = input[1..].ToArray();
        var request = (input[0] & 1) == 0 || bytes.Length < 2 ? new ReadOnlySequence<byte>(bytes) : GrpcFrameTarget.Pieces(bytes);
        SessionRequest session;
        try
        {
            session = SessionRequest.Read(request);
        }
        catch (Exception refused) when (refused is InvalidDataException or InvalidProtocolBufferException)
        {
            return 2;
        }

        if (session.Send is not { } batch) return 1;
        using (batch)
        {
            if (Protobuf.Read(GroupRequest.Parser, bytes) is not { RequestCase: GroupRequest.RequestOneofCase.Send, Send: var send }) throw new BrokenPromiseException("taken, but no request");
            if (send.Handle != batch.Handle || send.WithoutReceipts != batch.WithoutReceipts || (send.Level == DeliveryLevel.Safe) != (batch.Level == Level.Safe)) throw new BrokenPromiseException("read otherwise than written");
            foreach (var payload in send.Payloads)
            {
                if (!batch.TryNext(out var taken) || !taken.Span.SequenceEqual(payload.Span)) throw new BrokenPromiseException("another payload");
            }

            return batch.TryNext(out _) ? throw new BrokenPromiseException("a payload too many") : 0;
        }
    }

    private static byte[] Request(byte[] send) => [(GroupRequest.SendFieldNumber << 3) | 2, (byte)send.Length, .. send];

    private static Seed Of(string name, byte selector, GroupRequest request) => new(name, [selector, .. request.ToByteArray()]);
}
