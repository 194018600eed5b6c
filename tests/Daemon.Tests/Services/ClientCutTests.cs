using Google.Protobuf;
using Grpc.Core;
using Membership.Daemon.Services;
using Membership.Daemon.Telemetry;
using Membership.Daemon.Tests.Services.Groups;
using Membership.Daemon.Tests.Telemetry;
using Membership.Grpc.Server.Services;
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
        await using var daemons = await TestDaemons.StartAsync(1);
        var watch = new HeldWatch();
        var watching = daemons[0].Groups.WatchGroup(new Proto.WatchGroupRequest { Group = "g" }, watch, new NoContext());
        await watch.IsHeld.WaitAsync(TestDaemons.Limit);

        await OverwriteAsync(daemons[0]);
        watch.GoOn();
        await watching.WaitAsync(TestDaemons.Limit);

        Assert.Contains("too slow", watch.Last.Cut.Reason, StringComparison.Ordinal);
        Assert.Equal(1, daemons[0].Groups.Clients.Cut);
    }

    [Fact]
    public async Task An_hour_after_a_cut_that_nobody_looked_at_it_is_an_hour_old()
    {
        await using var node = await OneNode.StartAsync();
        var time = new HandTime();
        var cuts = new ClientCuts(time);
        node.Counters.Clients = () => new ClientsNow(0, 0, 0, 1, cuts.Since);
        using var open = new StreamGate(1, "tests are run by").Enter();
        Assert.Null(cuts.Since);
        cuts.Add(open);
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
            Last = Proto.WatchGroupResponse.Parser.ParseFrom(message.Bytes.Span).Events[^1];
            _held.TrySetResult();
            return _goOn.Task;
        }
    }
}
