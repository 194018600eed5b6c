using Membership.Bench.Groups;
using Membership.Namespaces;
using Xunit;

namespace Membership.Client.Tests;

/// <summary>Many clients come and go at three real daemons, and all members of every group see one order; the ledger that finds this finds the opposite as well.</summary>
public sealed class GroupOrderTests
{
    private static readonly Member One = new(1, 10, 1), Two = new(2, 20, 1);

    [Fact]
    public async Task Clients_that_come_and_go_see_one_order_at_three_daemons()
    {
        const int Nodes = 3;
        await using var cluster = new LoopbackCluster(Nodes);
        await cluster.StartAllAsync();
        var options = new ChurnOptions(Groups: 20, Clients: 12, TimeSpan.FromSeconds(3), Seed: 7) { GroupsPerClient = 6 };

        var result = await new GroupChurn(
            node => MembershipClient.Create(new MembershipClientOptions { Endpoint = cluster.Socket(node), ConnectFor = TimeSpan.FromSeconds(30), CallTimeout = TimeSpan.FromSeconds(30), ReconnectFor = TimeSpan.Zero }), Nodes, options).RunAsync();

        Assert.True(result.Disturbance is null, result.Disturbance);
        Assert.Empty(result.Ledger.Findings);
        Assert.Equal(0, result.Ledger.Mismatches);
        Assert.Equal(result.Joins, result.Leaves);
        Assert.InRange(result.Joins, options.Clients, long.MaxValue);
        Assert.InRange(result.Ledger.Events, 3 * result.Joins, long.MaxValue);   // each join is seen at three nodes at least
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_whose_daemon_goes_away_ends_and_says_that_it_says_nothing(bool atOnce)
    {
        await using var daemon = await FakeDaemon.StartAsync();
        if (atOnce) await daemon.GoAsync();
        var options = new ChurnOptions(Groups: 4, Clients: 3, TimeSpan.FromMinutes(5), Seed: 7) { GroupsPerClient = 2 };

        var running = new GroupChurn(_ => daemon.Client(client => client with { ReconnectFor = TimeSpan.Zero }), 1, options).RunAsync();
        while (!atOnce && !running.IsCompleted && daemon.Groups.SessionsOpened < 1 + options.Clients) await Task.Delay(5);   // the observer and everybody
        await daemon.GoAsync();
        var result = await running.WaitAsync(TimeSpan.FromSeconds(60));

        Assert.NotNull(result.Disturbance);
        Assert.Contains(atOnce ? "an observer could not join" : "Groups:", result.Disturbance, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_members_that_saw_two_messages_in_another_order_are_found()
    {
        var ledger = new OrderLedger();
        var (first, second) = (new OrderWitness(ledger, "g"), new OrderWitness(ledger, "g"));
        foreach (var update in new GroupUpdate[] { Changed(1, One, Two), Message(5, "a"), Message(6, "b") }) first.See(update);

        foreach (var update in new GroupUpdate[] { Changed(1, One, Two), Message(6, "b"), Message(5, "a") }) second.See(update);

        Assert.Equal(2, ledger.Mismatches);
        Assert.Contains("for one member it follows change 1, for another message", ledger.Findings[1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_member_that_missed_a_change_or_was_told_another_one_is_found_and_one_that_came_later_is_not()
    {
        var ledger = new OrderLedger();
        OrderWitness full = new(ledger, "g"), late = new(ledger, "g"), missing = new(ledger, "g"), other = new(ledger, "g");
        foreach (var update in new[] { Changed(1, One), Changed(2, One, Two), Changed(3, Two) }) full.See(update);

        foreach (var update in new[] { Changed(2, One, Two), Changed(3, Two) }) late.See(update);
        Assert.Equal(0, ledger.Mismatches);
        foreach (var update in new[] { Changed(1, One), Changed(3, Two) }) missing.See(update);
        Assert.Equal(1, ledger.Mismatches);
        other.See(Changed(2, One));
        Assert.Equal(2, ledger.Mismatches);
    }

    private static GroupUpdate Changed(ulong change, params Member[] members) =>
        new GroupUpdate.MembersChanged(members, [], [], V1.GroupReason.Join, members[0], "1.1.0000000a", 1, change);

    private static GroupUpdate Message(ulong seq, string text) =>
        new GroupUpdate.Message(One, System.Text.Encoding.UTF8.GetBytes(text), new OrderPosition("1.1.0000000a", seq, 0), V1.DeliveryLevel.Agreed, seq, 1, 0);
}
