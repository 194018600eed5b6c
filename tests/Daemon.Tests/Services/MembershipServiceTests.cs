using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Daemon.State;
using Membership.Grpc.Errors;
using Membership.Grpc.Server;
using Membership.Grpc.Unix;
using Membership.Links;
using Membership.Node;
using Microsoft.Extensions.Logging.Abstractions;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services;

/// <summary>The services over a real Unix socket, on a ring of one node that runs in this process.</summary>
public sealed class MembershipServiceTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("membership-services-");
    private readonly DeliveryLog _log = new();
    private readonly ViewHistory _views = new();
    private readonly QuorumHistory _verdicts;
    private readonly ReceiptTable _receipts = new(16 * 1024 * 1024);
    private StateDirectory _state = null!;   // all six set by InitializeAsync
    private RingHost _host = null!;
    private CancellationTokenSource _leaving = null!;
    private MembershipApi _api = null!;
    private GrpcServer _server = null!;
    private GrpcChannel _channel = null!;

    public MembershipServiceTests() => _verdicts = new QuorumHistory(_views);

    private Proto.MembershipService.MembershipServiceClient Client => new(_channel);

    public async Task InitializeAsync()
    {
        _leaving = CancellationTokenSource.CreateLinkedTokenSource(CancellationToken.None);
        var configuration = Configuration();
        var self = configuration.Nodes[0];
        _state = StateDirectory.Open(Path.Combine(_directory.FullName, "state"), acceptNewIdentity: false);
        var boot = new BootId(1, 0xabcdef);
        var states = new NodeStates(configuration.Table, self.Id);
        var observer = new RingObserver(self.Id, boot.Short, new RingRecords(_log, _views, _verdicts, new QuorumChanges(), new GroupHub(self.Id, new GroupLog()), _receipts, states), _ => { });
        ClusterKey[] keys = [new(1, true, SHA256.HashData("k"u8))];
        var start = new NodeStart(configuration.LinkOptions(self.Id, keys), configuration.TotemOptions(self.Id), configuration.QuorumOptions(self.Id), null, ClusterConfiguration.GroupOptions(self.Id), boot, _state.RingSequence, _state.ReservedUpTo, 1);
        _host = RingHost.Start(new RingHostOptions { Peers = [.. configuration.Nodes.Select(n => new RingPeer(n.Id, n.Links))], Self = self.Id }, start, new AesGcmSuite(), observer, _state);
        observer.Attach(_host.Clock);

        var protoViews = new ProtoViews(configuration);
        var report = new StatusReport(new DaemonIdentity(configuration, self, boot, AllowFaultInjection: false), protoViews, new ProtoQuorum(configuration, protoViews));
        var status = new StatusSource<RingSnapshot>(cancel => _host.QueryAsync(ring => RingSnapshot.Take(ring, states, observer.Metrics, configuration.Table), cancel), TimeProvider.System);
        _api = new MembershipApi(_host, _log, _views, _verdicts, _receipts, status, report, protoViews, configuration.Ring.MessageBytesMax, boot.Short, new ClientCuts(NullLogger.Instance, TimeProvider.System), _leaving.Token);
        var socket = Path.Combine(_directory.FullName, "api.sock");
        var settings = new GrpcServerSettings { SocketPath = socket, Options = new GrpcServerOptions { MaxReceiveBytes = 64 * 1024 * 1024 } };
        _server = await GrpcServer.StartAsync(
            settings,
            map =>
            {
                map.MapGrpcService(_api);
                map.MapGrpcService(new FaultApi(_host, configuration, isAllowed: false));
            },
            CancellationToken.None);
        _channel = UnixChannel.Open(socket, maxReceiveBytes: 64 * 1024 * 1024);
        await _views.WaitAsync(0, CancellationToken.None).AsTask().WaitAsync(Limit);
        while (_verdicts.Current is not { State.IsQuorate: true }) await _verdicts.WaitAsync(_verdicts.LastRevision, CancellationToken.None).AsTask().WaitAsync(Limit);
    }

    public async Task DisposeAsync()
    {
        _channel.Dispose();
        await _server.DisposeAsync();
        await _host.DisposeAsync();
        _state.Dispose();
        _leaving.Dispose();
        _directory.Delete(true);
    }

    [Fact]
    public async Task A_message_is_received_by_subscribers_after_the_current_view_and_its_receipt_names_its_place()
    {
        using var events = Client.Subscribe(new Proto.SubscribeRequest());
        var received = new Received(events);
        var view = await received.NextAsync();
        using var sending = Client.Multicast();
        await sending.RequestStream.WriteAsync(new Proto.MulticastRequest { Payloads = { ByteString.CopyFromUtf8("one"), ByteString.CopyFromUtf8("two") }, Level = Proto.DeliveryLevel.Safe });
        await sending.RequestStream.CompleteAsync();
        var receipts = await AllAsync(sending.ResponseStream);

        Assert.Equal([1U], view.View.Members.Select(m => m.Node));
        Assert.Equal(["", ""], receipts.Select(r => r.Failure));
        foreach (var (text, receipt) in new[] { "one", "two" }.Zip(receipts))
        {
            var message = (await received.NextAsync()).Message;
            Assert.Equal((text, receipt.Counter, receipt.Seq, receipt.Index), (message.Payload.ToStringUtf8(), message.Counter, message.Seq, message.Index));
        }
        Assert.Equal(view.View.Id, receipts[0].RingId);
    }

    [Fact]
    public async Task A_subscriber_resumes_after_a_position_without_gap_or_repeat()
    {
        using var all = Client.Subscribe(new Proto.SubscribeRequest());
        var received = new Received(all);
        await received.NextAsync();
        await SendAsync(50);
        var events = new List<Proto.RingEvent>();
        while (events.Count < 50) events.Add(await received.NextAsync());

        using var resumed = Client.Subscribe(new Proto.SubscribeRequest { AfterPosition = events[19].Position });
        var again = new Received(resumed);

        for (var i = 20; i < 50; i++) Assert.Equal((events[i].Position, events[i].Message.Counter), (await again.NextAsync()) is var e ? (e.Position, e.Message.Counter) : default);
    }

    [Fact]
    public async Task A_message_above_the_limit_fails_for_certain_and_the_next_one_goes_through()
    {
        using var sending = Client.Multicast();
        await sending.RequestStream.WriteAsync(new Proto.MulticastRequest { Payloads = { ByteString.CopyFrom(new byte[16 * 1024 * 1024 + 1]), ByteString.CopyFromUtf8("small") } });
        await sending.RequestStream.CompleteAsync();

        var receipts = await AllAsync(sending.ResponseStream);

        Assert.Contains("16777216 bytes", receipts[0].Failure, StringComparison.Ordinal);
        Assert.Equal("", receipts[1].Failure);
    }

    [Fact]
    public async Task Positions_and_revisions_that_are_not_there_are_out_of_range_with_what_is()
    {
        using var ahead = Client.Subscribe(new Proto.SubscribeRequest { AfterPosition = 1_000_000 });
        using var later = Client.WatchViews(new Proto.WatchViewsRequest { AfterRevision = 99 });

        var position = await Assert.ThrowsAsync<RpcException>(() => ahead.ResponseStream.MoveNext(CancellationToken.None));
        var revision = await Assert.ThrowsAsync<RpcException>(() => later.ResponseStream.MoveNext(CancellationToken.None));

        Assert.Equal((StatusCode.OutOfRange, StatusCode.OutOfRange), (position.StatusCode, revision.StatusCode));
        Assert.Contains("the last is", position.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(("POSITION_AHEAD", _log.LastPosition.ToString(System.Globalization.CultureInfo.InvariantCulture)), (RichError.From(position)?.Reason, RichError.From(position)?.Metadata["last_position"]));
    }

    [Fact]
    public async Task A_position_of_another_boot_is_a_cut_that_says_to_begin_with_the_current_view()
    {
        await SendAsync(3);
        using var resumed = Client.Subscribe(new Proto.SubscribeRequest { AfterPosition = 1_000_000, Boot = "00000000deadbeef" });

        Assert.True(await resumed.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));
        var first = resumed.ResponseStream.Current;
        Assert.False(await resumed.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));

        Assert.Equal("0000000000abcdef", first.Boot);   // the reader sees that it is another life
        var cut = Assert.Single(first.Events).Cut;
        Assert.Equal(0UL, cut.Resume);
        Assert.Contains("the daemon was restarted", cut.Reason, StringComparison.Ordinal);
        Assert.Contains("Begin with the current view", cut.Reason, StringComparison.Ordinal);
        Assert.Equal(0, _api.Clients.Cut);   // nobody was slow
        using var anew = Client.Subscribe(new Proto.SubscribeRequest { AfterPosition = cut.Resume });
        Assert.NotNull((await new Received(anew).NextAsync()).View);
    }

    [Fact]
    public async Task A_position_whose_successors_are_overwritten_is_out_of_range_with_the_oldest_there_is()
    {
        while (_log.OldestResumable() < 2) await SendAsync(20_000);
        using var gone = Client.Subscribe(new Proto.SubscribeRequest { AfterPosition = 1 });

        var refused = await Assert.ThrowsAsync<RpcException>(() => gone.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));

        Assert.Equal((StatusCode.OutOfRange, "POSITION_GONE"), (refused.StatusCode, RichError.From(refused)?.Reason));
        Assert.Equal(_log.OldestResumable().ToString(System.Globalization.CultureInfo.InvariantCulture), RichError.From(refused)?.Metadata["oldest_position"]);
    }

    [Fact]
    public async Task Status_shows_the_view_the_votes_and_every_configured_node()
    {
        var status = await Client.GetStatusAsync(new Proto.GetStatusRequest());

        Assert.Equal(("web", "n1", "operational", true), (status.Cluster, status.NodeName, status.RingState, status.Quorate));
        Assert.Equal((Proto.ClusterState.Healthy, "1 of 1 votes, need 1"), (status.State, status.QuorumReason));
        Assert.Equal(Proto.NodeState.Member, Assert.Single(status.Nodes).State);
        Assert.True(status.Counters.ContainsKey("tokens_received") && status.Dropped.ContainsKey("bad_tag"));
    }

    [Fact]
    public async Task Views_are_watched_from_the_current_one()
    {
        using var watch = Client.WatchViews(new Proto.WatchViewsRequest());

        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));

        Assert.Equal(_views.LastRevision, watch.ResponseStream.Current.View.Revision);
    }

    [Fact]
    public async Task Faults_are_not_implemented_without_the_switch()
    {
        var faults = new Proto.FaultService.FaultServiceClient(_channel);

        var refused = await Assert.ThrowsAsync<RpcException>(async () => await faults.SetFaultsAsync(new Proto.SetFaultsRequest()));

        Assert.Equal(StatusCode.Unimplemented, refused.StatusCode);
        Assert.Contains("--allow-fault-injection", refused.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Streams_end_with_unavailable_when_the_node_has_left()
    {
        using var events = Client.Subscribe(new Proto.SubscribeRequest());
        var received = new Received(events);
        await received.NextAsync();

        _host.Leave();
        await _host.Completion.WaitAsync(Limit);

        RpcException? ended = null;
        while (ended is null) ended = await received.EndAsync();
        Assert.Equal(StatusCode.Unavailable, ended.StatusCode);
    }

    [Fact]
    public async Task When_the_node_leaves_every_taken_message_has_its_receipt_before_the_call_ends_with_unavailable()
    {
        const int Messages = 4000;   // several responses, read only after the node has left
        var request = new Proto.MulticastRequest();
        for (var i = 0; i < Messages; i++) request.Payloads.Add(ByteString.CopyFromUtf8($"m{i}"));
        using var sending = Client.Multicast();
        await sending.RequestStream.WriteAsync(request);
        Assert.True(await sending.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit));
        List<Proto.Receipt> receipts = [.. sending.ResponseStream.Current.Receipts];

        await _leaving.CancelAsync();
        _host.Leave();
        await _host.Completion.WaitAsync(Limit);
        var ended = _api.MulticastsEndAsync();
        var late = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            using var another = Client.Multicast();
            await another.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit);
        });
        var end = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await sending.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit)) receipts.AddRange(sending.ResponseStream.Current.Receipts);
        });
        await ended.WaitAsync(Limit);

        Assert.Equal(Messages, receipts.Count);
        Assert.All(receipts, receipt => Assert.True(receipt.Failure.Length == 0 || receipt.Failure.StartsWith("never ordered", StringComparison.Ordinal), receipt.Failure));
        Assert.Equal((StatusCode.Unavailable, StatusCode.Unavailable), (end.StatusCode, late.StatusCode));
        Assert.Contains("Messages without a receipt were not sent", end.Status.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, ReceiptWindow.QueuedBytesMax)]
    [InlineData(12, Mailbox.SubmitBytesMax)]
    public async Task While_the_ring_stands_still_senders_of_large_messages_wait_at_the_limit_and_go_on_afterwards(int senders, long limit)
    {
        const int Messages = 10;
        using var goOn = new ManualResetEventSlim();
        var stands = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var standing = _host.ActAsync(
            _ =>
            {
                stands.SetResult();
                return goOn.Wait(Limit);
            },
            CancellationToken.None);
        await stands.Task.WaitAsync(Limit);

        var large = new Proto.MulticastRequest { Payloads = { ByteString.CopyFrom(new byte[1024 * 1024]) } };
        var sending = Enumerable.Range(0, senders).Select(_ => new Sender(Enumerable.Repeat(large, Messages))).ToList();
        var calls = sending.Select(sender => _api.Multicast(sender, sender, sender.Context)).ToList();   // each goes as far as it can before it returns

        Assert.Equal(limit, _host.QueuedBytes);
        Assert.All(calls, call => Assert.False(call.IsCompleted));
        goOn.Set();
        Assert.True(await standing.WaitAsync(Limit));
        await Task.WhenAll(calls).WaitAsync(Limit);
        Assert.All(sending, sender => Assert.Equal(Enumerable.Repeat("", Messages), sender.Receipts.Select(receipt => receipt.Failure)));
    }

    private async Task SendAsync(int count)
    {
        using var sending = Client.Multicast();
        for (var i = 0; i < count; i++) await sending.RequestStream.WriteAsync(new Proto.MulticastRequest { Payloads = { ByteString.CopyFromUtf8($"m{i}") } });
        await sending.RequestStream.CompleteAsync();
        Assert.All(await AllAsync(sending.ResponseStream), receipt => Assert.Equal("", receipt.Failure));
    }

    private static async Task<List<Proto.Receipt>> AllAsync(IAsyncStreamReader<Proto.MulticastResponse> responses)
    {
        List<Proto.Receipt> receipts = [];
        while (await responses.MoveNext(CancellationToken.None).WaitAsync(Limit)) receipts.AddRange(responses.Current.Receipts);
        return receipts;
    }

    private static ClusterConfiguration Configuration()
    {
        using var free = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        free.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var text = $"cluster: web\nkey_file: k\ntiming: fast\nnodes:\n  - {{ name: n1, id: 1, links: [\"{free.LocalEndPoint}\"] }}\n";
        var result = ConfigurationReader.Read("m.yaml", Encoding.UTF8.GetBytes(text), "n1");
        return result.Configuration ?? throw new InvalidOperationException(string.Join('\n', result.Mistakes));
    }

    /// <summary>A client of Multicast without a connection: all its requests are there at once, and it reads its receipts at once.</summary>
    private sealed class Sender(IEnumerable<Proto.MulticastRequest> requests) : IAsyncStreamReader<Proto.MulticastRequest>, IServerStreamWriter<Proto.MulticastResponse>
    {
        private readonly IEnumerator<Proto.MulticastRequest> _requests = requests.GetEnumerator();

        public List<Proto.Receipt> Receipts { get; } = [];

        public ServerCallContext Context { get; } = new NoContext();

        public WriteOptions? WriteOptions { get; set; }

        public Proto.MulticastRequest Current => _requests.Current;

        public Task<bool> MoveNext(CancellationToken cancellationToken) => Task.FromResult(_requests.MoveNext());

        public Task WriteAsync(Proto.MulticastResponse message) => WriteAsync(message, CancellationToken.None);

        public Task WriteAsync(Proto.MulticastResponse message, CancellationToken cancellationToken)
        {
            Receipts.AddRange(message.Receipts.Select(receipt => receipt.Clone()));
            return Task.CompletedTask;
        }
    }

    /// <summary>The events of a stream, one by one.</summary>
    private sealed class Received(AsyncServerStreamingCall<Proto.SubscribeResponse> call)
    {
        private readonly Queue<Proto.RingEvent> _events = new();

        public async Task<Proto.RingEvent> NextAsync()
        {
            while (_events.Count == 0)
            {
                Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit), "the stream ended");
                foreach (var happened in call.ResponseStream.Current.Events) _events.Enqueue(happened);
            }
            return _events.Dequeue();
        }

        /// <summary>How the stream ended, or null while it goes on.</summary>
        public async Task<RpcException?> EndAsync()
        {
            try
            {
                Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Limit), "the stream ended without a status");
                return null;
            }
            catch (RpcException ended)
            {
                return ended;
            }
        }
    }
}
