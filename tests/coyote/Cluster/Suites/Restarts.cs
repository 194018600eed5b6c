using Membership.Virtual;

namespace Membership.Exploration.Cluster.Suites;

/// <summary>Machines that come back with the disk they had, an older one, none, or one that cannot be written.</summary>
internal static class Restarts
{
    private const string Safety = "I7, I11: no two rings of one name, and numbers rise along each disk that was not replaced";

    public static IEnumerable<ClusterSuite> All =>
    [
        Of("restart-with-disk", (play, host, _) => Deeds.Return(play, host)),
        Of("restart-without-disk", (play, host, _) =>
        {
            host.Start(hasDisk: false);
            host.JoinGroup(0, Template.Group);
        }),
        Of("restart-with-older-disk", (play, host, image) =>
        {
            host.StartWith(image);
            host.JoinGroup(0, Template.Group);
        }),
        new ClusterSuite(
            "disk-errors", Safety + "; a disk that cannot be written stops nobody before the reserved numbers run out", "one view of all three", new Template { Options = Template.Options3 },
            play =>
            {
                var host = play.ChooseHost();
                var starts = play.Hosts.Sum(each => each.Generation);
                play.Traffic(4);
                play.Offer(host.Position, () => host.DiskFails = true, play.Choose(20));
                if (play.Choose()) play.CrashAndReturn(30);
                else play.CutAndHeal(1, play.Shuffled(0, 0, 1));
                if (play.Choose()) play.Offer(host.Position, () => host.DiskFails = false, 30 + play.Choose(40), () => host.DiskFails);
                play.Explore(90);
                play.DisksStayBroken = play.Hosts.All(each => each.IsRunning) && play.Hosts.Sum(each => each.Generation) == starts; // who starts goes on behind its own reservation, which is as far as the others'
                play.Settle();
            }),
        new ClusterSuite(
            "restart-all", Safety + "; I29, I30: a cluster whose machines all die and start again, in any order, goes on from what it was", "one view of all three, quorate",
            new Template { Options = SplitBrain.WithQuorum(3, quorum => quorum with { TrackExpectedVotes = true }) },
            play =>
            {
                play.Traffic(4, 30);
                foreach (var host in play.Hosts)
                {
                    var at = play.Choose(40);
                    var wasDown = false;
                    play.Offer(host.Position, () => { play.Crash(host); wasDown = true; }, at, () => host.IsRunning);
                    play.Offer(host.Position, () => Deeds.Return(play, host), at + play.Choose(30), () => wasDown && !host.IsRunning);
                }
                play.Explore(90);
                play.Settle();
            }),
    ];

    private static ClusterSuite Of(string name, Action<Play, Host, DiskImage> again) => new(
        name, Safety + "; I29: quorum of a plain majority does not depend on what the disk of one machine remembers", "one view of all three, quorate", new Template { Options = Template.Options3 },
        play =>
        {
            var host = play.ChooseHost();
            var image = host.TakeImage();
            var at = play.Choose(40);
            var isDown = false;
            play.Traffic(5);
            if (play.Choose()) play.CutAndHeal(1, play.Shuffled(0, 0, 1));
            play.Offer(host.Position, () => { play.Crash(host); isDown = true; }, at, () => host.IsRunning);
            play.Offer(host.Position, () => again(play, host, image), at + play.Choose(40), () => isDown && !host.IsRunning);
            play.Explore(90);
            play.Settle();
        });
}
