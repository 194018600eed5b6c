using System.Diagnostics;
using System.Globalization;

namespace Membership.Cpg;

/// <summary>How clients are told that a request of a session was not done, wherever it is served. The words are part of the API.</summary>
public static class GroupRefusal
{
    /// <summary>The name breaks the rule of <see cref="GroupName"/>; its sentence is what <see cref="GroupName.Check"/> says.</summary>
    public const string BadName = "GROUP_NAME";

    /// <summary>The client uses a handle for another group of the session.</summary>
    public const string HandleInUse = "HANDLE_IN_USE";

    /// <summary>The session is in as many groups as it may be.</summary>
    public const string GroupsLimit = "GROUPS_LIMIT";

    /// <summary>Groups one session may be in, joins and leaves under way included.</summary>
    public const int SessionGroupsMax = 4096;

    /// <summary>The sentence of <see cref="HandleInUse"/>.</summary>
    /// <param name="handle">What the client chose.</param>
    /// <param name="group">What it is used for; the name of a group that was joined can be shown as it is.</param>
    public static string HandleSentence(uint handle, string group) =>
        string.Create(CultureInfo.InvariantCulture, $"handle {handle} is in use for the group \"{group}\". Choose another one.");

    /// <summary>The sentence of <see cref="GroupsLimit"/>.</summary>
    public static string GroupsLimitSentence { get; } =
        string.Create(CultureInfo.InvariantCulture, $"the session is in {SessionGroupsMax} groups, the limit. Leave one of them, or open another session.");

    /// <summary>The word of an answer.</summary>
    public static string Word(GroupStatus status) => status switch
    {
        GroupStatus.BadName => BadName,
        GroupStatus.AlreadyJoined => "ALREADY_JOINED",
        GroupStatus.NotJoined => "NOT_JOINED",
        GroupStatus.TooLarge => "MESSAGE_TOO_LARGE",
        GroupStatus.NotRunning => "NODE_LEAVING",
        GroupStatus.LimitReached => "MEMBERSHIPS_LIMIT",
        _ => throw new UnreachableException($"a request was answered {status}"),
    };

    /// <summary>The sentence beside it: what is in the way, and what to do.</summary>
    public static string Sentence(GroupStatus status) => status switch
    {
        GroupStatus.BadName => "the name of the group cannot be used.",
        GroupStatus.AlreadyJoined => "the session is in the group already, or its leave is not ordered yet. Wait for the event of the leave, or join from another session.",
        GroupStatus.NotJoined => "the session is not in a group under this handle, or is leaving it. Join first.",
        GroupStatus.TooLarge => "the message is too large.",
        GroupStatus.NotRunning => "the node is leaving the cluster. Use another node.",
        GroupStatus.LimitReached => "this node has as many memberships as it can hold. Leave groups, or use another node.",
        _ => throw new UnreachableException($"a request was answered {status}"),
    };
}
