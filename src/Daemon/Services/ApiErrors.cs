using Grpc.Core;
using Membership.Grpc.Errors;

namespace Membership.Daemon.Services;

/// <summary>What services throw: a status, a sentence for people, a word and facts for programs. The words are part of the API.</summary>
internal static class ApiErrors
{
    /// <summary>What senders are told when their node leaves.</summary>
    public const string LeavingSentence = "this node is leaving the cluster. Messages without a receipt were not sent: send them through another node.";

    /// <summary>The ring thread has ended.</summary>
    public static RpcException Stopped(string why) => RichError.Of(StatusCode.Unavailable, "DAEMON_STOPPED", why).ToException();

    /// <summary>The node leaves.</summary>
    public static RpcException Leaving(string why) => RichError.Of(StatusCode.Unavailable, "NODE_LEAVING", why).ToException();

    /// <summary>A request that can never be right.</summary>
    public static RpcException Invalid(string reason, string message) => RichError.Of(StatusCode.InvalidArgument, reason, message).ToException();

    /// <summary>A place that is not there, or not there any more.</summary>
    public static RpcException OutOfRange(string reason, string message, params (string Name, string Value)[] facts) =>
        RichError.Of(StatusCode.OutOfRange, reason, message, facts).ToException();
}
