namespace Membership.Explorer.Strategies;

/// <summary>All answers, schedule and data, one iteration after the other: the last answer that has an alternative takes the next one.</summary>
/// <remarks>
/// Actors: whoever ran last comes first, then those after it. Events: in the order of the test. The n-th in that order costs n delays. States that the test tells are
/// explored once: first by their hash alone, which is sound as long as no iteration is cut off by the step bound. Once one is, the search starts over and explores a state
/// again when it is reached with more steps or delays left than before.
/// </remarks>
internal sealed class DepthFirstSearch : Strategy
{
    private const int Unbounded = int.MaxValue;

    private readonly int _delaysMax;
    private readonly HashTable _explored = new(hasWords: true);
    private Frame[] _stack = new Frame[256];
    private int _length;
    private int _at;
    private int _delays;
    private int _last;
    private bool _hasLast;
    private (int At, int StepsLeft, ulong State) _told;
    private bool _exact;
    private string? _contradiction;

    /// <param name="delaysMax">Delays allowed; 0 for any number.</param>
    public DepthFirstSearch(int delaysMax) => _delaysMax = delaysMax == 0 ? Unbounded : delaysMax;

    /// <summary>Nothing is left within the bounds.</summary>
    public bool IsExhausted { get; private set; }

    /// <summary>Alternatives left out because they cost too many delays.</summary>
    public long LeftOut { get; private set; }

    /// <summary>Iterations cut off by the step bound since the search (re)started.</summary>
    public long CutOff { get; private set; }

    /// <summary>Iterations ended at a state that had been explored.</summary>
    public long Pruned { get; private set; }

    public override string? Contradiction => _contradiction;

    public override void Begin(ulong seed)
    {
        _at = 0;
        _delays = 0;
        _hasLast = false;
        _told = (-1, 0, 0);
        _contradiction = null;
    }

    public override int Pick(ReadOnlySpan<int> ids, ReadOnlySpan<int> places)
    {
        var first = 0;
        if (_hasLast && places.IsEmpty) first = Math.Max(0, ids.IndexOf(_last));
        var turn = Choose(ids.Length, isSchedule: true);
        _delays += turn;
        var index = (first + turn) % ids.Length;
        Remember(ids[index], places.IsEmpty);
        return index;
    }

    public override void Forced(int id, bool isActor) => Remember(id, isActor);

    public override int Integer(int exclusiveMax) => Choose(exclusiveMax, isSchedule: false);

    public override bool TurnFair() => false;

    public override bool GoesOnFrom(ulong state, int stepsLeft)
    {
        if (_at < _length) return true;
        if (_delaysMax != Unbounded && _hasLast) state = SplitMix.Mix(state) ^ SplitMix.Mix((uint)_last);
        if (_told == (_at, stepsLeft, state)) return true;
        _told = (_at, stepsLeft, state);
        var (steps, delays) = (_exact ? (uint)stepsLeft : 0, _delaysMax == Unbounded ? 0 : (uint)(_delaysMax - _delays));
        ref var best = ref _explored.Word(state, out var isNew);
        var (bestSteps, bestDelays) = ((uint)(best >> 32), (uint)best);
        if (!isNew && bestSteps >= steps && bestDelays >= delays)
        {
            Pruned++;
            return false;
        }
        if (isNew || (steps >= bestSteps && delays >= bestDelays)) best = ((ulong)steps << 32) | delays;
        return true;
    }

    public override void End(IterationOutcome outcome)
    {
        if (_at < _length)
        {
            _contradiction ??= $"after the same {_at} choices the test once asked for another one and this time ended";
            IsExhausted = true;
            return;
        }
        if (outcome.IsCutOff)
        {
            CutOff++;
            if (!_exact && _explored.Count > 0)
            {
                StartOver();
                return;
            }
        }
        Backtrack();
    }

    private void StartOver()
    {
        _exact = true;
        _explored.Clear();
        _length = 0;
        CutOff = 0;
        LeftOut = 0;
    }

    private void Backtrack()
    {
        for (_length = _at; _length > 0; _length--)
        {
            ref var frame = ref _stack[_length - 1];
            if (frame.Chosen + 1 >= frame.Offered) continue;
            if (frame.IsSchedule && frame.DelaysBefore + frame.Chosen + 1 > _delaysMax)
            {
                LeftOut += frame.Offered - frame.Chosen - 1;
                continue;
            }
            frame.Chosen++;
            return;
        }
        IsExhausted = true;
    }

    private int Choose(int offered, bool isSchedule)
    {
        if (_at == _stack.Length) Array.Resize(ref _stack, _at * 2);
        ref var frame = ref _stack[_at++];
        if (_at > _length)
        {
            frame = new Frame(0, offered, _delays, isSchedule);
            _length = _at;
        }
        else if (frame.Offered != offered || frame.IsSchedule != isSchedule)
        {
            _contradiction ??= $"after the same {_at - 1} choices it offered {frame.Offered} answers once and {offered} this time";
            return 0;
        }
        return frame.Chosen;
    }

    private void Remember(int id, bool isActor)
    {
        _last = id;
        _hasLast = isActor;
    }

    private record struct Frame(int Chosen, int Offered, int DelaysBefore, bool IsSchedule);
}
