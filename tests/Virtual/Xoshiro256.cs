using System.Numerics;

namespace Membership.Virtual;

/// <summary>xoshiro256** (Blackman and Vigna), seeded by SplitMix64: the same numbers on every machine and runtime.</summary>
/// <remarks>A value: whoever copies it copies its place in the stream.</remarks>
public struct Xoshiro256
{
    private const ulong Golden = 0x9E3779B97F4A7C15;
    private const ulong NameFactor = 0xD1B54A32D192ED03;

    private ulong _a, _b, _c, _d;

    /// <summary>The stream of a seed.</summary>
    public Xoshiro256(ulong seed) => (_a, _b, _c, _d) = (Spread(ref seed), Spread(ref seed), Spread(ref seed), Spread(ref seed));

    /// <summary>The stream of one number of a seed: any of them can be made again alone.</summary>
    public Xoshiro256(ulong seed, ulong number)
        : this(seed ^ (number * NameFactor))
    {
    }

    /// <summary>Seed of another stream: it depends on this one's place and the name only.</summary>
    public readonly ulong SeedOf(ulong name) => _a ^ (name * NameFactor) ^ _d;

    /// <summary>The next 64 bits.</summary>
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

    /// <summary>A number for a name.</summary>
    public static ulong Hash(string name)
    {
        var hash = Golden;
        foreach (var letter in name) hash = Spread(ref hash) ^ letter;
        return hash;
    }

    private static ulong Spread(ref ulong state)
    {
        var z = state += Golden;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
