using Microsoft.Extensions.Logging;

namespace Membership.Grpc.Server.Kestrel;

/// <summary>Messages of the gRPC server; ids 6900 to 6919 of the daemon's range.</summary>
internal static partial class Log
{
    [LoggerMessage(EventId = 6900, Level = LogLevel.Error, Message =
        "The call {Method} of {Peer} failed with an exception its service does not know; the client was told {Status}. Please report this with the trace below.")]
    public static partial void HandlerFailed(ILogger logger, Exception exception, string method, string peer, string status);
}
