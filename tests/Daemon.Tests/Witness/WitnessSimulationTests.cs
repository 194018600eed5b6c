using Xunit.Abstractions;

namespace Membership.Daemon.Tests.Witness;

/// <summary>Histories of a cluster and its witness drawn from seeds: views that part and merge, restarts on either side, lost and late messages, clocks that differ.</summary>
public class WitnessSimulationTests(ITestOutputHelper output)
{
    private const int Seeds = 150;

    [Fact]
    public void No_two_sides_without_a_common_member_ever_believe_in_the_votes_at_the_same_time()
    {
        var grants = 0;
        for (var seed = 1; seed <= Seeds; seed++)
        {
            var world = new WitnessWorld(seed);
            world.Run();
            Assert.True(world.Violation is null, $"seed {seed}: {world.Violation}");
            grants += world.Grants;
        }

        output.WriteLine($"{Seeds} seeds, {grants} grants believed");
        Assert.True(grants > Seeds * 3, $"only {grants} grants: the simulation shows nothing");
    }

    [Fact]
    public void Epochs_rise_with_each_decision_even_when_the_disk_of_the_witness_is_lost()
    {
        for (var seed = 1001; seed <= 1030; seed++)
        {
            var world = new WitnessWorld(seed);
            world.Run();
            Assert.True(world.EpochViolation is null, $"seed {seed}: {world.EpochViolation}");
        }
    }

    [Fact]
    public void In_a_calm_world_one_side_gets_the_votes_within_the_lease()
    {
        for (var seed = 1; seed <= 40; seed++)
        {
            var world = new WitnessWorld(seed);
            world.Run();
            world.Calm();
            Assert.True(world.SomebodyBelieves, $"seed {seed}: nobody has the votes in a calm world");
        }
    }
}
