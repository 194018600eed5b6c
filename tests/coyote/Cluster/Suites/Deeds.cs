using System.Runtime.CompilerServices;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Exploration.Cluster.Suites;

/// <summary>What suites have in common: traffic, crashes, cuts. Few faults per iteration: a rare order of few things finds more than a storm.</summary>
internal static class Deeds
{
    /// <summary>Steps that most suites explore before the end.</summary>
    public const int Steps = 60;

    private const int LargeBytes = 5000;

    /// <summary>So many messages of any kind, from any machine, at any time.</summary>
    public static void Traffic(this Play play, int messages, int steps = Steps)
    {
        for (var i = 0; i < messages; i++)
        {
            var host = play.ChooseHost();
            var kind = play.Choose(5);
            play.Offer(host.Position, () => Send(play, host, kind), play.Choose(steps), () => host.IsRunning);
        }
    }

    private static void Send(Play play, Host host, int kind)
    {
        switch (kind)
        {
            case 0: play.Submit(host, DeliveryLevel.Agreed); break;
            case 1: play.Submit(host, DeliveryLevel.Safe); break;
            case 2: play.SendToGroups(host, DeliveryLevel.Agreed); break;
            case 3: play.SendToGroups(host, DeliveryLevel.Safe); break;
            default: play.Submit(host, DeliveryLevel.Agreed, LargeBytes); break;
        }
    }

    /// <summary>One machine dies at any time, with or without its neighbours being told, and comes back later.</summary>
    public static void CrashAndReturn(this Play play, int steps = Steps, Func<bool>? when = null, [CallerArgumentExpression(nameof(when))] string? whenText = null)
    {
        var host = play.ChooseHost();
        var isPowerLoss = play.Choose();
        var from = play.Choose(steps);
        var isDown = false;
        if (play.Choose()) play.LetTimePass(1, steps);
        play.Offer(host.Position, () => { play.Crash(host, isPowerLoss); isDown = true; }, from, () => host.IsRunning && (when is null || when()), whenText is null ? "crash" : $"crash when {whenText}");
        play.Offer(host.Position, () => Return(play, host), from + play.Choose(steps / 2), () => isDown && !host.IsRunning, "return");
    }

    /// <summary>A process starts again, and its first session joins the group again.</summary>
    public static void Return(Play play, Host host)
    {
        host.Start(hasDisk: true);
        host.JoinGroup(0, Template.Group);
        if (play.Choose()) play.SendToGroups(host, DeliveryLevel.Agreed);
    }

    /// <summary>The network is cut into these sides and heals, so many times, at any step.</summary>
    public static void CutAndHeal(this Play play, int times, params int[] sides)
    {
        var done = 0;
        for (var i = 0; i < 2 * times; i++)
        {
            var turn = i;
            if (turn % 2 == 0) play.LetTimePass(1);
            play.Offer(
                play.Hosts.Count,
                () =>
                {
                    done++;
                    if (turn % 2 == 0) play.Split(sides);
                    else play.Heal();
                },
                play.Choose(Steps),
                () => done == turn,
                turn % 2 == 0 ? "cut" : "heal");
        }
    }

    /// <summary>Time passes in order and nobody chooses anything: what was begun (a cut, a death) is noticed. So many times, at any step.</summary>
    public static void LetTimePass(this Play play, int times, int steps = Steps)
    {
        for (var i = 0; i < times; i++)
        {
            var length = Lengths[play.Choose(Lengths.Length)];
            play.Offer(play.Hosts.Count, () => play.Pass(length), play.Choose(steps));
        }
    }

    /// <summary>Below link_down, just above it, beyond the token's timeout, beyond that and the consensus.</summary>
    private static readonly long[] Lengths = [300_000_000, 650_000_000, 1_050_000_000, 2_300_000_000];

    /// <summary>The sides with the machines in a drawn order: who is on which side is a choice too.</summary>
    public static int[] Shuffled(this Play play, params int[] sides)
    {
        for (var i = sides.Length - 1; i > 0; i--)
        {
            var other = play.Choose(i + 1);
            (sides[i], sides[other]) = (sides[other], sides[i]);
        }
        return sides;
    }

    /// <summary>I15: nothing that happened was a reason for another view.</summary>
    public static void CheckStayed(this Play play, View? view, string happened)
    {
        foreach (var host in play.Hosts) play.Assert(host.View?.Id == view?.Id, $"I15: node {host.Id} went from {view?.Id} to {host.View?.Id}, though no more happened than that {happened}");
    }

    /// <summary>A datagram of a kind is lost, at most twice.</summary>
    public static void LoseSome(this Play play, DatagramKind kind, int among)
    {
        for (var i = play.Choose(2); i < 2; i++) play.Lose(kind, play.Choose(among));
    }
}
