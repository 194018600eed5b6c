using System.Buffers;
using System.IO.Compression;
using System.IO.Pipelines;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Membership.Cli.Bench;
using Membership.Client;
using Membership.Fuzz.Engine;
using Membership.Grpc.Messages;
using Membership.Grpc.Wire;
using Membership.V1;

namespace Membership.Fuzz.Targets;

/// <summary>The body of a gRPC call: frames of messages, maybe compressed, in one piece or several. First byte: bit 0 = gzip was agreed, bit 1 = in pieces.</summary>
internal sealed class GrpcFrameTarget : Target
{
    private const int LimitBytes = 4096;

    private static readonly string[] Texts = ["unknown flags", "marked as compressed", "above the limit", "ended inside", "is no valid", "inflates beyond", "not valid gzip"];

    private static readonly Marshaller<SubscribeRequest> Requests =
        new((message, context) => context.Complete(message.ToByteArray()), context => SubscribeRequest.Parser.ParseFrom(context.PayloadAsReadOnlySequence()));

    public override string Name => "grpc/frames";

    public override IReadOnlyList<string> Reasons { get; } = ["messages", "unknown flags", "compression nobody named", "too large", "ended inside a message", "no such message", "inflates too far", "no gzip"];

    // A pipe, an exception with its trace, and the inflater's window and buffers.
    public override long AllocationMax(int length) => (4L * length) + (64 * 1024);

    public override int RateMin => 5_000;

    public override int Weight => 4;

    public override IEnumerable<Seed> Seeds()
    {
        var message = new SubscribeRequest { AfterPosition = 77, Boot = "00112233", ViewsOnly = true }.ToByteArray();
        yield return new Seed("one", [0, .. FrameOf(message, 0)]);
        yield return new Seed("three-in-pieces", [2, .. FrameOf(message, 0), .. FrameOf([], 0), .. FrameOf(message, 0)]);
        yield return new Seed("gzip", [1, .. FrameOf(Zip(message), 1)]);
        yield return new Seed("gzip-not-agreed", [0, .. FrameOf(Zip(message), 1)]);
        yield return new Seed("gzip-bomb", [1, .. FrameOf(Zip(new byte[20_000]), 1)]);
        yield return new Seed("gzip-garbage", [1, .. FrameOf([1, 2, 3, 4], 1)]);
        yield return new Seed("too-large", [0, 0, 0x7f, 0xff, 0xff, 0xff, 1, 2]);
        yield return new Seed("flags", [0, .. FrameOf(message, 9)]);
        yield return new Seed("cut", [0, .. FrameOf(message, 0)[..7]]);
        yield return new Seed("no-message", [0, .. FrameOf([0xff, 0xff], 0)]);
        yield return new Seed("nothing", [0]);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return 0;
        var bytes = input[1..].ToArray();
        var body = (input[0] & 2) == 0 || bytes.Length < 2 ? new ReadOnlySequence<byte>(bytes) : Pieces(bytes);
        using var frames = new FrameReader<SubscribeRequest>(PipeReader.Create(body), Requests, LimitBytes, (input[0] & 1) != 0);
        try
        {
            while (true)
            {
                var next = frames.ReadAsync(CancellationToken.None);
                if (!next.IsCompleted) throw new BrokenPromiseException("a read of what is there waits");
                if (next.GetAwaiter().GetResult() is null) return 0;
            }
        }
        catch (RpcException refused)
        {
            var reason = Array.FindIndex(Texts, text => refused.Status.Detail.Contains(text, StringComparison.Ordinal));
            return reason >= 0 ? 1 + reason : throw new BrokenPromiseException(refused.Status.Detail);
        }
    }

    private static byte[] FrameOf(byte[] message, byte flags) => [flags, (byte)(message.Length >> 24), (byte)(message.Length >> 16), (byte)(message.Length >> 8), (byte)message.Length, .. message];

