using Membership.V1;

namespace Membership.Client;

/// <summary>When the side of a node may act while no other side does, measured by this program's own clock.</summary>
/// <remarks>
/// Two nodes of which one is not in the other's view never have such times at one instant, also when daemons, programs or machines stall: an answer
/// that grows old runs out by itself. Ask again at least every second while you act, look at <see cref="IsNow"/> right before each step
/// that must not happen on two sides, and finish the step within <see cref="Left"/>. The assumptions are those of docs/operating/quorum.md ("Acting only while
/// nobody else can"): clocks run alike but for an eighth, and no machine is suspended while it acts.
/// </remarks>
public sealed class ExclusiveTime
{
    /// <summary>Clocks of two machines run alike but for one part in so many.</summary>
    private const int ClockMargin = 8;

    private readonly TimeProvider _time;
    private readonly long _asked;
    private readonly long _answered;
    private readonly TimeSpan _left;
    private readonly TimeSpan _begins;

    private ExclusiveTime(Quorum quorum, TimeProvider time, long asked, long answered, bool isLocal)
    {
        (Quorum, _time, _asked, _answered) = (quorum, time, asked, answered);
        (_left, _begins) = (TimeSpan.FromMilliseconds(quorum.QuorateForMs), TimeSpan.FromMilliseconds(quorum.ExclusiveInMs));
        if (isLocal) return;
        _left -= _left / ClockMargin;
        _begins += _begins / ClockMargin;
    }

    /// <summary>The answer this was computed from: the verdict and its reason; <c>QuorateUntilNs</c> and <c>ExclusiveFromNs</c> are CLOCK_MONOTONIC of the daemon's machine, nanoseconds (0: never).</summary>
    public Quorum Quorum { get; }

    /// <summary>At this moment this side may act, and no other side does.</summary>
    public bool IsNow => BeginsIn == TimeSpan.Zero && Left > TimeSpan.Zero;

    /// <summary>What is left of the time, counted from when the question was sent; zero: it has run out, there is no quorum, or this side may at no time act alone.</summary>
    public TimeSpan Left => NotNegative(_left - _time.GetElapsedTime(_asked));

    /// <summary>What is left until the time begins, counted from when the answer came; zero: it has begun. Says nothing where <see cref="Left"/> is zero.</summary>
    public TimeSpan BeginsIn => NotNegative(_begins - _time.GetElapsedTime(_answered));

    internal static ExclusiveTime Of(Quorum quorum, TimeProvider time, long asked, bool isLocal) => new(quorum, time, asked, time.GetTimestamp(), isLocal);

    private static TimeSpan NotNegative(TimeSpan time) => time > TimeSpan.Zero ? time : TimeSpan.Zero;
}
