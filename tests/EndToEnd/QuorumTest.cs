using System.Text.Json;
using Membership.Namespaces;
using Membership.V1;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>A test about who is quorate: records every verdict of every node, and asks <c>mbr</c> as an operator would.</summary>
public abstract class QuorumTest(ITestOutputHelper output) : ClusterTest(output)
{
    /// <summary>Exit codes of <c>mbr quorum status</c>.</summary>
    protected const int Quorate = 0;

    /// <inheritdoc cref="Quorate"/>
    protected const int NotQuorate = 2;

    /// <summary>Views settle and verdicts follow within this time, also on a busy machine.</summary>
    protected static readonly TimeSpan SettleLimit = TimeSpan.FromSeconds(12);

    private protected List<QuorumRecorder> Recorders { get; } = [];

    /// <summary>Records from now on.</summary>
    protected void Record() => Recorders.AddRange(Cluster.Nodes.Select(node => new QuorumRecorder(node)));

    /// <summary>Ends the recording and judges it.</summary>
    protected async Task NeverTwoSidesAsync()
    {
        foreach (var recorder in Recorders) await recorder.DisposeAsync();
        Output.WriteLine($"longest time in which a side that had not noticed yet called itself quorate beside the other: {QuorumAssert.LongestOverlapMs(Recorders):0.0} ms");
        QuorumAssert.NeverTwoSides(Recorders);
    }

    /// <summary>These nodes are quorate in one view, those are not.</summary>
    protected Task SettledAsync(int[] quorate, int[] stopped) => SettledAsync(quorate, stopped, SettleLimit);

    /// <inheritdoc cref="SettledAsync(int[], int[])"/>
    protected Task SettledAsync(int[] quorate, int[] stopped, TimeSpan limit) => Eventually.HoldsAsync(
        $"nodes {string.Join(',', quorate)} quorate and {string.Join(',', stopped)} not", limit,
        () => Recorders.All(recorder => recorder.Current is { Synchronizing: false } verdict
            && (quorate.Contains(recorder.Node.Id)
                ? verdict.Quorate && verdict.View.Members.Select(member => (int)member.Node).SequenceEqual(quorate)
                : !verdict.Quorate && stopped.Contains(recorder.Node.Id) && !verdict.View.Members.Any(member => quorate.Contains((int)member.Node)))),
        () => string.Join("; ", Recorders.Select(recorder => $"{recorder.Node.Name}: {recorder.Current?.Quorate.ToString() ?? "gone"} {recorder.Current?.Reason}")));

    /// <summary>All of so many nodes are quorate; before anything is recorded.</summary>
    protected Task SettledBeforeAsync(int nodes) => Eventually.HoldsAsync($"{nodes} quorate nodes", SettleLimit, async () =>
        (await Task.WhenAll(Cluster.Nodes.Select(async node => (await node.Api.Quorum.GetQuorumAsync(new GetQuorumRequest())).Quorum))).All(verdict => verdict.Quorate));

    /// <summary><c>mbr quorum status</c> at a node: its exit code, and who its sentence says is missing.</summary>
    protected void Says(int node, int code, string[] missing)
    {
        var told = Command.Execute(DaemonProgram.Cli, "quorum", "status", "--json", "--socket", Node(node).SocketPath);
        Output.WriteLine($"n{node}: exit {told.Code}: {told.Output.Trim()} {told.Error.Trim()}");

        Assert.Equal(code, told.Code);
        var reason = JsonDocument.Parse(told.Output).RootElement.GetProperty("reason").GetString();
        Assert.NotNull(reason);
        var said = reason.Split(';').First(clause => clause.EndsWith("missing", StringComparison.Ordinal)); // who decides a tie may be missing too, in a later clause
        Assert.All(missing, name => Assert.Contains(name, said, StringComparison.Ordinal));
        Assert.All(Cluster.Nodes.Where(other => !missing.Contains(other.Name)), other => Assert.DoesNotContain(other.Name, said, StringComparison.Ordinal));
    }
}
