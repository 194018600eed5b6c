namespace Membership.Explorer;

/// <summary>Choices that suites often make, each with 0 as the plain answer.</summary>
public static class ExplorationExtensions
{
    /// <summary>A rare event: true once in <paramref name="times"/>, and never where the trace has ended.</summary>
    public static bool OneIn(this IExploration exploration, int times) => exploration.NextInteger(times) == times - 1 && times > 1;

    /// <summary>One of several values; the first is the plain one.</summary>
    public static T OneOf<T>(this IExploration exploration, IReadOnlyList<T> values) => values[exploration.NextInteger(values.Count)];
}
