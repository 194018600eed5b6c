using Membership.Cli.Errors;
using Membership.V1;

namespace Membership.Cli.Status;

/// <summary>The words of the contract for its enums; a value without a word breaks the contract.</summary>
internal static class Words
{
    /// <summary>healthy, degraded or no-quorum.</summary>
    public static string Of(ClusterState state, string socket) => state switch
    {
        ClusterState.Healthy => "healthy",
        ClusterState.Degraded => "degraded",
        ClusterState.NoQuorum => "no-quorum",
        _ => throw Unknown("cluster state", (int)state, socket),
    };

    /// <summary>member, unreachable or held-out.</summary>
    public static string Of(NodeState state, string socket) => state switch
    {
        NodeState.Member => "member",
        NodeState.Unreachable => "unreachable",
        NodeState.HeldOut => "held-out",
        _ => throw Unknown("node state", (int)state, socket),
    };

    /// <summary>up, down or one-way.</summary>
    public static string Of(LinkState state, string socket) => state switch
    {
        LinkState.Up => "up",
        LinkState.Down => "down",
        LinkState.OneWay => "one-way",
        _ => throw Unknown("link state", (int)state, socket),
    };

    /// <summary>agreed or safe; an unspecified level is agreed, as the contract says.</summary>
    public static string Of(DeliveryLevel level) => level == DeliveryLevel.Safe ? "safe" : "agreed";

    /// <summary>Why the members of a group changed; <c>current</c> for the members a watch begins with.</summary>
    public static string Of(GroupReason reason) => reason switch
    {
        GroupReason.Unspecified => "current",
        GroupReason.Join => "join",
        GroupReason.Leave => "leave",
        GroupReason.ProcessDown => "process-down",
        GroupReason.NodeDown => "node-down",
        GroupReason.NodeUp => "node-up",
        _ => $"reason-{(int)reason}", // of a newer daemon
    };

    private static CliException Unknown(string what, int value, string socket) =>
        new(ErrorCatalogue.BadAnswer, ("socket", socket), ("detail", $"{what} {value} is unknown"));
}
