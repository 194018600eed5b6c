using Grpc.Core;
using Grpc.Health.V1;

namespace Membership.Grpc.Server.Services;

/// <summary>Names under which a daemon reports its health, over HTTP and gRPC alike.</summary>
public static class HealthNames
{
    /// <summary>The server as a whole, in gRPC; the same as <see cref="Ready"/>.</summary>
    public const string Whole = "";

    /// <summary>Process and event loop respond; never dependent on the cluster.</summary>
    public const string Live = "livez";

    /// <summary>Joined, with a view installed.</summary>
    public const string Ready = "readyz";

    public const string Ring = "ring";
    public const string Quorum = "quorum";
    public const string Links = "links";
    public const string Disk = "disk";
    public const string ClockStall = "clock_stall";
    public const string KeysExpiring = "keys_expiring";
    public const string ClientsSlow = "clients_slow";
}

/// <summary><c>grpc.health.v1.Health</c>: what the host says about each name, now and as it changes.</summary>
/// <remarks>Safe for several threads. A name is known once it was set.</remarks>
public sealed class HealthService : Health.HealthBase
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, bool> _healthy = [];
    private TaskCompletionSource _changed = NewSignal();

    /// <summary>Says how it is; watchers hear of changes.</summary>
    public void Set(string name, bool isHealthy)
    {
        ArgumentNullException.ThrowIfNull(name);
        TaskCompletionSource changed;
        lock (_gate)
        {
            if (_healthy.TryGetValue(name, out bool before) && before == isHealthy) return;
            _healthy[name] = isHealthy;
            changed = _changed;
            _changed = NewSignal();
        }
        changed.TrySetResult();
    }

    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context)
    {
        var status = Look(request.Service).Status;
        return status is HealthCheckResponse.Types.ServingStatus.ServiceUnknown
            ? throw new RpcException(new Status(StatusCode.NotFound, $"There is no health check '{request.Service}'."))
            : Task.FromResult(new HealthCheckResponse { Status = status });
    }

    /// <summary>Gives the latest status; what changed back before a slow watcher looked is left out.</summary>
    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        HealthCheckResponse.Types.ServingStatus? told = null;
        while (true)
        {
            var (status, changed) = Look(request.Service);
            if (status != told)
            {
                await responseStream.WriteAsync(new HealthCheckResponse { Status = status }).ConfigureAwait(false);
                told = status;
            }
            await changed.WaitAsync(context.CancellationToken).ConfigureAwait(false);
        }
    }

    private (HealthCheckResponse.Types.ServingStatus Status, Task Changed) Look(string name)
    {
        lock (_gate)
        {
            if (!_healthy.TryGetValue(name, out bool isHealthy)) return (HealthCheckResponse.Types.ServingStatus.ServiceUnknown, _changed.Task);
            var status = isHealthy ? HealthCheckResponse.Types.ServingStatus.Serving : HealthCheckResponse.Types.ServingStatus.NotServing;
            return (status, _changed.Task);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
