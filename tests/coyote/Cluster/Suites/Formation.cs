using Membership.Virtual;

namespace Membership.Exploration.Cluster.Suites;

/// <summary>How rings come to be.</summary>
internal static class Formation
{
    public static IEnumerable<ClusterSuite> All =>
    [
        Of(2), Of(3), Of(4),
        new ClusterSuite(
            "merge-2-2",
            "I7, I10, I33, I37: two rings that find each other become one, whatever is lost on the way; each side's members come before its messages",
            "one view of all four",
            new Template { Options = Template.Of(4), Prepare = world => SplitFor(world, 3_000_000_000) },
            play =>
            {
                play.Traffic(4);
                play.Offer(play.Hosts.Count, play.Heal, 0);
                play.Lose(Kinds[play.Choose(Kinds.Length)], play.Choose(8));
                play.Explore(80);
                play.Settle();
            }),
    ];

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
            play.Explore(90);
            play.Settle();
        });

    private static void SplitFor(World world, long nanoseconds)
    {
        foreach (var (from, to) in Across(world.Hosts.Count)) world.Network.Cut(from, to, 0, 1);
        world.RunTo(world.Now + nanoseconds);
    }

    private static IEnumerable<(int From, int To)> Across(int nodes) =>
        from one in Enumerable.Range(0, nodes)
        from other in Enumerable.Range(0, nodes)
        where one < nodes / 2 != other < nodes / 2
        select (one, other);
}
