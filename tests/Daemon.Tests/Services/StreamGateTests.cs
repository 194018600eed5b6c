using Grpc.Core;
using Membership.Daemon.Services;
using Membership.Grpc.Errors;

namespace Membership.Daemon.Tests.Services;

/// <summary>Streams of one kind: how many, and what became of those that have ended. How threads meet there: tests/coyote, suite wakeups-gate.</summary>
public sealed class StreamGateTests
{
    [Fact]
    public void A_stream_counts_once_it_has_ended_as_gone_or_as_cut_off_and_never_as_both()
    {
        var gate = new StreamGate(2, "tests are run by");
        var (ordinary, slow) = (gate.Enter(), gate.Enter());

        slow.CutOff();
        Assert.Equal((2, 0L, 0L), (gate.Count, gate.Gone, gate.Cut));
        ordinary.Dispose();
        Assert.Equal((1, 1L, 0L), (gate.Count, gate.Gone, gate.Cut));
        slow.Dispose();
        slow.Dispose();

        Assert.Equal((0, 1L, 1L), (gate.Count, gate.Gone, gate.Cut));
    }

    [Fact]
    public void A_stream_that_is_refused_counts_nowhere()
    {
        var gate = new StreamGate(1, "tests are run by");
        using var open = gate.Enter();

        var refused = Assert.Throws<RpcException>(gate.Enter);

        Assert.Equal((StatusCode.ResourceExhausted, "STREAMS_LIMIT"), (refused.StatusCode, RichError.From(refused)?.Reason));
        Assert.Equal((1, 0L, 0L), (gate.Count, gate.Gone, gate.Cut));
    }
}
