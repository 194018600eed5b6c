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
    private readonly GrpcChannel _channel;
    private readonly MembershipService.MembershipServiceClient _service;
    private readonly Func<Random> _random;

    private MembershipClient(MembershipClientOptions options, Func<Random> random)
    {
        _options = options;
        _random = random;
        _channel = Endpoint.Parse(options.Endpoint).Open(options);
        _service = new MembershipService.MembershipServiceClient(_channel);
        Faults = new FaultInjection(new FaultService.FaultServiceClient(_channel), this);
    }

    /// <summary>Faults for demonstrations and tests; the daemon must have been started with <c>--allow-fault-injection</c>.</summary>
    public FaultInjection Faults { get; }

    /// <summary>Makes a client with default options for an endpoint.</summary>
    /// <param name="endpoint">As in <see cref="MembershipClientOptions.Endpoint"/>.</param>
    public static MembershipClient Create(string endpoint = MembershipClientOptions.DefaultEndpoint) =>
        Create(new MembershipClientOptions { Endpoint = endpoint });

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
        var cursor = new ViewCursor(afterRevision);
        using var reader = Resume("Watching views", cancel => _service.WatchViews(cursor.NextRequest(), cancellationToken: cancel));
        while (true)
        {
            var response = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (cursor.Accept(response) is { } view) yield return view;
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
            var response = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
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

    /// <summary>Ends the streams of this client.</summary>
    public ValueTask DisposeAsync()
    {
        _channel.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>For tests: with chosen random numbers.</summary>
    internal static MembershipClient Create(MembershipClientOptions options, Func<Random> random)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new MembershipClient(options, random);
    }

    internal async Task<TResponse> CallAsync<TResponse>(
        string operation, Func<CallOptions, AsyncUnaryCall<TResponse>> start, CancellationToken cancellationToken)
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

    private ResumingReader<TResponse> Resume<TResponse>(string operation, Func<CancellationToken, AsyncServerStreamingCall<TResponse>> open) =>
        new(operation, _options, new Reconnect(_options, _random()), open);
}
