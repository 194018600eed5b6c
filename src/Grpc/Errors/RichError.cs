using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Membership.Grpc.Messages;
using CallStatus = Grpc.Core.Status;
using WireStatus = Google.Rpc.Status;

namespace Membership.Grpc.Errors;

/// <summary>Why a call failed, for people (the message) and for programs (the reason and its facts); travels as <c>google.rpc.Status</c> with one <c>ErrorInfo</c>.</summary>
/// <param name="Code">Of the call.</param>
/// <param name="Message">What happened, to whom, what to do.</param>
/// <param name="Reason">UPPER_SNAKE_CASE; scripts depend on it.</param>
/// <param name="Metadata">Facts about this failure; names in lower_snake_case.</param>
public sealed record RichError(StatusCode Code, string Message, string Reason, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>Who defines the reasons of this project.</summary>
    public const string Domain = "membership.v1";

    /// <summary>The trailer that carries the details.</summary>
    public const string TrailerKey = "grpc-status-details-bin";

    /// <summary>Makes one with its facts in line.</summary>
    public static RichError Of(StatusCode code, string reason, string message, params (string Name, string Value)[] metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return new RichError(code, message, reason, metadata.ToDictionary(fact => fact.Name, fact => fact.Value, StringComparer.Ordinal));
    }

    /// <summary>What ends the call.</summary>
    public CallStatus Status => new(Code, Message);

    /// <summary>What a service throws.</summary>
    public RpcException ToException() => new(Status, new Metadata { { TrailerKey, ToBytes() } });

    /// <summary>Puts the details where the client looks for them; for those that end a call with <see cref="Status"/> alone.</summary>
    public void AddTo(Metadata trailers)
    {
        ArgumentNullException.ThrowIfNull(trailers);
        trailers.Add(TrailerKey, ToBytes());
    }

    /// <summary>What a failed call told; null when the server gave no details, or not such.</summary>
    public static RichError? From(RpcException failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        if (failure.Trailers.GetValueBytes(TrailerKey) is not { } bytes) return null;
        try
        {
            WireCheck.Check(bytes, WireStatus.Descriptor);
            foreach (var detail in WireStatus.Parser.ParseFrom(bytes).Details)
            {
                if (!detail.Is(ErrorInfo.Descriptor)) continue;
                WireCheck.Check(detail.Value.Span, ErrorInfo.Descriptor);
                if (detail.TryUnpack<ErrorInfo>(out var known)) return new RichError(failure.StatusCode, failure.Status.Detail, known.Reason, known.Metadata);
            }
        }
        catch (Exception garbled) when (garbled is InvalidProtocolBufferException or InvalidDataException)
        {
            // Details are an addition: a server that garbles them still gave its status.
        }
        return null;
    }

    private byte[] ToBytes()
    {
        var info = new ErrorInfo { Reason = Reason, Domain = Domain };
        foreach (var (name, value) in Metadata) info.Metadata.Add(name, value);
        return new WireStatus { Code = (int)Code, Message = Message, Details = { Any.Pack(info) } }.ToByteArray();
    }
}
