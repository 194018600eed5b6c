using Membership.Daemon.State;
using Membership.Daemon.Witness.Rule;
using Membership.Daemon.Witness.Server;
using static Membership.Daemon.Tests.Witness.Reports;

namespace Membership.Daemon.Tests.Witness;

/// <summary>What a witness remembers across restarts, and what it does with files that are not as they were written.</summary>
public sealed class WitnessStoreTests : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("witness-store.").FullName;

    [Fact]
    public void The_newest_grant_is_read_again()
    {
        using (var store = WitnessStore.Open(_path))
        {
            store.Save("web", Record(4));
            store.Save("web", Record(5));
        }

        using var again = WitnessStore.Open(_path);
        var read = again.Load("web", out var warning);

        Assert.Null(warning);
        Assert.Equal((5UL, RingOf(8, 11, 21)), (read?.Epoch ?? 0, read?.Ring ?? default));
        Assert.Equal(Identities(11, 21), read?.Members);
        Assert.Equal(TimeSpan.FromSeconds(8), read?.Hold);
        Assert.Null(again.Load("other", out _));
    }

    [Theory]
    [InlineData("cluster-web.0")]
    [InlineData("cluster-web.1")]
    public void Any_one_spoiled_file_loses_nothing(string name)
    {
        using var store = WitnessStore.Open(_path);
        store.Save("web", Record(4));
        store.Save("web", Record(5));
        Spoil(name);

        var read = store.Load("web", out var warning);

        Assert.Equal(5UL, read?.Epoch);
        Assert.Contains(name, warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_spoiled_files_are_no_grant_and_a_warning()
    {
        using var store = WitnessStore.Open(_path);
        store.Save("web", Record(4));
        Spoil("cluster-web.0");
        Spoil("cluster-web.1");

        Assert.Null(store.Load("web", out var warning));
        Assert.Contains("whole lease", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void No_bit_can_change_unnoticed_and_no_length_is_taken_for_another()
    {
        var bytes = WitnessStore.Encode(3, Record(4));
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var spoiled = (byte[])bytes.Clone();
            spoiled[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(WitnessStore.TryDecode(spoiled, out _, out _));
        }

        for (var length = 0; length < bytes.Length; length++) Assert.False(WitnessStore.TryDecode(bytes.AsSpan(0, length), out _, out _));
    }

    [Fact]
    public void A_second_witness_on_the_same_directory_is_refused()
    {
        using var store = WitnessStore.Open(_path);

        Assert.Equal(65, Assert.Throws<StateException>(() => WitnessStore.Open(_path)).ExitCode);
    }

    public void Dispose() => Directory.Delete(_path, recursive: true);

    private static GrantRecord Record(ulong epoch) => new(epoch, RingOf(8, 11, 21), Identities(11, 21), TimeSpan.FromSeconds(8));

    private void Spoil(string name)
    {
        var path = Path.Combine(_path, name);
        var bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
    }
}
