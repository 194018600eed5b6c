using Grpc.Core;
using Membership.Cpg;
using Proto = Membership.V1;

namespace Membership.Tests.Groups;

/// <summary>Joins that are refused, each in one word and one sentence, wherever a session is served: by a daemon, or by a test cluster. Linked into the tests of both.</summary>
internal static class SessionRefusals
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static readonly (uint Handle, string Reason, string Message)[] Expected =
    [
        (1, "GROUP_NAME", "The group name is empty: use 1 to 255 bytes of UTF-8."),
        (1, "HANDLE_IN_USE", "handle 1 is in use for the group \"the first, of many\". Choose another one."),
        (1, "HANDLE_IN_USE", "handle 1 is in use for the group \"the first, of many\". Choose another one."),
        (2, "ALREADY_JOINED", "the session is in the group already, or its leave is not ordered yet. Wait for the event of the leave, or join from another session."),
        (9999, "GROUPS_LIMIT", "the session is in 4096 groups, the limit. Leave one of them, or open another session."),
        (1, "HANDLE_IN_USE", "handle 1 is in use for the group \"the first, of many\". Choose another one."),
    ];

    /// <summary>Asks for what is refused and for what is not, and compares the answers.</summary>
    public static async Task HoldAsync(Proto.GroupService.GroupServiceClient client)
    {
        using var session = client.Session();
        List<(uint Handle, string Reason, string Message)> refused = [];
        await session.RequestStream.WriteAsync(new Proto.GroupRequest { Open = new Proto.OpenSession { WindowBytes = uint.MaxValue } });
        await JoinAsync(session, 1, "", refused);
        await JoinAsync(session, 1, "the first, of many", refused);
        await JoinAsync(session, 1, "another", refused);
        await JoinAsync(session, 1, "the first, of many", refused);
        await JoinAsync(session, 2, "the first, of many", refused);
        for (uint group = 2; group <= GroupRefusal.SessionGroupsMax; group++) await JoinAsync(session, group, $"g{group}", refused);
        await JoinAsync(session, 9999, "one too many", refused);
        await JoinAsync(session, 1, "one too many", refused);
        await session.RequestStream.WriteAsync(new Proto.GroupRequest { Leave = new Proto.LeaveGroup { Handle = 1 } });
        await UntilAsync(session, happened => happened.Membership is { Handle: 1, Left.Count: 1 }, refused);
        await JoinAsync(session, 9999, "one too many", refused);   // there is room again

        Xunit.Assert.Equal(Expected, refused);
    }

    private static async Task JoinAsync(
        AsyncDuplexStreamingCall<Proto.GroupRequest, Proto.GroupResponse> session, uint handle, string group, List<(uint Handle, string Reason, string Message)> refused)
    {
        await session.RequestStream.WriteAsync(new Proto.GroupRequest { Join = new Proto.JoinGroup { Handle = handle, Group = group } });
        await UntilAsync(session, happened => happened.Refused?.Handle == handle || happened.Membership is { Joined.Count: 1 } joined && joined.Handle == handle, refused);
    }

    // Responses hold one event, or several; the last of what is waited for ends one here, because one request is under way.
    private static async Task UntilAsync(
        AsyncDuplexStreamingCall<Proto.GroupRequest, Proto.GroupResponse> session, Func<Proto.GroupEvent, bool> isLast, List<(uint Handle, string Reason, string Message)> refused)
    {
        for (var isOver = false; !isOver;)
        {
            Xunit.Assert.True(await session.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit), "the session ended");
            foreach (var happened in session.ResponseStream.Current.Events)
            {
                if (happened.Refused is { } refusal) refused.Add((refusal.Handle, refusal.Reason, refusal.Message));
                isOver |= isLast(happened);
            }
        }
    }
}
