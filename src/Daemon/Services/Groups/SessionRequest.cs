using System.Buffers;
using Google.Protobuf;
using Grpc.Core;
using Membership.Grpc.Messages;
using Proto = Membership.V1;

namespace Membership.Daemon.Services.Groups;

/// <summary>A request of a session as it came: an object of the contract, or the payloads of a send where they lie.</summary>
/// <remarks>Made into objects, the payloads of a busy sender would be most of what the daemon allocates, and each collection stops the ring.</remarks>
internal sealed class SessionRequest
{
    /// <summary>Reads requests; never writes one.</summary>
    public static readonly Marshaller<SessionRequest> Marshaller = Marshallers.Create<SessionRequest>(
        static (_, _) => throw new NotSupportedException("only ever received"),
        static context => Read(context.PayloadAsReadOnlySequence()));

    private SessionRequest(Proto.GroupRequest? message, SendBatch? send) => (Message, Send) = (message, send);

    /// <summary>Any request but a send that has payloads only.</summary>
    public Proto.GroupRequest? Message { get; }

    /// <summary>A send; to be disposed of.</summary>
    public SendBatch? Send { get; }

    /// <summary>An object of the contract.</summary>
    public static SessionRequest Of(Proto.GroupRequest message) => new(message, null);

    /// <summary>What the bytes say, exactly as a protobuf parser would understand them.</summary>
    /// <exception cref="InvalidDataException">They are no request.</exception>
    /// <exception cref="InvalidProtocolBufferException">They are no request.</exception>
    public static SessionRequest Read(in ReadOnlySequence<byte> bytes)
    {
        if (SendBatch.TryRead(bytes) is { } send) return new SessionRequest(null, send);
        WireCheck.Check(bytes, Proto.GroupRequest.Descriptor);
        return Of(Proto.GroupRequest.Parser.ParseFrom(bytes));
    }
}
