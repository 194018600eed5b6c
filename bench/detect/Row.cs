using System.Globalization;

namespace Membership.Bench.Detect;

/// <summary>One line of the table.</summary>
/// <param name="Text">Markdown.</param>
/// <param name="IsMet">The target is met.</param>
internal sealed record Row(string Text, bool IsMet)
{
    /// <summary>Times of a repeated measurement against a limit for their 99th percentile.</summary>
    public static Row OfTimes(string what, IReadOnlyList<TimeSpan> times, TimeSpan target)
    {
        var sorted = times.Order().ToArray();
        var p99 = At(sorted, 0.99);
        var met = p99 <= target;
        return new Row(Line(what, $"{sorted.Length}", Seconds(At(sorted, 0.50)), Seconds(p99), Seconds(sorted[^1]), $"p99 <= {Seconds(target)}", met ? "met" : "**missed**"), met);
    }

    /// <summary>A look of some length in which nothing may happen.</summary>
    public static Row OfLook(string what, string length, string seen, string target, bool met) =>
        new(Line(what, length, seen, "", "", target, met ? "met" : "**missed**"), met);

    private static string Line(params ReadOnlySpan<string> cells) => $"| {string.Join(" | ", cells.ToArray())} |";

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.000} s");

    /// <summary>Nearest rank.</summary>
    private static TimeSpan At(TimeSpan[] sorted, double share) => sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)];
}
