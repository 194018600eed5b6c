using System.Globalization;

namespace Membership.Grpc.Wire;

/// <summary>The header <c>grpc-timeout</c>: at most eight digits and a unit.</summary>
internal static class Timeouts
{
    public const string Header = "grpc-timeout";

    private const long LargestNumber = 99_999_999;

    /// <summary>Timers reach this far; a longer timeout is none.</summary>
    private static readonly TimeSpan LongestTimer = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    public static bool TryParse(string text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > 9) return false;
        if (!long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out long number)) return false;

        long ticksPerUnit = text[^1] switch
        {
            'H' => TimeSpan.TicksPerHour,
            'M' => TimeSpan.TicksPerMinute,
            'S' => TimeSpan.TicksPerSecond,
            'm' => TimeSpan.TicksPerMillisecond,
            'u' => TimeSpan.TicksPerMicrosecond,
            'n' => 0,
            _ => -1,
        };
        if (ticksPerUnit < 0) return false;

        timeout = ticksPerUnit == 0 ? TimeSpan.FromTicks(number / TimeSpan.NanosecondsPerTick) : TimeSpan.FromTicks(number * ticksPerUnit);
        return true;
    }

    /// <summary>Never shorter than asked: the client's own timer decides, the server's is a courtesy.</summary>
    public static string Format(TimeSpan timeout)
    {
        if (timeout <= TimeSpan.Zero) return "1n";
        (long ticks, string unit)[] units =
        [
            (TimeSpan.TicksPerMicrosecond, "u"), (TimeSpan.TicksPerMillisecond, "m"), (TimeSpan.TicksPerSecond, "S"),
            (TimeSpan.TicksPerMinute, "M"), (TimeSpan.TicksPerHour, "H"),
        ];
        foreach (var (ticks, unit) in units)
        {
            long number = ((timeout.Ticks - 1) / ticks) + 1;
            if (number <= LargestNumber) return number.ToString(CultureInfo.InvariantCulture) + unit;
        }
        return LargestNumber.ToString(CultureInfo.InvariantCulture) + "H";
    }

    /// <summary>Null when the time is too far away for a timer.</summary>
    public static TimeSpan? ForTimer(TimeSpan remaining) =>
        remaining > LongestTimer ? null : remaining < TimeSpan.Zero ? TimeSpan.Zero : remaining;
}
