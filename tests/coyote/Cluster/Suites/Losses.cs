using Membership.Virtual;

namespace Membership.Exploration.Cluster.Suites;

/// <summary>Each kind of message is lost, at most twice, where it matters.</summary>
internal static class Losses
{
    private const string Safety = "I16 to I25: a lost message of any kind changes neither the order nor the set of what is delivered";
    private const string Liveness = "one view of all three, everything accepted is delivered";

    /// <summary>A leave ends at the latest with the token's timeout; then the goodbye is repeated.</summary>
    private const long LeaveMax = 1_100_000_000;

    /// <summary>When a machine of which nothing is heard any more is out of the view: what the profile lan promises for a cut cable.</summary>
    private const long DeadMax = 1_000_000_000;

    public static IEnumerable<ClusterSuite> All =>
    [
        InOperation("loss-token", DatagramKind.Token, 20),
        InOperation("loss-data", DatagramKind.Data, 12),
        InOperation("loss-hold-cancel", DatagramKind.HoldCancel, 3),
        InOperation("loss-heartbeat", DatagramKind.Heartbeat, 12),
        InChange("loss-join", DatagramKind.Join, 16),
        InChange("loss-commit-token", DatagramKind.CommitToken, 8),
        InChange("loss-announce", DatagramKind.Announce, 3),
        InChange("loss-handshake", DatagramKind.Handshake, 6),
        new ClusterSuite(
            "loss-leave", Safety + "; whoever leaves is not waited for longer than for a dead one", "one view of all three once it was started again", new Template { Options = Template.Options3 },
            play =>
            {
                var leaver = play.ChooseHost();
                var isAsked = false;
                play.Traffic(4);
                play.Lose(play.Choose() ? DatagramKind.Leave : DatagramKind.Leaving, play.Choose(3));
                play.Lose(DatagramKind.Leave, play.Choose(4));
                play.Offer(leaver.Position, () => { leaver.Leave(); isAsked = true; }, play.Choose(20));
                play.Explore(Deeds.Steps);
                if (isAsked) CheckGone(play, leaver);
                play.Settle();
            }),
        new ClusterSuite(
            "copies-and-overtaking", "I2, I16, I17, I20: copies and late datagrams change nothing", Liveness, new Template { Options = Template.Options3 },
            play =>
            {
                play.Window = 90_000_000;
                play.Traffic(7);
                for (var i = 0; i < 4; i++)
                {
                    var number = play.Choose(4);
                    play.Offer(play.Hosts.Count, () => play.Duplicate(number), play.Choose(Deeds.Steps));
                }
                play.Explore(80);
                play.Settle();
            }),
    ];

    private static void CheckGone(Play play, Host leaver)
    {
        play.Pass(LeaveMax);
        play.Assert(!leaver.IsRunning, $"D16: node {leaver.Id} was asked to leave and still runs {LeaveMax / 1_000_000} ms later");
        play.Pass(DeadMax);
        foreach (var host in play.Hosts)
        {
            if (host == leaver) continue;
            play.Assert(host.View is { } view && view.Members.All(member => member.Node != leaver.Id), $"D16: node {leaver.Id} has left, and {DeadMax / 1_000_000} ms later node {host.Id} is in {host.View?.Id} with it");
        }
    }

    private static ClusterSuite InOperation(string name, DatagramKind kind, int among) => new(
        name, Safety, Liveness, new Template { Options = Template.Options3 },
        play =>
        {
            play.Traffic(6);
            play.LoseSome(kind, among);
            if (play.Choose()) play.LetTimePass(1);
            play.Explore(80);
            play.Settle();
        });

    /// <summary>A machine is cut off or dies and returns, so that a ring is formed in between.</summary>
    private static ClusterSuite InChange(string name, DatagramKind kind, int among) => new(
        name, Safety, Liveness, new Template { Options = Template.Options3 },
        play =>
        {
            play.Traffic(4);
            play.LoseSome(kind, among);
            if (play.Choose()) play.CrashAndReturn(20);
            else play.CutAndHeal(1, play.Shuffled(0, 0, 1));
            play.Explore(80);
            play.Settle();
        });
}
