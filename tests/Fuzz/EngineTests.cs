using Membership.Fuzz.Engine;
using Xunit;

namespace Membership.Fuzz;

/// <summary>The alarm works: a parser that breaks a promise is found, with an input that shows it, and a campaign that says nothing is void.</summary>
public sealed class EngineTests
{
    [Fact]
    public void A_crash_is_found_and_shrunk_to_the_bytes_that_matter()
    {
        var failure = Assert.Single(Run(new Broken(input => input.IndexOf((byte)0x7f) >= 0 ? throw new InvalidOperationException("0x7f") : 0)).Failures);

        Assert.Equal("crash", failure.Kind);
        Assert.Equal([0x7f], failure.Input);
    }

    [Fact]
    public void Memory_that_grows_with_what_a_message_claims_is_found()
    {
        var failure = Assert.Single(Run(new Broken(input => input.Length > 1 && input[0] > 200 ? new byte[input[0] * 100].Length * 0 : 0)).Failures);

        Assert.Equal("allocation", failure.Kind);
        Assert.True(failure.Input.Length <= 2);
    }

    [Fact]
    public void A_reason_that_is_hardly_ever_met_makes_a_campaign_void()
    {
        var result = Run(new Broken(_ => 0, "always", "never"));

        Assert.Empty(result.Failures);
        Assert.True(result.IsVoid);
        Assert.Equal(["never"], result.Rare);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_hang_is_told_with_the_very_input_that_does_not_end(bool isStateful)
    {
        // Neither the first of a block nor one at which the time is looked at: those would be right by chance.
        const int Before = (2 * Campaign.BlockExecutions) + 101;
        var (clock, calls, stuck) = (new Clock(), 0, Array.Empty<byte>());
        var release = new ManualResetEventSlim();
        var target = new Broken(input =>
        {
            if (calls++ != Broken.WarmUpRuns + Before) return 0;
            stuck = input.ToArray();
            clock.Now += TimeSpan.FromSeconds(3).Ticks;
            release.Wait();
            return 0;
        })
        { HasState = isStateful };

        var failure = Assert.Single(new Campaign(() => target, 5, 1, [], hangLimit: TimeSpan.FromSeconds(2), clock).Run(100_000, null).Failures);
        release.Set();   // the thread goes on to its end

        Assert.Equal(("hang", "has not ended after 2 s", 2L), (failure.Kind, failure.Text, failure.Block));
        Assert.Equal(stuck, failure.Input);
    }

    [Fact]
    public void The_same_seed_makes_the_same_inputs_on_any_number_of_threads()
    {
        ulong Sum(int jobs)
        {
            var sum = 0UL;
            var result = new Campaign(() => new Broken(input =>
            {
                var hash = 14695981039346656037UL;
                foreach (var one in input) hash = (hash ^ one) * 1099511628211;
                Interlocked.Add(ref sum, hash);
                return 0;
            }), 7, jobs, []).Run(20_000, null);
            Assert.Equal(20_000, result.Executions);
            return sum;
        }

        // Warming up adds the seeds of each thread: two threads, twice as many.
        var (one, again, two) = (Sum(1), Sum(1), Sum(2));

        Assert.Equal(one, again);
        Assert.Equal(unchecked(two - one), unchecked(Warm() * 2));

        ulong Warm()
        {
            var hash = 14695981039346656037UL;
            foreach (var one in Broken.Seed) hash = (hash ^ one) * 1099511628211;
            return hash;
        }
    }

    [Fact]
    public void Hex_files_keep_every_byte_and_may_have_comments()
    {
        byte[] bytes = [.. Enumerable.Range(0, 300).Select(i => (byte)i)];
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file + ".hex", Corpus.ToHex(bytes, "all bytes") + "00 # one more\n");

            Assert.Equal([.. bytes, 0], Corpus.ReadFile(file + ".hex"));
        }
        finally
        {
            File.Delete(file);
            File.Delete(file + ".hex");
        }
    }

    private static TargetResult Run(Target target) => new Campaign(() => target, 1, 1, []).Run(100_000, null);

    private delegate int Parse(ReadOnlySpan<byte> input);

    private sealed class Broken(Parse parse, params string[] reasons) : Target
    {
        /// <summary>Before a campaign begins, with the one seed.</summary>
        public const int WarmUpRuns = 2;

        public static byte[] Seed { get; } = [1, 2, 3, 4, 5, 6, 7, 8];

        public override string Name => "test/broken";

        public override IReadOnlyList<string> Reasons { get; } = reasons.Length == 0 ? ["read"] : reasons;

        public bool HasState { get; init; }

        public override bool IsStateful => HasState;

        public override IEnumerable<Engine.Seed> Seeds() => [new Engine.Seed("eight", Seed)];

        public override int Run(ReadOnlySpan<byte> input) => parse(input);
    }

    /// <summary>Stands still but when a test moves it.</summary>
    private sealed class Clock : TimeProvider
    {
        private long _now = 1;

        public long Now
        {
            get => Volatile.Read(ref _now);
            set => Volatile.Write(ref _now, value);
        }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now;
    }
}
