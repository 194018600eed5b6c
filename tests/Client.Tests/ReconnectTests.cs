using Xunit;

namespace Membership.Client.Tests;

public sealed class ReconnectTests
{
    private static readonly MembershipClientOptions Options = new()
    {
        ReconnectDelayMin = TimeSpan.FromMilliseconds(100),
        ReconnectDelayMax = TimeSpan.FromSeconds(1),
        ConnectFor = TimeSpan.FromSeconds(5),
        ReconnectFor = TimeSpan.FromSeconds(20),
    };

    [Fact]
    public void Pauses_double_up_to_the_longest_and_vary_by_at_most_a_half()
    {
        var reconnect = new Reconnect(Options, new Random(7));

        var pauses = Enumerable.Range(0, 7).Select(_ => reconnect.OnFailed(TimeSpan.Zero, MembershipReason.Unavailable)!.Value.TotalMilliseconds).ToList();

        double[] longest = [100, 200, 400, 800, 1000, 1000, 1000];
        for (int index = 0; index < pauses.Count; index++) Assert.InRange(pauses[index], longest[index] / 2, longest[index]);
        Assert.True(pauses.Distinct().Count() == pauses.Count);
    }

    [Fact]
    public void Same_random_numbers_give_the_same_pauses()
    {
        static List<TimeSpan?> Run()
        {
            var reconnect = new Reconnect(Options, new Random(7));
            return [.. Enumerable.Range(0, 5).Select(_ => reconnect.OnFailed(TimeSpan.Zero, MembershipReason.Unavailable))];
        }

        Assert.Equal(Run(), Run());
    }

    [Fact]
    public void Success_starts_the_pauses_and_the_patience_anew()
    {
        var reconnect = new Reconnect(Options, new Random(7));
        for (int second = 0; second < 5; second++) reconnect.OnFailed(TimeSpan.FromSeconds(second), MembershipReason.Unavailable);

        reconnect.OnConnected();

        Assert.InRange(reconnect.OnFailed(TimeSpan.FromSeconds(100), MembershipReason.Unavailable)!.Value.TotalMilliseconds, 50, 100);
        Assert.NotNull(reconnect.OnFailed(TimeSpan.FromSeconds(119), MembershipReason.Unavailable));
        Assert.Null(reconnect.OnFailed(TimeSpan.FromSeconds(120), MembershipReason.Unavailable));
    }

    [Fact]
    public void First_connection_has_its_own_patience()
    {
        var reconnect = new Reconnect(Options, new Random(7));

        Assert.NotNull(reconnect.OnFailed(TimeSpan.FromSeconds(1), MembershipReason.Unavailable));
        Assert.NotNull(reconnect.OnFailed(TimeSpan.FromSeconds(5), MembershipReason.Unavailable));
        Assert.Null(reconnect.OnFailed(TimeSpan.FromSeconds(6), MembershipReason.Unavailable));
    }

    [Theory]
    [InlineData(MembershipReason.Denied)]
    [InlineData(MembershipReason.Unsupported)]
    [InlineData(MembershipReason.Invalid)]
    [InlineData(MembershipReason.NotFound)]
    public void What_only_a_person_can_change_is_not_tried_again(MembershipReason reason)
    {
        var reconnect = new Reconnect(Options, new Random(7));
        reconnect.OnConnected();

        Assert.Null(reconnect.OnFailed(TimeSpan.Zero, reason));
    }
}
