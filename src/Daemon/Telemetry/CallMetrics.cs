using Grpc.Core;
using Membership.Grpc.Server;
using Membership.Links;

namespace Membership.Daemon.Telemetry;

/// <summary>Counts and times the calls of clients, by method and by how they ended, and has a span written for each. Any thread.</summary>
/// <remarks>Methods are those the server serves and statuses those of gRPC: nobody can make more of either.</remarks>
internal sealed class CallMetrics(TimeProvider time)
{
    private static readonly object StartedKey = new();

    private readonly Lock _gate = new();
    private readonly SortedDictionary<(string Method, string Status), DurationHistogram> _ended = [];
    private readonly SortedDictionary<string, int> _active = new(StringComparer.Ordinal);

    /// <summary>Has every call of a server counted here, refused ones too.</summary>
    public GrpcServerOptions Measure(GrpcServerOptions options) => options with
    {
        Authorize = context =>
        {
            Begin(context);
            return options.Authorize?.Invoke(context);
        },
        Ended = (context, status) =>
        {
            options.Ended?.Invoke(context, status);
            End(context, status);
        },
    };

    /// <summary>A copy of all of it.</summary>
    public CallReading Read()
    {
        lock (_gate)
        {
            return new CallReading(
                [.. _ended.Select(static pair => (pair.Key.Method, pair.Key.Status, pair.Value.Read()))],
                [.. _active.Select(static pair => (pair.Key, pair.Value))]);
        }
    }

    private void Begin(ServerCallContext context)
    {
        context.UserState[StartedKey] = time.GetTimestamp();
        var method = NameOf(context);
        lock (_gate) _active[method] = _active.GetValueOrDefault(method) + 1;
    }

    private void End(ServerCallContext context, Status status)
    {
        var took = time.GetElapsedTime((long)context.UserState[StartedKey]);
        var (method, word) = (NameOf(context), Words.Of(status.StatusCode));
        lock (_gate)
        {
            _active[method]--;
            if (!_ended.TryGetValue((method, word), out var durations)) _ended[(method, word)] = durations = new DurationHistogram();
            durations.Add(took);
        }
        CallSpans.Write(context, took, status, time.GetUtcNow());
    }

    private static string NameOf(ServerCallContext context) => context.Method.TrimStart('/');
}

/// <summary>What <see cref="CallMetrics"/> had counted at one moment.</summary>
/// <param name="Ended">Durations of calls that have ended, by method and status.</param>
/// <param name="Active">Calls under way, by method.</param>
internal sealed record CallReading(IReadOnlyList<(string Method, string Status, DurationCounts Durations)> Ended, IReadOnlyList<(string Method, int Count)> Active);
