using System.Collections.ObjectModel;
using System.Globalization;
using Grpc.Core;
using Membership.Grpc.Errors;

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
    /// <summary>Makes one. What the daemon said about <paramref name="innerException"/>, word and facts, is taken over.</summary>
    public MembershipException(MembershipReason reason, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Reason = reason;
        if (innerException is not MembershipException cause) return;
        Word = cause.Word;
        Metadata = cause.Metadata;
    }

    /// <summary>Why, for code that has to decide what to do next.</summary>
    public MembershipReason Reason { get; }

    /// <summary>
    /// The daemon's own word for it (the <c>reason</c> of <c>google.rpc.ErrorInfo</c>), for example <c>QUORUM_CHANGE_REFUSED</c>;
    /// null when it gave none, or when the failure arose on this side. docs/sdk.md lists the words.
    /// </summary>
    public string? Word { get; internal init; }

    /// <summary>Facts the daemon gave with its word, by name; empty when there are none. Names are lower_snake_case, as <c>role_needed</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; internal init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>The same operation may succeed later without anybody's doing. A message sent twice is then delivered twice.</summary>
    public bool IsTransient => ServerWords.IsTransient(Word) ?? Reason is MembershipReason.Unavailable or MembershipReason.TimedOut or MembershipReason.NotPossibleNow;

    internal static MembershipException From(RpcException failure, string operation)
    {
        var told = RichError.From(failure);
        string detail = failure.Status.Detail.Length > 0 ? failure.Status.Detail : failure.StatusCode.ToString();
        return new MembershipException(ServerWords.ReasonOf(told?.Reason) ?? ReasonOf(failure.StatusCode), $"{operation}: {detail}", failure)
        {
            Word = told?.Reason,
            Metadata = told?.Metadata ?? ReadOnlyDictionary<string, string>.Empty,
        };
    }

    private static MembershipReason ReasonOf(StatusCode code) => code switch
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
}

/// <summary>A subscription or watch was cut off: its reader was too slow, or the daemon was restarted.</summary>
/// <remarks>Where <see cref="ResumePosition"/> equals <see cref="LastPosition"/> and is not 0, going on there loses nothing; otherwise there is a gap between them.</remarks>
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
    public SubscriptionCutException(ulong resumePosition, ulong lastPosition, string message, Exception? innerException = null)
        : base(MembershipReason.CutOff, message, innerException)
    {
        ResumePosition = resumePosition;
        LastPosition = lastPosition;
    }

    /// <summary>What a daemon's refusal to go on after a position means to the reader.</summary>
    internal static SubscriptionCutException From(MembershipException refused, ulong lastPosition)
    {
        bool isTold = ulong.TryParse(refused.Metadata.GetValueOrDefault(ServerWords.OldestPosition), NumberStyles.None, CultureInfo.InvariantCulture, out ulong oldest);
        ulong resume = refused.Word is ServerWords.WatchCut ? lastPosition : isTold ? oldest : 0;
        return new SubscriptionCutException(resume, lastPosition, refused.Message, refused);
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
