using Membership.Quorum;

namespace Membership.Exploration.Cluster.Suites;

/// <summary>A witness decides between halves: the daemon's rule and leases under cuts of nodes, of the witness, and its restarts.</summary>
internal static class Witnesses
{
    private const long GrantTime = 1_500_000_000;

    public static IEnumerable<ClusterSuite> All =>
    [
        Of("split-witness-2", 2, WitnessAlgorithm.FiftyFiftySplit, 1, 0, 1),
        Of("split-witness-4", 4, WitnessAlgorithm.FiftyFiftySplit, 1, 0, 0, 1, 1),
        Of("split-witness-last-man", 4, WitnessAlgorithm.LastManStanding, 3, 0, 1, 1, 1),
    ];

    private static ClusterSuite Of(string name, int nodes, WitnessAlgorithm algorithm, ulong votes, params int[] sides) => new(
        name,
        "I29, I32: the witness's votes count on one side at a time: before another side gets them, whoever could still count them has stopped, whatever is cut and whoever dies",
        "one view of all, quorate, once all reach each other and the witness",
        new Template { Options = SplitBrain.WithQuorum(nodes, quorum => quorum with { Witness = algorithm, WitnessVotes = votes }) },
        play =>
        {
            play.World.History.HasContinuity = false;
            var witness = new VirtualWitness(play.World, algorithm, votes);
            play.Pass(GrantTime);
            play.Traffic(2);
            play.CutAndHeal(1, play.Shuffled([.. sides]));
            play.LetTimePass(3);
            var cutOff = play.Choose(nodes);
            var at = play.Choose(50);
            if (play.Choose()) play.Offer(cutOff, () => witness.Reach(cutOff, false), at);
            if (play.Choose()) play.Offer(nodes, witness.Restart, play.Choose(50));
            if (play.Choose()) play.CrashAndReturn();
            play.Explore(90);
            witness.ReachAll();
            play.Settle();
        });
}
