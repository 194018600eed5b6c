using Membership.Virtual;

namespace Membership.Exploration.Cluster.Suites;

/// <summary>Networks that fall apart and come together, at every step.</summary>
internal static class Partitions
{
    private const string Safety = "I29, I30: never two quorate sides, and the next one has a member of the last; I19, I23, I25: what each side delivers fits the other";
    private const string Liveness = "one view of all, quorate";

    public static IEnumerable<ClusterSuite> All =>
    [
        Of("partition-2-1", 2, 0, 0, 1),
        Of("partition-2-2", 2, 0, 0, 1, 1),
        Of("partition-3-2", 1, 0, 0, 0, 1, 1),
        Of("partition-2-2-1", 1, 0, 0, 1, 1, 2),
        new ClusterSuite(
            "partitions-in-turn", Safety, Liveness, new Template { Options = Template.Of(4) },
            play =>
            {
                play.Traffic(5);
                play.CutAndHeal(1, play.Shuffled(0, 0, 0, 1));
                play.CutAndHeal(1, play.Shuffled(0, 0, 1, 1));
                play.Explore(100);
                play.Settle();
            }),
        new ClusterSuite(
            "one-way-cuts", "I7 to I15: machines of which one hears the other but not the other way round form views that all of their members agree to", Liveness, new Template { Options = Template.Options3 },
            play =>
            {
                play.Traffic(5);
                for (var i = 1 + play.Choose(2); i > 0; i--) CutOneWay(play);
                play.LetTimePass(2);
                play.Explore(80);
                play.Settle();
            }),
        new ClusterSuite(
            "partition-and-crash", Safety, Liveness, new Template { Options = Template.Options3 },
            play =>
            {
                play.Traffic(5);
                play.CutAndHeal(1, play.Shuffled(0, 0, 1));
                play.CrashAndReturn();
                play.Explore(90);
                play.Settle();
            }),
        new ClusterSuite(
            "large-messages", "I5, I40: messages of several frames arrive whole or not at all, and nothing of their sender overtakes them, also when the view changes between two frames",
            Liveness, new Template { Options = Template.Options3 },
            play =>
            {
                for (var i = 0; i < 4; i++)
                {
                    var (host, bytes, isGroup) = (play.ChooseHost(), 2000 + (play.Choose(8) * 2500), play.Choose());
                    var level = play.Choose() ? Totem.DeliveryLevel.Safe : Totem.DeliveryLevel.Agreed;
                    play.Offer(
                        host.Position,
                        () =>
                        {
                            if (isGroup) play.SendToGroups(host, level, 0, bytes);
                            else play.Submit(host, level, bytes);
                            play.Submit(host, level);
                        },
                        play.Choose(25),
                        () => host.IsRunning);
                }
                play.Lose(DatagramKind.Data, play.Choose(30));
                if (play.Choose()) play.CrashAndReturn(40);
                else play.CutAndHeal(1, play.Shuffled(0, 0, 1));
                play.Explore(100);
                play.Settle();
            }),
    ];

    private static ClusterSuite Of(string name, int times, params int[] sides) => new(
        name, Safety, Liveness, new Template { Options = Template.Of(sides.Length) },
        play =>
        {
            play.Traffic(5);
            play.CutAndHeal(times, play.Shuffled([.. sides]));
            play.Explore(90);
            play.Settle();
        });

    private static void CutOneWay(Play play)
    {
        var from = play.ChooseHost();
        var to = play.Hosts[(from.Position + 1 + play.Choose(play.Hosts.Count - 1)) % play.Hosts.Count];
        var isCut = false;
        var at = play.Choose(40);
        play.Offer(to.Position, () => { play.CutPath(from.Position, to.Position, true); isCut = true; }, at);
        play.Offer(to.Position, () => play.CutPath(from.Position, to.Position, false), at + play.Choose(40), () => isCut);
    }
}
