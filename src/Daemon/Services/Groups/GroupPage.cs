using System.Text;
using Membership.Cpg;
using Proto = Membership.V1;

namespace Membership.Daemon.Services.Groups;

/// <summary>One page of the list of groups: what fits from a name on. Pure.</summary>
internal sealed class GroupPage
{
    /// <summary>Groups in one page.</summary>
    public const int GroupsMax = 1000;

    /// <summary>Members in one page; the group that exceeds it is its last.</summary>
    public const int MembersMax = 20_000;

    private readonly int _limit;
    private readonly byte[] _after;
    private readonly bool _withMembers;

    /// <param name="request">What is asked for; a limit of 0 or beyond <see cref="GroupsMax"/> is that.</param>
    public GroupPage(Proto.ListGroupsRequest request)
    {
        _limit = request.Limit == 0 ? GroupsMax : (int)Math.Min(request.Limit, GroupsMax);
        _after = Encoding.UTF8.GetBytes(request.After);
        _withMembers = request.WithMembers;
    }

    /// <summary>Fills it.</summary>
    /// <param name="names">Of all groups, ascending by bytes.</param>
    /// <param name="membersOf">Members of a group, ascending.</param>
    public Proto.ListGroupsResponse Of(IEnumerable<string> names, Func<string, IReadOnlyList<GroupMember>> membersOf)
    {
        var response = new Proto.ListGroupsResponse();
        var members = 0;
        foreach (var name in names)
        {
            if (_after.Length > 0 && Encoding.UTF8.GetBytes(name).AsSpan().SequenceCompareTo(_after) <= 0) continue;
            if (response.Groups.Count >= _limit || members >= MembersMax)
            {
                response.More = true;
                break;
            }
            var group = Describe(name, membersOf(name), _withMembers);
            members += group.Members.Count;
            response.Groups.Add(group);
        }
        return response;
    }

    /// <summary>A group as the API shows it.</summary>
    public static Proto.Group Describe(string name, IReadOnlyList<GroupMember> members, bool withMembers)
    {
        var group = new Proto.Group { Name = name, MemberCount = (uint)members.Count };
        if (withMembers) group.Members.Add(members.Select(ProtoGroups.Member));
        return group;
    }
}
