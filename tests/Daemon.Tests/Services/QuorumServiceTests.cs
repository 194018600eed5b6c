using System.Diagnostics;
using Grpc.Core;
using Membership.Grpc.Errors;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services;

/// <summary>QuorumService over a real Unix socket.</summary>
public sealed class QuorumServiceTests
{
    [Fact]
    public async Task The_verdict_names_who_is_missing_and_its_view_belongs_to_it()
    {
        await using var daemons = await TestDaemons.StartAsync(3);
        using var channel = daemons[0].Connect();
        var client = new Proto.QuorumService.QuorumServiceClient(channel);
        using var watch = client.WatchQuorum(new Proto.WatchQuorumRequest());
        var whole = await UntilAsync(watch, quorum => quorum is { Quorate: true, Votes: 3 });

        await daemons[2].Host.DisposeAsync();
        var two = await UntilAsync(watch, quorum => quorum is { Quorate: true, Votes: 2 });
        await daemons[1].Host.DisposeAsync();
        var one = await UntilAsync(watch, quorum => !quorum.Quorate && quorum.View.Members.Count == 1 && !quorum.Synchronizing);
        var now = (await client.GetQuorumAsync(new Proto.GetQuorumRequest())).Quorum;

        Assert.Equal((2UL, 3UL, "majority"), (whole.VotesNeeded, whole.VotesExpected, whole.Mode));
        Assert.Contains("node n3 is missing", two.Reason, StringComparison.Ordinal);
        Assert.Contains("nodes n2 and n3 are missing", one.Reason, StringComparison.Ordinal);
        Assert.Equal([(1U, "n1", true), (2U, "n2", false), (3U, "n3", false)], one.Members.Select(m => (m.Node, m.Name, m.Present)));
        Assert.Equal([1U], one.View.Members.Select(m => m.Node));
        Assert.Equal(one, now);
    }

    [Fact]
    public async Task The_times_of_a_primary_view_are_renewed_in_each_answer_and_without_quorum_there_are_none()
    {
        await using var daemons = await TestDaemons.StartAsync(2);
        using var channel = daemons[0].Connect();
        var client = new Proto.QuorumService.QuorumServiceClient(channel);
        using var watch = client.WatchQuorum(new Proto.WatchQuorumRequest());
        var record = await UntilAsync(watch, quorum => quorum is { Quorate: true, Votes: 2 });

        var first = (await client.GetQuorumAsync(new Proto.GetQuorumRequest())).Quorum;
        var last = first;
        while (last.ExclusiveInMs > 0 || last.QuorateUntilNs <= first.QuorateUntilNs) last = (await client.GetQuorumAsync(new Proto.GetQuorumRequest())).Quorum;
        var now = Stopwatch.GetTimestamp();
        await daemons[1].Host.DisposeAsync();
        var alone = await UntilAsync(watch, quorum => !quorum.Quorate && !quorum.Synchronizing);

        Assert.Equal(record.ExclusiveFromNs, last.ExclusiveFromNs);
        Assert.True(record.ExclusiveFromNs > record.TNs);
        Assert.InRange(now, last.ExclusiveFromNs, last.QuorateUntilNs);
        Assert.InRange(last.QuorateForMs, 1, (last.QuorateUntilNs - record.TNs) / 1_000_000);
        Assert.Equal(record.Revision, last.Revision);
        Assert.Equal((0, 0, 0, 0), (alone.QuorateUntilNs, alone.ExclusiveFromNs, alone.QuorateForMs, alone.ExclusiveInMs));
    }

    [Fact]
    public async Task Verdicts_come_without_gap_or_repeat_and_a_watch_resumes_where_it_was()
    {
        await using var daemons = await TestDaemons.StartAsync(2);
        using var channel = daemons[0].Connect();
        var client = new Proto.QuorumService.QuorumServiceClient(channel);
        using var watch = client.WatchQuorum(new Proto.WatchQuorumRequest());
        var responses = new List<Proto.WatchQuorumResponse>();
        while (responses.LastOrDefault()?.Quorum is not { Quorate: true, Votes: 2 }) responses.Add(await NextAsync(watch));
        await daemons[1].Host.DisposeAsync();
        while (responses[^1].Quorum is not { Quorate: false, View.Members.Count: 1, Synchronizing: false }) responses.Add(await NextAsync(watch));
        var revisions = responses.Where(r => r.Quorum is not null).Select(r => r.Quorum.Revision).ToList();

        using var resumed = client.WatchQuorum(new Proto.WatchQuorumRequest { AfterRevision = revisions[0], Boot = responses[0].Boot });
        var again = new List<ulong>();
        while (again.Count < revisions.Count - 1) again.Add((await NextAsync(resumed)).Quorum.Revision);
        using var latest = client.WatchQuorum(new Proto.WatchQuorumRequest { AfterRevision = revisions[^1], Boot = responses[0].Boot });
        var nothingNew = await NextAsync(latest);
        using var other = client.WatchQuorum(new Proto.WatchQuorumRequest { AfterRevision = 999, Boot = "0123456789abcdef" });
        var afterRestart = await NextAsync(other);

        Assert.Equal(16, responses[0].Boot.Length);
        Assert.Equal(Enumerable.Range(0, revisions.Count).Select(i => revisions[0] + (ulong)i), revisions);
        Assert.Equal(revisions.Skip(1), again);
        Assert.Equal((null, responses[0].Boot), (nothingNew.Quorum, nothingNew.Boot));
        Assert.Equal(revisions[^1], afterRestart.Quorum.Revision);
    }

    [Fact]
    public async Task A_revision_that_was_never_counted_is_out_of_range_with_the_last_one()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        using var channel = daemons[0].Connect();
        using var watch = new Proto.QuorumService.QuorumServiceClient(channel).WatchQuorum(new Proto.WatchQuorumRequest { AfterRevision = 999 });

        var refused = await Assert.ThrowsAsync<RpcException>(() => NextAsync(watch));

        Assert.Equal((StatusCode.OutOfRange, "REVISION_AHEAD"), (refused.StatusCode, RichError.From(refused)?.Reason));
        Assert.True(ulong.TryParse(RichError.From(refused)?.Metadata["last_revision"], out var last) && last < 999);
    }

    private static async Task<Proto.WatchQuorumResponse> NextAsync(AsyncServerStreamingCall<Proto.WatchQuorumResponse> watch)
    {
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TestDaemons.Limit), "the stream ended");
        return watch.ResponseStream.Current;
    }

    private static async Task<Proto.Quorum> UntilAsync(AsyncServerStreamingCall<Proto.WatchQuorumResponse> watch, Func<Proto.Quorum, bool> condition)
    {
        while (true)
        {
            if ((await NextAsync(watch)).Quorum is { } quorum && condition(quorum)) return quorum;
        }
    }
}
