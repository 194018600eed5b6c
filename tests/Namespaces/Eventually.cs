using System.Diagnostics;

namespace Membership.Namespaces;

/// <summary>Waits for a state by looking, with a deadline; never for a guessed time.</summary>
public static class Eventually
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(15);

    /// <summary>Looks until the condition holds and returns how long that took.</summary>
    /// <param name="what">The state, as the end of the sentence "never saw ...".</param>
    /// <exception cref="TimeoutException">The deadline passed; the message has <paramref name="what"/> and what <paramref name="seen"/> says.</exception>
    public static async Task<TimeSpan> HoldsAsync(string what, TimeSpan deadline, Func<Task<bool>> condition, Func<string>? seen = null)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > deadline)
                throw new TimeoutException($"never saw {what} within {deadline.TotalSeconds:0.##} s{(seen is null ? "" : $"; seen: {seen()}")}");
            await Task.Delay(Pace);
        }

        return Stopwatch.GetElapsedTime(started);
    }

    /// <inheritdoc cref="HoldsAsync(string, TimeSpan, Func{Task{bool}}, Func{string}?)"/>
    public static Task<TimeSpan> HoldsAsync(string what, TimeSpan deadline, Func<bool> condition, Func<string>? seen = null) =>
        HoldsAsync(what, deadline, () => Task.FromResult(condition()), seen);
}
