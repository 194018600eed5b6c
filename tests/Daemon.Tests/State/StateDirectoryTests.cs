using System.Diagnostics;
using System.Globalization;
using Membership.Daemon.State;

namespace Membership.Daemon.Tests.State;

/// <summary>Ring sequences never go back, whatever happens to the files.</summary>
public sealed class StateDirectoryTests
{
    private const ulong Block = StateDirectory.BlockSequences;

    [Fact]
    public void A_first_start_begins_at_zero_with_one_block_reserved_on_disk()
    {
        using var temporary = new TemporaryState();

        using var state = StateDirectory.Open(temporary.Path, acceptNewIdentity: false);

        Assert.Equal((0UL, Block), (state.RingSequence, state.ReservedUpTo));
        Assert.Null(state.Warning);
        Assert.True(Reservation.TryDecode(File.ReadAllBytes(temporary.File("ring.0")), out var written));
        Assert.Equal(Block, written.UpTo);
    }

    [Fact]
    public void A_later_start_goes_on_after_everything_reserved()
    {
        using var temporary = new TemporaryState();
        temporary.Reserve(1_000_000);

        using var state = StateDirectory.Open(temporary.Path, acceptNewIdentity: false);

        Assert.Equal((1_000_000UL, 1_000_000 + Block), (state.RingSequence, state.ReservedUpTo));
        Assert.Null(state.Warning);
    }

    [Fact]
    public void A_reservation_below_the_newest_is_confirmed_and_lowers_nothing()
    {
        using var temporary = new TemporaryState();
        temporary.Reserve(5000);

        temporary.Reserve(5001);

        Assert.Equal(5000 + Block, temporary.SequenceAfterStart());
    }

