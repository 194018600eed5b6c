using System.Diagnostics;
using Membership.Namespaces;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>Acting only while nobody else can (I31): what real daemons answer on both sides of a cut, and when one of them is frozen.</summary>
public sealed class ExclusiveTests(ITestOutputHelper output) : QuorumTest(output)
{
    private static readonly int[] All = [1, 2, 3, 4, 5];
    private static readonly int[] Side = [1, 2, 3];
    private static readonly int[] Rest = [1, 2, 3, 4];

    private readonly List<ExclusiveRecorder> _asking = [];

    [RootFact]
    public async Task Two_sides_of_a_cut_never_may_act_at_one_instant()
    {
        await StartAsync(new ClusterPlan { Nodes = 5 });
        await AskingAsync();
        Assert.Equal(Quorate, Exclusive(1));

        var cut = Stopwatch.GetTimestamp();
        Cluster.Network.Split(Side, [4, 5]);
        await ExclusiveAsync(Side);
        Output.WriteLine($"the majority acts alone {Stopwatch.GetElapsedTime(cut).TotalMilliseconds:0} ms after the cut");
        Assert.Equal((Quorate, NotQuorate), (Exclusive(1), Exclusive(4)));

        Cluster.Network.Heal();
        await ExclusiveAsync(All);
        await JudgeAsync();
    }

    [RootFact]
    public async Task A_frozen_daemon_answers_when_it_thaws_and_its_time_has_run_out()
    {
        await StartAsync(new ClusterPlan { Nodes = 5 });
        await AskingAsync();

        Node(5).Daemon.Pause();
        var frozen = _asking[4].Samples[^1].Verdict;
        await Eventually.HoldsAsync("the others act alone without node 5", SettleLimit, () => Rest.All(node => _asking[node - 1].IsExclusive(Rest)));
        Assert.True(Stopwatch.GetTimestamp() > frozen.QuorateUntilNs, "the others act while the last answer of the frozen node still counts");
        var thawed = Stopwatch.GetTimestamp();
        Node(5).Daemon.Resume();

        await ExclusiveAsync(All);
        var first = _asking[4].Samples.First(sample => sample.At > thawed).Verdict;
        Assert.True(first.QuorateUntilNs <= thawed || first.View.Id != frozen.View.Id, $"the thawed daemon vouched for its old view until {first.QuorateUntilNs}, thawed at {thawed}");
        await JudgeAsync();
    }

    private async Task AskingAsync()
    {
        _asking.AddRange(Cluster.Nodes.Select(node => new ExclusiveRecorder(node)));
        await ExclusiveAsync(All);
    }

    private Task ExclusiveAsync(int[] nodes) => Eventually.HoldsAsync(
        $"nodes {string.Join(',', nodes)} may act alone", SettleLimit * 2, () => nodes.All(node => _asking[node - 1].IsExclusive(nodes)));

    private int Exclusive(int node)
    {
        var told = Command.Execute(DaemonProgram.Cli, "check", "quorum", "--exclusive", "--socket", Node(node).SocketPath);
        Output.WriteLine($"n{node}: exit {told.Code}: {told.Output.Trim()} {told.Error.Trim()}");
        return told.Code;
    }

    private async Task JudgeAsync()
    {
        foreach (var asking in _asking) await asking.DisposeAsync();
        var checker = ExclusiveRecorder.Check(_asking);

        Assert.Empty(checker.Violations);
        Assert.True(checker.ExclusiveTimes >= 10, $"only {checker.ExclusiveTimes} exclusive times were told");
    }
}
