namespace Membership.Client;

/// <summary>A process in a group: its node, its process id there, and the session of its daemon that tells several of one process apart.</summary>
/// <remarks>Unique among the members of a group. The order is by node, then by session, the same everywhere: the order of member lists.</remarks>
/// <param name="Node">The node whose daemon the process uses, 1 to 65535.</param>
/// <param name="ProcessId">0 when the process runs on another machine than its daemon.</param>
/// <param name="Session">Unique during one life of the daemon.</param>
/// <example>
/// <code>
/// bool isFirst = group.Members[0] == group.Self;
/// </code>
/// </example>
public readonly record struct Member(uint Node, uint ProcessId, uint Session) : IComparable<Member>
{
    /// <summary>By node, then by session.</summary>
    public int CompareTo(Member other) => Node != other.Node ? Node.CompareTo(other.Node) : Session.CompareTo(other.Session);

    /// <summary><c>n1/77.3</c>: node 1, process 77, session 3.</summary>
    public override string ToString() => $"n{Node}/{ProcessId}.{Session}";

    /// <summary>Is the left one before the right one in member lists?</summary>
    public static bool operator <(Member left, Member right) => left.CompareTo(right) < 0;

    /// <summary>Is the left one behind the right one in member lists?</summary>
    public static bool operator >(Member left, Member right) => left.CompareTo(right) > 0;

    /// <summary>Is the left one the right one, or before it?</summary>
    public static bool operator <=(Member left, Member right) => left.CompareTo(right) <= 0;

    /// <summary>Is the left one the right one, or behind it?</summary>
    public static bool operator >=(Member left, Member right) => left.CompareTo(right) >= 0;

    internal static Member From(V1.GroupMember member) => new(member.Node, member.Pid, member.Session);

    internal static IReadOnlyList<Member> From(IEnumerable<V1.GroupMember> members) => [.. members.Select(From)];
}
