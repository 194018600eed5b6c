namespace Membership.Explorer;

/// <summary>SplitMix64 (Steele et al., 2014): one word of state, good enough to draw schedules, the same everywhere.</summary>
internal struct SplitMix
{
    private ulong _state;

    public SplitMix(ulong seed) => _state = Mix(seed);

    /// <summary>Spreads a word over all 64 bits.</summary>
    public static ulong Mix(ulong word)
    {
        word += 0x9E3779B97F4A7C15;
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9;
        word = (word ^ (word >> 27)) * 0x94D049BB133111EB;
        return word ^ (word >> 31);
    }

    public ulong Next()
    {
        var drawn = Mix(_state);
        _state += 0x9E3779B97F4A7C15;
        return drawn;
    }

    /// <summary>From 0 to below <paramref name="exclusiveMax"/>; the bias of at most exclusiveMax / 2^32 does not matter here.</summary>
    public int Below(int exclusiveMax) => (int)(((Next() >> 32) * (ulong)exclusiveMax) >> 32);
}
