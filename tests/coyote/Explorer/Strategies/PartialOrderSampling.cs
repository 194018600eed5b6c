namespace Membership.Explorer.Strategies;

/// <summary>POS: the pending event of the lowest random rank goes next, then those at its place draw anew. An actor's events race with nobody else's.</summary>
internal sealed class PartialOrderSampling : Strategy
{
    private readonly IdTable _ranks = new();
    private SplitMix _random;

    public override void Begin(ulong seed)
    {
        _random = new SplitMix(seed);
        _ranks.Clear();
        IsFair = false;
    }

    public override int Pick(ReadOnlySpan<int> ids, ReadOnlySpan<int> places)
    {
        if (IsFair) return _random.Below(ids.Length);
        var first = 0;
        var lowest = ulong.MaxValue;
        for (var i = 0; i < ids.Length; i++)
        {
            ref var rank = ref _ranks.Word(ids[i], out var isNew);
            if (isNew) rank = _random.Next();
            if (rank >= lowest) continue;
            lowest = rank;
            first = i;
        }
        _ranks.Word(ids[first], out _) = _random.Next();
        if (places.IsEmpty) return first;
        for (var i = 0; i < ids.Length; i++)
        {
            if (i != first && places[i] == places[first]) _ranks.Word(ids[i], out _) = _random.Next();
        }
        return first;
    }

    public override void Forced(int id, bool isActor) => _ranks.Word(id, out _) = _random.Next();

    public override int Integer(int exclusiveMax) => _random.Below(exclusiveMax);
}
