using Grpc.Core;
using Grpc.Health.V1;
using Membership.Daemon.Services;
using Membership.Grpc.Errors;

namespace Membership.Daemon.Telemetry;

/// <summary>grpc.health.v1.Health with the names of the page: livez, readyz and each named check; the empty name is readyz.</summary>
/// <remarks>Looks when it is asked, and once a second while somebody watches: a daemon that nobody asks does nothing for it.</remarks>
internal sealed class HealthApi(TelemetrySource source, TimeProvider time) : Health.HealthBase
{
    /// <summary>How often a watch looks.</summary>
    public static readonly TimeSpan WatchPace = TimeSpan.FromSeconds(1);

    /// <summary>Watches open at a time.</summary>
    public const int WatchesMax = 256;

    private readonly StreamGate _watches = new(WatchesMax, "health is watched by");

    /// <summary>Watches under way.</summary>
    public int WatchCount => _watches.Count;

    /// <inheritdoc/>
    public override async Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context)
    {
        var status = await LookAsync(request.Service, context.CancellationToken);
        return status == HealthCheckResponse.Types.ServingStatus.ServiceUnknown
            ? throw RichError.Of(StatusCode.NotFound, "UNKNOWN_CHECK", $"there is no health check {Configuration.Printable.Value(request.Service)}. There are {string.Join(", ", HealthChecks.Names)}.").ToException()
            : new HealthCheckResponse { Status = status };
    }

    /// <inheritdoc/>
    public override async Task Watch(HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        using var open = _watches.Enter();
        if (!IsKnown(request.Service))
        {
            // As the protocol has it; which checks there are does not change while this daemon runs.
            await responseStream.WriteAsync(new HealthCheckResponse { Status = HealthCheckResponse.Types.ServingStatus.ServiceUnknown }, context.CancellationToken);
            await Task.Delay(Timeout.InfiniteTimeSpan, time, context.CancellationToken);
        }
        HealthCheckResponse.Types.ServingStatus? told = null;
        using var pace = new PeriodicTimer(WatchPace, time);
        do
        {
            var status = await LookAsync(request.Service, context.CancellationToken);
            if (status != told) await responseStream.WriteAsync(new HealthCheckResponse { Status = status }, context.CancellationToken);
            told = status;
        }
        while (await pace.WaitForNextTickAsync(context.CancellationToken));
    }

    private static bool IsKnown(string name) => name.Length == 0 || HealthChecks.Names.Contains(name);

    private async Task<HealthCheckResponse.Types.ServingStatus> LookAsync(string name, CancellationToken cancellationToken)
    {
        if (!IsKnown(name)) return HealthCheckResponse.Types.ServingStatus.ServiceUnknown;
        return HealthChecks.Find(await source.TakeAsync(cancellationToken), name).IsHealthy
            ? HealthCheckResponse.Types.ServingStatus.Serving
            : HealthCheckResponse.Types.ServingStatus.NotServing;
    }
}
