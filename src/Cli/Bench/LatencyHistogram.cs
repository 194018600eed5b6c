using System.Numerics;

namespace Membership.Cli.Bench;

/// <summary>Counts durations in buckets whose width grows with the value, so that every percentile is known to 1.6 % at constant cost.</summary>
/// <remarks>As HdrHistogram: per power of two <see cref="StepsPerDoubling"/> equal buckets; values below that are exact. Nanoseconds.</remarks>
internal sealed class LatencyHistogram
{
    /// <summary>Buckets of one power of two.</summary>
    public const int StepsPerDoubling = 1 << StepBits;

    private const int StepBits = 6;
    private const int Doublings = 64 - StepBits;

    private readonly long[] _buckets = new long[Doublings * StepsPerDoubling];

    /// <summary>How many durations were added.</summary>
    public long Count { get; private set; }

    /// <summary>The longest, nanoseconds.</summary>
    public long MaxNs { get; private set; }

    /// <summary>Adds a duration; a negative one counts as none.</summary>
    public void Add(long nanoseconds)
    {
        nanoseconds = Math.Max(0, nanoseconds);
        _buckets[BucketOf((ulong)nanoseconds)]++;
        Count++;
        MaxNs = Math.Max(MaxNs, nanoseconds);
    }

    /// <summary>Adds everything of another histogram.</summary>
    public void Add(LatencyHistogram other)
    {
        for (var bucket = 0; bucket < _buckets.Length; bucket++)
            _buckets[bucket] += other._buckets[bucket];
        Count += other.Count;
        MaxNs = Math.Max(MaxNs, other.MaxNs);
    }

    /// <summary>The duration that <paramref name="share"/> (0 to 1) of all do not exceed, nanoseconds; 0 when empty.</summary>
    public long Percentile(double share)
    {
        var rank = Math.Max(1, (long)Math.Ceiling(share * Count));
        long seen = 0;
        for (var bucket = 0; bucket < _buckets.Length; bucket++)
        {
            seen += _buckets[bucket];
            if (seen >= rank)
                return Math.Min(MaxNs, UpperEdge(bucket));
        }
        return MaxNs;
    }

    private static int BucketOf(ulong value)
    {
        if (value < StepsPerDoubling)
            return (int)value;
        var shift = BitOperations.Log2(value) - StepBits;
        return ((shift + 1) << StepBits) + (int)((value >> shift) - StepsPerDoubling);
    }

    // The largest value of the bucket: a percentile is never understated.
    private static long UpperEdge(int bucket)
    {
        if (bucket < StepsPerDoubling)
            return bucket;
        var shift = (bucket >> StepBits) - 1;
        var step = (ulong)(bucket & (StepsPerDoubling - 1)) + StepsPerDoubling;
        return (long)(((step + 1) << shift) - 1);
    }
}
