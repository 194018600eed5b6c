using System.Diagnostics;
using Grpc.Core;

namespace Membership.Daemon.Telemetry;

/// <summary>One span for each call of a client that has ended, below the client's own where it sent a traceparent. Any thread.</summary>
/// <remarks>
/// Written as a whole at the end, so that no span is current while the call runs: what the daemon does for it concerns other calls too. Names and attributes are those
/// of OpenTelemetry for RPC servers.
/// </remarks>
internal static class CallSpans
{
    private const string ParentHeader = "traceparent";
    private const string ParentStateHeader = "tracestate";

    private static readonly ActivitySource Source = new(MeterBridge.Name, DaemonVersion.Text);

    /// <summary>Writes a span; does nothing where nobody listens.</summary>
    /// <param name="context">The call.</param>
    /// <param name="took">How long it was under way.</param>
    /// <param name="status">How it ended.</param>
    /// <param name="now">The end on the machine's clock.</param>
    public static void Write(ServerCallContext context, TimeSpan took, Status status, DateTimeOffset now)
    {
        if (!Source.HasListeners()) return;
        var current = Activity.Current;
        Activity.Current = null;   // the server's own activity is exported by nobody and must not be the parent
        try
        {
            var method = context.Method.TrimStart('/');
            using var span = Source.CreateActivity(method, ActivityKind.Server, ParentOf(context.RequestHeaders));
            if (span is null) return;
            span.SetStartTime((now - took).UtcDateTime);
            span.SetTag("rpc.system", "grpc");
            span.SetTag("rpc.service", method[..Math.Max(0, method.LastIndexOf('/'))]);
            span.SetTag("rpc.method", method[(method.LastIndexOf('/') + 1)..]);
            span.SetTag("rpc.grpc.status_code", (int)status.StatusCode);
            span.Start();
            if (IsOurs(status.StatusCode)) span.SetStatus(ActivityStatusCode.Error, status.Detail);
            span.SetEndTime(now.UtcDateTime);
        }
        finally
        {
            Activity.Current = current;
        }
    }

    // As OpenTelemetry has it for servers: what the caller did wrong or wanted is no error of this side.
    private static bool IsOurs(StatusCode status) =>
        status is StatusCode.Unknown or StatusCode.DeadlineExceeded or StatusCode.Unimplemented or StatusCode.Internal or StatusCode.Unavailable or StatusCode.DataLoss;

    private static ActivityContext ParentOf(Metadata headers) =>
        ActivityContext.TryParse(headers.GetValue(ParentHeader), headers.GetValue(ParentStateHeader), isRemote: true, out var parent) ? parent : default;
}
