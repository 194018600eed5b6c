using Google.Protobuf;
using Grpc.Core;
using Membership.Grpc.Server;
using Membership.V1;

namespace Membership.Client.Tests;

/// <summary>
/// A daemon's public face over a Unix socket, without a ring behind it. What it knows survives its connections, so that it can be
/// "restarted" (same life, connections lost) or "reborn" (another life, counting from one).
/// </summary>
internal sealed class FakeDaemon : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("client-").FullName;
    private GrpcServer? _server;

    public FakeService Service { get; private set; } = new("00000000000000a1");

    public FakeQuorum Quorum { get; private set; } = new("00000000000000a1");

    public FakeGroups Groups { get; private set; } = new("00000000000000a1");

    public string SocketPath => Path.Combine(_directory, "api.sock");

    public static async Task<FakeDaemon> StartAsync()
    {
        var daemon = new FakeDaemon();
        await daemon.ListenAsync();
        return daemon;
    }

    public MembershipClient Client(Func<MembershipClientOptions, MembershipClientOptions>? change = null)
    {
        var options = new MembershipClientOptions { Endpoint = "unix://" + SocketPath, ReconnectDelayMin = TimeSpan.FromMilliseconds(5) };
        return MembershipClient.Create(change?.Invoke(options) ?? options);
    }

    public async Task ListenAsync()
    {
        var options = new GrpcServerOptions { MaxReceiveBytes = 17 << 20 };
        _server = await GrpcServer.StartAsync(
            new GrpcServerSettings { SocketPath = SocketPath, Options = options }, endpoints =>
            {
                endpoints.MapGrpcService(Service);
                endpoints.MapGrpcService(Quorum);
                endpoints.MapGrpcService(Groups);
            }, CancellationToken.None);
    }

    /// <summary>Ends all connections and listens no more.</summary>
    public async Task GoAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        _server = null;
    }

    public async Task RestartAsync()
    {
        await GoAsync();
        await ListenAsync();
    }

    public async Task RebornAsync(string boot)
    {
        await GoAsync();
        Service = new FakeService(boot);
        Quorum = new FakeQuorum(boot);
        Groups = new FakeGroups(boot);
        await ListenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await GoAsync();
        }
        finally
        {
            Directory.Delete(_directory, recursive: true);
        }
    }
}

/// <summary>Views and events in lists; receipts as told.</summary>
internal sealed class FakeService(string boot) : MembershipService.MembershipServiceBase
{
    private readonly Lock _gate = new();
    private readonly List<View> _views = [];
    private readonly List<RingEvent> _events = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong _counter;

    /// <summary>After so many receipts in one stream the connection fails; null: never.</summary>
    public int? FailMulticastAfter { get; set; }

    /// <summary>A message with this text is refused.</summary>
    public string? Refuse { get; set; }

    /// <summary>Receipts are held back until this is set.</summary>
    public TaskCompletionSource? HoldReceipts { get; set; }

    /// <summary>Positions up to this one are forgotten.</summary>
    public ulong ForgottenUpTo { get; set; }

    /// <summary>Sends events again that the client has already had.</summary>
    public bool Repeats { get; set; }

    public int MulticastRequests { get; private set; }

    public int MulticastMessages { get; private set; }

    public List<WatchViewsRequest> WatchRequests { get; } = [];

    public Status? StatusFailure { get; set; }

    /// <summary>Every status and subscription fails with it.</summary>
    public RpcException? Failure { get; set; }

    public void InstallView()
    {
        lock (_gate)
        {
            ulong revision = (ulong)_views.Count + 1;
            _views.Add(new View { Id = $"1.{revision:x}.{boot[..8]}", Number = revision, Revision = revision });
            Change();
        }
    }

    public void Deliver(string text, int ring = 1)
    {
        lock (_gate)
        {
            ulong position = (ulong)_events.Count + 1;
            var message = new RingMessage { RingId = $"1.{ring:x}.{boot[..8]}", Seq = position, Sender = 1, Boot = boot, Payload = ByteString.CopyFromUtf8(text) };
            _events.Add(new RingEvent { Position = position, Message = message });
            Change();
        }
    }

