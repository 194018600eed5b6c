using Membership.Links;
using Membership.Quorum;
using Membership.Virtual;

namespace Membership.Exploration.Cluster.Suites;

/// <summary>Every way to decide quorum, under cuts and crashes: never two sides that may act, but where the settings say so.</summary>
internal static class SplitBrain
{
    private const string OneSide = "I29, I30, I32: never two quorate sides without a common member, each primary view has a member of the last, all members of a view say the same";
    private const string Liveness = "one view of all, quorate";

    /// <summary>With so many of three machines' votes one alone may be the majority.</summary>
    private const int VotesAskedMax = 5;

    public static IEnumerable<ClusterSuite> All =>
    [
        Of("split-majority", 3, quorum => quorum, 0, 0, 1),
        Of("split-weighted", 3, quorum => quorum with { Voters = [new Voter(new NodeId(1), 3), new Voter(new NodeId(2), 1), new Voter(new NodeId(3), 1)] }, 0, 1, 1),
        Of("split-wait-for-all", 3, quorum => quorum with { WaitForAll = true }, 0, 0, 1),
        Of("split-last-man-standing", 4, quorum => quorum with { Mode = QuorumMode.LastManStanding, WaitForAll = true, LastManStandingWindow = TimeSpan.FromSeconds(10) }, 0, 0, 0, 1),
        Of("split-tie-breaker-lowest", 4, quorum => quorum with { TieBreaker = TieBreakerKind.Lowest }, 0, 0, 1, 1),
        Of("split-tie-breaker-highest", 4, quorum => quorum with { TieBreaker = TieBreakerKind.Highest }, 0, 0, 1, 1),
        Of("split-tie-breaker-list", 4, quorum => quorum with { TieBreaker = TieBreakerKind.List, TieBreakerNodes = [new NodeId(3), new NodeId(1)] }, 0, 0, 1, 1),
        Of("split-allow-downscale", 4, quorum => quorum with { AllowDownscale = true }, LeaveAndReturn, 0, 0, 1, 1),
        Of("split-votes-changed", 3, quorum => quorum, ChangeVotes, 0, 0, 1),
        new ClusterSuite(
            "split-two-node",
            "I32; two-node lets both sides of a cut act, as configured, but with wait-for-all a machine that was started and has not met the other since is not quorate",
            Liveness, new Template { Options = WithQuorum(2, quorum => quorum with { Mode = QuorumMode.TwoNode, WaitForAll = true }) },
            play =>
            {
                play.World.History.HasOneQuorateSide = false;
                var hasMet = new bool[play.Hosts.Count];
                var generation = new int[play.Hosts.Count];
                play.AfterEachStep = () => CheckMet(play, hasMet, generation);
                play.Traffic(3);
                play.CutAndHeal(1, 0, 1);
                play.CrashAndReturn(40);
                play.Explore(80);
                play.Settle();
            }),
        new ClusterSuite(
            "start-split", OneSide + "; also while a cluster starts for the first time", Liveness, new Template { Options = WithQuorum(4, quorum => quorum with { TieBreaker = TieBreakerKind.Lowest }), IsFormed = false },
            play =>
            {
                foreach (var host in play.Hosts) play.Offer(host.Position, () => host.Start(hasDisk: true), play.Choose(15));
                play.CutAndHeal(1, play.Shuffled(0, 0, 1, 1));
                play.Traffic(3);
                play.Explore(90);
                play.Settle();
            }),
    ];

    public static WorldOptions WithQuorum(int nodes, Func<QuorumOptions, QuorumOptions> settings) => Template.Of(nodes) with
    {
        Quorum = settings(new QuorumOptions { Self = new NodeId(1), Voters = [.. Enumerable.Range(1, nodes).Select(number => new Voter(new NodeId((ushort)number), 1))] }),
    };

    private static ClusterSuite Of(string name, int nodes, Func<QuorumOptions, QuorumOptions> settings, params int[] sides) => Of(name, nodes, settings, static _ => { }, sides);

    private static ClusterSuite Of(string name, int nodes, Func<QuorumOptions, QuorumOptions> settings, Action<Play> deeds, params int[] sides) => new(
        name, OneSide, Liveness, new Template { Options = WithQuorum(nodes, settings) },
        play =>
        {
            deeds(play);
            play.Traffic(3);
            play.CutAndHeal(1, play.Shuffled([.. sides]));
            play.CutAndHeal(1, play.Shuffled([.. sides]));
            if (play.Choose()) play.CrashAndReturn();
            play.Explore(100);
            play.Settle();
        });

    /// <summary>One or two leave in order, which takes their votes out of the expected ones, and come back at any time.</summary>
    private static void LeaveAndReturn(Play play)
    {
        for (var i = 1 + play.Choose(2); i > 0; i--)
        {
            var leaver = play.ChooseHost();
            var from = play.Choose(40);
            var isAsked = false;
            play.Offer(leaver.Position, () => { leaver.Leave(); isAsked = true; }, from, () => leaver.IsRunning);
            play.Offer(leaver.Position, () => Deeds.Return(play, leaver), from + play.Choose(40), () => isAsked && !leaver.IsRunning);
        }
    }

    /// <summary>An operator asks machines for other votes of one of them, whatever side they are on.</summary>
    private static void ChangeVotes(Play play)
    {
        for (var i = 1 + play.Choose(3); i > 0; i--)
        {
            var (host, voter, votes) = (play.ChooseHost(), play.ChooseHost(), 1UL + (ulong)play.Choose(VotesAskedMax));
            play.Offer(host.Position, () => host.ChangeQuorum(new QuorumChange.SetVotes(voter.Id, votes)), play.Choose(60), () => host.IsRunning);
        }
    }

    private static void CheckMet(Play play, bool[] hasMet, int[] generation)
    {
        foreach (var host in play.Hosts)
        {
            if (generation[host.Position] != host.Generation)
            {
                hasMet[host.Position] = generation[host.Position] == 0; // the ring was formed before the first step
                generation[host.Position] = host.Generation;
            }
            if (host.Node is not { } node) continue;
            if (host.View is { Members.Count: > 1 }) hasMet[host.Position] = true;
            if (node.Quorum.IsQuorate) play.Assert(hasMet[host.Position], $"WAIT-FOR-ALL: node {host.Id} was started, has not met the other since and is quorate: {node.Quorum.Reason}");
        }
    }
}
