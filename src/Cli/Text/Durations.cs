using System.Globalization;

namespace Membership.Cli.Text;

/// <summary>Durations and sizes as people write and read them.</summary>
internal static class Durations
{
    /// <summary>Reads <c>250us</c>, <c>500ms</c>, <c>3s</c>, <c>2m</c>, <c>1h</c>; a number alone counts seconds.</summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        var digits = text.AsSpan().TrimEnd("abcdefghijklmnopqrstuvwxyz");
        if (!double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            return false;

        double? secondsPerUnit = text[digits.Length..] switch
        {
            "us" => 1e-6,
            "ms" => 1e-3,
            "" or "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => null,
        };
        if (secondsPerUnit is null || number * secondsPerUnit.Value > TimeSpan.MaxValue.TotalSeconds / 2)
            return false;

        duration = TimeSpan.FromTicks((long)Math.Round(number * secondsPerUnit.Value * TimeSpan.TicksPerSecond));
        return true;
    }

    /// <summary>Reads <c>64</c>, <c>16KiB</c>, <c>1MiB</c>, <c>10kB</c>, <c>1MB</c> as bytes.</summary>
    public static bool TryParseSize(string text, out long bytes)
    {
        bytes = 0;
        var digits = text.AsSpan().TrimEnd("BKMGikMg");
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return false;

        long? bytesPerUnit = text[digits.Length..] switch
        {
            "" or "B" => 1,
            "kB" => 1000,
            "MB" => 1_000_000,
            "KiB" => 1024,
            "MiB" => 1024 * 1024,
            _ => null,
        };
        if (bytesPerUnit is null || number > long.MaxValue / bytesPerUnit.Value)
            return false;

        bytes = number * bytesPerUnit.Value;
        return true;
    }

    /// <summary>A time limit as it was meant: <c>500ms</c>, <c>3s</c>.</summary>
    public static string Format(TimeSpan duration) => duration.TotalSeconds < 1 && duration.TotalSeconds > 0
        ? string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds:0.###}ms")
        : string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:0.###}s");

    /// <summary>An age in at most two units, short enough for a column: <c>0.2s</c>, <c>14s</c>, <c>5m10s</c>, <c>3h12m</c>, <c>2d4h</c>.</summary>
    public static string Age(long milliseconds)
    {
        var age = TimeSpan.FromMilliseconds(Math.Max(0, milliseconds));
        return age switch
        {
            { TotalSeconds: < 9.95 } => string.Create(CultureInfo.InvariantCulture, $"{age.TotalSeconds:0.0}s"),
            { TotalSeconds: < 59.5 } => string.Create(CultureInfo.InvariantCulture, $"{age.TotalSeconds:0}s"),
            { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{age.Minutes}m{age.Seconds:00}s"),
            { TotalDays: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{age.Hours}h{age.Minutes:00}m"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{age.Days}d{age.Hours}h"),
        };
    }
}
