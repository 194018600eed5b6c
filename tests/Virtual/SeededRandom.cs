namespace Membership.Virtual;

/// <summary>The one source of chance in a run, the same on every machine and runtime. Streams are forked by name, so that drawing more in one place
/// changes nothing in another.</summary>
public sealed class SeededRandom(ulong seed)
{
    private Xoshiro256 _stream = new(seed);

    /// <summary>Another stream that depends on this one's seed and the name only.</summary>
    public SeededRandom Fork(ulong name) => new(_stream.SeedOf(name));

    public ulong NextUInt64() => _stream.NextUInt64();

    /// <summary>0 to <paramref name="end"/> - 1.</summary>
    public int Next(int end) => _stream.Next(end);

    /// <summary>From <paramref name="low"/> to <paramref name="high"/>, both possible.</summary>
    public long Between(long low, long high) => low + (long)Math.BigMul(NextUInt64(), (ulong)(high - low) + 1, out _);

    /// <summary>From 0 up to but not including 1.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    public bool Chance(double probability) => probability > 0 && NextDouble() < probability;

    /// <summary>A value between the two on a logarithmic scale.</summary>
    public double LogBetween(double low, double high) => low * Math.Pow(high / low, NextDouble());
}
