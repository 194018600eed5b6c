namespace Membership.Explorer.Strategies;

/// <summary>The enabled id of the lowest rank goes next; at a few steps drawn beforehand it is put behind all others first. PCT and delay bounding differ in the first ranks.</summary>
internal abstract class RankStrategy : Strategy
{
    /// <summary>Ranks from here on are those of ids that were put behind.</summary>
    private const ulong Behind = 1UL << 63;

    private readonly int[] _changes;
    private readonly int _expectedChoices;
    private readonly IdTable _ranks = new();
    private SplitMix _random;
    private int _choices;
    private int _nextChange;
    private ulong _behind;

    /// <param name="changes">How many steps put somebody behind.</param>
    /// <param name="expectedChoices">They are drawn below this number of choices.</param>
    protected RankStrategy(int changes, int expectedChoices)
    {
        _changes = new int[changes];
        _expectedChoices = Math.Max(1, expectedChoices);
    }

    public override void Begin(ulong seed)
    {
        _random = new SplitMix(seed);
        _ranks.Clear();
        _choices = 0;
        _nextChange = 0;
        _behind = Behind;
        IsFair = false;
        for (var i = 0; i < _changes.Length; i++) _changes[i] = _random.Below(_expectedChoices);
        Array.Sort(_changes);
    }

    public override int Pick(ReadOnlySpan<int> ids, ReadOnlySpan<int> places)
    {
        if (IsFair) return _random.Below(ids.Length);
        var first = First(ids);
        for (; _nextChange < _changes.Length && _changes[_nextChange] == _choices; _nextChange++)
        {
            _ranks.Word(ids[first], out _) = ++_behind;
            first = First(ids);
        }
        _choices++;
        return first;
    }

    public override int Integer(int exclusiveMax) => _random.Below(exclusiveMax);

    protected abstract ulong FirstRank(ref SplitMix random);

    private int First(ReadOnlySpan<int> ids)
    {
        var first = 0;
        var lowest = ulong.MaxValue;
        for (var i = 0; i < ids.Length; i++)
        {
            ref var rank = ref _ranks.Word(ids[i], out var isNew);
            if (isNew) rank = FirstRank(ref _random) & ~Behind;
            if (rank >= lowest) continue;
            lowest = rank;
            first = i;
        }
        return first;
    }
}

/// <summary>PCT: random first ranks, depth - 1 changes.</summary>
internal sealed class PctStrategy(int depth, int expectedChoices) : RankStrategy(Math.Max(0, depth - 1), expectedChoices)
{
    protected override ulong FirstRank(ref SplitMix random) => random.Next();
}

/// <summary>Delay bounding: all first ranks alike, so the first enabled goes; each delay is a change.</summary>
internal sealed class DelayStrategy(int delays, int expectedChoices) : RankStrategy(delays, expectedChoices)
{
    protected override ulong FirstRank(ref SplitMix random) => 0;
}
