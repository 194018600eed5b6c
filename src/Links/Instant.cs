using System.Globalization;

namespace Membership.Links;

/// <summary>Monotonic time since the node's host started, in nanoseconds. The only clock a core ever sees.</summary>
public readonly record struct Instant(long Nanoseconds) : IComparable<Instant>
{
    /// <summary>Later than every instant that can be reached.</summary>
    public static readonly Instant Never = new(long.MaxValue);

    public int CompareTo(Instant other) => Nanoseconds.CompareTo(other.Nanoseconds);

    /// <summary>The instant <paramref name="span"/> later.</summary>
    public static Instant operator +(Instant start, TimeSpan span) => new(start.Nanoseconds + (span.Ticks * 100));

    /// <summary>The time from <paramref name="start"/> to <paramref name="end"/>.</summary>
    public static TimeSpan operator -(Instant end, Instant start) => new((end.Nanoseconds - start.Nanoseconds) / 100);

    public static bool operator <(Instant left, Instant right) => left.Nanoseconds < right.Nanoseconds;

    public static bool operator >(Instant left, Instant right) => left.Nanoseconds > right.Nanoseconds;

    public static bool operator <=(Instant left, Instant right) => left.Nanoseconds <= right.Nanoseconds;

    public static bool operator >=(Instant left, Instant right) => left.Nanoseconds >= right.Nanoseconds;

    /// <summary>Milliseconds with three decimals, as traces print it.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Nanoseconds / 1e6:F3}ms");
}
