using System.Diagnostics;
using Membership.Cpg;
using Proto = Membership.V1;

namespace Membership.Daemon.Services.Groups;

/// <summary>Groups as the API shows them.</summary>
internal static class ProtoGroups
{
    /// <summary>A member.</summary>
    public static Proto.GroupMember Member(GroupMember member) => new() { Node = member.Node.Value, Pid = member.Pid, Session = member.Session };

    /// <summary>A reason.</summary>
    public static Proto.GroupReason Reason(GroupReason reason) => reason switch
    {
        GroupReason.Join => Proto.GroupReason.Join,
        GroupReason.Leave => Proto.GroupReason.Leave,
        GroupReason.ProcessDown => Proto.GroupReason.ProcessDown,
        GroupReason.NodeDown => Proto.GroupReason.NodeDown,
        GroupReason.NodeUp => Proto.GroupReason.NodeUp,
        _ => throw new UnreachableException($"a group changed because of {reason}"),
    };
}
