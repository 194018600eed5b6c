using Membership.Virtual;

namespace Membership.Exploration.Cluster.Suites;

/// <summary>How rings come to be.</summary>
internal static class Formation
{
    private const long ApartTime = 3_000_000_000;
    private const long MergeMax = 10_000_000_000;

    /// <summary>Steps for each machine, so that its messages of each kind come.</summary>
    private const int StepsOfEach = 60;

    public static IEnumerable<ClusterSuite> All =>
    [
        Of(2), Of(3), Of(4),
        new ClusterSuite(
            "merge-2-2",
            "I7, I10, I33, I37: two rings that find each other become one, whatever is lost on the way; each side's members come before its messages",
            "one view of all four",
            new Template { Options = Template.Of(4), Prepare = world => BeginMerge(world, 2) },
            play =>
            {
                play.Traffic(4);
                play.Lose(KindsOfMerge[play.Choose(KindsOfMerge.Length)], play.Choose(8));
                play.Explore(80);
                play.Settle();
            }),
    ];

    private static readonly DatagramKind[] KindsOfMerge = [DatagramKind.Heartbeat, DatagramKind.Join, DatagramKind.CommitToken, DatagramKind.Token, DatagramKind.Data];

    private static readonly DatagramKind[] Kinds = [DatagramKind.Handshake, DatagramKind.Heartbeat, DatagramKind.Join, DatagramKind.CommitToken, DatagramKind.Announce, DatagramKind.Token, DatagramKind.Data];

    private static ClusterSuite Of(int nodes) => new(
        $"formation-{nodes}",
        "I7 to I12, I29: machines that start at any time, losing what they may of the first words, never install two views of one name, and never are quorate apart",
        "one view of all of them, quorate",
        new Template { Options = Template.Of(nodes), IsFormed = false },
        play =>
        {
            foreach (var host in play.Hosts)
            {
                play.Offer(
                    host.Position,
                    () =>
                    {
                        host.Start(hasDisk: true);
                        host.JoinGroup(0, Template.Group);
                    },
                    play.Choose(3) * play.Choose(20));
            }
            play.Traffic(3);
            for (var i = play.Choose(3); i > 0; i--) play.Lose(Kinds[play.Choose(Kinds.Length)], play.Choose(6));
            play.Explore(StepsOfEach * nodes);
            play.Settle();
        });

    /// <summary>The machines from a position on are cut off until each side has a ring of its own, then heard again, and time passes until the first of them wants one ring of all.</summary>
    public static void BeginMerge(World world, int from)
    {
        Cut(world, from, 1);
        world.RunTo(world.Now + ApartTime);
        Cut(world, from, -1);
        if (!world.RunTo(world.Now + MergeMax, () => Crashes.SomebodyForms(world.Hosts))) throw new InvalidOperationException("no merge began");
    }

    private static void Cut(World world, int from, int change)
    {
        foreach (var one in world.Hosts)
        {
            foreach (var other in world.Hosts)
            {
                if (one.Position < from != other.Position < from) world.Network.Cut(one.Position, other.Position, 0, change);
            }
        }
    }
}
