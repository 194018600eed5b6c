using System.Diagnostics;
using System.Net.Sockets;
using Google.Protobuf;
using Grpc.Net.Client;
using Membership.Daemon.Services.Groups;
using Xunit.Abstractions;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services.Groups;

/// <summary>Clients that do not read lose their session; the daemon and its other clients go on.</summary>
public sealed class SlowClientTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(5);

    // What the machine may add when all tests run at once.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(3);

    [Fact]
    public async Task A_client_that_gives_no_credit_gets_its_window_then_a_cut_and_others_get_everything()
    {
        const int Messages = 400;
        await using var daemons = await TestDaemons.StartAsync(1);
        await using var good = await TestSession.OpenAsync(daemons[0]);
        await good.JoinAsync("g");
        await good.UntilMembersAsync(1);
        await using var stingy = await TestSession.OpenAsync(daemons[0], window: 64 * 1024, givesCredit: false);
        await stingy.JoinAsync("g");
        await good.UntilMembersAsync(2);
        var from = Stopwatch.GetTimestamp();

        await good.SendAsync(Enumerable.Range(0, Messages).Select(_ => ByteString.CopyFrom(new byte[1024])));
        for (var got = 0; got < Messages; got++) await good.NextMessageAsync();
        var everything = Stopwatch.GetElapsedTime(from);
        var events = new List<Proto.GroupEvent>();
        while (events.LastOrDefault()?.EventCase != Proto.GroupEvent.EventOneofCase.Cut) events.Add(await stingy.NextAsync());
        var cut = Stopwatch.GetElapsedTime(from);
        var gone = await good.NextMembershipAsync();

        output.WriteLine($"everything after {everything.TotalMilliseconds:F0} ms, cut after {cut.TotalMilliseconds:F0} ms");
        var messages = events.Where(e => e.EventCase == Proto.GroupEvent.EventOneofCase.Message).ToList();
        Assert.InRange(messages.Count, 50, 70);
        Assert.Equal(messages[^1].Position, events[^1].Cut.Resume);
        Assert.Contains("credit", events[^1].Cut.Reason, StringComparison.Ordinal);
        Assert.InRange(cut, GroupSession.StallMax, Promised + Slack);
        Assert.Equal((Proto.GroupReason.ProcessDown, 1), (gone.Reason, gone.Members.Count));
        Assert.Null(await stingy.NextOrEndAsync());
    }

    [Fact]
    public async Task A_client_that_does_not_read_at_all_is_out_of_its_groups_within_five_seconds()
    {
        const int Messages = 4096;
        await using var daemons = await TestDaemons.StartAsync(1);
        await using var good = await TestSession.OpenAsync(daemons[0], window: uint.MaxValue, givesCredit: false);
        await good.JoinAsync("g");
        await good.UntilMembersAsync(1);
        await using var deaf = await TestSession.OpenAsync(daemons[0], window: uint.MaxValue);
        await deaf.JoinAsync("g");
        await good.UntilMembersAsync(2);
        var from = Stopwatch.GetTimestamp();

        var reading = ReadAsync(good, Messages);
        for (var i = 0; i < Messages; i += 256) await good.SendAsync(Enumerable.Range(0, 256).Select(_ => ByteString.CopyFrom(new byte[1024])));
        var change = await reading.WaitAsync(TestDaemons.Limit);

        output.WriteLine($"out after {Stopwatch.GetElapsedTime(from).TotalMilliseconds:F0} ms");
        Assert.Equal((Proto.GroupReason.ProcessDown, deaf.Self), (change.Reason, Assert.Single(change.Left)));
        Assert.InRange(Stopwatch.GetElapsedTime(from), TimeSpan.Zero, Promised + Slack);
        Assert.InRange(daemons[0].Groups.SessionCount, 1, 2);
    }

    [Fact]
    public async Task A_hundred_clients_that_do_not_read_cost_less_than_sixty_four_mebibytes()
    {
        const int Deaf = 100, Messages = 30_000;
        await using var daemons = await TestDaemons.StartAsync(1);
        await using var good = await TestSession.OpenAsync(daemons[0]);
        await good.JoinAsync("g");
        await good.UntilMembersAsync(1);
        await SendAllAsync(good, Messages);   // the log is full before it is measured
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var sessions = new List<TestSession>();
        for (var i = 0; i < Deaf; i++)
        {
            sessions.Add(await TestSession.OpenAsync(daemons[0], window: uint.MaxValue, channel: Narrow(daemons[0].Socket)));
            await sessions[^1].JoinAsync("g");
        }
        await good.UntilMembersAsync(Deaf + 1);

        await SendAllAsync(good, Messages);

        var more = GC.GetTotalMemory(forceFullCollection: true) - before;
        output.WriteLine($"{more / 1048576.0:F1} MiB more with {Deaf} clients, the clients' own buffers in this process included");
        Assert.InRange(more, long.MinValue, 64L * 1024 * 1024);
        foreach (var session in sessions) await session.DisposeAsync();
    }

    [Fact]
    public async Task Credit_beyond_what_was_sent_counts_for_nothing_and_the_window_goes_on_with_true_credit()
    {
        await using var daemons = await TestDaemons.StartAsync(1);
        await using var session = await TestSession.OpenAsync(daemons[0], window: 16 * 1024);
        await session.AskAsync(new Proto.GroupRequest { Credit = new Proto.Credit { Bytes = ulong.MaxValue } });
        await session.JoinAsync("g");
        await session.UntilMembersAsync(1);

        await session.SendAsync(Enumerable.Range(0, 500).Select(_ => ByteString.CopyFrom(new byte[1024])));

        for (var got = 0; got < 500; got++) Assert.Equal(1024, (await session.NextMessageAsync()).Payload.Length);
    }

    // Buffers as little as HTTP/2 allows, since the client's memory is counted here as well.
    private static GrpcChannel Narrow(string path) => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        DisposeHttpClient = true,
        HttpHandler = new SocketsHttpHandler
        {
            InitialHttp2StreamWindowSize = 64 * 1024,
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        },
    });

    private static async Task SendAllAsync(TestSession session, int count)
    {
        for (var sent = 0; sent < count; sent += 500)
        {
            await session.SendAsync(Enumerable.Range(0, 500).Select(_ => ByteString.CopyFrom(new byte[1024])));
            for (var got = 0; got < 500; got++) await session.NextMessageAsync();
        }
    }

    private static async Task<Proto.GroupMembership> ReadAsync(TestSession session, int messages)
    {
        Proto.GroupMembership? change = null;
        while (messages > 0 || change is null)
        {
            var happened = await session.NextAsync();
            change ??= happened.Membership;
            if (happened.EventCase == Proto.GroupEvent.EventOneofCase.Message) messages--;
        }
        return change;
    }
}
