namespace Membership.Explorer.Strategies;

/// <summary>Uniform among the enabled.</summary>
internal sealed class RandomWalk : Strategy
{
    private SplitMix _random;

    public override void Begin(ulong seed)
    {
        _random = new SplitMix(seed);
        IsFair = true;
    }

    public override int Pick(ReadOnlySpan<int> ids, ReadOnlySpan<int> places) => _random.Below(ids.Length);

    public override int Integer(int exclusiveMax) => _random.Below(exclusiveMax);
}
