using System.Numerics;

namespace Membership.Virtual;

/// <summary>The one source of chance in a run: xoshiro256**, the same on every machine and runtime. Streams are forked by name, so that
/// drawing more in one place changes nothing in another.</summary>
public sealed class SeededRandom
{
    private ulong _a;
    private ulong _b;
    private ulong _c;
    private ulong _d;

    public SeededRandom(ulong seed)
    {
        (_a, _b, _c, _d) = (Spread(ref seed), Spread(ref seed), Spread(ref seed), Spread(ref seed));
    }

    /// <summary>Another stream that depends on this one's seed and the name only.</summary>
    public SeededRandom Fork(ulong name) => new(_a ^ (name * 0xD1B54A32D192ED03) ^ _d);

    public ulong NextUInt64()
    {
        var result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        var shifted = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= shifted;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>0 to <paramref name="end"/> - 1.</summary>
    public int Next(int end) => (int)Math.BigMul(NextUInt64(), (ulong)end, out _);

    /// <summary>From <paramref name="low"/> to <paramref name="high"/>, both possible.</summary>
    public long Between(long low, long high) => low + (long)Math.BigMul(NextUInt64(), (ulong)(high - low) + 1, out _);

    /// <summary>From 0 up to but not including 1.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    public bool Chance(double probability) => probability > 0 && NextDouble() < probability;

    /// <summary>A value between the two on a logarithmic scale.</summary>
    public double LogBetween(double low, double high) => low * Math.Pow(high / low, NextDouble());

    private static ulong Spread(ref ulong state)
    {
        var z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
