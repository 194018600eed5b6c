using System.Numerics;

namespace Membership.Fuzz.Engine;

/// <summary>Chance of one execution: xoshiro256** from a seed and a number, so that any execution can be made again alone.</summary>
internal struct FuzzRandom
{
    private const ulong Golden = 0x9E3779B97F4A7C15;

    private ulong _a, _b, _c, _d;

    public FuzzRandom(ulong seed, ulong number)
    {
        var state = seed ^ (number * 0xD1B54A32D192ED03);
        (_a, _b, _c, _d) = (Spread(ref state), Spread(ref state), Spread(ref state), Spread(ref state));
    }

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

    /// <summary>True once in <paramref name="times"/>.</summary>
    public bool OneIn(int times) => Next(times) == 0;

    /// <summary>One of a list.</summary>
    public T Of<T>(IReadOnlyList<T> list) => list[Next(list.Count)];

    /// <summary>A number for a name, the same on every machine.</summary>
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
