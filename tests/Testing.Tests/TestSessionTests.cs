using Google.Protobuf;
using Grpc.Core;
using Membership.Client;
using Membership.Tests.Groups;
using Membership.V1;
using Xunit;

namespace Membership.Testing.Tests;

/// <summary>What a node of a test cluster refuses it refuses in the words of the daemon: users' tests decide by them.</summary>
public sealed class TestSessionTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Message_without_a_membership_is_refused_beside_its_failed_receipt()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var session = await OpenAsync(cluster);

        await session.RequestStream.WriteAsync(new GroupRequest { Send = new SendToGroup { Handle = 7, Payloads = { ByteString.CopyFromUtf8("a") } } });

        var receipt = Assert.Single((await NextAsync(session)).Receipts.Receipts);
        var refused = (await NextAsync(session)).Refused;
        Assert.Contains("was not sent", receipt.Failure, StringComparison.Ordinal);
        Assert.Equal((7U, "NOT_JOINED"), (refused.Handle, refused.Reason));
    }

    [Fact]
    public async Task Leave_of_a_group_that_was_not_joined_is_refused()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var session = await OpenAsync(cluster);

        await session.RequestStream.WriteAsync(new GroupRequest { Leave = new LeaveGroup { Handle = 7 } });

        Assert.Equal("NOT_JOINED", (await NextAsync(session)).Refused.Reason);
    }

    [Fact]
    public async Task Second_join_of_one_session_is_refused_with_the_daemons_word()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var session = await OpenAsync(cluster);
        await session.RequestStream.WriteAsync(new GroupRequest { Join = new JoinGroup { Handle = 1, Group = "orders" } });
        Assert.NotNull((await NextAsync(session)).Membership);

        await session.RequestStream.WriteAsync(new GroupRequest { Join = new JoinGroup { Handle = 2, Group = "orders" } });

        var refused = (await NextAsync(session)).Refused;
        Assert.Equal((2U, "ALREADY_JOINED"), (refused.Handle, refused.Reason));
        Assert.Contains("in the group already", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Name_that_cannot_be_used_is_refused_with_the_rule_it_breaks()
    {
        await using var cluster = await TestCluster.StartAsync(1);

        var refused = await Assert.ThrowsAsync<MembershipException>(() => cluster.Client(1).JoinAsync("two\nlines").WaitAsync(Patience));

        Assert.Equal((MembershipReason.Invalid, "GROUP_NAME", false), (refused.Reason, refused.Word, refused.IsTransient));
        Assert.Contains("holds a control character (U+000A) at position 4", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_refusal_of_a_join_is_that_of_the_daemon()
    {
        await using var cluster = await TestCluster.StartAsync(1);

        await SessionRefusals.HoldAsync(new GroupService.GroupServiceClient(cluster.CallsTo(1)));
    }

    private static async Task<AsyncDuplexStreamingCall<GroupRequest, GroupResponse>> OpenAsync(TestCluster cluster)
    {
        var session = new GroupService.GroupServiceClient(cluster.CallsTo(1)).Session();
        await session.RequestStream.WriteAsync(new GroupRequest { Open = new OpenSession() });
        Assert.NotNull((await NextAsync(session)).Opened);
        return session;
    }

    private static async Task<GroupEvent> NextAsync(AsyncDuplexStreamingCall<GroupRequest, GroupResponse> session)
    {
        Assert.True(await session.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience), "the session ended");
        return Assert.Single(session.ResponseStream.Current.Events);
    }
}
