using Grpc.Core;
using Membership.Grpc.Unix;
using Membership.V1;

namespace Membership.Cli.Demo;

/// <summary>The demo's way to one daemon: what is asked of it, with a time limit on everything that has an end.</summary>
internal sealed class DemoConnection : IAsyncDisposable
{
    /// <summary>A healthy daemon answers within milliseconds; a frozen one not at all.</summary>
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(1);

    private readonly ChannelBase _channel;
    private readonly MembershipService.MembershipServiceClient _membership;
    private readonly FaultService.FaultServiceClient _faults;

    /// <summary>A way to the daemon at a socket; it connects with the first call.</summary>
    public DemoConnection(string socket)
    {
        _channel = UnixChannel.Open(socket);
        _membership = new MembershipService.MembershipServiceClient(_channel);
        _faults = new FaultService.FaultServiceClient(_channel);
    }

    /// <summary>Status as the daemon sees it.</summary>
    public async Task<GetStatusResponse> StatusAsync(CancellationToken cancellationToken) =>
        await _membership.GetStatusAsync(new GetStatusRequest(), Limited(cancellationToken));

    /// <summary>Views and messages from the current view on, messages as place, size and hash.</summary>
    public AsyncServerStreamingCall<SubscribeResponse> Subscribe(CancellationToken cancellationToken) =>
        _membership.Subscribe(new SubscribeRequest { HeadersOnly = true }, new CallOptions(cancellationToken: cancellationToken));

    /// <summary>A stream of messages to the ring and their receipts.</summary>
    public AsyncDuplexStreamingCall<MulticastRequest, MulticastResponse> Multicast(CancellationToken cancellationToken) =>
        _membership.Multicast(new CallOptions(cancellationToken: cancellationToken));

    /// <summary>Replaces the faults of this daemon's test transport.</summary>
    public async Task SetFaultsAsync(IEnumerable<Fault> faults, CancellationToken cancellationToken) =>
        await _faults.SetFaultsAsync(new SetFaultsRequest { Faults = { faults } }, Limited(cancellationToken));

    /// <summary>Stops the daemon's ring thread for a while. A daemon may answer only when it runs again.</summary>
    public async Task FreezeAsync(TimeSpan duration, CancellationToken cancellationToken) =>
        await _faults.FreezeAsync(new FreezeRequest { DurationMs = (long)duration.TotalMilliseconds }, Limited(duration + AnswerLimit, cancellationToken));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _channel.ShutdownAsync();

    private static CallOptions Limited(CancellationToken cancellationToken) => Limited(AnswerLimit, cancellationToken);

    private static CallOptions Limited(TimeSpan limit, CancellationToken cancellationToken) =>
        new(deadline: DateTime.UtcNow + limit, cancellationToken: cancellationToken);
}
