using System.Diagnostics;
using System.Diagnostics.Metrics;
using Membership.V1;

namespace Membership.Client;

/// <summary>What the SDK reports of itself to whoever listens: an <see cref="ActivitySource"/> and a <see cref="Meter"/>, both named <c>Membership.Client</c>.</summary>
/// <remarks>Spans are for calls and joins, never for single messages; those are counted.</remarks>
/// <example>
/// <code>
/// builder.Services.AddOpenTelemetry()
///     .WithTracing(tracing => tracing.AddSource(ClientTelemetry.Name))
///     .WithMetrics(metrics => metrics.AddMeter(ClientTelemetry.Name));
/// </code>
/// </example>
public static class ClientTelemetry
{
    /// <summary>Of the activity source and the meter.</summary>
    public const string Name = "Membership.Client";

    private static readonly string? Version = typeof(ClientTelemetry).Assembly.GetName().Version?.ToString(3);
    private static readonly ActivitySource Activities = new(Name, Version);
    private static readonly Meter Meter = new(Name, Version);
    private static readonly Histogram<double> CallDuration = Meter.CreateHistogram<double>(
        "membership.client.call.duration", "s", "Time of one call to the daemon, or of joining a group.");
    private static readonly UpDownCounter<long> Connections = Meter.CreateUpDownCounter<long>(
        "membership.client.connected", "{connection}", "Group sessions that are open now.");
    private static readonly Counter<long> Interruptions = Meter.CreateCounter<long>(
        "membership.client.disconnects", "{disconnect}", "Group sessions that were lost, by reason.");
    private static readonly UpDownCounter<long> Queue = Meter.CreateUpDownCounter<long>(
        "membership.client.queue", "By", "Group updates that came and were not read yet.");
    private static readonly Counter<long> SentMessages = Meter.CreateCounter<long>(
        "membership.message.sent", "{message}", "Group messages that have their receipt, by delivery.");
    private static readonly Counter<long> FailedMessages = Meter.CreateCounter<long>(
        "membership.message.failed", "{message}", "Group messages that failed, by whether it is known that nobody got them.");
    private static readonly Counter<long> DeliveredMessages = Meter.CreateCounter<long>(
        "membership.message.delivered", "{message}", "Group messages that came, by delivery.");
    private static readonly Histogram<double> DeliveryDuration = Meter.CreateHistogram<double>(
        "membership.message.delivery.duration", "s", "From sending a group message to its receipt, by delivery.");

    private static readonly KeyValuePair<string, object?> Agreed = new("delivery", "agreed");
    private static readonly KeyValuePair<string, object?> Safe = new("delivery", "safe");

    internal static long Now => DeliveryDuration.Enabled ? Stopwatch.GetTimestamp() : 0;

    internal static void Opened() => Connections.Add(1);

    internal static void Lost(MembershipReason reason)
    {
        Connections.Add(-1);
        Interruptions.Add(1, new KeyValuePair<string, object?>("reason", Word(reason)));
    }

    internal static void Queued(long bytes) => Queue.Add(bytes);

    internal static void Delivered(DeliveryLevel level) => DeliveredMessages.Add(1, Delivery(level));

    internal static void Sent(DeliveryLevel level, long since)
    {
        SentMessages.Add(1, Delivery(level));
        if (since != 0) DeliveryDuration.Record(Stopwatch.GetElapsedTime(since).TotalSeconds, Delivery(level));
    }

    internal static void Failed(GroupSendException failure) =>
        FailedMessages.Add(1, new("reason", Word(failure.Reason)), new("indeterminate", failure.IsIndeterminate));

    /// <summary>Runs one operation as a span and measures it.</summary>
    internal static async Task<T> ObserveAsync<T>(string operation, Func<Task<T>> run, string? group = null)
    {
        using var activity = Activities.StartActivity($"membership {operation.ToLowerInvariant()}", ActivityKind.Client);
        if (group is not null) activity?.SetTag("membership.group", group);
        long started = Stopwatch.GetTimestamp();
        string outcome = "ok";
        try
        {
            return await run().ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            outcome = failure is MembershipException known ? Word(known.Reason) : failure is OperationCanceledException ? "cancelled" : "internal";
            activity?.SetStatus(ActivityStatusCode.Error, failure.Message);
            throw;
        }
        finally
        {
            activity?.SetTag("outcome", outcome);
            CallDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, new("operation", operation.ToLowerInvariant()), new("outcome", outcome));
        }
    }

    private static KeyValuePair<string, object?> Delivery(DeliveryLevel level) => level is DeliveryLevel.Safe ? Safe : Agreed;

    private static string Word(MembershipReason reason) => reason switch
    {
        MembershipReason.TimedOut => "timed_out",
        MembershipReason.NotFound => "not_found",
        MembershipReason.NotPossibleNow => "not_possible_now",
        MembershipReason.LimitReached => "limit_reached",
        MembershipReason.CutOff => "slow",
        _ => reason.ToString().ToLowerInvariant(),
    };
}
