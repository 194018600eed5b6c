using Membership.Fuzz.Engine;
using Xunit;

namespace Membership.Fuzz;

/// <summary>Every kept input once more: what the encoders write, and everything that once broke a parser.</summary>
public sealed class CorpusTests
{
    public static TheoryData<string> Targets => [.. TargetTable.Names];

    [Theory]
    [MemberData(nameof(Targets))]
    public void No_kept_input_breaks_a_promise(string name)
    {
        var target = TargetTable.Find(name)!(); // named by the table itself
        var judge = new Judge(target);
        var kept = Corpus.Read(name);

        Assert.True(kept.Count > 0 || !target.KeepsSeeds);
        Assert.All(kept, seed =>
        {
            judge.WarmUp(seed.Bytes);
            Assert.Null(judge.Run(seed.Bytes, out _));
        });
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void What_the_encoders_write_is_kept(string name)
    {
        var target = TargetTable.Find(name)!(); // named by the table itself
        var kept = Corpus.Read(name).ToDictionary(seed => seed.Name, seed => seed.Bytes);

        // After a change on purpose: dotnet run -c Release --project tests/Fuzz -- --write-corpus tests/Fuzz/corpus
        if (target.KeepsSeeds) Assert.All(target.Seeds(), seed => Assert.Equal(seed.Bytes, kept[seed.Name]));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_short_campaign_finds_nothing(string name)
    {
        var make = TargetTable.Find(name)!; // named by the table itself
        var seed = (ulong)Random.Shared.NextInt64();

        var result = new Campaign(make, seed, 1, Corpus.Read(name)).Run(make().Weight * 250, null);

        Assert.Empty(result.Failures.Select(failure => $"{failure.Kind}: {failure.Text}: {Convert.ToHexStringLower(failure.Input)}; again: --target {name} --seed {seed} --block {failure.Block}"));
    }

    [Fact]
    public void Every_folder_of_the_corpus_belongs_to_a_target()
    {
        var folders = Directory.GetFiles(Corpus.Directory, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Corpus.Directory, Path.GetDirectoryName(file)!)).Distinct(); // a file has a folder

        Assert.Empty(folders.Except(TargetTable.Names));
    }
}
