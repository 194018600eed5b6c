using System.Security;
using Grpc.Core;
using Membership.Cli.Errors;
using RpcStatus = Grpc.Core.Status;

namespace Membership.Cli.Daemons;

/// <summary>Says in the words of the catalogue what the status of a failed call means.</summary>
internal static class RpcErrors
{
    /// <summary>The error for <paramref name="failure"/>.</summary>
    /// <param name="failure">How the call ended.</param>
    /// <param name="socket">Where the daemon was reached.</param>
    /// <param name="hasAnswered">True when something sensible came from there before.</param>
    public static CliException Translate(RpcException failure, string socket, bool hasAnswered)
    {
        var status = failure.Status;
        var detail = status.Detail.TrimEnd('.');
        if (Has<SecurityException>(status.DebugException))
            return new CliException(ErrorCatalogue.ForeignServer, failure, ("socket", socket), ("detail", detail));
        if (BelowGrpc(status))
            return hasAnswered
                ? new CliException(ErrorCatalogue.ConnectionLost, failure, ("socket", socket), ("detail", detail))
                : new CliException(ErrorCatalogue.NotADaemon, failure, ("socket", socket), ("detail", detail));
        return status.StatusCode switch
        {
            StatusCode.Unavailable => new CliException(ErrorCatalogue.ConnectionLost, failure, ("socket", socket), ("detail", detail)),
            StatusCode.DeadlineExceeded => new CliException(ErrorCatalogue.TimedOut, failure,
                ("socket", socket), ("timeout", "its deadline"), ("doing", detail)),
            _ => new CliException(EntryOf(status.StatusCode), failure, ("socket", socket), ("detail", $"{detail} ({status.StatusCode})")),
        };
    }

    private static ErrorEntry EntryOf(StatusCode code) => code switch
    {
        StatusCode.PermissionDenied or StatusCode.Unauthenticated => ErrorCatalogue.Refused,
        StatusCode.NotFound or StatusCode.OutOfRange => ErrorCatalogue.NotFound,
        StatusCode.Unimplemented => ErrorCatalogue.NotOffered,
        StatusCode.FailedPrecondition or StatusCode.InvalidArgument or StatusCode.DataLoss => ErrorCatalogue.WrongState,
        StatusCode.ResourceExhausted or StatusCode.Aborted => ErrorCatalogue.NotObtained,
        _ => ErrorCatalogue.DaemonFailed,
    };

    // No gRPC status arrived: the transport failed, or what answered speaks another protocol.
    private static bool BelowGrpc(RpcStatus status) =>
        status.DebugException is not null
        || (status.StatusCode is StatusCode.Unknown or StatusCode.Unimplemented or StatusCode.Internal
            && status.Detail.StartsWith("The server answered", StringComparison.Ordinal));

    private static bool Has<T>(Exception? exception) where T : Exception
    {
        for (; exception is not null; exception = exception.InnerException)
            if (exception is T)
                return true;
        return false;
    }
}