    private static byte[] Zip(byte[] bytes)
    {
        var zipped = new MemoryStream();
        using (var gzip = new GZipStream(zipped, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(bytes);
        return zipped.ToArray();
    }

    /// <summary>The same bytes in three pieces.</summary>
    internal static ReadOnlySequence<byte> Pieces(byte[] bytes)
    {
        var first = new Piece(bytes.AsMemory(0, 1), 0);
        var last = first.Then(bytes.AsMemory(1, (bytes.Length - 1) / 2)).Then(bytes.AsMemory(1 + ((bytes.Length - 1) / 2)));
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, long at) => (Memory, RunningIndex) = (memory, at);

        public Piece Then(ReadOnlyMemory<byte> memory)
        {
            var next = new Piece(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}

/// <summary>Header fields of a call: time limit, status message, metadata. First byte: which.</summary>
internal sealed class GrpcHeaderTarget : Target
{
    public override string Name => "grpc/headers";

    public override IReadOnlyList<string> Reasons { get; } = ["a time limit", "no time limit", "a status message", "metadata", "left out"];

    public override bool IsText => false;

    // Text is two bytes a letter here; three letters of base64 and a comma are a metadata entry, an object with bytes of its own.
    public override long AllocationMax(int length) => (200L * length) + 4096;

    public override int Weight => 4;

    public override IEnumerable<Seed> Seeds()
    {
        yield return new Seed("timeout", [0, .. "250m"u8]);
        yield return new Seed("timeout-hours", [0, .. "99999999H"u8]);
        yield return new Seed("timeout-nano", [0, .. "1n"u8]);
        yield return new Seed("message", [1, .. "not%20found %E2%82%AC %zz %"u8]);
        yield return new Seed("metadata", [2, .. "x-trace:abc"u8]);
        yield return new Seed("metadata-bin", [2, .. "x-key-bin:AAEC,/w=="u8]);
        yield return new Seed("reserved", [2, .. "grpc-status:0"u8]);
        yield return new Seed("pseudo", [2, .. ":path:/x"u8]);
        yield return new Seed("bad-bin", [2, .. "x-key-bin:***"u8]);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return 1;
        var text = Encoding.Latin1.GetString(input[1..]);
        switch (input[0] % 3)
        {
            case 0:
                if (!Timeouts.TryParse(text, out var timeout)) return 1;
                return timeout >= TimeSpan.Zero ? 0 : throw new BrokenPromiseException("a time limit before now");
            case 1:
                _ = PercentEncoding.Decode(text);
                return 2;
            default:
                var metadata = new Metadata();
                var colon = text.IndexOf(':', 1 <= text.Length ? 1 : 0);
                HeaderFields.AddReceived(metadata, colon < 0 ? text : text[..colon], colon < 0 ? "" : text[(colon + 1)..]);
                return metadata.Count > 0 ? 3 : 4;
        }
    }
}

/// <summary>Reads messages as the product does: looked over first (WireCheck), then by the generated reader.</summary>
internal static class Protobuf
{
    /// <summary>Null where the bytes are no message.</summary>
    public static T? Read<T>(MessageParser<T> parser, byte[] bytes) where T : class, IMessage<T>, new() => (T?)Read(parser, new T().Descriptor, bytes);

    /// <summary>Null where the bytes are no message.</summary>
    public static IMessage? Read(MessageParser parser, MessageDescriptor descriptor, byte[] bytes)
    {
        try
        {
            WireCheck.Check(bytes, descriptor);
            return parser.ParseFrom(bytes);
        }
        catch (Exception refused) when (refused is InvalidDataException or InvalidProtocolBufferException)
        {
            return null;
        }
    }
}

/// <summary>Every message of the API, as bytes of whoever may connect. First byte: which message.</summary>
internal sealed class RequestTarget : Target
{
    private static readonly MessageDescriptor[] Messages =
        [.. new[] { MembershipReflection.Descriptor, AdminReflection.Descriptor, GroupReflection.Descriptor, QuorumReflection.Descriptor, WitnessReflection.Descriptor }.SelectMany(file => file.MessageTypes)];

    public override string Name => "grpc/messages";

    public override bool KeepsSeeds => false;

    public override IReadOnlyList<string> Reasons { get; } = ["read", "refused"];

    // The generated readers of Google.Protobuf: an object for each message inside, a list that doubles for each repeated field.
    public override long AllocationMax(int length) => (200L * length) + (16 * 1024);

    public override int RateMin => 10_000;

    public override IEnumerable<Seed> Seeds()
    {
        for (var i = 0; i < Messages.Length; i++) yield return new Seed(Messages[i].Name, [(byte)i, .. Example(Messages[i], 0).ToByteArray()]);
        yield return new Seed("text-of-2-gib", [(byte)Array.IndexOf(Messages, SessionOpened.Descriptor), 0x0a, 0x18, 8, 7, 0x1a, 0xff, 0xff, 0xff, 0xff, 7]);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return 1;
        var descriptor = Messages[input[0] % Messages.Length];
        if (Protobuf.Read(descriptor.Parser, descriptor, input[1..].ToArray()) is not { } message) return 1;
        var size = message.CalculateSize();
        return message.ToByteArray().Length == size ? 0 : throw new BrokenPromiseException("a message has another size than it says");
    }

    /// <summary>A message with something in each field.</summary>
    internal static IMessage Example(MessageDescriptor descriptor, int depth)
    {
        var message = descriptor.Parser.ParseFrom(Array.Empty<byte>());
        foreach (var field in descriptor.Fields.InFieldNumberOrder())
        {
            if (field.IsMap || (field.ContainingOneof is { IsSynthetic: false } one && one.Accessor.GetCaseFieldDescriptor(message) is not null)) continue;
            if (field.FieldType == FieldType.Message && depth > 2) continue;
            var value = ValueOf(field, depth);
            if (!field.IsRepeated) field.Accessor.SetValue(message, value);
            else ((System.Collections.IList)field.Accessor.GetValue(message)).Add(value);
        }

        return message;
    }

    private static object ValueOf(FieldDescriptor field, int depth) => field.FieldType switch
    {
        FieldType.Bool => true,
        FieldType.Bytes => ByteString.CopyFrom(1, 2, 3),
        FieldType.String => "text",
        FieldType.Double => 1.5,
        FieldType.Float => 1.5f,
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => 7,
        FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => 7L,
        FieldType.UInt32 or FieldType.Fixed32 => 7u,
        FieldType.UInt64 or FieldType.Fixed64 => 7UL,
        FieldType.Enum => 1,
        _ => Example(field.MessageType, depth + 1),
    };
}

/// <summary>The hand-written reader of the benchmark, over what the daemon's hand-written encoder sends.</summary>
internal sealed class WireReaderTarget : Target
{
    public override string Name => "cli/wire-reader";

    public override bool KeepsSeeds => false;

    public override IReadOnlyList<string> Reasons { get; } = ["read", "refused"];

    public override IEnumerable<Seed> Seeds()
    {
        var response = new GroupResponse();
        response.Events.Add(new GroupEvent { Position = 9, Message = new GroupMessage { Handle = 1, Counter = 3, Payload = ByteString.CopyFrom(new byte[24]), Sender = new GroupMember { Node = 1, Pid = 2, Session = 3 } } });
        yield return new Seed("message", response.ToByteArray());
        response.Events.Add((GroupEvent)RequestTarget.Example(GroupEvent.Descriptor, 0));
        yield return new Seed("two", response.ToByteArray());

        // Lengths of four bytes, as the encoder leaves room for them (ResponseEncoder.Open).
        yield return new Seed("long-lengths", [0x0a, 0x86, 0x80, 0x80, 0x00, 0x08, 0x01, 0x32, 0x02, 0x0a, 0x00]);
        yield return new Seed("fixed", [0x0a, 0x0e, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4]);
        yield return new Seed("group", [0x0b, 0x0c]);
    }

    // Whoever reads what is no message gets the exception that says so.
    public override long AllocationMax(int length) => (4L * length) + 4096;

    public override int Run(ReadOnlySpan<byte> input)
    {
        try
        {
            var events = new WireReader(input);
            while (events.Next())
            {
                var fields = new WireReader(events.Bytes);
                while (fields.Next())
                {
                    var inner = new WireReader(fields.Bytes);
                    while (inner.Next()) _ = BenchStamp.TryRead(inner.Bytes, out _);
                }
            }

            return 0;
        }
        catch (InvalidDataException)
        {
            return 1;
        }
    }
}

/// <summary>What a client reads of a session in groups: the generated reader and the hand-written one must agree on where events are.</summary>
internal sealed class GroupResponseTarget : Target
{
    public override string Name => "client/group-response";

    public override bool KeepsSeeds => false;

    public override IReadOnlyList<string> Reasons { get; } = ["read", "refused by both", "refused by one"];

    public override long AllocationMax(int length) => (200L * length) + (16 * 1024);

    public override int RateMin => 10_000;

    public override int Weight => 5;

    public override IEnumerable<Seed> Seeds() => [.. new WireReaderTarget().Seeds(), new Seed("wrong-inside", [0x0a, 0x02, 0x08, 0x80]), new Seed("bad-text", [0x0a, 0x04, 0x3a, 0x02, 0xff, 0xfe])];

    public override int Run(ReadOnlySpan<byte> input)
    {
        var bytes = input.ToArray();
        var response = Protobuf.Read(GroupResponse.Parser, bytes);
        var events = 0;
        try
        {
            var fields = new WireReader(input);
            while (fields.Next())
            {
                if (fields.Field == GroupResponse.EventsFieldNumber && !fields.Bytes.IsEmpty) events++;
            }
        }
        catch (InvalidDataException)
        {
            return response is null ? 1 : 2;
        }

        if (response is null) return 2;
        return response.Events.Count >= events ? 0 : throw new BrokenPromiseException("the two readers see different events");
    }
}

/// <summary>What a subscriber reads: bytes to events without gap, or the exception that says where the gap is.</summary>
internal sealed class RingEventsTarget : Target
{
    public override string Name => "client/ring-events";

    public override bool KeepsSeeds => false;

    public override IReadOnlyList<string> Reasons { get; } = ["events", "a gap or a cut, told", "no message"];

    public override long AllocationMax(int length) => (200L * length) + (16 * 1024);

    public override int RateMin => 5_000;

    public override int Weight => 4;

    public override IEnumerable<Seed> Seeds()
    {
        var response = new SubscribeResponse { Boot = "0011223344556677" };
        response.Events.Add(new RingEvent { Position = 1, Message = new RingMessage { RingId = "1.4.9f3c51d0", Seq = 1, Sender = 2, Boot = "00aa", Counter = 1, Payload = ByteString.CopyFromUtf8("a") } });
        response.Events.Add(new RingEvent { Position = 2, Message = new RingMessage { Seq = 2, Sender = 2, Counter = 2 } });
        yield return new Seed("two-messages", response.ToByteArray());
        response.Events.Add(new RingEvent { Position = 9, Message = new RingMessage { Seq = 3 } });
        yield return new Seed("gap", response.ToByteArray());
        yield return new Seed("cut", new SubscribeResponse { Events = { new RingEvent { Position = 1, Cut = new Cut { Reason = "slow" } } } }.ToByteArray());
        yield return new Seed("everything", RequestTarget.Example(SubscribeResponse.Descriptor, 0).ToByteArray());
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        var bytes = input.ToArray();
        if (Protobuf.Read(SubscribeResponse.Parser, bytes) is not { } response) return 2;
        try
        {
            var cursor = new RingCursor(new SubscribeOptions());
            var events = cursor.Accept(response);
            cursor.ThrowIfCut();
            for (var i = 1; i < events.Count; i++)
            {
                if (events[i].Position <= events[i - 1].Position) throw new BrokenPromiseException("events that do not ascend");
            }

            return 0;
        }
        catch (SubscriptionCutException)
        {
            return 1;
        }
    }
}
