using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Membership.Fuzz.Engine;
using Membership.Grpc.Errors;
using CallStatus = global::Grpc.Core.Status;

namespace Membership.Fuzz.Targets;

/// <summary>The details of a failed call, as any server may send them.</summary>
internal sealed class RichErrorTarget : Target
{
    public override string Name => "grpc/rich-error";

    public override IReadOnlyList<string> Reasons { get; } = ["details", "none that are known"];

    public override long AllocationMax(int length) => (200L * length) + (16 * 1024);

    public override int RateMin => 10_000;

    public override int Weight => 4;

    public override IEnumerable<Seed> Seeds()
    {
        var info = new ErrorInfo { Reason = "NODE_LEAVING", Domain = RichError.Domain };
        info.Metadata.Add("node", "n1");
        yield return new Seed("ours", new Google.Rpc.Status { Code = 14, Message = "leaving", Details = { Any.Pack(info) } }.ToByteArray());
        yield return new Seed("without-details", new Google.Rpc.Status { Code = 5, Message = "gone" }.ToByteArray());
        yield return new Seed("garbled", [0xff, 0xff]);
        yield return new Seed("text-of-2-gib", [0x1a, 0x12, 0x0a, 0xfe, 0xff, 0xff, 0xff, 7, 0, 0, 0, 0]);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        var trailers = new Metadata { { RichError.TrailerKey, input.ToArray() } };
        return RichError.From(new RpcException(new CallStatus(StatusCode.Unavailable, "gone"), trailers)) is null ? 1 : 0;
    }
}
