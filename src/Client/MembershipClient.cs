using System.Runtime.CompilerServices;
using Grpc.Core;
using Grpc.Net.Client;
using Membership.V1;

namespace Membership.Client;

/// <summary>A program's way to the daemon of its node: status, views, and the ring's one order of messages.</summary>
/// <remarks>
/// Safe for several threads; keep one for the life of the process. It connects with the first operation. Streams come back by themselves
/// after a loss of the connection; single calls do not, and fail with a <see cref="MembershipException"/>. Cancelling an operation
/// throws <see cref="OperationCanceledException"/> and means "stop waiting": what was sent may have taken effect.
/// </remarks>
/// <example>
/// <code>
/// await using var client = MembershipClient.Create("unix:///run/membership/api.sock");
/// await foreach (var view in client.WatchViewsAsync(cancellationToken: cancellationToken))
/// {
///     Console.WriteLine($"{view.Id}: {view.Members.Count} members");
/// }
/// </code>
/// </example>
public sealed class MembershipClient : IAsyncDisposable
{
    private readonly MembershipClientOptions _options;
    private readonly GrpcChannel? _channel;
    private readonly MembershipService.MembershipServiceClient _service;
    private readonly QuorumService.QuorumServiceClient _quorum;
    private readonly GroupService.GroupServiceClient _groupService;
    private readonly GroupSession _groups;
    private readonly Func<Random> _random;

    private MembershipClient(MembershipClientOptions options, Func<Random> random, GrpcChannel channel)
        : this(options, random, channel.CreateCallInvoker()) => _channel = channel;

    private MembershipClient(MembershipClientOptions options, Func<Random> random, CallInvoker calls)
    {
        _options = options;
        _random = random;
        _service = new MembershipService.MembershipServiceClient(calls);
        _quorum = new QuorumService.QuorumServiceClient(calls);
        _groupService = new GroupService.GroupServiceClient(calls);
        _groups = new GroupSession(_groupService, options, random);
        Faults = new FaultInjection(new FaultService.FaultServiceClient(calls), this);
    }

    /// <summary>Faults for demonstrations and tests; the daemon must have been started with <c>--allow-fault-injection</c>.</summary>
    public FaultInjection Faults { get; }

    /// <summary>Makes a client with default options for an endpoint.</summary>
    /// <param name="endpoint">As in <see cref="MembershipClientOptions.Endpoint"/>.</param>
    public static MembershipClient Create(string endpoint) => Create(new MembershipClientOptions { Endpoint = endpoint });

    /// <summary>Makes a client for the daemon of this machine, or the one that the environment variable <c>MBR_SOCKET</c> names.</summary>
    public static MembershipClient Create() => Create(new MembershipClientOptions());

    /// <summary>Makes a client. Throws <see cref="ArgumentException"/> when the endpoint is not understood; connects later.</summary>
    public static MembershipClient Create(MembershipClientOptions options) => Create(options, static () => new Random());

    /// <summary>Everything one screen of status needs, as the daemon sees it now.</summary>
    public Task<GetStatusResponse> GetStatusAsync(CancellationToken cancellationToken = default) =>
        CallAsync("Status", call => _service.GetStatusAsync(new GetStatusRequest(), call), cancellationToken);

    /// <summary>The current view, then every later one, without gap or repetition, through losses of the connection.</summary>
    /// <remarks>
    /// A restarted daemon counts revisions from one again; the watch goes on with that daemon's current view, and what its former life
    /// installed last may be missing.
    /// </remarks>
    /// <param name="afterRevision">Begin after this revision of the daemon; 0: with the current view.</param>
    public async IAsyncEnumerable<View> WatchViewsAsync(
        ulong afterRevision = 0, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var cursor = new RevisionCursor(afterRevision);
        using var reader = Resume("Watching views", cancel => _service.WatchViews(new WatchViewsRequest { AfterRevision = cursor.Revision, Boot = cursor.Boot }, cancellationToken: cancel));
        while (true)
        {
            var response = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (cursor.IsNew(response.Boot, response.View?.Revision ?? 0) && response.View is { } view) yield return view;
        }
    }

    /// <summary>Quorum as the daemon sees it now.</summary>
    public async Task<Quorum> GetQuorumAsync(CancellationToken cancellationToken = default)
    {
        var response = await CallAsync("Quorum", call => _quorum.GetQuorumAsync(new GetQuorumRequest(), call), cancellationToken).ConfigureAwait(false);
        return response.Quorum;
    }

    /// <summary>When this node's side may act while no other side does: what to look at before a step that must not happen on two sides. Never waits for the time to begin.</summary>
    public async Task<ExclusiveTime> GetExclusiveTimeAsync(CancellationToken cancellationToken = default)
    {
        var asked = _options.TimeProvider.GetTimestamp();
        var quorum = await GetQuorumAsync(cancellationToken).ConfigureAwait(false);
        return ExclusiveTime.Of(quorum, _options.TimeProvider, asked, isLocal: Endpoint.Parse(_options.Endpoint) is Endpoint.UnixSocket);
    }

