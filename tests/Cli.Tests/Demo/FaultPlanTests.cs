using Membership.Cli.Demo;
using Membership.V1;

namespace Membership.Cli.Tests.Demo;

public class FaultPlanTests
{
    [Fact]
    public void A_split_cuts_every_pair_across_it_on_both_sides_and_no_other()
    {
        var plan = FaultPlan.None with { Minority = [4, 5] };

        var cuts = Enumerable.Range(1, 5).SelectMany(node => plan.Of(node, 5).Select(fault => (node, peer: (int)fault.Peer, fault.Direction, fault.Loss)));

        Assert.Equal(
            [
                (1, 4), (1, 5), (2, 4), (2, 5), (3, 4), (3, 5),
                (4, 1), (4, 2), (4, 3), (5, 1), (5, 2), (5, 3),
            ],
            cuts.Select(cut => (cut.node, cut.peer)));
        Assert.All(cuts, cut => Assert.Equal((Direction.Unspecified, 1.0), (cut.Direction, cut.Loss)));
    }

    [Fact]
    public void A_one_way_cut_is_a_rule_of_the_deaf_node_alone()
    {
        var plan = FaultPlan.None with { OneWay = (1, 2) };

        var fault = Assert.Single(plan.Of(1, 5));

        Assert.Equal((2u, Direction.In, 1.0), (fault.Peer, fault.Direction, fault.Loss));
        Assert.Empty(plan.Of(2, 5));
    }

    [Fact]
    public void Loss_is_counted_once_per_datagram()
    {
        var plan = FaultPlan.None with { Loss = 0.2 };

        var faults = Enumerable.Range(1, 3).Select(node => Assert.Single(plan.Of(node, 3)));

        Assert.All(faults, fault => Assert.Equal((0u, Direction.In, 0.2), (fault.Peer, fault.Direction, fault.Loss)));
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(3, 1)]
    [InlineData(5, 2)]
    [InlineData(9, 4)]
    public void The_smaller_side_of_a_split_has_no_majority(int nodes, int expected)
    {
        var minority = DemoDriver.Minority(nodes);

        Assert.Equal(expected, minority.Count);
        Assert.True(minority.Count * 2 < nodes);
    }
}
