namespace Membership.Explorer.Strategies;

/// <summary>Runs that reached states nobody had seen, kept to be changed and tried again. One per thread.</summary>
internal sealed class Corpus
{
    /// <summary>Runs kept; a new one takes the place of a random old one.</summary>
    public const int RunsMax = 256;

    private readonly List<Decision[]> _runs = [];
    private SplitMix _random = new(0);

    public int Count => _runs.Count;

    public void Add(ReadOnlySpan<Decision> run)
    {
        if (run.IsEmpty) return;
        if (_runs.Count < RunsMax) _runs.Add(run.ToArray());
        else _runs[_random.Below(RunsMax)] = run.ToArray();
    }

    public ReadOnlySpan<Decision> One(ref SplitMix random) => _runs[random.Below(_runs.Count)];
}

/// <summary>Takes a run that reached new states, changes it (cut and go on at random, splice two, swap neighbours, another value) and plays it.</summary>
internal sealed class CoverageGuided(Corpus corpus) : Strategy
{
    /// <summary>One in so many iterations is a plain random walk: what nobody has tried cannot be found by changing what was tried.</summary>
    private const int FreshOneIn = 8;

    private const int ChangesMax = 4;

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
            for (var changes = 1 + random.Below(ChangesMax); changes > 0 && _length > 1; changes--) Change(ref random);
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
