using Grpc.Core;
using Membership.Grpc.Errors;
using Xunit;

namespace Membership.Client.Tests;

/// <summary>What the daemon says about a failure, in the words of <c>google.rpc.Status</c>, reaches the caller in the exception.</summary>
public sealed class ServerWordTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Refused_call_carries_the_word_and_the_facts_of_the_daemon()
    {
        var failure = await StatusFailsAsync(RichError.Of(
            StatusCode.PermissionDenied, "PERMISSION_DENIED", "GetStatus needs the role read", ("role_needed", "read"), ("identity", "cert:alice")).ToException());

        Assert.Equal((MembershipReason.Denied, "PERMISSION_DENIED", false), (failure.Reason, failure.Word, failure.IsTransient));
        Assert.Equal([("identity", "cert:alice"), ("role_needed", "read")], failure.Metadata.Select(fact => (fact.Key, fact.Value)).Order());
        Assert.Equal("Status: GetStatus needs the role read", failure.Message);
    }

    [Fact]
    public async Task Status_without_details_gives_a_reason_and_no_word()
    {
        var failure = await StatusFailsAsync(new RpcException(new Status(StatusCode.ResourceExhausted, "full")));

        Assert.Equal((MembershipReason.LimitReached, null, false), (failure.Reason, failure.Word, failure.IsTransient));
        Assert.Empty(failure.Metadata);
    }

    [Theory]
    [InlineData(StatusCode.FailedPrecondition, "WORD_OF_A_NEWER_DAEMON", MembershipReason.NotPossibleNow, true)]
    [InlineData(StatusCode.ResourceExhausted, "STREAMS_LIMIT", MembershipReason.LimitReached, true)]
    [InlineData(StatusCode.ResourceExhausted, "SESSION_CUT", MembershipReason.CutOff, false)]
    [InlineData(StatusCode.Unavailable, "NODE_LEAVING", MembershipReason.Unavailable, true)]
    [InlineData(StatusCode.FailedPrecondition, "NOT_JOINED", MembershipReason.NotPossibleNow, false)]
    public async Task Word_decides_where_it_says_more_than_the_status(StatusCode code, string word, MembershipReason reason, bool isTransient)
    {
        var failure = await StatusFailsAsync(RichError.Of(code, word, "no").ToException());

        Assert.Equal((reason, word, isTransient), (failure.Reason, failure.Word, failure.IsTransient));
    }

    [Theory]
    [InlineData("POSITION_GONE", "oldest_position", "700", 700UL)]
    [InlineData("POSITION_AHEAD", "last_position", "12", 0UL)]
    [InlineData("POSITION_GONE", "oldest_position", "seven", 0UL)]
    public async Task Place_that_the_daemon_does_not_have_is_a_cut_that_says_where_to_go_on(string word, string fact, string value, ulong resume)
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.Failure = RichError.Of(StatusCode.OutOfRange, word, "not there", (fact, value)).ToException();
        await using var client = daemon.Client();
        await using var batches = client.SubscribeAsync(new SubscribeOptions { AfterPosition = 500 }).GetAsyncEnumerator();

        var cut = await Assert.ThrowsAsync<SubscriptionCutException>(() => batches.MoveNextAsync().AsTask().WaitAsync(Patience));

        Assert.Equal((resume, 500UL, word, MembershipReason.CutOff), (cut.ResumePosition, cut.LastPosition, cut.Word, cut.Reason));
        Assert.Equal(value, cut.Metadata[fact]);
    }

    [Fact]
    public async Task Refused_join_carries_its_word()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Groups.Closed = "closed";
        await using var client = daemon.Client();

        var refused = await Assert.ThrowsAsync<MembershipException>(() => client.JoinAsync("closed").WaitAsync(Patience));

        Assert.Equal((MembershipReason.Invalid, "GROUP_NAME", false), (refused.Reason, refused.Word, refused.IsTransient));
    }

    [Fact]
    public void Exception_made_of_another_keeps_its_word_and_facts()
    {
        var cause = MembershipException.From(RichError.Of(StatusCode.Unavailable, "NODE_LEAVING", "bye", ("node", "n1")).ToException(), "Groups");

        MembershipException[] made = [new GroupSendException(cause.Reason, true, "in doubt", cause), new MulticastInterruptedException(1, 2, cause)];

        Assert.All(made, failure => Assert.Equal(("NODE_LEAVING", "n1", true), (failure.Word, failure.Metadata["node"], failure.IsTransient)));
    }

    private static async Task<MembershipException> StatusFailsAsync(RpcException failure)
    {
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Service.Failure = failure;
        await using var client = daemon.Client();
        return await Assert.ThrowsAsync<MembershipException>(() => client.GetStatusAsync().WaitAsync(Patience));
    }
}
