using Membership.Cli.Demo;

namespace Membership.Cli.Tests.Demo;

public class DemoKeysTests
{
    private readonly DemoKeys _keys = new(nodes: 5);

    [Fact]
    public void A_digit_kills_or_starts_that_node() => Assert.Equal(new DemoAction.Toggle(3), _keys.Press('3'));

    [Fact]
    public void F_and_a_digit_freeze_that_node_and_the_next_digit_kills_again()
    {
        Assert.Null(_keys.Press('f'));
        Assert.Equal(new DemoAction.Freeze(2), _keys.Press('2'));
        Assert.Equal(new DemoAction.Toggle(2), _keys.Press('2'));
    }

    [Theory]
    [InlineData('0')]
    [InlineData('6')]
    [InlineData('x')]
    public void A_key_without_meaning_does_nothing(char key) => Assert.Null(_keys.Press(key));
}
