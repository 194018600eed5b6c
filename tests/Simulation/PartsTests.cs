using Membership.Virtual;
using Xunit;

namespace Membership.Simulation;

/// <summary>The pieces of the simulator that decide what a run is.</summary>
public class PartsTests
{
    [Fact]
    public void Things_happen_by_time_and_then_by_tie()
    {
        var queue = new EventQueue();
        var random = new SeededRandom(5);
        for (var i = 0; i < 2000; i++) queue.Push(new Due(random.Next(50), (ulong)random.Next(1000), DueKind.Call, i, 0, 0, null));

        var last = (At: -1L, Tie: 0UL);
        while (queue.Count > 0)
        {
            var due = queue.Pop();

            Assert.True(due.At > last.At || (due.At == last.At && due.Tie >= last.Tie));
            last = (due.At, due.Tie);
        }
    }

    [Fact]
    public void Streams_of_one_seed_are_equal_and_of_two_names_are_not()
    {
        Assert.Equal(new SeededRandom(9).Fork(3).NextUInt64(), new SeededRandom(9).Fork(3).NextUInt64());
        Assert.NotEqual(new SeededRandom(9).Fork(3).NextUInt64(), new SeededRandom(9).Fork(4).NextUInt64());
        Assert.NotEqual(new SeededRandom(9).NextUInt64(), new SeededRandom(10).NextUInt64());
    }

    [Fact]
    public void The_numbers_of_a_seed_are_those_of_xoshiro256_seeded_by_split_mix_so_that_kept_seeds_stay_what_they_are()
    {
        var random = new SeededRandom(33);

        Assert.Equal([0x562e55bb050d2eb0, 0xa545fa7018ca9897, 0x1e9fc95e704d8a22], new[] { random.NextUInt64(), random.NextUInt64(), random.NextUInt64() });
    }

    [Theory]
    [InlineData("--seed", "x")]
    [InlineData("--nodes", "0")]
    [InlineData("--nodes", "65")]
    [InlineData("--minutes", "soon")]
    [InlineData("--skip", "1,two")]
    [InlineData("--keep", "1,-2", "--seed", "1")]
    [InlineData("--seeds")]
    [InlineData("--no-such-option")]
    public void A_wrong_word_or_number_ends_with_the_exit_code_of_a_wrong_call(params string[] words) => Assert.Equal(CommandOptions.UsageExit, CommandLine.Main(words));

    [Fact]
    public void A_write_that_a_crash_interrupts_is_not_read_back_and_a_damaged_one_is_skipped_over()
    {
        var disk = new VirtualDisk();
        disk.Begin(1024);
        disk.End();
        disk.Begin(2048);

        disk.Crash(isDamaged: false);
        Assert.Equal(1024UL, disk.Read());

        disk.Begin(2048);
        disk.Crash(isDamaged: true);
        Assert.Equal(1024 + VirtualDisk.UnreadableSkip, disk.Read());
    }

    [Fact]
    public void The_newest_generation_is_never_the_one_overwritten()
    {
        var disk = new VirtualDisk();
        for (var value = 1UL; value < 6; value++)
        {
            disk.Begin(value * 1024);
            disk.End();

            Assert.Equal(value * 1024, disk.Read());
        }
    }

    [Fact]
    public void The_keyed_hash_finds_each_flipped_bit_and_another_key()
    {
        var suite = new KeyedHashCipherSuite();
        var cipher = suite.Create([1, 2, 3, 4, 5, 6, 7, 8]);
        var other = suite.Create([1, 2, 3, 4, 5, 6, 7, 9]);
        byte[] nonce = [1, 2, 3], header = [9, 9], text = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        var box = new byte[text.Length + 16];
        var opened = new byte[text.Length];
        cipher.Seal(nonce, header, text, box);

        Assert.True(cipher.TryOpen(nonce, header, box, opened));
        Assert.Equal(text, opened);
        Assert.False(other.TryOpen(nonce, header, box, opened));
        Assert.False(cipher.TryOpen([1, 2, 4], header, box, opened));
        Assert.False(cipher.TryOpen(nonce, [9, 8], box, opened));
        for (var bit = 0; bit < box.Length * 8; bit++)
        {
            box[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(cipher.TryOpen(nonce, header, box, opened));
            box[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Any_subset_of_a_plan_is_drawn_from_the_same_seed()
    {
        var swarm = Swarm.Draw(77, 5);

        Assert.Equal(Plan.Draw(swarm, 77), Plan.Draw(Swarm.Draw(77, 5), 77));
        Assert.NotEqual(Plan.Draw(swarm, 77), Plan.Draw(Swarm.Draw(78, 5), 78));
    }
}
