using System.Diagnostics;
using Membership.Links;

namespace Membership.Daemon.Ring;

/// <summary>The ring's one clock: CLOCK_MONOTONIC of this machine, counted from the start of the host.</summary>
/// <remarks><see cref="Stopwatch.GetTimestamp"/> is CLOCK_MONOTONIC in nanoseconds on Linux; the constructor checks the unit.</remarks>
internal sealed class MonotonicClock
{
    private readonly long _origin;

    /// <summary>Starts at zero now.</summary>
    /// <exception cref="PlatformNotSupportedException">The runtime's timestamps are not nanoseconds.</exception>
    public MonotonicClock()
    {
        if (Stopwatch.Frequency != 1_000_000_000) throw new PlatformNotSupportedException($"timestamps tick at {Stopwatch.Frequency} Hz, not in nanoseconds");
        _origin = Stopwatch.GetTimestamp();
    }

    /// <summary>The present instant; any thread.</summary>
    public Instant Now => new(Stopwatch.GetTimestamp() - _origin);

    /// <summary>CLOCK_MONOTONIC nanoseconds of the machine at an instant: <c>t_ns</c> of event streams, comparable between daemons of one machine.</summary>
    public long Absolute(Instant instant) => instant.Nanoseconds + _origin;
}
