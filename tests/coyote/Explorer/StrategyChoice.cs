using System.Globalization;

namespace Membership.Explorer;

/// <summary>The ways to answer.</summary>
public enum StrategyKind
{
    /// <summary>Uniform among the enabled. Fair.</summary>
    Random,

    /// <summary>Random priorities per id, lowered at a few random steps (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees", 2010).</summary>
    Pct,

    /// <summary>Partial order sampling: a random priority per pending event, drawn anew for those that race with the one just run (Yuan et al., 2018).</summary>
    Pos,

    /// <summary>The first enabled, but for a few random steps that put it behind all others (Emmi et al., "Delay-Bounded Scheduling", 2011).</summary>
    Delay,

    /// <summary>All schedules and data, one after the other.</summary>
    Dfs,

    /// <summary>Changed copies of runs that reached new states.</summary>
    Coverage,
}

/// <summary>A strategy and its one number: for PCT the depth d of the bug, for delay bounding and depth-first search the delays allowed.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Depth">Its number; 0 where there is none, and for depth-first search no bound on delays.</param>
public readonly record struct StrategyChoice(StrategyKind Kind, int Depth = 0)
{
    private const int PctDepthDefault = 3;
    private const int DelaysDefault = 3;

    /// <summary>What is used when nothing else is asked for: wide ones, deep ones and one that learns.</summary>
    public static IReadOnlyList<StrategyChoice> Portfolio { get; } =
    [
        new(StrategyKind.Random), new(StrategyKind.Pct, 3), new(StrategyKind.Pos), new(StrategyKind.Delay, 2),
        new(StrategyKind.Coverage), new(StrategyKind.Pct, 10), new(StrategyKind.Pos), new(StrategyKind.Delay, 6),
    ];

    /// <summary>Reads names as in <c>pct3,pos,random</c>; <c>portfolio</c> stands for all of <see cref="Portfolio"/>.</summary>
    /// <returns>Null when a name is unknown.</returns>
    public static IReadOnlyList<StrategyChoice>? Parse(string names)
    {
        var all = new List<StrategyChoice>();
        foreach (var name in names.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (name == "portfolio") all.AddRange(Portfolio);
            else if (One(name) is { } one) all.Add(one);
            else return null;
        }
        return all.Count == 0 ? null : all;
    }

    /// <summary>The name as <see cref="Parse"/> reads it.</summary>
    public override string ToString() => Kind.ToString().ToLowerInvariant() + (Depth == 0 ? "" : Depth.ToString(CultureInfo.InvariantCulture));

    private static StrategyChoice? One(string name)
    {
        var letters = name.TrimEnd([.. "0123456789"]);
        if (!Enum.TryParse<StrategyKind>(letters, ignoreCase: true, out var kind)) return null;
        if (letters.Length == name.Length)
            return new StrategyChoice(kind, kind switch { StrategyKind.Pct => PctDepthDefault, StrategyKind.Delay => DelaysDefault, _ => 0 });
        var takesNumber = kind is StrategyKind.Pct or StrategyKind.Delay or StrategyKind.Dfs;
        if (!takesNumber || !int.TryParse(name.AsSpan(letters.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var depth) || depth == 0) return null;
        return new StrategyChoice(kind, depth);
    }
}
