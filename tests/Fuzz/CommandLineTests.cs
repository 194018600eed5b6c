using Membership.Virtual;
using Xunit;

namespace Membership.Fuzz;

/// <summary>Who calls the program wrongly is told so, and nothing runs.</summary>
public sealed class CommandLineTests
{
    [Theory]
    [InlineData("--executions", "many")]
    [InlineData("--executions", "-1")]
    [InlineData("--jobs", "0")]
    [InlineData("--seed", "18446744073709551616")]
    [InlineData("--seconds", "1.5")]
    [InlineData("--block", "x")]
    [InlineData("--target", "no/such")]
    [InlineData("--seed")]
    [InlineData("--no-such-option")]
    [InlineData("all")]
    public void A_wrong_word_or_number_ends_with_the_exit_code_of_a_wrong_call(params string[] words) => Assert.Equal(CommandOptions.UsageExit, CommandLine.Main(words));
}
