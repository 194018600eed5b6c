using Membership.Virtual;

namespace Membership.Fuzz.Engine;

/// <summary>Chance of one execution, from a seed and a number, so that any execution can be made again alone.</summary>
internal struct FuzzRandom(ulong seed, ulong number)
{
    private Xoshiro256 _stream = new(seed, number);

    public ulong NextUInt64() => _stream.NextUInt64();

    /// <summary>0 to <paramref name="end"/> - 1.</summary>
    public int Next(int end) => _stream.Next(end);

    /// <summary>True once in <paramref name="times"/>.</summary>
    public bool OneIn(int times) => Next(times) == 0;

    /// <summary>One of a list.</summary>
    public T Of<T>(IReadOnlyList<T> list) => list[Next(list.Count)];
}
