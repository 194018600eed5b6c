using Membership.Exploration.Cluster.Copying;
using Membership.Links;
using Xunit;

namespace Membership.Exploration.Cluster.Ideal;

/// <summary>The small models: everything within their bounds is tried.</summary>
public class IdealTests
{
    /// <summary>A number that falls says that the search has lost something; after a change of the protocol the new one belongs here.</summary>
    [Theory]
    [InlineData("ideal-formation-2", 1698)]
    [InlineData("ideal-crash-2", 469)]
    [InlineData("ideal-cut-2", 520)]
    [InlineData("ideal-loss-join-2", 26)]
    [InlineData("ideal-loss-commit-token-2", 50)]
    [InlineData("ideal-loss-token-2", 50)]
    [InlineData("ideal-loss-data-2", 18)]
    public void All_orders_of_two_nodes_are_tried_and_none_breaks_anything(string name, long iterations)
    {
        var suite = new IdealSuites().All.Single(suite => suite.Name == name);

        var result = suite.Check(suite.ExhaustedWithin);

        Assert.True(result.Search?.IsComplete);
        Assert.Equal(iterations, result.Iterations);
    }

    [Fact]
    public void A_fingerprint_sees_each_field_and_counts_time_from_now()
    {
        var hasher = new StateHasher(new HashingRules { Ignored = [typeof(Version)], IgnoredFields = ["Sample._scratch"], Special = [] });
        var plain = new Sample();

        Assert.Equal(Of(plain, 0), Of(new Sample(), 0));
        Assert.NotEqual(Of(plain, 0), Of(new Sample { Number = 2 }, 0));
        Assert.NotEqual(Of(plain, 0), Of(new Sample { Numbers = [1, 3] }, 0));
        Assert.NotEqual(Of(plain, 0), Of(new Sample { Inner = new Sample() }, 0));
        Assert.NotEqual(Of(plain, 0), Of(plain, 1));
        Assert.Equal(Of(new Sample { Due = new Instant(105) }, 5), Of(plain, 0));
        Assert.Equal(Of(plain, 0), Of(new Sample { Ignored = new Version(9, 9) }.Scratched(), 0));
        Assert.Equal(1, plain.Scratched().Scratch);

        ulong Of(Sample sample, long now)
        {
            hasher.Begin(new Instant(now));
            hasher.AddObject(sample);
            return hasher.End();
        }
    }

    [Fact]
    public void A_copy_shares_nothing_that_changes_and_keeps_the_shape_of_the_graph()
    {
        var inner = new Sample { Number = 5 };
        var original = new Sample { Inner = inner, Others = { ["a"] = inner, ["b"] = new Sample() }, Pairs = [(inner, 1), (new Sample(), 2)] };
        var snapshot = new Snapshot<Sample>(original, new SharingRules { IsShared = type => type == typeof(Version) });

        var copy = snapshot.Copy();
        copy.Inner!.Number = 6;
        copy.Numbers[0] = 99;
        copy.Others.Remove("b");

        Assert.Same(copy.Inner, copy.Others["a"]);
        Assert.Same(copy.Inner, copy.Pairs[0].Item1);
        Assert.NotSame(inner, copy.Inner);
        Assert.Equal(5, inner.Number);
        Assert.Equal(1, original.Numbers[0]);
        Assert.Equal(2, original.Others.Count);
        Assert.Same(original.Ignored, copy.Ignored);
    }

    [Fact]
    public void What_cannot_be_copied_is_refused_with_its_place()
    {
        var sample = new Sample { Number = 3 };
        var holder = new Holder { Call = () => sample.Number };

        var refused = Assert.Throws<NotSupportedException>(() => new Snapshot<Holder>(holder, new SharingRules { IsShared = _ => false }));

        Assert.Contains("Holder", refused.Message, StringComparison.Ordinal);
    }

    private sealed class Holder
    {
        public Func<int>? Call { get; set; }
    }

    private sealed class Sample
    {
        private int _scratch;

        public int Scratch => _scratch;

        public int Number { get; set; } = 1;

        public int[] Numbers { get; init; } = [1, 2];

        public Instant Due { get; init; } = new(100);

        public Sample? Inner { get; init; }

        public Version Ignored { get; init; } = new(1, 1);

        public Dictionary<string, Sample> Others { get; } = [];

        public (Sample, int)[] Pairs { get; init; } = [];

        public Sample Scratched()
        {
            _scratch++;
            return this;
        }
    }
}
