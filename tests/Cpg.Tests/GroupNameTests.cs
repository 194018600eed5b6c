using System.Text;
using Xunit;

namespace Membership.Cpg.Tests;

/// <summary>The rule for names, and the part of it that other nodes' names are held to.</summary>
public sealed class GroupNameTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("orders")]
    [InlineData("a b")]
    [InlineData("größe")]
    [InlineData("\U0001F980")]
    [InlineData("<b>&\"'")]
    public void Ordinary_names_are_allowed(string name)
    {
        Assert.Null(GroupName.Check(name));
        Assert.True(GroupName.IsWellFormed(Encoding.UTF8.GetBytes(name)));
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData(" a", "space")]
    [InlineData("a ", "space")]
    [InlineData("a\nb", "control character (U+000A) at position 2")]
    [InlineData("\u001b[31m", "control character (U+001B) at position 1")]
    [InlineData("a\u0085", "control character")]
    [InlineData("a\u200b", "format character (U+200B)")]
    [InlineData("\u202eabc", "format character")]
    [InlineData("a\u00a0b", "separator other than the space")]
    [InlineData("a\u2028b", "separator other than the space")]
    [InlineData("\ue000", "private character")]
    [InlineData("\u0378", "unassigned character")]
    [InlineData("\ufdd0", "unassigned character")]
    public void Names_that_could_deceive_or_spoil_a_terminal_are_refused_in_words(string name, string why)
    {
        var sentence = GroupName.Check(name);

        Assert.Contains(why, sentence, StringComparison.Ordinal);
        Assert.DoesNotContain(sentence!, char.IsControl); // Contains saw that it is there
    }

    [Fact]
    public void Half_of_a_surrogate_pair_is_refused()
    {
        Assert.Contains("half of a surrogate pair (U+D800) at position 1", GroupName.Check("\ud800"), StringComparison.Ordinal);
        Assert.Contains("half of a surrogate pair (U+DC00) at position 2", GroupName.Check("a\udc00b"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_has_at_most_255_bytes()
    {
        Assert.Null(GroupName.Check(new string('a', 255)));
        Assert.Contains("256 bytes", GroupName.Check(new string('a', 256)), StringComparison.Ordinal);
        Assert.Contains("258 bytes", GroupName.Check(new string('ß', 129)), StringComparison.Ordinal);
        Assert.Contains("at most 255", GroupName.Check(new string('a', 1 << 20)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 0xC0, 0x80 })]
    [InlineData(new byte[] { 0xED, 0xA0, 0x80 })]
    [InlineData(new byte[] { 0xF5, 0x80, 0x80, 0x80 })]
    [InlineData(new byte[] { (byte)'a', 0xE2, 0x82 })]
    [InlineData(new byte[] { (byte)'a', 7 })]
    [InlineData(new byte[] { 0xC2, 0x85 })]
    public void Bytes_that_are_no_name_under_any_runtime_are_refused_from_other_nodes(byte[] bytes) => Assert.False(GroupName.IsWellFormed(bytes));

    [Fact]
    public void A_character_that_another_runtime_may_know_is_accepted_from_other_nodes()
    {
        // All members must take a join or drop it alike, whatever tables their runtimes have.
        Assert.NotNull(GroupName.Check("\u0378"));
        Assert.True(GroupName.IsWellFormed("\u0378"u8));
    }

    [Fact]
    public void Names_are_ordered_by_their_bytes()
    {
        string[] names = ["", "a", "aa", "b", "\uffe5", "\U0001F980", "\U0001F980a", "\ud7ff", "z", "ß"];
        var byBytes = names.OrderBy(name => Convert.ToHexString(Encoding.UTF8.GetBytes(name)), StringComparer.Ordinal).ToArray();

        Assert.Equal(byBytes, names.Order(Comparer<string>.Create(GroupName.Compare)));
    }
}
