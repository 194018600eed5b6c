using Xunit;

namespace Membership.Cpg.Tests;

public class GroupRefusalTests
{
    /// <summary>Clients decide by the words: docs/sdk.md lists them.</summary>
    [Fact]
    public void Every_refusal_has_a_word_of_the_api_and_a_sentence()
    {
        var refusals = Enum.GetValues<GroupStatus>().Except([GroupStatus.Accepted, GroupStatus.QueueFull]).ToList();   // a full queue is waited for

        Assert.Equal(
            ["GROUP_NAME", "ALREADY_JOINED", "NOT_JOINED", "MESSAGE_TOO_LARGE", "NODE_LEAVING", "MEMBERSHIPS_LIMIT"], refusals.Select(GroupRefusal.Word));
        Assert.All(refusals, status => Assert.EndsWith(".", GroupRefusal.Sentence(status), StringComparison.Ordinal));
    }
}
