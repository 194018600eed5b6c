using Membership.V1;

namespace Membership.Client;

/// <summary>Faults of one daemon, for demonstrations and tests. Never part of a program's ordinary work.</summary>
/// <remarks>
/// Every call fails with <see cref="MembershipReason.Unsupported"/> unless the daemon was started with <c>--allow-fault-injection</c>.
/// </remarks>
/// <example>
/// <code>
/// await client.Faults.SetAsync([new Fault { Peer = 2, Loss = 1.0 }], cancellationToken); // node 2 is cut off, both ways
/// await client.Faults.ClearAsync(cancellationToken);
/// </code>
/// </example>
public sealed class FaultInjection
{
    private readonly FaultService.FaultServiceClient _service;
    private readonly MembershipClient _client;

    internal FaultInjection(FaultService.FaultServiceClient service, MembershipClient client)
    {
        _service = service;
        _client = client;
    }

    /// <summary>Replaces all injected faults of the daemon by these.</summary>
    public async Task SetAsync(IEnumerable<Fault> faults, CancellationToken cancellationToken = default)
    {
        var request = new SetFaultsRequest { Faults = { faults } };
        await _client.CallAsync("Setting faults", call => _service.SetFaultsAsync(request, call), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes all injected faults of the daemon.</summary>
    public Task ClearAsync(CancellationToken cancellationToken = default) => SetAsync([], cancellationToken);

    /// <summary>Stops the daemon's ring thread for a while, as a stalled machine would. Returns when the daemon has taken the order.</summary>
    /// <param name="duration">1 ms to 600 s.</param>
    public async Task FreezeAsync(TimeSpan duration, CancellationToken cancellationToken = default)
    {
        var request = new FreezeRequest { DurationMs = (long)duration.TotalMilliseconds };
        await _client.CallAsync("Freezing the ring", call => _service.FreezeAsync(request, call), cancellationToken).ConfigureAwait(false);
    }
}
