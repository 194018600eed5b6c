using Google.Protobuf;
using Grpc.Core;
using Membership.Daemon.Services;
using Membership.Daemon.Telemetry;
using Membership.Daemon.Tests.Access;
using Membership.Daemon.Tests.Services.Groups;
using Membership.Daemon.Tests.Telemetry;
using Membership.Grpc.Server.Services;
using Membership.Grpc.Unix;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services;

/// <summary>What becomes known of clients that are cut off. That they are: SlowClientTests.</summary>
public sealed class ClientCutTests
{
    // More than the log keeps: payloads up to 16 KiB lie in it.
    private const int OverwritingMessages = 1200;
    private const int MessageBytes = 16 * 1000;

    [Fact]
    public async Task A_watch_that_is_overtaken_counts_as_cut_off()
    {
        await using var daemons = await TestDaemons.StartAsync(1, new HandTime());   // it is not cut off for its stall before
        var watch = new HeldWatch();
        var watching = daemons[0].Groups.WatchGroup(new Proto.WatchGroupRequest { Group = "g" }, watch, new NoContext());
        await watch.IsHeld.WaitAsync(TestDaemons.Limit);

        await OverwriteAsync(daemons[0]);
        watch.GoOn();
        await watching.WaitAsync(TestDaemons.Limit);

        Assert.Contains("too slow", watch.Last.Cut.Reason, StringComparison.Ordinal);
        Assert.Equal(1, daemons[0].Groups.Clients.Cut);
        Assert.Equal(
            ["client unknown is cut off from its watch of group g: the reader was too slow: what it should read next is overwritten. It can watch again after the position it was told, for 30 s. See what keeps it from reading"],
            daemons[0].Log.Of(6018));
    }

    [Fact]
    public async Task The_log_names_a_client_whose_session_is_cut_off_by_its_name_process_and_groups()
    {
        await using var daemons = await TestDaemons.StartAsync(1, new HastyTime(10));
        await using var stingy = await TestSession.OpenAsync(daemons[0], window: 16 * 1024, givesCredit: false);
        await stingy.JoinAsync("g");
        await stingy.JoinAsync("another", handle: 2);
        await stingy.UntilMembersAsync(1);
        await stingy.UntilMembersAsync(1);

        await stingy.SendAsync(Enumerable.Repeat(ByteString.CopyFrom(new byte[1024]), 100));
        var cut = await stingy.NextAsync(Proto.GroupEvent.EventOneofCase.Cut);

        Assert.Null(await stingy.NextOrEndAsync());

        Assert.Contains("gave no credit", cut.Cut.Reason, StringComparison.Ordinal);
        Assert.Equal(
            [$"client uid:{UnixPeer.OwnUserId} pid:{Environment.ProcessId} is cut off from its session test (another, g): the client gave no credit for the 16384 bytes of its window for 4 s "
                + "while events waited for it. It has to open another session and join again, and can read what it missed by watching its groups after the position it was told, for 30 s. See what keeps it from reading"],
            daemons[0].Log.Of(6018));
    }

    [Fact]
    public async Task Clients_that_are_cut_off_again_and_again_are_a_few_lines()
    {
        var (log, time) = (new RecordingLog(), new HandTime());
        var cuts = new ClientCuts(log, time);
        using var open = new StreamGate(1, "tests are run by").Enter();
        using var ended = new CancellationTokenSource();
        await ended.CancelAsync();

        for (var i = 0; i < 100; i++) cuts.Add(open, "pid:1", "its session", "It did not read.", "It has to join again");
        for (var i = 0; i < 100; i++) cuts.Add(open, $"pid:{i + 2}", "its session", "It did not read.", "It has to join again");
        await cuts.RunAsync(ended.Token);

        Assert.Equal(LineFolding.LinesPerSecondMax, log.Of(6018).Count);
        Assert.Equal(["client cut off again: pid:1 from its session (x 99 in 10 s)"], log.Of(6019));
        Assert.StartsWith("91 clients", Assert.Single(log.Of(6020)), StringComparison.Ordinal);
    }

    [Fact]
    public void Many_groups_of_a_client_are_counted_not_named()
    {
        Assert.Equal("no group", ClientCuts.Name([]));
        Assert.Equal("a, b", ClientCuts.Name(["b", "a"]));
        Assert.Equal("g10, g11, g12, g13, g14, g15, g16, g17 and 12 more", ClientCuts.Name([.. Enumerable.Range(10, 20).Select(i => $"g{i}")]));
    }

    [Fact]
    public async Task An_hour_after_a_cut_that_nobody_looked_at_it_is_an_hour_old()
    {
        await using var node = await OneNode.StartAsync();
        var time = new HandTime();
        var cuts = new ClientCuts(new RecordingLog(), time);
        node.Counters.Clients = () => new ClientsNow(0, 0, 0, 1, cuts.Since);
        using var open = new StreamGate(1, "tests are run by").Enter();
        Assert.Null(cuts.Since);
        cuts.Add(open, "pid:1", "its session", "It did not read.", "It has to join again");
        var now = HealthChecks.Find(await node.Source.TakeAsync(CancellationToken.None), HealthNames.ClientsSlow);

        time.Pass(TimeSpan.FromHours(1));
        var later = HealthChecks.Find(await node.Source.TakeAsync(CancellationToken.None), HealthNames.ClientsSlow);

        Assert.Equal(TimeSpan.FromHours(1), cuts.Since);
        Assert.Equal((false, true), (now.IsHealthy, later.IsHealthy));
    }

    private static async Task OverwriteAsync(TestDaemon daemon)
    {
        await using var sender = await TestSession.OpenAsync(daemon);
        await sender.JoinAsync("g", withoutOwn: true);
        await sender.UntilMembersAsync(1);
        var payload = ByteString.CopyFrom(new byte[MessageBytes]);
        for (var sent = 0; sent < OverwritingMessages; sent += 100)
        {
            await sender.SendAsync(Enumerable.Repeat(payload, 100));
            await sender.ReceiptsAsync(100);
        }
    }

    /// <summary>A client of WatchGroup that takes its first response when the test lets it, the others at once.</summary>
    private sealed class HeldWatch : IServerStreamWriter<EncodedResponse>
    {
        private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task IsHeld => _held.Task;

        public Proto.GroupEvent Last { get; private set; } = new();

        public WriteOptions? WriteOptions { get; set; }

        public void GoOn() => _goOn.SetResult();

        public Task WriteAsync(EncodedResponse message) => WriteAsync(message, CancellationToken.None);

        public Task WriteAsync(EncodedResponse message, CancellationToken cancellationToken)
        {
            if (Proto.WatchGroupResponse.Parser.ParseFrom(message.Bytes.Span).Events is [.., var last]) Last = last;
            _held.TrySetResult();
            return _goOn.Task;
        }
    }
}
