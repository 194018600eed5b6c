using Membership.Totem;
using Membership.Virtual;

namespace Membership.Exploration.Cluster.Suites;

/// <summary>Clients that come, go, stop and vanish while views change; keys that are exchanged under them.</summary>
internal static class Clients
{
    private const string Groups = "I33 to I40: every member sees one sequence of changes and messages, reasons are true, nobody is a member who did not ask for it, every sender hears of its messages";

    public static IEnumerable<ClusterSuite> All =>
    [
        new ClusterSuite(
            "sessions", Groups, "the same groups with the members that asked to be in them, everywhere", new Template { Options = Template.Options3 },
            play =>
            {
                Sessions(play, 10);
                play.Explore(80);
                play.Settle();
            }),
        new ClusterSuite(
            "sessions-across-views", Groups, "the same groups with the members that asked to be in them, everywhere", new Template { Options = Template.Options3 },
            play =>
            {
                Sessions(play, 8);
                if (play.Choose()) play.CrashAndReturn(40);
                else play.CutAndHeal(1, play.Shuffled(0, 0, 1));
                play.Explore(100);
                play.Settle();
            }),
        new ClusterSuite(
            "slow-and-vanishing-clients", Groups + "; a machine that is busy with its clients and one whose clients die take nobody with them", "the same groups with the members that asked to be in them, everywhere",
            new Template { Options = Template.Options3 },
            play =>
            {
                var view = play.Hosts[0].View;
                var isCut = play.Choose();
                var slow = play.ChooseHost();
                Sessions(play, 5);
                play.Offer(slow.Position, () => slow.SlowBy = 30_000_000, play.Choose(30));
                for (var place = 0; place < Host.Sessions; place++)
                {
                    var session = place;
                    play.Offer(slow.Position, () => slow.EndSession(session), play.Choose(60), () => slow.IsRunning);
                }
                if (isCut) play.CutAndHeal(1, play.Shuffled(0, 0, 1));
                else play.LetTimePass(1);
                play.Explore(100);
                play.Settle();
                if (!isCut) play.CheckStayed(view, $"node {slow.Id} was busy and its clients died");
            }),
        new ClusterSuite(
            "key-rotation", "I15: keys are exchanged machine by machine, each step everywhere before the next, without a view change and without a lost message", "one view of all three", new Template { Options = Template.Options3 },
            play =>
            {
                var view = play.Hosts[0].View;
                RotateKeys(play);
                play.Traffic(6);
                play.Explore(90);
                play.Settle();
                play.CheckStayed(view, "keys were exchanged");
            }),
        new ClusterSuite(
            "key-rotation-and-crash", "I7 to I25, I29: as without rotation, whoever dies or is cut off between its steps", "one view of all three", new Template { Options = Template.Options3 },
            play =>
            {
                RotateKeys(play);
                play.Traffic(4);
                if (play.Choose()) play.CrashAndReturn();
                else play.CutAndHeal(1, play.Shuffled(0, 0, 1));
                play.Explore(100);
                FinishRotation(play);
                play.Settle();
            }),
    ];

    private static readonly string[] Names = [Template.Group, "b"];

    private static void Sessions(Play play, int requests)
    {
        for (var i = 0; i < requests; i++)
        {
            var (host, session, group, what) = (play.ChooseHost(), play.Choose(Host.Sessions), Names[play.Choose(Names.Length)], play.Choose(6));
            play.Offer(
                host.Position,
                () =>
                {
                    switch (what)
                    {
                        case 0 or 1: host.JoinGroup(session, group); break;
                        case 2: host.LeaveGroup(session, group); break;
                        case 3: host.EndSession(session); break;
                        case 4: play.SendToGroups(host, DeliveryLevel.Agreed, session); break;
                        default: play.SendToGroups(host, DeliveryLevel.Safe, session); break;
                    }
                },
                play.Choose(Deeds.Steps),
                () => host.IsRunning);
        }
    }

    private static readonly (byte Id, bool IsActive)[][] KeySteps =
    [
        [(1, true), (2, false)],
        [(1, false), (2, true)],
        [(2, true)],
    ];

    /// <summary>As the manual says: the new key is accepted everywhere, then used everywhere, then the old one goes.</summary>
    private static void RotateKeys(Play play)
    {
        var step = 0;
        var done = 0;
        for (var number = 0; number < KeySteps.Length; number++)
        {
            foreach (var host in play.Hosts)
            {
                var mine = number;
                play.Offer(
                    host.Position,
                    () =>
                    {
                        Play.GiveKeys(host, KeySteps[mine]);
                        if (++done % play.Hosts.Count == 0) step++;
                    },
                    play.Choose(8),
                    () => step == mine);
            }
        }
    }

    /// <summary>The operator does not stop half way.</summary>
    private static void FinishRotation(Play play)
    {
        foreach (var keys in KeySteps)
        {
            foreach (var host in play.Hosts)
            {
                if (host.Keys.Count != 1 || host.Keys[0].Id != KeySteps[^1][0].Id) Play.GiveKeys(host, keys);
            }
        }
    }
}
