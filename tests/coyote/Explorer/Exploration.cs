using Membership.Explorer.Strategies;

namespace Membership.Explorer;

/// <summary>Thrown through the test to end an iteration. Never seen outside of <see cref="Exploration.Run"/>.</summary>
internal sealed class IterationEndedException : Exception
{
    public override string Message => "the iteration is over; this must pass through the test";
}

/// <summary>The seam as one thread runs it: asks the strategy, writes down the answers, watches the bounds and what is owed.</summary>
internal sealed class Exploration : IExploration
{
    /// <summary>An iteration may go on past its step bound while something is owed, but not beyond this many times the liveness bound.</summary>
    private const int LivenessRounds = 4;

    private readonly IterationEndedException _ended = new();
    private readonly Monitors _monitors = new();
    private readonly HashTable? _states;
    private readonly int _stepsMax;
    private readonly int _livenessSteps;
    private readonly long _stepsLast;
    private Strategy _strategy = new RandomWalk();
    private int _fairSteps;
    private bool _isOver;

    /// <param name="stepsMax">As in <see cref="ExploreOptions.StepsMax"/>.</param>
    /// <param name="livenessSteps">As in <see cref="ExploreOptions.LivenessSteps"/>.</param>
    /// <param name="states">Collects what the test tells, or null.</param>
    public Exploration(int stepsMax, int livenessSteps, HashTable? states)
    {
        _states = states;
        _stepsMax = stepsMax;
        _livenessSteps = livenessSteps;
        _stepsLast = stepsMax + (LivenessRounds * (long)livenessSteps);
    }

    public IterationOutcome Outcome { get; } = new();

    /// <summary>Hears the lines of the test.</summary>
    public Action<string>? Listener { get; set; }

    public bool IsTold => Listener is not null;

    /// <summary>One iteration. Whatever the test throws is its failure.</summary>
    public IterationOutcome Run(Action<IExploration> test, Strategy strategy, ulong seed)
    {
        _strategy = strategy;
        _fairSteps = 0;
        _isOver = false;
        _monitors.Clear();
        Outcome.Clear();
        strategy.Begin(seed);
        try
        {
            test(this);
            if (_monitors.Owed > 0 && !_isOver) FailAtEnd();
        }
        catch (IterationEndedException ended)
        {
            if (Outcome.HasFailed) Outcome.Details = ended.StackTrace ?? "";
        }
        catch (Exception thrown) when (strategy.IsFailure(thrown))
        {
            Outcome.Fail(FailureKind.Exception, $"{thrown.GetType().Name}: {thrown.Message}", $"{thrown.GetType().Name}: {Failure.WithoutDigits(thrown.Message)}");
            Outcome.Details = thrown.ToString();
        }
        strategy.End(Outcome);
        if (strategy.Contradiction is { } words) Outcome.Fail(FailureKind.Nondeterminism, Nondeterminism.Say(words), Nondeterminism.Identity);
        return Outcome;
    }

    public int PickNext(ReadOnlySpan<int> enabledActors) => Pick(enabledActors, []);

    public int PickNext(ReadOnlySpan<int> enabledEvents, ReadOnlySpan<int> places)
    {
        if (enabledEvents.Length != places.Length) throw new ArgumentException($"{enabledEvents.Length} events at {places.Length} places: each event has one place", nameof(places));
        return Pick(enabledEvents, places);
    }

    public bool NextBoolean()
    {
        GoOnAfterData();
        var value = _strategy.Boolean();
        Outcome.Add(ChoiceKind.Boolean, value ? 1 : 0, 2, 0, 0);
        return value;
    }

    public int NextInteger(int exclusiveMax)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(exclusiveMax);
        GoOnAfterData();
        if (exclusiveMax == 1) return 0;
        var value = _strategy.Integer(exclusiveMax);
        Outcome.Add(ChoiceKind.Integer, value, exclusiveMax, 0, 0);
        return value;
    }

    public void Observe(ulong stateHash)
    {
        if (_isOver) throw _ended;
        if (_states is not null && _states.Add(stateHash))
        {
            Outcome.NewStates++;
            Outcome.ChoicesToNews = Outcome.Choices;
        }
        Outcome.StatesPath = SplitMix.Mix(Outcome.StatesPath ^ stateHash);
        if (_strategy.GoesOnFrom(stateHash ^ _monitors.Fingerprint, _stepsMax - Outcome.Steps)) return;
        Outcome.IsPruned = true;
        throw End();
    }

    public void Assert(bool condition, string message)
    {
        if (condition) return;
        Outcome.Fail(FailureKind.Assertion, message, Failure.WithoutDigits(message));
        throw End();
    }

    public void Hot(string monitor) => _monitors.Hot(monitor, _fairSteps);

    public void Cold(string monitor) => _monitors.Cold(monitor);

    public void Tell(string line) => Listener?.Invoke(line);

    /// <summary>The iteration is over, even if the test swallows this: each later question throws it again.</summary>
    private IterationEndedException End()
    {
        _isOver = true;
        return _ended;
    }

    private int Pick(ReadOnlySpan<int> ids, ReadOnlySpan<int> places)
    {
        if (ids.IsEmpty) throw new ArgumentException("nobody is enabled: the test must end, or move its time on, instead of asking", nameof(ids));
        if (_isOver) throw _ended;
        if (Outcome.Steps >= _stepsMax) GoOnOnlyForDebts();
        var index = 0;
        if (ids.Length == 1)
        {
            _strategy.Forced(ids[0], places.IsEmpty);
        }
        else
        {
            index = _strategy.Pick(ids, places);
            Outcome.Add(ChoiceKind.Schedule, index, ids.Length, ids[index], places.IsEmpty ? ids[index] : places[index]);
            if (Outcome.Choices >= Trace.DecisionsMax) TooMany();
        }
        if (_strategy.IsFair) CountFairStep();
        Outcome.Steps++;
        return index;
    }

    private void CountFairStep()
    {
        if (_fairSteps == 0) Outcome.FairFrom = Outcome.Steps;
        _fairSteps++;
        if (_monitors.Owed == 0 || _fairSteps - _monitors.OldestSince < _livenessSteps) return;
        var monitor = _monitors.Oldest();
        Outcome.Fail(FailureKind.Liveness, $"\"{monitor}\" has been owed for {_livenessSteps} fair steps", $"owed: {monitor}");
        throw End();
    }

    private void FailAtEnd()
    {
        var monitor = _monitors.Oldest();
        Outcome.Fail(FailureKind.Liveness, $"\"{monitor}\" is still owed at the end, when nothing more happens", $"owed: {monitor}");
    }

    private void GoOnOnlyForDebts()
    {
        if (_monitors.Owed > 0 && Outcome.Steps < _stepsLast && (_strategy.IsFair || _strategy.TurnFair())) return;
        Outcome.IsCutOff = true;
        throw End();
    }

    private void GoOnAfterData()
    {
        if (_isOver) throw _ended;
        if (Outcome.Choices >= Trace.DecisionsMax) TooMany();
    }

    private void TooMany()
    {
        Outcome.Fail(FailureKind.Assertion, $"the iteration asked more than {Trace.DecisionsMax} times and did not end", "the iteration did not end");
        throw End();
    }
}
