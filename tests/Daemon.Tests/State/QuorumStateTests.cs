using Membership.Daemon.State;
using Membership.Links;
using Membership.Quorum;

namespace Membership.Daemon.Tests.State;

/// <summary>What quorum agreed to survives a restart and the loss of either file, and is never guessed.</summary>
public sealed class QuorumStateTests
{
    private static readonly QuorumTerms Terms = new(4, [new Voter(new NodeId(2), 3)], [new NodeId(5)], 6, [new NodeId(1)]);

    private static QuorumRecord Record(ulong epoch) => new(epoch, [new NodeId(1), new NodeId(2)], Terms, [Terms with { Counter = 5, Out = [] }], 7);

    private static void Persist(TemporaryState temporary, params ulong[] epochs)
    {
        using var state = StateDirectory.Open(temporary.Path, acceptNewIdentity: false);
        var sink = new Sink();
        foreach (var epoch in epochs) state.Persist(Record(epoch), sink);
        state.Dispose();
        Assert.Null(sink.Failure);
        Assert.Equal(epochs[^1], sink.Persisted!.Epoch);
    }

    [Fact]
    public void A_first_start_has_no_record_and_writes_none()
    {
        using var temporary = new TemporaryState();
        using var state = StateDirectory.Open(temporary.Path, acceptNewIdentity: false);

        Assert.Null(state.QuorumRecord);
        Assert.False(File.Exists(temporary.File("quorum.0")));
    }

    [Fact]
    public void The_newest_record_is_there_at_the_next_start()
    {
        using var temporary = new TemporaryState();
        Persist(temporary, 1, 2, 3);
        Persist(temporary, 9);

        using var state = StateDirectory.Open(temporary.Path, acceptNewIdentity: false);

        Assert.Equal(Record(9).Encode(), state.QuorumRecord!.Encode());
        Assert.Null(state.Warning);
    }

    [Theory]
    [InlineData("quorum.0", false)]
    [InlineData("quorum.1", false)]
    [InlineData("quorum.0", true)]
    [InlineData("quorum.1", true)]
    public void Losing_either_file_loses_nothing_and_is_told(string name, bool isDeleted)
    {
        using var temporary = new TemporaryState();
        Persist(temporary, 2); // a single file of the first write is what a crash leaves
        Persist(temporary, 3);
        if (isDeleted) File.Delete(temporary.File(name));
        else Flip(temporary.File(name), 20);

        using var state = StateDirectory.Open(temporary.Path, acceptNewIdentity: false);

        Assert.Equal(3UL, state.QuorumRecord!.Epoch);
        Assert.Contains("quorum.", state.Warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_readable_file_the_daemon_refuses_to_start_until_told_to_start_anew()
    {
        using var temporary = new TemporaryState();
        Persist(temporary, 3);
        Flip(temporary.File("quorum.0"), 20);
        Flip(temporary.File("quorum.1"), 60);

        var refused = Assert.Throws<StateException>(() => StateDirectory.Open(temporary.Path, acceptNewIdentity: false));
        using var state = StateDirectory.Open(temporary.Path, acceptNewIdentity: true);

        Assert.Equal(ExitCode.BadState, refused.ExitCode);
        Assert.Null(state.QuorumRecord);
        Assert.True(File.Exists(temporary.File("quorum.0.unreadable")));
    }

    [Fact]
    public void No_flipped_bit_passes_for_a_record()
    {
        var bytes = new QuorumFile(2, Record(3)).Encode();
        Assert.NotNull(QuorumFile.Decode(bytes));
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Null(QuorumFile.Decode(bytes));
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    private static void Flip(string path, int place)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[place] ^= 1;
        File.WriteAllBytes(path, bytes);
    }
}