    /// <summary>The current state of quorum, then every later one, without gap or repetition, through losses of the connection.</summary>
    /// <remarks>
    /// View and verdict of one record belong together. While the connection is lost the last record may be out of date: who acts only
    /// while quorate also heeds <see cref="MembershipClientOptions.ConnectionChanged"/>. A restarted daemon goes on with its current state.
    /// </remarks>
    /// <param name="afterRevision">Begin after this revision of the daemon; 0: with the current state.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    public async IAsyncEnumerable<Quorum> WatchQuorumAsync(
        ulong afterRevision = 0, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var cursor = new RevisionCursor(afterRevision);
        using var reader = Resume("Watching quorum", cancel => _quorum.WatchQuorum(new WatchQuorumRequest { AfterRevision = cursor.Revision, Boot = cursor.Boot }, cancellationToken: cancel));
        while (true)
        {
            var response = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (cursor.IsNew(response.Boot, response.Quorum?.Revision ?? 0) && response.Quorum is { } quorum) yield return quorum;
        }
    }

    /// <summary>Joins a group. Returns when this process is a member; its own joining is the first update of the group.</summary>
    /// <remarks>
    /// All groups of a client share one stream. A process joins a group once per client; other clients of the same process are members of
    /// their own. Dispose the group to leave it. Throws <see cref="MembershipException"/>, also when the daemon has not answered within
    /// <see cref="MembershipClientOptions.CallTimeout"/>.
    /// </remarks>
    /// <param name="group">1 to 255 bytes of UTF-8 without control characters.</param>
    /// <param name="options">Default: all updates, own messages included.</param>
    /// <param name="cancellationToken">Gives the joining up; the group is left again.</param>
    public Task<ProcessGroup> JoinAsync(string group, GroupOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(group);
        return ClientTelemetry.ObserveAsync("join", () => _groups.JoinAsync(group, options ?? new GroupOptions(), cancellationToken), group);
    }

    /// <summary>All groups of the cluster, ascending by name, each with its members.</summary>
    public async Task<IReadOnlyList<Group>> ListGroupsAsync(CancellationToken cancellationToken = default)
    {
        var groups = new List<Group>();
        ListGroupsResponse page;
        do
        {
            var request = new ListGroupsRequest { After = groups.Count > 0 ? groups[^1].Name : "", WithMembers = true };
            page = await CallAsync("Listing groups", call => _groupService.ListGroupsAsync(request, call), cancellationToken).ConfigureAwait(false);
            groups.AddRange(page.Groups);
        }
        while (page.More && page.Groups.Count > 0);
        return groups;
    }

    /// <summary>Membership changes and messages of a group in their one order, without being in it, through losses of the connection.</summary>
    /// <remarks>
    /// Begins with the members now, a change with nobody in joined and left, or after <see cref="GroupWatchOptions.AfterPosition"/>. Every update follows the one
    /// before it: where that cannot be kept, because this reader was too slow, the daemon was restarted or did not record the group meanwhile,
    /// <see cref="SubscriptionCutException"/> is thrown and says where one may go on. Nobody is <see cref="GroupUpdate.MembersChanged.Self"/>.
    /// </remarks>
    /// <param name="group">1 to 255 bytes of UTF-8 without control characters.</param>
    /// <param name="options">Default: from now on, with payloads.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    public async IAsyncEnumerable<GroupUpdate> WatchGroupAsync(
        string group, GroupWatchOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(group);
        var cursor = new GroupCursor(group, options ?? new GroupWatchOptions());
        using var reader = Resume($"Watching group {group}", cancel => _groupService.WatchGroup(cursor.NextRequest(), cancellationToken: cancel));
        while (true)
        {
            var response = await ReadAsync(reader, () => cursor.Position, cancellationToken).ConfigureAwait(false);
            foreach (var update in cursor.Accept(response)) yield return update;
            cursor.ThrowIfCut();
        }
    }

    /// <summary>Messages and views of the ring in its one order, in batches as they came, through losses of the connection.</summary>
    /// <remarks>
    /// Every event follows the one before it: where that cannot be kept, because this reader was too slow or the daemon was restarted,
    /// <see cref="SubscriptionCutException"/> is thrown and says where one may go on. Events carry all their fields.
    /// </remarks>
    public async IAsyncEnumerable<IReadOnlyList<RingEvent>> SubscribeAsync(
        SubscribeOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var cursor = new RingCursor(options ?? new SubscribeOptions());
        using var reader = Resume("Subscribing to the ring", cancel => _service.Subscribe(cursor.NextRequest(), cancellationToken: cancel));
        while (true)
        {
            var response = await ReadAsync(reader, () => cursor.Position, cancellationToken).ConfigureAwait(false);
            var events = cursor.Accept(response);
            if (events.Count > 0) yield return events;
            cursor.ThrowIfCut();
        }
    }

    /// <summary>Opens a pipeline for many messages: many are on their way at the same time, their receipts come back in order.</summary>
    /// <remarks>It belongs to one connection: when that is lost, it fails and another one has to be opened.</remarks>
    public async Task<MulticastStream> OpenMulticastAsync(MulticastOptions? options = null, CancellationToken cancellationToken = default)
    {
        // The token ends the opening, not the stream.
        var call = _service.Multicast(cancellationToken: CancellationToken.None);
        try
        {
            await call.ResponseHeadersAsync.WaitAsync(_options.CallTimeout, _options.TimeProvider, cancellationToken).ConfigureAwait(false);
            return new MulticastStream(call, options ?? new MulticastOptions(), _options.TimeProvider);
        }
        catch (RpcException failure)
        {
            call.Dispose();
            throw MembershipException.From(failure, "Opening a multicast");
        }
        catch (TimeoutException slow)
        {
            call.Dispose();
            throw new MembershipException(
                MembershipReason.TimedOut, $"Opening a multicast: the daemon did not answer within {_options.CallTimeout.TotalMilliseconds} ms.", slow);
        }
        catch (OperationCanceledException)
        {
            call.Dispose();
            throw;
        }
    }

    /// <summary>Sends one message on the raw ring and waits for its receipt. For many messages use <see cref="OpenMulticastAsync"/>.</summary>
    public async Task<MulticastReceipt> MulticastAsync(
        ReadOnlyMemory<byte> payload, DeliveryLevel level = DeliveryLevel.Agreed, CancellationToken cancellationToken = default)
    {
        await using var stream = await OpenMulticastAsync(new MulticastOptions { Level = level }, cancellationToken).ConfigureAwait(false);
        await stream.SendAsync(payload, cancellationToken).ConfigureAwait(false);
        await foreach (var receipt in stream.ReadReceiptsAsync(cancellationToken).ConfigureAwait(false)) return receipt;
        throw new MembershipException(MembershipReason.Internal, "Multicast: the daemon ended the stream without a receipt.");
    }

    /// <summary>Leaves all groups and ends the streams of this client.</summary>
    public async ValueTask DisposeAsync()
    {
        await _groups.DisposeAsync().ConfigureAwait(false);
        _channel?.Dispose();
    }

    /// <summary>Group messages on their way, written or ready to be.</summary>
    internal int GroupsOnTheirWay => _groups.OnTheirWay;

    /// <summary>Bytes of group events that came and were not read yet.</summary>
    internal long GroupBytesUnread => _groups.BytesUnread;

    /// <summary>For tests: with chosen random numbers.</summary>
    internal static MembershipClient Create(MembershipClientOptions options, Func<Random> random)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Check() is [_, ..] mistakes) throw new ArgumentException(string.Join(' ', mistakes), nameof(options));
        return new MembershipClient(options with { }, random, Endpoint.Parse(options.Endpoint).Open(options));   // a copy: later changes of the caller's are not seen
    }

    /// <summary>For clusters in memory: with another way to carry calls.</summary>
    internal static MembershipClient Create(MembershipClientOptions options, Func<Random> random, CallInvoker calls) => new(options with { }, random, calls);

    internal Task<TResponse> CallAsync<TResponse>(
        string operation, Func<CallOptions, AsyncUnaryCall<TResponse>> start, CancellationToken cancellationToken)
    {
        return ClientTelemetry.ObserveAsync(operation, CallOnceAsync);

        async Task<TResponse> CallOnceAsync()
        {
            try
            {
                var deadline = _options.TimeProvider.GetUtcNow().UtcDateTime + _options.CallTimeout;
                using var call = start(new CallOptions(deadline: deadline, cancellationToken: cancellationToken));
                return await call.ConfigureAwait(false);
            }
            catch (RpcException failure)
            {
                cancellationToken.ThrowIfCancellationRequested();
                throw MembershipException.From(failure, operation);
            }
        }
    }

    // A place that is not there any more is a cut to the reader.
    private static async Task<TResponse> ReadAsync<TResponse>(ResumingReader<TResponse> reader, Func<ulong> position, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (MembershipException refused) when (refused.Word is ServerWords.PositionGone or ServerWords.PositionAhead or ServerWords.WatchCut)
        {
            throw SubscriptionCutException.From(refused, position());
        }
    }

    private ResumingReader<TResponse> Resume<TResponse>(string operation, Func<CancellationToken, AsyncServerStreamingCall<TResponse>> open) =>
        new(operation, _options, new Reconnect(_options, _random()), open);
}
