using System.Globalization;
using Grpc.Core;
using Membership.Daemon.Configuration;
using Proto = Membership.V1;

namespace Membership.Daemon.Services.Groups;

/// <summary>What a client is told of positions of the group log: where it can go on after a cut, and why it cannot where it asked to.</summary>
internal static class GroupResumption
{
    /// <summary>How a client whose session was cut off comes to what it missed.</summary>
    public const string SessionGoesOn =
        "Open another session and join again; what was missed of a group is read with WatchGroup after that position, with payloads, up to the position of the own join.";

    /// <summary>The same where no cut came through that names the position.</summary>
    public const string SessionGoesOnWithoutCut =
        "Open another session and join again; what was missed of a group is read with WatchGroup after the position of the last event that came, with payloads, up to the position of the own join.";

    /// <summary>Where a client that was cut off can go on, and what that means to it.</summary>
    public static (long Resume, string Missed) AfterCut(GroupLog log, GroupReader reader)
    {
        var last = reader.Position;
        var resume = reader.IsOvertaken ? Math.Max(last, log.OldestResumable()) : last;
        var missed = string.Create(CultureInfo.InvariantCulture, $"Events after position {last} were not given to it");
        return resume == last
            ? (resume, $"{missed}.")
            : (resume, string.Create(CultureInfo.InvariantCulture, $"{missed}; those up to position {resume} are overwritten, those after it are still kept."));
    }

    /// <summary>Why a watch cannot begin after a position.</summary>
    /// <param name="log">Recent events.</param>
    /// <param name="request">What was asked for.</param>
    /// <param name="boot">Of this daemon.</param>
    /// <param name="lastPosition">Of the last event when it was asked for.</param>
    /// <param name="recordedAfter">Every event of the group after this position went into the log; null: the group is not recorded.</param>
    public static RpcException Refusal(GroupLog log, Proto.WatchGroupRequest request, string boot, long lastPosition, long? recordedAfter)
    {
        var after = request.AfterPosition;
        var isOfThisBoot = request.Boot.Length == 0 || request.Boot == boot;
        var oldest = recordedAfter is { } recorded && isOfThisBoot ? Math.Max(recorded, log.OldestResumable()) : 0;
        var group = Printable.Value(request.Group);
        var then = oldest > 0
            ? string.Create(CultureInfo.InvariantCulture, $"the oldest position that can be resumed after is {oldest}. Watch again with after_position {oldest}, or with 0 from now on.")
            : "nothing can be resumed after. Watch again with after_position 0, from now on.";
        if (!isOfThisBoot)
            return Gone($"position {after} of group {group} was counted by the daemon's life {Printable.Value(request.Boot)}; this one is {boot}, its positions began anew, and what came between is not known here; {then}");
        if (after > (ulong)lastPosition)
        {
            return ApiErrors.OutOfRange(
                "POSITION_AHEAD",
                $"position {after} has not been reached, the last is {lastPosition}: positions begin anew when the daemon restarts; {then}",
                ("last_position", Text(lastPosition)),
                ("oldest_position", Text(oldest)));
        }
        return recordedAfter is { } from && after >= (ulong)from
            ? Gone($"events of group {group} after position {after} are no longer kept; {then}")
            : Gone($"group {group} was not recorded here in the whole time since position {after}, because no client of this daemon was in it or watched it; {then}");

        RpcException Gone(string message) => ApiErrors.OutOfRange("POSITION_GONE", message, ("oldest_position", Text(oldest)));
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
