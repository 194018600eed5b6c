using Membership.Totem;
using Membership.Virtual;

namespace Membership.Exploration.Cluster.Suites;

/// <summary>Processes that die, sleep, leave, at every step of the protocol.</summary>
internal static class Crashes
{
    private const string Together = "I22, I23, I25, I28: those who go on together delivered the same, and what was safe anywhere is everywhere";

    /// <summary>What the profile lan survives without a view change, nanoseconds (docs: timing).</summary>
    private const long PauseSurvived = 300_000_000;

    public static IEnumerable<ClusterSuite> All =>
    [
        new ClusterSuite(
            "crash", Together, "one view of all three once it runs again", new Template { Options = Template.Options3 },
            play =>
            {
                play.Traffic(6);
                play.CrashAndReturn();
                play.Explore(80);
                play.Settle();
            }),
        new ClusterSuite(
            "crash-while-forming", Together + "; a recovery that a second crash ends loses nothing of the first", "one view of all four once they run again", new Template { Options = Template.Of(4) },
            play =>
            {
                play.Traffic(6, 30);
                play.CrashAndReturn(16);
                play.CrashAndReturn(when: () => SomebodyForms(play));
                play.Explore(90);
                play.Settle();
            }),
        new ClusterSuite(
            "crash-while-synchronising", "I32, I33, I36: an exchange of lists or reports that a crash cuts off leaves neither members nor votes behind",
            "one view of all three with the same groups", new Template { Options = Template.Options3, Prepare = world => Formation.BeginMerge(world, 2) },
            play =>
            {
                play.Traffic(4);
                play.CrashAndReturn(10, () => SomebodySynchronises(play));
                play.CrashAndReturn(when: () => SomebodySynchronises(play));
                play.Explore(90);
                play.Settle();
            }),
        new ClusterSuite(
            "join-and-die", "I33, I34, I37: a machine that joins and dies while states are exchanged is a member everywhere or nowhere, and leaves no ghost",
            "one view of all four with the same groups", new Template { Options = Template.Of(4), Absent = 1 },
            play =>
            {
                var late = play.Hosts[^1];
                play.Offer(late.Position, () => Deeds.Return(play, late));
                play.Traffic(4);
                var isPowerLoss = play.Choose();
                play.Offer(late.Position, () => play.Crash(late, isPowerLoss), play.Choose(70), () => SomebodySynchronises(play) || SomebodyForms(play));
                play.Explore(90);
                play.Settle();
            }),
        new ClusterSuite(
            "pause", "D15, I15: a machine that sleeps for half of link_down at most stays, one that sleeps longer than it delivers nothing of its old view", "one view of all three", new Template { Options = Template.Options3 },
            play =>
            {
                var view = play.Hosts[0].View;
                var sleeper = play.ChooseHost();
                var length = (1 + play.Choose(20)) * 50_000_000L;
                play.Traffic(6);
                play.Offer(sleeper.Position, () => sleeper.Pause(length), play.Choose(50));
                play.LetTimePass(1);
                play.Explore(80);
                play.Settle();
                if (length <= PauseSurvived) play.CheckStayed(view, $"node {sleeper.Id} slept for {length / 1_000_000} ms");
            }),
        new ClusterSuite(
            "slow-machine", "I16 to I25: a machine that needs up to 50 ms for every batch holds the others up and confuses nobody", "one view of all three", new Template { Options = Template.Options3 },
            play =>
            {
                var slow = play.ChooseHost();
                var cost = (1 + play.Choose(10)) * 5_000_000L;
                play.Traffic(6);
                play.Offer(slow.Position, () => slow.SlowBy = cost, play.Choose(20));
                play.LetTimePass(1);
                play.Offer(slow.Position, () => slow.SlowBy = 0, 50, () => slow.SlowBy > 0);
                play.Explore(80);
                play.Settle();
            }),
        new ClusterSuite(
            "leave-and-crash", Together + "; a clean leave that races with a crash loses nothing that was accepted by those that stay", "one view of all three once they run again", new Template { Options = Template.Options3 },
            play =>
            {
                var leaver = play.ChooseHost();
                var returns = play.Choose();
                play.Traffic(5, 30);
                play.Offer(leaver.Position, leaver.Leave, play.Choose(30), () => leaver.IsRunning);
                play.CrashAndReturn(40);
                play.Offer(leaver.Position, () => Deeds.Return(play, leaver), 40, () => returns && !leaver.IsRunning);
                play.Explore(80);
                play.Settle();
            }),
        new ClusterSuite(
            "all-leave", "I22, I24: machines that all leave, in any order, lose nothing they accepted", "one view of all three once their service manager has started them again", new Template { Options = Template.Options3 },
            play =>
            {
                play.Traffic(5, 20);
                foreach (var host in play.Hosts) play.Offer(host.Position, host.Leave, play.Choose(40), () => host.IsRunning);
                play.Explore(80);
                play.Settle();
            }),
    ];

    private static bool SomebodyForms(Play play) => SomebodyForms(play.Hosts);

    public static bool SomebodyForms(IReadOnlyList<Host> hosts)
    {
        foreach (var host in hosts)
        {
            if (host.Node is { State: TotemState.Commit or TotemState.Recovery or TotemState.Gather }) return true;
        }
        return false;
    }

    public static bool SomebodySynchronises(Play play)
    {
        foreach (var host in play.Hosts)
        {
            if (host.Node is { View: not null } node && (node.Groups.IsSynchronising || node.Quorum.IsSynchronizing)) return true;
        }
        return false;
    }
}
