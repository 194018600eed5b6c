using Membership.Namespaces;
using Xunit;

namespace Membership.EndToEnd;

/// <summary>What must hold between the recordings of different nodes, whatever was done to the cluster.</summary>
public static class HistoryAssert
{
    /// <summary>All invariants of the ring (docs/protocol/invariants.md) hold in these recordings, and they are not empty.</summary>
    public static void Holds(IReadOnlyList<RingRecorder> recorders)
    {
        Assert.All(recorders, recorder => Assert.NotEmpty(recorder.Views));
        Assert.Empty(RecordedHistory.Check(recorders).Select(violation => violation.ToString()));
    }

    /// <summary>No daemon installed a regular view beyond the one in force when the recording began.</summary>
    public static void NoViewChange(IEnumerable<RingRecorder> recorders)
    {
        foreach (var recorder in recorders)
        {
            Assert.Null(recorder.Ended);
            Assert.True(recorder.Views.Count == 1, $"node {recorder.Node} went through {string.Join(" -> ", recorder.Views.Select(view => view.Id))}");
        }
    }
}
