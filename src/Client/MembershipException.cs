using Grpc.Core;

namespace Membership.Client;

/// <summary>Why an operation on a cluster failed, for code that has to decide what to do next.</summary>
public enum MembershipReason
{
    /// <summary>The daemon cannot be reached, or is stopping.</summary>
    Unavailable,

    /// <summary>No answer came in time; whether the operation took effect is not known.</summary>
    TimedOut,

    /// <summary>The peer of this socket may not do this.</summary>
    Denied,

    /// <summary>The daemon does not offer this, because of its version or the way it was started.</summary>
    Unsupported,

    /// <summary>The request itself is wrong.</summary>
    Invalid,

    /// <summary>What was asked for does not exist.</summary>
    NotFound,

    /// <summary>The state of the cluster or of its object does not allow it now, for example without quorum.</summary>
    NotPossibleNow,

    /// <summary>A limit was reached: size, queue, rate.</summary>
    LimitReached,

    /// <summary>A subscription was cut off; see <see cref="SubscriptionCutException"/>.</summary>
    CutOff,

    /// <summary>The daemon or the connection broke a rule. Worth a report.</summary>
    Internal,
}

/// <summary>An operation on a cluster failed.</summary>
/// <example>
/// <code>
/// try
/// {
///     var status = await client.GetStatusAsync(cancellationToken);
/// }
/// catch (MembershipException failure) when (failure.IsTransient)
/// {
///     // The same call may succeed in a moment.
/// }
/// </code>
/// </example>
public class MembershipException : Exception
{
    /// <summary>Makes one.</summary>
    public MembershipException(MembershipReason reason, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Reason = reason;
    }

    /// <summary>Why, for code that has to decide what to do next.</summary>
    public MembershipReason Reason { get; }

    /// <summary>The same operation may succeed later without anybody's doing. A message sent twice is then delivered twice.</summary>
    public bool IsTransient => Reason is MembershipReason.Unavailable or MembershipReason.TimedOut or MembershipReason.NotPossibleNow;

    internal static MembershipException From(RpcException failure, string operation)
    {
        var reason = failure.StatusCode switch
        {
            StatusCode.Unavailable or StatusCode.Cancelled => MembershipReason.Unavailable,
            StatusCode.DeadlineExceeded => MembershipReason.TimedOut,
            StatusCode.PermissionDenied or StatusCode.Unauthenticated => MembershipReason.Denied,
            StatusCode.Unimplemented => MembershipReason.Unsupported,
            StatusCode.InvalidArgument or StatusCode.OutOfRange => MembershipReason.Invalid,
            StatusCode.NotFound => MembershipReason.NotFound,
            StatusCode.FailedPrecondition or StatusCode.Aborted or StatusCode.AlreadyExists => MembershipReason.NotPossibleNow,
            StatusCode.ResourceExhausted => MembershipReason.LimitReached,
            _ => MembershipReason.Internal,
        };
        string detail = failure.Status.Detail.Length > 0 ? failure.Status.Detail : failure.StatusCode.ToString();
        return new MembershipException(reason, $"{operation}: {detail}", failure);
    }
}

/// <summary>A subscription can go on only with a gap: its reader was too slow, or the daemon was restarted.</summary>
/// <example>
/// <code>
/// catch (SubscriptionCutException cut)
/// {
///     // Subscribe again after the position that is left; what lies between is lost to this reader.
///     options = options with { AfterPosition = cut.ResumePosition };
/// }
/// </code>
/// </example>
public sealed class SubscriptionCutException : MembershipException
{
    /// <summary>Makes one.</summary>
    public SubscriptionCutException(ulong resumePosition, ulong lastPosition, string message)
        : base(MembershipReason.CutOff, message)
    {
        ResumePosition = resumePosition;
        LastPosition = lastPosition;
    }

    /// <summary>What came after this position can be subscribed to again; 0: begin with the current view.</summary>
    public ulong ResumePosition { get; }

    /// <summary>The last position this reader was given; 0: none.</summary>
    public ulong LastPosition { get; }
}

/// <summary>The connection ended while messages were on their way: of some it is not known whether they were delivered.</summary>
/// <example>
/// <code>
/// catch (MulticastInterruptedException interrupted)
/// {
///     // The first interrupted.Confirmed messages have receipts; send the others again only if twice does no harm.
/// }
/// </code>
/// </example>
public sealed class MulticastInterruptedException : MembershipException
{
    /// <summary>Makes one.</summary>
    public MulticastInterruptedException(long confirmed, long unconfirmed, MembershipException cause)
        : base(cause.Reason, $"{cause.Message} {confirmed} messages have a receipt; of {unconfirmed} it is not known whether they were delivered.", cause)
    {
        Confirmed = confirmed;
        Unconfirmed = unconfirmed;
    }

    /// <summary>Messages with a receipt, counted from the start of the stream.</summary>
    public long Confirmed { get; }

    /// <summary>Messages accepted from the caller without a receipt.</summary>
    public long Unconfirmed { get; }
}
