using System.Net;
using System.Net.Sockets;
using System.Security;
using System.Security.Authentication;
using Grpc.Core;

namespace Grpc.Net.Client;

/// <summary>What a failure below gRPC means as a status.</summary>
internal static class StatusMapping
{
    // RFC 9113, "Error Codes".
    private const long NoError = 0x0;
    private const long RefusedStream = 0x7;
    private const long Cancel = 0x8;
    private const long EnhanceYourCalm = 0xb;
    private const long InadequateSecurity = 0xc;

    public static Status FromException(Exception exception)
    {
        for (Exception? cause = exception; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case RpcException call:
                    return call.Status;
                case SecurityException refused:
                    return new Status(StatusCode.PermissionDenied, refused.Message, exception);
                case AuthenticationException untrusted:
                    return new Status(StatusCode.Unauthenticated, $"TLS with the server failed: {Innermost(untrusted).Message}", exception);
                case HttpProtocolException protocol:
                    return new Status(FromHttp2Error(protocol.ErrorCode), $"The server reset the call: {protocol.Message}", exception);
                case SocketException socket:
                    return new Status(StatusCode.Unavailable, $"No connection to the server: {socket.Message}.", exception);
            }
        }
        return exception switch
        {
            OperationCanceledException => new Status(StatusCode.Cancelled, "The call was cancelled.", exception),
            HttpRequestException or IOException => new Status(StatusCode.Unavailable, $"The connection failed: {Innermost(exception).Message}", exception),
            ObjectDisposedException => new Status(StatusCode.Cancelled, "The channel was disposed.", exception),
            _ => new Status(StatusCode.Internal, $"The call failed: {exception.Message}", exception),
        };
    }

    /// <summary>For a reply without <c>grpc-status</c> (gRPC, "HTTP to gRPC Status Code Mapping").</summary>
    public static Status FromHttpStatus(HttpStatusCode code)
    {
        var status = code switch
        {
            HttpStatusCode.BadRequest => StatusCode.Internal,
            HttpStatusCode.Unauthorized => StatusCode.Unauthenticated,
            HttpStatusCode.Forbidden => StatusCode.PermissionDenied,
            HttpStatusCode.NotFound => StatusCode.Unimplemented,
            HttpStatusCode.TooManyRequests => StatusCode.Unavailable,
            HttpStatusCode.BadGateway => StatusCode.Unavailable,
            HttpStatusCode.ServiceUnavailable => StatusCode.Unavailable,
            HttpStatusCode.GatewayTimeout => StatusCode.Unavailable,
            _ => StatusCode.Unknown,
        };
        return new Status(status, $"The server answered HTTP {(int)code} without a gRPC status.");
    }

    private static StatusCode FromHttp2Error(long code) => code switch
    {
        NoError => StatusCode.Unavailable,
        RefusedStream => StatusCode.Unavailable,
        Cancel => StatusCode.Cancelled,
        EnhanceYourCalm => StatusCode.ResourceExhausted,
        InadequateSecurity => StatusCode.PermissionDenied,
        _ => StatusCode.Internal,
    };

    private static Exception Innermost(Exception exception)
    {
        while (exception.InnerException is { } inner) exception = inner;
        return exception;
    }
}
