using Grpc.Core;
using Membership.Grpc.Errors;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services;

/// <summary>AdminService over a real Unix socket.</summary>
public sealed class AdminServiceTests
{
    [Fact]
    public async Task Votes_of_a_node_change_at_all_members_and_expected_votes_with_them()
    {
        await using var daemons = await TestDaemons.StartAsync(3);
        using var channel = daemons[0].Connect();
        var admin = new Proto.AdminService.AdminServiceClient(channel);
        await UntilAsync(daemons, state => state is { IsQuorate: true, Votes: 3 });

        var answer = await admin.SetVotesAsync(new Proto.SetVotesRequest { Node = 3, Votes = 5 }, deadline: DateTime.UtcNow.AddSeconds(20));

        Assert.Equal(7UL, answer.VotesExpected);
        await UntilAsync(daemons, state => state is { Votes: 7, Needed: 4, Expected: 7 });
    }

    [Fact]
    public async Task A_change_that_cannot_be_is_refused_with_a_reason_and_changes_nothing()
    {
        await using var daemons = await TestDaemons.StartAsync(3);
        using var channel = daemons[1].Connect();
        var admin = new Proto.AdminService.AdminServiceClient(channel);
        await UntilAsync(daemons, state => state is { IsQuorate: true, Votes: 3 });

        var unknown = await Assert.ThrowsAsync<RpcException>(async () => await admin.SetVotesAsync(new Proto.SetVotesRequest { Node = 9, Votes = 1 }));
        var nothing = await Assert.ThrowsAsync<RpcException>(async () => await admin.SetExpectedVotesAsync(new Proto.SetExpectedVotesRequest()));
        var tooFew = await Assert.ThrowsAsync<RpcException>(async () => await admin.SetExpectedVotesAsync(new Proto.SetExpectedVotesRequest { Votes = 2 }));
        var tooMany = await Assert.ThrowsAsync<RpcException>(async () => await admin.SetExpectedVotesAsync(new Proto.SetExpectedVotesRequest { Votes = 30 }));

        Assert.Equal((StatusCode.NotFound, "NODE_NOT_FOUND"), (unknown.StatusCode, RichError.From(unknown)?.Reason));
        Assert.Equal((StatusCode.InvalidArgument, "EXPECTED_VOTES"), (nothing.StatusCode, RichError.From(nothing)?.Reason));
        Assert.Equal((StatusCode.FailedPrecondition, "QUORUM_CHANGE_REFUSED"), (tooFew.StatusCode, RichError.From(tooFew)?.Reason));
        Assert.Equal((StatusCode.FailedPrecondition, "QUORUM_CHANGE_REFUSED"), (tooMany.StatusCode, RichError.From(tooMany)?.Reason));
        Assert.Contains("cease to be quorate", tooMany.Status.Detail, StringComparison.Ordinal);
        Assert.All(daemons.All, daemon => Assert.Equal((3UL, 3UL), (daemon.Verdicts.Current!.State.Votes, daemon.Verdicts.Current.State.Expected)));
    }

    [Fact]
    public async Task Waiting_for_all_ends_at_every_member_when_the_operator_vouches_for_the_missing()
    {
        await using var daemons = await TestDaemons.StartAsync(2, quorum: "{ mode: majority, wait_for_all: true }", absent: 1);
        using var channel = daemons[1].Connect();
        await UntilAsync(daemons, state => state is { IsQuorate: false, Votes: 2 });
        var before = daemons[0].Verdicts.Current!.State.Reason;   // there is one, as just seen

        await new Proto.AdminService.AdminServiceClient(channel).CancelWaitForAllAsync(new Proto.CancelWaitForAllRequest(), deadline: DateTime.UtcNow.AddSeconds(20));

        await UntilAsync(daemons, state => state is { IsQuorate: true, Votes: 2, Needed: 2 });
        Assert.Contains("wait", before, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_change_asked_of_a_node_that_has_left_is_unavailable_and_says_so()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        using var channel = daemons[0].Connect();
        await daemons[0].LeaveAsync();

        var refused = await Assert.ThrowsAsync<RpcException>(async () => await new Proto.AdminService.AdminServiceClient(channel).CancelWaitForAllAsync(new Proto.CancelWaitForAllRequest()));

        Assert.Equal((StatusCode.Unavailable, "DAEMON_STOPPED"), (refused.StatusCode, RichError.From(refused)?.Reason));
    }

    [Fact]
    public async Task A_leave_is_answered_before_it_happens()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        using var channel = daemons[0].Connect();

        await new Proto.AdminService.AdminServiceClient(channel).LeaveAsync(new Proto.LeaveRequest());

        await daemons[0].AskedToLeave.Task.WaitAsync(TestDaemons.Limit);
    }

    [Fact]
    public async Task A_reload_names_mistakes_with_their_place_and_applies_nothing_then()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        using var channel = daemons[0].Connect();
        await File.AppendAllTextAsync(daemons[0].File, "timming: fast\n");

        var answer = await new Proto.AdminService.AdminServiceClient(channel).ReloadAsync(new Proto.ReloadRequest { Apply = true });

        var mistake = Assert.Single(answer.Mistakes);
        Assert.Equal((6U, 1U, false), (mistake.Line, mistake.Column, answer.Applied));
        Assert.Contains("timing", mistake.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reload_says_what_needs_a_restart_and_exchanges_keys_when_asked_to()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        using var channel = daemons[0].Connect();
        var admin = new Proto.AdminService.AdminServiceClient(channel);
        await File.WriteAllTextAsync(daemons[0].File, (await File.ReadAllTextAsync(daemons[0].File)).Replace("timing: lan", "timing: fast", StringComparison.Ordinal));
        var keyFile = Path.Combine(Path.GetDirectoryName(daemons[0].File)!, "k");   // a file in a directory
        await TestDaemon.WriteKeysAsync(keyFile, $"1 accepted {TestDaemon.Secret("k")}", $"2 active {TestDaemon.Secret("other")}");

        var shown = await admin.ReloadAsync(new Proto.ReloadRequest());
        var applied = await admin.ReloadAsync(new Proto.ReloadRequest { Apply = true });
        var after = await admin.ReloadAsync(new Proto.ReloadRequest());

        Assert.Equal((false, true), (shown.Applied, applied.Applied));
        Assert.Contains(new Proto.ConfigurationDifference { What = "timing.token", Running = "1s", File = "250ms", NeedsRestart = true }, shown.Differences);
        Assert.Contains(new Proto.ConfigurationDifference { What = "keys", Running = "1 active", File = "1 accepted, 2 active" }, shown.Differences);
        Assert.DoesNotContain(after.Differences, difference => difference.What == "keys");
        Assert.DoesNotContain(after.Differences, difference => !difference.NeedsRestart);
    }

    private static async Task UntilAsync(TestDaemons daemons, Func<Quorum.QuorumState, bool> condition)
    {
        using var limit = new CancellationTokenSource(TestDaemons.Limit);
        foreach (var daemon in daemons.All)
        {
            while (daemon.Verdicts.Current is not { } verdict || !condition(verdict.State)) await daemon.Verdicts.WaitAsync(daemon.Verdicts.LastRevision, limit.Token);
        }
    }
}
