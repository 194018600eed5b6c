namespace Membership.Client;

/// <summary>What this side makes of the daemon's words, where they say more than the status of the call. docs/sdk.md lists them.</summary>
internal static class ServerWords
{
    /// <summary>The subscription's place is no longer kept.</summary>
    public const string PositionGone = "POSITION_GONE";

    /// <summary>The subscription's place was never reached: the daemon was restarted.</summary>
    public const string PositionAhead = "POSITION_AHEAD";

    /// <summary>A watch of a group was cut off, and the call ended before its reader took the notice.</summary>
    public const string WatchCut = "WATCH_CUT";

    /// <summary>Where a subscription can go on: a fact of <see cref="PositionGone"/>.</summary>
    public const string OldestPosition = "oldest_position";

    /// <summary>The reason a word stands for; null: the status decides, as for words of newer daemons.</summary>
    public static MembershipReason? ReasonOf(string? word) => word switch
    {
        "SESSION_CUT" or WatchCut or PositionGone or PositionAhead => MembershipReason.CutOff,
        "NODE_LEAVING" or "DAEMON_STOPPED" => MembershipReason.Unavailable,
        "GROUP_NAME" => MembershipReason.Invalid,
        "MESSAGE_TOO_LARGE" or "GROUPS_LIMIT" or "MEMBERSHIPS_LIMIT" or "STREAMS_LIMIT" => MembershipReason.LimitReached,
        _ => null,
    };

    /// <summary>Whether what a word stands for passes by itself; null: the reason decides.</summary>
    public static bool? IsTransient(string? word) => word switch
    {
        "STREAMS_LIMIT" => true,    // other clients come and go
        "NOT_JOINED" => false,      // the group has to be joined first
        _ => null,
    };
}
