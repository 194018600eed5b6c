using Membership.Cpg;
using Membership.Daemon.Services.Groups;
using Membership.Links;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services.Groups;

/// <summary>Pages of the list of groups: their limits, and that together they are the whole list.</summary>
public sealed class GroupPageTests
{
    [Theory]
    [InlineData(0U, GroupPage.GroupsMax)]
    [InlineData(1U, 1)]
    [InlineData(1000U, GroupPage.GroupsMax)]
    [InlineData(uint.MaxValue, GroupPage.GroupsMax)]
    public void A_page_has_as_many_groups_as_asked_for_and_no_more_than_the_limit(uint asked, int groups)
    {
        var page = new GroupPage(new Proto.ListGroupsRequest { Limit = asked }).Of(Names(1500), _ => Members(1));

        Assert.Equal((groups, true), (page.Groups.Count, page.More));
    }

    [Fact]
    public void Members_end_a_page_with_the_group_that_exceeds_their_limit_and_only_where_they_are_asked_for()
    {
        var each = Members(7000);

        var with = new GroupPage(new Proto.ListGroupsRequest { WithMembers = true }).Of(Names(10), _ => each);
        var without = new GroupPage(new Proto.ListGroupsRequest()).Of(Names(10), _ => each);

        Assert.Equal((3, true), (with.Groups.Count, with.More));
        Assert.All(with.Groups, group => Assert.Equal(7000, group.Members.Count));
        Assert.Equal((10, false), (without.Groups.Count, without.More));
        Assert.All(without.Groups, group => Assert.Equal((7000U, 0), (group.MemberCount, group.Members.Count)));
    }

    [Fact]
    public void Pages_one_after_the_other_are_the_whole_list_in_the_order_of_bytes()
    {
        string[] names = [.. Names(2500), "\u00e4", "\uffee", "\U0001f600"];   // the last two change places where characters are compared
        var got = new List<string>();
        Proto.ListGroupsResponse page;
        do
        {
            page = new GroupPage(new Proto.ListGroupsRequest { After = got.LastOrDefault() ?? "", Limit = 999 }).Of(names, _ => Members(1));
            got.AddRange(page.Groups.Select(group => group.Name));
        }
        while (page.More);

        Assert.Equal(names, got);
    }

    private static string[] Names(int count) => [.. Enumerable.Range(0, count).Select(number => $"g{number:d5}")];

    private static GroupMember[] Members(int count) => [.. Enumerable.Range(1, count).Select(session => new GroupMember(new NodeId(1), 1, (uint)session))];
}