    public override Task<GetStatusResponse> GetStatus(GetStatusRequest request, ServerCallContext context) =>
        Failure is { } chosen ? throw chosen
        : StatusFailure is { } failure ? throw new RpcException(failure) : Task.FromResult(new GetStatusResponse { Cluster = "fake", Boot = boot });

    public override async Task WatchViews(WatchViewsRequest request, IServerStreamWriter<WatchViewsResponse> responseStream, ServerCallContext context)
    {
        lock (_gate) WatchRequests.Add(request);
        bool sameLife = request.Boot.Length == 0 || request.Boot == boot;
        bool fromCurrent = !sameLife || request.AfterRevision == 0;
        int next = fromCurrent ? Math.Max(_views.Count - 1, 0) : (int)request.AfterRevision - (Repeats ? 1 : 0);
        await responseStream.WriteAsync(new WatchViewsResponse { Boot = boot });
        while (true)
        {
            Task changed;
            List<View> fresh;
            lock (_gate)
            {
                changed = _changed.Task;
                fresh = _views[next..];
                next = _views.Count;
            }
            foreach (var view in fresh) await responseStream.WriteAsync(new WatchViewsResponse { View = view.Clone() });
            await changed.WaitAsync(context.CancellationToken);
        }
    }

    public override async Task Subscribe(SubscribeRequest request, IServerStreamWriter<SubscribeResponse> responseStream, ServerCallContext context)
    {
        if (Failure is { } chosen) throw chosen;
        ulong next = request.AfterPosition - (Repeats && request.AfterPosition > 0 ? 1UL : 0UL);
        await responseStream.WriteAsync(new SubscribeResponse { Boot = boot });
        string ringId = "";
        while (true)
        {
            Task changed;
            var response = new SubscribeResponse();
            lock (_gate)
            {
                changed = _changed.Task;
                if (next < ForgottenUpTo && request.AfterPosition > 0)
                {
                    response.Events.Add(new RingEvent { Cut = new Cut { Resume = ForgottenUpTo, Reason = "the reader was too slow" } });
                }
                else
                {
                    foreach (var known in _events[(int)next..]) response.Events.Add(LeaveOutWhatRepeats(known, ref ringId));
                    next = (ulong)_events.Count;
                }
            }
            if (response.Events.Count > 0) await responseStream.WriteAsync(response);
            if (response.Events is [{ EventCase: RingEvent.EventOneofCase.Cut }]) return;
            await changed.WaitAsync(context.CancellationToken);
        }
    }

    public override async Task Multicast(
        IAsyncStreamReader<MulticastRequest> requestStream, IServerStreamWriter<MulticastResponse> responseStream, ServerCallContext context)
    {
        int given = 0;
        await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
        {
            MulticastRequests++;
            MulticastMessages += request.Payloads.Count;
            if (HoldReceipts is { } hold) await hold.Task.WaitAsync(context.CancellationToken);
            var response = new MulticastResponse();
            foreach (var payload in request.Payloads)
            {
                if (given++ == FailMulticastAfter) break;
                response.Receipts.Add(ReceiptFor(payload));
            }
            await responseStream.WriteAsync(response);
            if (given > FailMulticastAfter) throw new RpcException(new Status(StatusCode.Unavailable, "the ring thread stopped"));
        }
    }

    private static RingEvent LeaveOutWhatRepeats(RingEvent known, ref string ringId)
    {
        var sent = known.Clone();
        if (sent.Message.RingId == ringId)
        {
            sent.Message.RingId = "";
            sent.Message.Boot = "";
        }
        else
        {
            ringId = sent.Message.RingId;
        }
        return sent;
    }

    private Receipt ReceiptFor(ByteString payload)
    {
        bool refused = Refuse is not null && payload.ToStringUtf8() == Refuse;
        return refused
            ? new Receipt { Failure = "the message is not wanted" }
            : new Receipt { Counter = ++_counter, RingId = "1.1.00000000", Seq = _counter };
    }

    private void Change()
    {
        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.TrySetResult();
    }
}