    [Fact]
    public void Directory_and_files_are_for_the_owner_alone()
    {
        using var temporary = new TemporaryState();
        temporary.Reserve(5000);

        var file = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(file | UnixFileMode.UserExecute, File.GetUnixFileMode(temporary.Path));
        Assert.All(Directory.GetFiles(temporary.Path), path => Assert.Equal(file, File.GetUnixFileMode(path)));
        Assert.Equal(["lock", "ring.0", "ring.1"], Directory.GetFiles(temporary.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void A_second_daemon_on_the_same_directory_is_refused_and_told_the_process()
    {
        using var temporary = new TemporaryState();
        using var first = StateDirectory.Open(temporary.Path, acceptNewIdentity: false);

        var refused = Assert.Throws<StateException>(() => StateDirectory.Open(temporary.Path, acceptNewIdentity: false));

        Assert.Equal(ExitCode.BadState, refused.ExitCode);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"process {Environment.ProcessId}"), refused.Message, StringComparison.Ordinal);
        first.Dispose();
        using var second = StateDirectory.Open(temporary.Path, acceptNewIdentity: false);
    }

    [Fact]
    public void A_directory_everybody_may_write_into_is_refused()
    {
        using var temporary = new TemporaryState();
        Directory.CreateDirectory(temporary.Path);
        File.SetUnixFileMode(temporary.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherWrite);

        Assert.Equal(ExitCode.BadState, Assert.Throws<StateException>(() => StateDirectory.Open(temporary.Path, acceptNewIdentity: false)).ExitCode);
    }

    [Fact]
    public void A_symbolic_link_in_place_of_a_file_is_not_followed()
    {
        using var temporary = new TemporaryState();
        temporary.Reserve(5000);
        File.Move(temporary.File("ring.0"), temporary.File("elsewhere"));
        File.CreateSymbolicLink(temporary.File("ring.0"), temporary.File("elsewhere"));

        var refused = Assert.Throws<StateException>(() => StateDirectory.Open(temporary.Path, acceptNewIdentity: false));

        Assert.Equal(ExitCode.InputOutput, refused.ExitCode);
        Assert.Contains("ring.0", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ring.0")]
    [InlineData("ring.1")]
    public void One_file_cut_at_any_byte_costs_two_blocks_and_never_a_number(string name) =>
        DamageOne(name, whole => Enumerable.Range(0, whole.Length).Select(length => whole[..length]));

    [Theory]
    [InlineData("ring.0")]
    [InlineData("ring.1")]
    public void One_file_with_any_bit_flipped_costs_two_blocks_and_never_a_number(string name) =>
        DamageOne(name, whole => Enumerable.Range(0, whole.Length * 8).Select(bit => Flipped(whole, bit)));

    [Theory]
    [InlineData("ring.0")]
    [InlineData("ring.1")]
    public void One_file_zeroed_or_too_long_costs_two_blocks_and_never_a_number(string name) =>
        DamageOne(name, whole => [new byte[whole.Length], new byte[4096], [.. whole, 0]]);

    [Fact]
    public void Both_files_damaged_is_refused_with_the_remedy_until_a_new_identity_is_accepted()
    {
        using var temporary = new TemporaryState();
        temporary.Reserve(5000);
        File.WriteAllBytes(temporary.File("ring.0"), []);
        File.WriteAllBytes(temporary.File("ring.1"), new byte[56]);

        var refused = Assert.Throws<StateException>(() => StateDirectory.Open(temporary.Path, acceptNewIdentity: false));
        using var state = StateDirectory.Open(temporary.Path, acceptNewIdentity: true);

        Assert.Equal(ExitCode.BadState, refused.ExitCode);
        Assert.Contains("--accept-new-identity", refused.Message, StringComparison.Ordinal);
        Assert.Equal((0UL, Block), (state.RingSequence, state.ReservedUpTo));
        Assert.NotNull(state.Warning);
        Assert.True(File.Exists(temporary.File("ring.1.unreadable")));
    }

    [Fact]
    public void One_file_damaged_and_the_other_gone_is_refused_too()
    {
        using var temporary = new TemporaryState();
        temporary.Reserve(5000);
        File.WriteAllBytes(temporary.File("ring.0"), []);
        File.Delete(temporary.File("ring.1"));

        Assert.Equal(ExitCode.BadState, Assert.Throws<StateException>(() => StateDirectory.Open(temporary.Path, acceptNewIdentity: false)).ExitCode);
    }

    [Fact]
    public void Accepting_a_new_identity_changes_nothing_where_the_old_one_is_readable()
    {
        using var temporary = new TemporaryState();
        temporary.Reserve(5000);

        using var state = StateDirectory.Open(temporary.Path, acceptNewIdentity: true);

        Assert.Equal(5000UL, state.RingSequence);
    }

    [Fact]
    public void A_write_torn_at_any_byte_of_either_file_leaves_the_old_or_the_new_number()
    {
        using var temporary = new TemporaryState();
        temporary.Reserve(5000);
        var old = (Zero: File.ReadAllBytes(temporary.File("ring.0")), One: File.ReadAllBytes(temporary.File("ring.1")));
        temporary.Reserve(9_000_000);
        var next = (Zero: File.ReadAllBytes(temporary.File("ring.0")), One: File.ReadAllBytes(temporary.File("ring.1")));

        for (var torn = 0; torn <= Reservation.Bytes; torn++)
        {
            // Crash in the first of the two writes (not confirmed yet), then in the second: at first only the old number, then the new one must stand.
            Assert.InRange(After([.. next.One[..torn]], old.Zero), 5000UL, 9_000_000UL);
            Assert.InRange(After(next.One, [.. next.Zero[..torn]]), 9_000_000UL, 9_000_000UL + (2 * Block));
        }

        ulong After(byte[] one, byte[] zero)
        {
            File.WriteAllBytes(temporary.File("ring.0"), zero);
            File.WriteAllBytes(temporary.File("ring.1"), one);
            return temporary.SequenceAfterStart();
        }
    }

    [Fact]
    public void A_half_written_temporary_file_of_a_crash_is_ignored_and_removed()
    {
        using var temporary = new TemporaryState();
        temporary.Reserve(5000);
        File.WriteAllBytes(temporary.File("ring.new"), [1, 2, 3]);

        Assert.Equal(5000UL, temporary.SequenceAfterStart());
        Assert.False(File.Exists(temporary.File("ring.new")));
    }

    [RootFact("mounts a file system")]
    public void A_full_disk_fails_the_request_with_path_and_errno_and_keeps_the_old_number()
    {
        using var temporary = new TemporaryState();
        Directory.CreateDirectory(temporary.Path);
        Run("mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", temporary.Path);
        try
        {
            var sink = new Sink();
            using (var state = StateDirectory.Open(temporary.Path, acceptNewIdentity: false))
            {
                Fill(temporary.File("filler"));
                state.Request(9000, sink);
            }

            File.Delete(temporary.File("filler"));
            Assert.Null(sink.Reserved);
            Assert.Contains("No space left on device (errno 28)", sink.Failure, StringComparison.Ordinal);
            Assert.Contains(temporary.Path, sink.Failure, StringComparison.Ordinal);
            Assert.Equal(Block, temporary.SequenceAfterStart());
        }
        finally
        {
            Run("umount", temporary.Path);
        }
    }

    private static void DamageOne(string name, Func<byte[], IEnumerable<byte[]>> damages)
    {
        using var temporary = new TemporaryState();
        temporary.Reserve(5000);
        var (zero, one) = (File.ReadAllBytes(temporary.File("ring.0")), File.ReadAllBytes(temporary.File("ring.1")));
        foreach (var damaged in damages(File.ReadAllBytes(temporary.File(name))))
        {
            File.WriteAllBytes(temporary.File("ring.0"), zero);
            File.WriteAllBytes(temporary.File("ring.1"), one);
            File.WriteAllBytes(temporary.File(name), damaged);

            using (var state = StateDirectory.Open(temporary.Path, acceptNewIdentity: false))
            {
                Assert.Equal(5000 + (2 * Block), state.RingSequence);
                Assert.Contains(name, state.Warning, StringComparison.Ordinal);
            }

            Assert.Equal(5000 + (3 * Block), temporary.SequenceAfterStart()); // healed: both files are whole again
        }
    }

    private static byte[] Flipped(byte[] whole, int bit)
    {
        var flipped = whole.ToArray();
        flipped[bit / 8] ^= (byte)(1 << bit % 8);
        return flipped;
    }

    private static void Fill(string path)
    {
        using var filler = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            while (true) filler.Write(new byte[4096]);
        }
        catch (IOException)
        {
            // Full: that is what was wanted.
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
