namespace Membership.Explorer.Strategies;

/// <summary>Beginnings of runs, each up to the last state that nobody had seen, kept to be gone on from in other ways. One per thread.</summary>
internal sealed class Corpus
{
    /// <summary>Beginnings kept; a new one takes the place of a random old one.</summary>
    public const int RunsMax = 256;

    /// <summary>The one least often used of so many drawn is taken.</summary>
    private const int Drawn = 3;

    private readonly List<Decision[]> _runs = [];
    private readonly int[] _uses = new int[RunsMax];
    private SplitMix _random = new(0);

    public int Count => _runs.Count;

    public void Add(ReadOnlySpan<Decision> run)
    {
        if (run.IsEmpty) return;
        var at = _runs.Count < RunsMax ? _runs.Count : _random.Below(RunsMax);
        if (at == _runs.Count) _runs.Add(run.ToArray());
        else _runs[at] = run.ToArray();
        _uses[at] = 0;
    }

    public ReadOnlySpan<Decision> One(ref SplitMix random)
    {
        var least = random.Below(_runs.Count);
        for (var i = 1; i < Drawn; i++)
        {
            var other = random.Below(_runs.Count);
            if (_uses[other] < _uses[least]) least = other;
        }
        _uses[least]++;
        return _runs[least];
    }
}

/// <summary>Plays the beginning of a run up to its last new state and goes on at random; now and then it changes the beginning too: cuts it, splices two, swaps neighbours, gives another answer.</summary>
internal sealed class CoverageGuided(Corpus corpus) : Strategy
{
    /// <summary>One in so many iterations is a plain random walk: what nobody has tried cannot be found by changing what was tried.</summary>
    private const int FreshOneIn = 8;

    /// <summary>One in so many beginnings is changed.</summary>
    private const int ChangedOneIn = 4;

    private readonly TracePlayer _player = new();
    private Decision[] _list = new Decision[256];
    private int _length;

    public override void Begin(ulong seed)
    {
        var random = new SplitMix(SplitMix.Mix(seed));
        _length = 0;
        if (corpus.Count > 0 && random.Below(FreshOneIn) > 0)
        {
            Copy(corpus.One(ref random), 0);
            _length = random.Below(_length + 1);
            if (_length > 0 && random.Below(ChangedOneIn) == 0) Change(ref random);
        }
        _player.Load(_list.AsSpan(0, _length), isLoose: true, endsFair: true);
        _player.Begin(seed);
        IsFair = _player.IsFair;
    }

    public override int Pick(ReadOnlySpan<int> ids, ReadOnlySpan<int> places)
    {
        var index = _player.Pick(ids, places);
        IsFair = _player.IsFair;
        return index;
    }

    public override void Forced(int id, bool isActor)
    {
        _player.Forced(id, isActor);
        IsFair = _player.IsFair;
    }

    public override int Integer(int exclusiveMax) => _player.Integer(exclusiveMax);

    public override bool Boolean() => _player.Boolean();

    public override bool TurnFair() => _player.TurnFair() && base.TurnFair();

    private void Change(ref SplitMix random)
    {
        var at = random.Below(_length);
        switch (random.Below(4))
        {
            case 0:
                _length = at;
                break;
            case 1:
                var other = corpus.One(ref random);
                Copy(other[random.Below(other.Length)..], at);
                break;
            case 2 when at > 0:
                (_list[at], _list[at - 1]) = (_list[at - 1], _list[at]);
                break;
            default:
                if (_list[at].Offered > 0) _list[at] = _list[at].With(random.Below(_list[at].Offered));
                break;
        }
    }

    private void Copy(ReadOnlySpan<Decision> run, int to)
    {
        run = run[..Math.Min(run.Length, Trace.DecisionsMax - to)];
        if (_list.Length < to + run.Length) Array.Resize(ref _list, (to + run.Length) * 2);
        run.CopyTo(_list.AsSpan(to));
        _length = to + run.Length;
    }
}
