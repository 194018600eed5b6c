namespace Membership.Links;

/// <summary>Counts durations in fixed buckets, with the sum of each. One writer; <see cref="Read"/> on the writer's thread only. Allocates nothing per duration.</summary>
public sealed class DurationHistogram
{
    /// <summary>Upper edges of the buckets, nanoseconds, inclusive; one more bucket takes what is longer.</summary>
    public static ReadOnlySpan<long> UpperEdges =>
    [
        50_000, 100_000, 250_000, 500_000,
        1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000,
        1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000,
    ];

    private readonly long[] _counts = new long[UpperEdges.Length + 1];
    private readonly long[] _sums = new long[UpperEdges.Length + 1];

    /// <summary>Adds a duration in nanoseconds; a negative one counts as none.</summary>
    public void Add(long nanoseconds)
    {
        nanoseconds = Math.Max(0, nanoseconds);
        var edges = UpperEdges;
        var bucket = 0;
        while (bucket < edges.Length && nanoseconds > edges[bucket]) bucket++;
        _counts[bucket]++;
        _sums[bucket] += nanoseconds;
    }

    /// <summary>Adds a duration.</summary>
    public void Add(TimeSpan duration) => Add(duration.Ticks * TimeSpan.NanosecondsPerTick);

    /// <summary>A copy of what was counted since the start.</summary>
    public DurationCounts Read() => new([.. _counts], [.. _sums]);
}

/// <summary>What a <see cref="DurationHistogram"/> had counted at one moment.</summary>
/// <param name="Counts">Durations of each bucket; the last one has no upper edge.</param>
/// <param name="Sums">Nanoseconds of each bucket, all its durations together.</param>
public sealed record DurationCounts(IReadOnlyList<long> Counts, IReadOnlyList<long> Sums)
{
    /// <summary>Nothing counted.</summary>
    public static readonly DurationCounts None = new DurationHistogram().Read();

    /// <summary>How many durations.</summary>
    public long Count => Counts.Sum();

    /// <summary>All of them together, nanoseconds.</summary>
    public long Sum => Sums.Sum();
}
