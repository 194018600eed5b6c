namespace Membership.Explorer.Strategies;

/// <summary>Gives the answers of a list; afterwards the first answer each time, or a fair random walk.</summary>
/// <remarks>
/// Exactly: by index, and at the first question that does not fit the list is left for good. Loosely (for changed lists): by id, passing over answers nobody asks for.
/// </remarks>
internal sealed class TracePlayer : Strategy
{
    /// <summary>The seed of the walk after the end of a trace: fixed, so that the trace alone decides.</summary>
    public const ulong SeedAfterEnd = 20100313;

    /// <summary>Played loosely: answers for ids that are not enabled, passed over for one question at most.</summary>
    private const int PassedOverMax = 8;

    private Decision[] _list = new Decision[256];
    private int _length;
    private int _at;
    private int _steps;
    private int _answers;
    private int _fairFrom;
    private bool _endsFair;
    private bool _turnedFair;
    private bool _isLoose;
    private bool _isLeft;
    private SplitMix _random;

    /// <summary>In words, where the list did not fit the questions; null when it did. Only when played exactly.</summary>
    public string? Left { get; private set; }

    /// <summary>Answers given before the list was used up.</summary>
    public int AnswersFromList { get; private set; }

    public void Load(ReadOnlySpan<Decision> list, bool isLoose, int? fairFrom = null, bool endsFair = false)
    {
        if (_list.Length < list.Length) _list = new Decision[list.Length * 2];
        list.CopyTo(_list);
        _length = list.Length;
        _isLoose = isLoose;
        _fairFrom = fairFrom ?? int.MaxValue;
        _endsFair = endsFair;
    }

    public override void Begin(ulong seed)
    {
        _random = new SplitMix(seed);
        _at = 0;
        _steps = 0;
        _answers = 0;
        _turnedFair = false;
        _isLeft = false;
        Left = null;
        AnswersFromList = 0;
        IsFair = false;
    }

    public override int Pick(ReadOnlySpan<int> ids, ReadOnlySpan<int> places)
    {
        CountStep();
        var index = _isLoose ? PickLoosely(ids) : PickExactly(ids);
        if (index < 0) index = IsWalking() ? _random.Below(ids.Length) : 0;
        _answers++;
        return index;
    }

    public override void Forced(int id, bool isActor) => CountStep();

    public override int Integer(int exclusiveMax) => Data(ChoiceKind.Integer, exclusiveMax);

    public override bool Boolean() => Data(ChoiceKind.Boolean, 2) == 1;

    public override bool TurnFair()
    {
        _turnedFair = true;
        return base.TurnFair();
    }

    public override void End(IterationOutcome outcome)
    {
        if (_at >= _length) return;
        AnswersFromList = _answers;
        if (!_isLoose && !_isLeft) Left = $"the test ended after {_at} of {_length} choices";
    }

    private void CountStep()
    {
        if (_steps++ >= _fairFrom || (_endsFair && _at >= _length)) IsFair = true;
    }

    private bool IsWalking()
    {
        if (!_endsFair && !_turnedFair) return false;
        IsFair = true;
        return true;
    }

    private int PickExactly(ReadOnlySpan<int> ids)
    {
        if (IsUsedUp()) return -1;
        var next = _list[_at];
        if (next.Kind != ChoiceKind.Schedule) return Leave($"the test asked who goes next where the trace has an answer of kind {next.Kind}");
        if (next.Value >= ids.Length || (next.Offered != 0 && next.Offered != ids.Length)) return Leave(Offers(ids.Length, next));
        if (next.Offered != 0 && next.Actor != ids[next.Value]) return Leave($"answer {next.Value} was actor or event {next.Actor} and is {ids[next.Value]} now");
        _at++;
        return next.Value;
    }

    private int PickLoosely(ReadOnlySpan<int> ids)
    {
        for (var passedOver = 0; passedOver < PassedOverMax && !IsUsedUp();)
        {
            var next = _list[_at++];
            if (next.Kind != ChoiceKind.Schedule) continue;
            var index = next.Offered == 0 ? next.Value : ids.IndexOf(next.Actor);
            if (index >= 0 && index < ids.Length) return index;
            passedOver++;
        }
        return -1;
    }

    private int Data(ChoiceKind kind, int exclusiveMax)
    {
        var value = _isLoose ? DataLoosely(kind, exclusiveMax) : DataExactly(kind, exclusiveMax);
        if (value < 0) value = IsUsedUp() && IsWalking() ? _random.Below(exclusiveMax) : 0;
        _answers++;
        return value;
    }

    private int DataExactly(ChoiceKind kind, int exclusiveMax)
    {
        if (IsUsedUp()) return -1;
        var next = _list[_at];
        if (next.Kind != kind) return Leave($"the test asked for {kind} where the trace has an answer of kind {next.Kind}");
        if (next.Value >= exclusiveMax || (next.Offered != 0 && next.Offered != exclusiveMax)) return Leave(Offers(exclusiveMax, next));
        _at++;
        return next.Value;
    }

    private int DataLoosely(ChoiceKind kind, int exclusiveMax)
    {
        if (IsUsedUp() || _list[_at].Kind == ChoiceKind.Schedule) return -1;
        var next = _list[_at++];
        return next.Kind == kind && next.Value < exclusiveMax ? next.Value : 0;
    }

    private bool IsUsedUp()
    {
        if (_at < _length) return false;
        if (AnswersFromList == 0) AnswersFromList = _answers;
        return true;
    }

    private int Leave(string what)
    {
        Left = $"at choice {_at + 1} of {_length} {what}";
        _isLeft = true;
        _at = _length;
        return -1;
    }

    private static string Offers(int now, Decision then) =>
        then.Offered == 0 ? $"there are only {now} answers and the trace has number {then.Value}" : $"{then.Offered} answers were offered once and {now} this time";
}
